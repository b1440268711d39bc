SELECT system, count(*) AS answers, count(*) FILTER (side = 'left') AS "left"
FROM (
    SELECT left_system AS system, 'left' AS side FROM picked UNION ALL SELECT right_system, 'right' FROM picked
)
GROUP BY system ORDER BY system;
