-- One criterion may be worded differently for each task: its questions are all kept.
SELECT s.study, s.title, coalesce(s.simulated, false) OR coalesce(b.simulated, false),
    list_zip(s.criteria, s.questions), b.ballots, b.raters, coalesce(s.selection, '')
FROM studies s
JOIN (
    SELECT study, count(*) AS ballots, count(DISTINCT rater) AS raters, bool_or(simulated) AS simulated
    FROM ballots GROUP BY study
) b USING (study)
WHERE CASE WHEN $names IS NULL THEN s.run = $run ELSE list_contains($names, s.study) END
ORDER BY s.created, s.study;
