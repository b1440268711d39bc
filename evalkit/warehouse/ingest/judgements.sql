CREATE OR REPLACE TEMP TABLE part AS
SELECT * FROM read_json($path, format = 'newline_delimited', ignore_errors = true, maximum_object_size = $size,
    columns = {type: 'VARCHAR', t: 'VARCHAR', run: 'VARCHAR', judge: 'VARCHAR', model: 'VARCHAR', template: 'VARCHAR',
        digest: 'VARCHAR', suite: 'VARCHAR', "case": 'VARCHAR', replicate: 'INTEGER', system_a: 'VARCHAR',
        system_b: 'VARCHAR', trial_a: 'VARCHAR', trial_b: 'VARCHAR', forward: 'VARCHAR', backward: 'VARCHAR',
        result: 'VARCHAR', reason: 'VARCHAR', flipped: 'BOOLEAN', answered: 'VARCHAR', occasion: 'VARCHAR',
        anchor: 'VARCHAR', item: 'VARCHAR', repeat: 'INTEGER', output: 'VARCHAR', value: 'DOUBLE'});

INSERT INTO judge_pair_rows
SELECT run, judge, model, template, digest, suite, "case", replicate, system_a, system_b, trial_a, trial_b, forward,
    backward, result, reason, flipped, answered::TIMESTAMP, t::TIMESTAMP
FROM part WHERE type = 'pair';

INSERT INTO judge_anchor_rows
SELECT run, judge, model, template, digest, occasion, anchor, item, repeat, output, value, reason, answered::TIMESTAMP,
    t::TIMESTAMP
FROM part WHERE type = 'anchor';
