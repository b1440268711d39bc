SELECT metric, system, reason, count(DISTINCT trial) AS pictures
FROM scores
WHERE run = $run AND value IS NULL
GROUP BY ALL
ORDER BY metric, pictures DESC, system, reason;
