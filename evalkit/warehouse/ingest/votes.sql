CREATE OR REPLACE TEMP TABLE part AS
SELECT * FROM read_json($path, format = 'newline_delimited', ignore_errors = true, maximum_object_size = $size,
    columns = {type: 'VARCHAR', study: 'VARCHAR', ballot: 'VARCHAR', comparison: 'VARCHAR', suite: 'VARCHAR',
        "case": 'VARCHAR', rater: 'VARCHAR', "left": 'STRUCT(system VARCHAR, trial VARCHAR)',
        "right": 'STRUCT(system VARCHAR, trial VARCHAR)', t: 'VARCHAR', propensity: 'DOUBLE', pair_propensity: 'DOUBLE',
        answers: 'MAP(VARCHAR, VARCHAR)', client: 'STRUCT(visible_ms BIGINT, input VARCHAR, session VARCHAR)',
        simulated: 'BOOLEAN', weight: 'DOUBLE', extra: 'MAP(VARCHAR, VARCHAR)', criterion: 'VARCHAR',
        "order": 'VARCHAR[][]'})
WHERE type IN ('ballot', 'undo', 'ranking');

INSERT INTO ballot_rows
SELECT study, ballot, comparison, suite, "case", rater, "left".system, "right".system, "left".trial, "right".trial,
    t::TIMESTAMP, propensity, pair_propensity, client.visible_ms, client.input, simulated, client.session, weight, extra
FROM part WHERE type = 'ballot';

INSERT INTO vote_rows
SELECT study, ballot, answer.key, answer.value, t::TIMESTAMP
FROM (SELECT study, ballot, t, unnest(map_entries(answers)) AS answer FROM part WHERE type = 'ballot');

INSERT INTO undo_rows
SELECT study, ballot, rater, t::TIMESTAMP FROM part WHERE type = 'undo';

INSERT INTO ranking_rows
SELECT study, ballot, criterion, suite, NULL, "case", NULL, rater, 1 + coalesce(list_sum(list_transform(
    "order"[:place - 1], lambda g: len(g))), 0), unnest("order"[place]), t::TIMESTAMP, false
FROM (SELECT *, generate_subscripts("order", 1) AS place FROM part WHERE type = 'ranking');
