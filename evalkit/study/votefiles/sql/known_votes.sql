-- What earlier imports into the same study have written.
CREATE TEMP TABLE known AS
SELECT ballot, criterion, answer,
    hash(suite, category, "case", cluster, rater, session, left_system, right_system, left_trial, right_trial, t,
        propensity, visible_ms, simulated, weight) AS content
FROM read_parquet($files);
