-- What was paid for, by how it is known; by category or ($whole) of all categories together.
SELECT CASE WHEN $whole THEN 'all' ELSE category END AS part, system,
    CASE WHEN status IN ('ok', 'partial') THEN 'delivered' ELSE status END AS what,
    coalesce(basis, 'none') AS basis, count(*) AS n, coalesce(sum(cost_usd), 0)::DECIMAL(18,6) AS usd
FROM charges
WHERE run = $run AND ($category IS NULL OR category = $category)
GROUP BY ALL
ORDER BY part, system, what, basis;
