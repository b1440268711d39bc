-- `chosen_rankings` as small integers, best first; -1 where nothing is known.
SELECT (dense_rank() OVER (ORDER BY r.study, r.ballot, r.criterion) - 1) AS ranking,
    (row_number() OVER (PARTITION BY r.study, r.ballot, r.criterion ORDER BY r.place, r.system) - 1) AS position,
    r.place, s.n AS system, coalesce(c.n, -1) AS "case", coalesce(p.n, -1) AS rater
FROM chosen_rankings r
JOIN vote_systems s ON s.name = r.system
LEFT JOIN vote_cases c ON c.name = r.prompt
LEFT JOIN vote_raters p ON p.name = r.rater
WHERE NOT r.withdrawn
ORDER BY ranking, position
