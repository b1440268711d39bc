-- Studies whose votes may tell whether metrics agree with people: of a run, or by name. `selection` says by which
-- rule pairs were picked where not every pair could be asked.
SELECT s.study, coalesce(s.selection, '') AS selection,
    count(b.ballot) FILTER (coalesce(b.simulated, false) OR coalesce(s.simulated, false)) AS simulated,
    count(b.ballot) AS ballots
FROM studies s
LEFT JOIN ballots b USING (study)
WHERE CASE WHEN $names IS NULL THEN s.run = $run ELSE list_contains($names, s.study) END
GROUP BY ALL
ORDER BY s.study;
