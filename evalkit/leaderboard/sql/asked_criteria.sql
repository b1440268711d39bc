-- One row per criterion, in the order in which they are asked; whether all its votes are simulated.
WITH asked AS (
    SELECT study, unnest(criteria) AS criterion, unnest(questions) AS question,
        unnest(range(len(criteria))) AS place
    FROM studies WHERE list_contains($studies, study)
), given AS (
    SELECT criterion, bool_and(coalesce(simulated, false)) AS simulated
    FROM votes WHERE list_contains($studies, study) GROUP BY criterion
)
SELECT a.criterion, list_distinct(list(a.question ORDER BY a.study, a.place)) AS questions,
    coalesce(any_value(g.simulated), false) AS simulated
FROM asked a LEFT JOIN given g ON g.criterion = a.criterion
GROUP BY a.criterion
ORDER BY min(a.place), a.criterion
