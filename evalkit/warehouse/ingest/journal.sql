CREATE OR REPLACE TEMP TABLE part AS
SELECT * FROM read_json($path, format = 'newline_delimited', ignore_errors = true, maximum_object_size = $size,
    columns = {type: 'VARCHAR', trial: 'VARCHAR', attempt: 'INTEGER', t: 'VARCHAR', status: 'VARCHAR',
        reason: 'VARCHAR', kind: 'VARCHAR', stage: 'VARCHAR', usd: 'DECIMAL(12,6)', basis: 'VARCHAR',
        note: 'VARCHAR',
        timings: 'STRUCT(total DOUBLE, submit DOUBLE, queue DOUBLE, run DOUBLE, download DOUBLE, provider DOUBLE,
            provider_queue DOUBLE, throttle DOUBLE, poll DOUBLE)',
        facts: 'STRUCT(degraded VARCHAR[], warmup BOOLEAN, resumed BOOLEAN, request_id VARCHAR, model_version VARCHAR)',
        images: 'STRUCT(sha256 VARCHAR, width INTEGER, height INTEGER, format VARCHAR, bytes BIGINT)[]'})
WHERE trial IS NOT NULL;

INSERT INTO attempts
SELECT trial, $folder, attempt, type, t::TIMESTAMP, usd, note FROM part WHERE type <> 'done';

INSERT INTO outcomes
SELECT trial, $folder, attempt, t::TIMESTAMP, status, reason, kind, stage, usd, basis,
    timings.total, timings.submit, timings.queue, timings.run, timings.download, timings.provider,
    timings.provider_queue, timings.throttle, timings.poll,
    facts.degraded, coalesce(facts.warmup, false), coalesce(facts.resumed, false), facts.request_id, facts.model_version
FROM part WHERE type = 'done';

INSERT INTO images
SELECT trial, attempt, position - 1, i.sha256, i.width, i.height, i.format, i.bytes
FROM (SELECT trial, attempt, unnest(images) AS i, generate_subscripts(images, 1) AS position
      FROM part WHERE type = 'done');
