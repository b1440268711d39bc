-- Studies with votes that are not on withdrawn pictures. One criterion may be worded differently for each task: its
-- questions are all kept. Raters are those that are known: 0 where no vote says whose it is.
SELECT s.study, s.title, coalesce(s.simulated, false) OR v.simulated, list_zip(s.criteria, s.questions), v.ballots, v.raters,
    coalesce(s.selection, '')
FROM studies s
JOIN (
    SELECT study, count(DISTINCT ballot) AS ballots, count(DISTINCT rater) AS raters,
        bool_or(coalesce(simulated, false)) AS simulated
    FROM votes WHERE NOT withdrawn GROUP BY study
) v ON v.study = s.study
WHERE CASE WHEN $names IS NULL THEN s.run = $run ELSE list_contains($names, s.study) END
ORDER BY s.created, s.study;
