-- Numbers of a run that can be better or worse.
SELECT m.metric || '/' || m.output, m.better
FROM metrics m
SEMI JOIN (SELECT metric FROM run_metrics WHERE run = $run) scored USING (metric)
WHERE m.better IN ('higher', 'lower')
ORDER BY m.metric, m.position, m.output;
