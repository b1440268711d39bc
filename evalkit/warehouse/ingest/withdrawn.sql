INSERT INTO withdrawn_rows
SELECT $folder, trial, reason, t::TIMESTAMP
FROM read_json($path, format = 'newline_delimited', ignore_errors = true, maximum_object_size = $size,
    columns = {type: 'VARCHAR', trial: 'VARCHAR', reason: 'VARCHAR', t: 'VARCHAR'})
WHERE type = 'withdrawn' AND trial IS NOT NULL;
