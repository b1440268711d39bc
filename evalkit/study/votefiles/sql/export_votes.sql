-- One row per answer that counts, in the order of time.
CREATE TEMP TABLE picked AS
SELECT v.ballot, v.criterion, v.answer, v.left_system, v.right_system, v.suite, v.category, v."case", v.cluster,
    coalesce(p.alias, v.rater) AS rater, coalesce(q.alias, v.session) AS session, v.left_trial, v.right_trial, v.t,
    v.propensity, v.pair_propensity, v.visible_ms,
    coalesce(v.simulated, false) OR coalesce(s.simulated, false) AS simulated, v.withdrawn, v.weight, v.extra
FROM votes v
JOIN studies s USING (study)
LEFT JOIN aliases p ON p.name = v.rater
LEFT JOIN aliases q ON q.name = v.session
WHERE v.study = $study AND ($criterion IS NULL OR v.criterion = $criterion)
ORDER BY v.t, v.ballot, v.criterion;
