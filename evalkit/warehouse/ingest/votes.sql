CREATE OR REPLACE TEMP TABLE part AS
SELECT * FROM read_json($path, format = 'newline_delimited', ignore_errors = true, maximum_object_size = $size,
    columns = {type: 'VARCHAR', study: 'VARCHAR', ballot: 'VARCHAR', comparison: 'VARCHAR', suite: 'VARCHAR',
        "case": 'VARCHAR', rater: 'VARCHAR', "left": 'STRUCT(system VARCHAR, trial VARCHAR)',
        "right": 'STRUCT(system VARCHAR, trial VARCHAR)', t: 'VARCHAR', propensity: 'DOUBLE',
        answers: 'MAP(VARCHAR, VARCHAR)', client: 'STRUCT(visible_ms BIGINT, input VARCHAR)', simulated: 'BOOLEAN'})
WHERE type = 'ballot';

INSERT INTO ballot_rows
SELECT study, ballot, comparison, suite, "case", rater, "left".system, "right".system, "left".trial, "right".trial,
    t::TIMESTAMP, propensity, client.visible_ms, client.input, simulated
FROM part;

INSERT INTO vote_rows
SELECT study, ballot, answer.key, answer.value, t::TIMESTAMP
FROM (SELECT study, ballot, t, unnest(map_entries(answers)) AS answer FROM part);
