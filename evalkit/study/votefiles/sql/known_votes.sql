-- What earlier imports into the same study have written; the oldest knew no `pair_propensity`.
CREATE TEMP TABLE known AS
SELECT ballot, criterion, answer,
    hash(suite, category, "case", cluster, rater, session, left_system, right_system, left_trial, right_trial, t,
        propensity, pair_propensity, visible_ms, simulated, weight) AS content
FROM (
    SELECT NULL::DOUBLE AS pair_propensity WHERE false
    UNION ALL BY NAME SELECT * FROM read_parquet($files, union_by_name = true)
);
