SELECT system, status, coalesce(kind, stage, '') AS what, any_value(reason ORDER BY trial) AS example, count(*) AS n
FROM generations
WHERE run = $run AND status IN ('refused', 'failed', 'unknown')
GROUP BY ALL
ORDER BY n DESC, system, status, what;
