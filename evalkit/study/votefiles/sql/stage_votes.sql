-- Votes as we keep them, with what is wrong with a row beside it. `content` stands for all that the answers of one
-- ballot share.
CREATE TABLE staged AS
WITH numbers AS (
    SELECT * REPLACE (coalesce(number(weight), CASE WHEN weight IS NULL THEN 1 END) AS weight, number(propensity) AS propensity,
            number(pair_propensity) AS pair_propensity, number(visible_ms) AS visible_ms),
        verdict(lower(answer)) AS said, number(t) AS seconds, weight AS weight_text, propensity AS propensity_text,
        pair_propensity AS pair_text, visible_ms AS visible_text
    FROM given
), typed AS (
    SELECT * REPLACE (moment(t, seconds) AS t, TRY_CAST(round(visible_ms) AS BIGINT) AS visible_ms,
            TRY_CAST(simulated AS BOOLEAN) AS simulated, TRY_CAST(withdrawn AS BOOLEAN) AS withdrawn),
        t AS t_text, simulated AS simulated_text, withdrawn AS withdrawn_text
    FROM numbers
)
SELECT row,
    CASE
        WHEN NOT whole THEN 'unreadable'
        WHEN left_system IS NULL OR right_system IS NULL THEN 'no_system'
        WHEN left_system = right_system THEN 'self_pair'
        WHEN answer IS NULL THEN 'no_answer'
        WHEN said IS NULL THEN 'answer'
        WHEN NOT coalesce(isfinite(weight) AND weight >= 0, false) THEN 'weight'
        WHEN t IS NULL AND t_text IS NOT NULL THEN 't'
        WHEN propensity_text IS NOT NULL AND NOT coalesce(propensity > 0 AND propensity <= 1, false) THEN 'propensity'
        WHEN pair_text IS NOT NULL AND NOT coalesce(pair_propensity > 0 AND pair_propensity <= 1, false) THEN 'pair_propensity'
        WHEN visible_text IS NOT NULL AND NOT coalesce(visible_ms >= 0, false) THEN 'visible_ms'
        WHEN simulated IS NULL AND simulated_text IS NOT NULL THEN 'simulated'
        WHEN withdrawn IS NULL AND withdrawn_text IS NOT NULL THEN 'withdrawn'
        WHEN told IS NOT NULL AND NOT is_object(told) THEN 'extra'
    END AS fault,
    CASE fault
        WHEN 'self_pair' THEN left_system
        WHEN 'answer' THEN answer
        WHEN 'weight' THEN weight_text
        WHEN 't' THEN t_text
        WHEN 'propensity' THEN propensity_text
        WHEN 'pair_propensity' THEN pair_text
        WHEN 'visible_ms' THEN visible_text
        WHEN 'simulated' THEN simulated_text
        WHEN 'withdrawn' THEN withdrawn_text
    END AS detail,
    coalesce(ballot, $prefix || row) AS ballot, true AS "first", coalesce(criterion, $criterion) AS criterion,
    said AS answer, suite, category, "case", cluster, rater, session, left_system, right_system, left_trial, right_trial,
    t, propensity, pair_propensity, visible_ms, coalesce(simulated, false) AS simulated,
    coalesce(withdrawn, false) AS withdrawn, weight,
    facts(told, extra) AS extra,
    hash(suite, category, "case", cluster, rater, session, left_system, right_system, left_trial, right_trial, t,
        propensity, pair_propensity, visible_ms, coalesce(simulated, false), weight) AS content
FROM typed;

CREATE VIEW named AS
SELECT row, fault, unnest([left_system, right_system]) AS system FROM staged;
