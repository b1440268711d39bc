-- Votes as integers: systems by their place in the list, cases and raters by any number that tells them apart.
SELECT list_position($systems, left_system) - 1 AS "left",
    list_position($systems, right_system) - 1 AS "right",
    list_position(['left', 'right', 'tie', 'both_bad'], answer) - 1 AS answer,
    dense_rank() OVER (ORDER BY suite, coalesce(nullif(cluster, ''), "case")) AS "case",
    dense_rank() OVER (ORDER BY rater) AS rater
FROM votes
WHERE study = $study AND criterion = $criterion AND ($category IS NULL OR category = $category)
    AND answer IN ('left', 'right', 'tie', 'both_bad') AND left_system <> right_system
ORDER BY ballot;
