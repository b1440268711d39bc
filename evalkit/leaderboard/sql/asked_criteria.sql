-- One row per criterion, in the order in which they are asked; whether all its votes that are rated are simulated.
WITH asked AS (
    SELECT study, unnest(criteria) AS criterion, unnest(questions) AS question,
        unnest(range(len(criteria))) AS place
    FROM studies WHERE list_contains($studies, study)
), given AS (
    SELECT v.criterion, bool_and(coalesce(v.simulated, false) OR coalesce(s.simulated, false)) AS simulated
    FROM votes v
    JOIN studies s ON s.study = v.study
    WHERE list_contains($studies, v.study) AND NOT v.withdrawn AND v.answer IN ('left', 'right', 'tie', 'both_bad')
        AND v.left_system <> v.right_system
    GROUP BY v.criterion
)
SELECT a.criterion, list_distinct(list(a.question ORDER BY a.study, a.place)) AS questions,
    coalesce(any_value(g.simulated), false) AS simulated
FROM asked a LEFT JOIN given g ON g.criterion = a.criterion
GROUP BY a.criterion
ORDER BY min(a.place), a.criterion
