-- Rankings as we keep them, with what is wrong with a row beside it. `answer` is the ranking as text.
CREATE TABLE staged AS
WITH parsed AS (
    SELECT *, CASE WHEN is_list(ranking) THEN list_transform(from_json(ranking, '["JSON"]'),
        lambda e: CASE WHEN json_type(e) = 'ARRAY' THEN e::VARCHAR[] ELSE [e ->> '$'] END) END AS groups
    FROM given
), flat AS (
    SELECT *, flatten(groups) AS systems FROM parsed
)
SELECT row,
    CASE
        WHEN NOT whole THEN 'unreadable'
        WHEN ranking IS NULL THEN 'no_answer'
        WHEN groups IS NULL THEN 'ranking'
        WHEN len(list_filter(systems, lambda s: coalesce(trim(s), '') = '')) > 0
            OR len(list_filter(groups, lambda g: len(g) = 0)) > 0 THEN 'no_system'
        WHEN len(systems) < 2 THEN 'short'
        WHEN list_unique(systems) < len(systems) THEN 'twice'
        WHEN t IS NOT NULL AND moment(t, number(t)) IS NULL THEN 't'
    END AS fault,
    CASE fault WHEN 'ranking' THEN ranking[:40] WHEN 'twice' THEN ranking[:40] WHEN 't' THEN t END AS detail,
    coalesce(ballot, $prefix || row) AS ballot, true AS "first", coalesce(criterion, $criterion) AS criterion,
    list_transform(groups, lambda g: list_sort(g))::JSON::VARCHAR AS answer, suite, category, "case", cluster, rater,
    moment(t, number(t)) AS t, groups, hash(suite, category, "case", cluster, rater, moment(t, number(t))) AS content
FROM flat;

CREATE VIEW named AS
SELECT row, fault, unnest(flatten(groups)) AS system FROM staged;

-- One row per ranked system. Systems ranked alike share the best place among them.
CREATE VIEW ranked AS
SELECT row, ballot, criterion, suite, category, "case", cluster, rater, place, unnest(g) AS system, t, answer AS ranking
FROM (
    SELECT *, unnest(groups) AS g,
        1 + coalesce(list_sum(list_transform(groups[:generate_subscripts(groups, 1) - 1], lambda x: len(x))), 0)::INTEGER
            AS place
    FROM staged WHERE fault IS NULL
);
