-- Times to delivered pictures that can be compared, and how many cannot; by category or ($whole) of all together.
WITH chosen AS (
    SELECT CASE WHEN $whole THEN 'all' ELSE category END AS part, * FROM latencies
    WHERE run = $run AND ($category IS NULL OR category = $category)
), phases AS (
    UNPIVOT (SELECT part, system, submit_s, queue_s, run_s, wait_s, download_s, provider_s, provider_queue_s
             FROM chosen WHERE left_out IS NULL)
    ON submit_s, queue_s, run_s, wait_s, download_s, provider_s, provider_queue_s INTO NAME phase VALUE seconds
), halves AS (
    SELECT part, system, phase, count(*) AS n, quantile_cont(seconds, 0.5) AS p50, quantile_cont(seconds, 0.95) AS p95
    FROM phases GROUP BY ALL
), split AS (
    SELECT part, system, list({'phase': phase, 'p50': p50, 'p95': p95, 'n': n} ORDER BY phase) AS phases
    FROM halves GROUP BY ALL
)
SELECT c.part, c.system,
    list(c.total_s ORDER BY c.total_s) FILTER (c.left_out IS NULL) AS totals,
    count(*) FILTER (c.left_out = 'resumed') AS resumed,
    count(*) FILTER (c.left_out = 'warmup') AS warmup,
    count(*) FILTER (c.left_out = 'untimed') AS untimed,
    quantile_cont(c.poll_s, 0.5) FILTER (c.left_out IS NULL) AS poll_s,
    count(*) FILTER (c.throttle_s > 0) AS throttled,
    coalesce(sum(c.throttle_s), 0) AS throttle_s,
    any_value(s.phases) AS phases
FROM chosen c
LEFT JOIN split s USING (part, system)
GROUP BY ALL
ORDER BY c.part, c.system;
