INSERT INTO studies
SELECT study, created::TIMESTAMP, title, nullif(run, ''), systems, [c.id FOR c IN criteria],
    [c.question FOR c IN criteria], len(comparisons), simulated, selection.rule, imported.file IS NOT NULL, sampling
FROM read_json($path, format = 'unstructured', maximum_object_size = $size,
    columns = {study: 'VARCHAR', created: 'VARCHAR', title: 'VARCHAR', run: 'VARCHAR', systems: 'VARCHAR[]',
        criteria: 'STRUCT(id VARCHAR, question VARCHAR)[]', comparisons: 'JSON[]', simulated: 'BOOLEAN',
        selection: 'STRUCT(rule VARCHAR)', imported: 'STRUCT(file VARCHAR)', sampling: 'VARCHAR'});
