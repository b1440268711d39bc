-- What decides whether metrics may assist: the run, how pairs were picked, and whose votes on which systems there are.
WITH counted AS (
    SELECT study, left_system, right_system, coalesce(simulated, false) AS simulated
    FROM votes
    WHERE study = $study AND criterion = $criterion AND ($category IS NULL OR category = $category) AND NOT withdrawn
        AND left_system <> right_system
)
SELECT s.run, s.selection, coalesce(s.imported, false) AS imported, s.criteria,
    count(*) FILTER (NOT v.simulated AND NOT coalesce(s.simulated, false)) AS by_people,
    count(v.study) AS votes,
    list_sort(list_distinct(coalesce(list(v.left_system), []) || coalesce(list(v.right_system), []))) AS systems
FROM studies s
LEFT JOIN counted v ON v.study = s.study
WHERE s.study = $study
GROUP BY ALL;
