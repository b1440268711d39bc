SELECT criterion, coalesce(category, '') AS category, count(*) AS answers, count(*) FILTER (answer = 'left') AS "left",
    count(*) FILTER (answer = 'right') AS "right", count(*) FILTER (answer = 'tie') AS tie,
    count(*) FILTER (answer = 'both_bad') AS both_bad, count(*) FILTER (answer = 'skip') AS skip
FROM picked GROUP BY ALL ORDER BY ALL;
