-- Differences first - other, for every other system, over the cases both have, in totals per cluster of prompts.
WITH differences AS (
    SELECT b.system, a.suite || '/' || coalesce(nullif(a.cluster, ''), a."case") AS cluster,
        a.value - b.value AS value
    FROM case_scores a
    JOIN case_scores b USING (run, suite, category, "case", metric, output)
    WHERE a.run = $run AND a.category = $category AND a.metric = $metric AND a.output = $output
        AND a.system = $first AND b.system <> $first AND a.value IS NOT NULL AND b.value IS NOT NULL
), per_cluster AS (
    SELECT system, cluster, sum(value) AS total, count(*) AS n, min(value) AS smallest, max(value) AS largest
    FROM differences GROUP BY ALL
)
SELECT system, list(total ORDER BY cluster), list(n ORDER BY cluster), min(smallest), max(largest)
FROM per_cluster GROUP BY system ORDER BY system;
