-- What came of the trials, by category or ($whole) of all categories together; and by cluster of prompts.
WITH chosen AS (
    SELECT CASE WHEN $whole THEN 'all' ELSE category END AS part, *,
        suite || '/' || coalesce(nullif(cluster, ''), "case") AS prompts
    FROM generations
    WHERE run = $run AND ($category IS NULL OR category = $category)
), per_cluster AS (
    SELECT part, system, prompts,
        count(*) FILTER (status NOT IN ('planned', 'in_flight')) AS finished,
        count(*) FILTER (status = 'refused') AS refused,
        count(*) FILTER (status = 'failed') AS failed,
        count(*) FILTER (status = 'unknown') AS unknown,
        count(*) FILTER (status NOT IN ('planned', 'in_flight') AND attempt > 1) AS retried
    FROM chosen GROUP BY ALL
), lists AS (
    SELECT part, system, list(finished ORDER BY prompts) AS finished, list(refused ORDER BY prompts) AS refused,
        list(failed ORDER BY prompts) AS failed, list(unknown ORDER BY prompts) AS unknown,
        list(retried ORDER BY prompts) AS retried
    FROM per_cluster GROUP BY ALL
), totals AS (
    SELECT part, system, count(*) AS planned,
        count(*) FILTER (status IN ('ok', 'partial')) AS delivered,
        count(*) FILTER (status = 'partial') AS partial,
        count(*) FILTER (status IN ('planned', 'in_flight')) AS open,
        max(attempt) AS most_attempts,
        quantile_cont(l.total_s, 0.5) AS latency_p50,
        quantile_cont(l.total_s, 0.95) AS latency_p95
    FROM chosen
    LEFT JOIN (SELECT run, trial, total_s FROM latencies WHERE left_out IS NULL) l USING (run, trial)
    GROUP BY part, system
)
SELECT t.part, t.system, t.planned, t.delivered, t.partial, t.open, l.finished, l.refused, l.failed, l.unknown, l.retried,
    t.most_attempts, t.latency_p50, t.latency_p95
FROM totals t
JOIN lists l USING (part, system)
ORDER BY t.part, t.system;
