-- Whether pairs of these studies were picked for a reason, and how many votes are on withdrawn pictures.
SELECT
    (SELECT count(*) FROM studies WHERE list_contains($studies, study) AND selection IS NOT NULL) AS picked,
    count(*) FILTER (withdrawn AND answer IN ('left', 'right', 'tie', 'both_bad')) AS withdrawn
FROM votes
WHERE list_contains($studies, study) AND ($criterion IS NULL OR criterion = $criterion)
    AND ($category IS NULL OR category = $category)
