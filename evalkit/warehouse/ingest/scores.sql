CREATE OR REPLACE TEMP TABLE part AS
SELECT * FROM read_json($path, format = 'newline_delimited', ignore_errors = true, maximum_object_size = $size,
    columns = {type: 'VARCHAR', t: 'VARCHAR', run: 'VARCHAR', metric: 'VARCHAR', family: 'VARCHAR', version: 'VARCHAR',
        config: 'JSON', weights: 'VARCHAR', caveat: 'VARCHAR', trial: 'VARCHAR', image_index: 'INTEGER',
        image: 'VARCHAR', key: 'VARCHAR',
        judged: 'STRUCT(model VARCHAR, templates VARCHAR[], questions VARCHAR[], answered VARCHAR)',
        "values": 'STRUCT(output VARCHAR, value DOUBLE, reason VARCHAR, detail VARCHAR, flag VARCHAR)[]',
        outputs: 'STRUCT(name VARCHAR, label VARCHAR, better VARCHAR, unit VARCHAR, low DOUBLE, high DOUBLE,
            needs VARCHAR[], headline BOOLEAN, categories VARCHAR[])[]'});

INSERT INTO metric_outputs
SELECT run, metric, family, version, config, weights, o.name, position - 1, o.label, o.better, o.unit, o.low, o.high,
    o.needs, o.headline, coalesce(o.categories, []), caveat, t::TIMESTAMP
FROM (SELECT *, unnest(outputs) AS o, generate_subscripts(outputs, 1) AS position FROM part WHERE type = 'metric');

INSERT INTO score_rows
SELECT trial, image_index, image, metric, version, key, v.output, v.value, v.reason, v.detail, v.flag, t::TIMESTAMP
FROM (SELECT *, unnest("values") AS v FROM part WHERE type = 'score');

INSERT INTO judged_scores
SELECT trial, image_index, metric, key, judged.model, judged.templates, judged.questions, judged.answered::TIMESTAMP,
    t::TIMESTAMP
FROM part WHERE type = 'score' AND judged IS NOT NULL;
