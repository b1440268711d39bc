-- Studies whose votes may tell whether metrics agree with people: of a run, or by name. `selection` says by which
-- rule pairs were picked where not every pair could be asked. Only ballots that can count are counted: an answer
-- on two pictures of the run, none of them withdrawn.
WITH pictured AS (
    SELECT trial FROM trials WHERE run = $run
), given AS (
    SELECT study, ballot, bool_or(coalesce(simulated, false)) AS simulated
    FROM votes
    WHERE NOT withdrawn AND answer IN ('left', 'right', 'tie', 'both_bad') AND left_system <> right_system
        AND left_trial IN (SELECT trial FROM pictured) AND right_trial IN (SELECT trial FROM pictured)
    GROUP BY study, ballot
)
SELECT s.study, coalesce(s.selection, '') AS selection,
    count(g.ballot) FILTER (g.simulated OR coalesce(s.simulated, false)) AS simulated,
    count(g.ballot) AS ballots
FROM studies s
LEFT JOIN given g ON g.study = s.study
WHERE CASE WHEN $names IS NULL THEN s.run = $run ELSE list_contains($names, s.study) END
GROUP BY ALL
ORDER BY s.study;
