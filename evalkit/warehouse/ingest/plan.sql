-- A rehearsal is kept in a workspace of that name and nowhere else.
INSERT INTO runs
SELECT run, created::TIMESTAMP, evalkit, regexp_matches($path, '[/\\]rehearsal[/\\]runs[/\\][^/\\]+[/\\][^/\\]+$')
FROM read_json($path, format = 'unstructured', maximum_object_size = $size,
    columns = {run: 'VARCHAR', created: 'VARCHAR', evalkit: 'VARCHAR'});

INSERT INTO suites
SELECT run, s.name, s.version, s.digest, s.category, s.licence, s.description, s.synthetic,
    coalesce(s.redistributable, true)
FROM (
    SELECT run, unnest(suites) AS s
    FROM read_json($path, format = 'unstructured', maximum_object_size = $size,
        columns = {run: 'VARCHAR', suites: 'STRUCT(name VARCHAR, version VARCHAR, digest VARCHAR, category VARCHAR,
            licence VARCHAR, description VARCHAR, synthetic BOOLEAN, redistributable BOOLEAN)[]'})
);

INSERT INTO cases
SELECT p.run, c.suite, s.category, c.id, position - 1, c.prompt, c.task, c.aspect_ratio, c.tags,
    -- Edits of one picture are one piece of evidence, unless the suite's own clusters are wider.
    CASE WHEN c.source_sha IS NULL OR min(c.source_sha) OVER twins <> max(c.source_sha) OVER twins
         THEN coalesce(nullif(c.cluster, ''), c.id) ELSE c.source END,
    c.source, c.source_sha, c.mask_sha, c.source_caption, c.target_caption,
    c.edit_type, c.keep, c.expected_text, len([k FOR k IN coalesce(c.checks, []) IF k.kind = 'question'])
FROM (
    SELECT run, unnest(cases) AS c, generate_subscripts(cases, 1) AS position
    FROM read_json($path, format = 'unstructured', maximum_object_size = $size,
        columns = {run: 'VARCHAR', cases: 'STRUCT(suite VARCHAR, id VARCHAR, prompt VARCHAR, task VARCHAR,
            aspect_ratio VARCHAR, tags VARCHAR[], cluster VARCHAR, source VARCHAR, source_sha VARCHAR,
            mask_sha VARCHAR, source_caption VARCHAR, target_caption VARCHAR, edit_type VARCHAR, keep VARCHAR[],
            expected_text VARCHAR[], checks STRUCT(kind VARCHAR)[])[]'})
) p JOIN suites s ON s.run = p.run AND s.suite = c.suite
WINDOW twins AS (PARTITION BY c.suite, coalesce(nullif(c.cluster, ''), c.id));

INSERT INTO systems
SELECT run, s.name, position - 1, s.provider, s.model, s.params, s.spec, s.replayable, s.unmatched_files, s.missing_cases,
    coalesce(s.rehearsed, false)
FROM (
    SELECT run, unnest(systems) AS s, generate_subscripts(systems, 1) AS position
    FROM read_json($path, format = 'unstructured', maximum_object_size = $size,
        columns = {run: 'VARCHAR', systems: 'STRUCT(name VARCHAR, provider VARCHAR, model VARCHAR, params JSON,
            spec VARCHAR, replayable BOOLEAN, unmatched_files VARCHAR[], missing_cases VARCHAR[], rehearsed BOOLEAN)[]'})
);

INSERT INTO trials
SELECT $folder, t.trial, c.suite, c."case", s.system, t.replicate
FROM read_csv($trials, header = true,
    columns = {trial: 'VARCHAR', "case": 'INTEGER', system: 'INTEGER', replicate: 'INTEGER'}) t
JOIN cases c ON c.run = $folder AND c.position = t."case"
JOIN systems s ON s.run = $folder AND s.position = t.system;
