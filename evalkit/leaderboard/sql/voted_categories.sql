SELECT category FROM votes WHERE list_contains($studies, study) AND category IS NOT NULL
UNION
SELECT category FROM rankings WHERE list_contains($studies, study) AND category IS NOT NULL
ORDER BY category
