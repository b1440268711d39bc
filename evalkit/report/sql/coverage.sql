-- The output with the lowest coverage speaks for its metric.
SELECT system, metric, n_scored, n_expected FROM (
    SELECT system, metric, output, sum(n_scored)::BIGINT AS n_scored, sum(n_expected)::BIGINT AS n_expected
    FROM case_scores WHERE run = $run GROUP BY ALL
)
QUALIFY row_number() OVER (PARTITION BY system, metric ORDER BY n_scored / n_expected, output) = 1
ORDER BY metric, system;
