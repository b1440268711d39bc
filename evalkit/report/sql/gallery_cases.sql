-- Cases where the systems differ most by the headline output, one per cluster, then some at random.
WITH all_cases AS (
    SELECT suite, "case", coalesce(nullif(cluster, ''), "case") AS cluster FROM cases
    WHERE run = $run AND category = $category
), spread AS (
    SELECT suite, "case", max(value) - min(value) AS spread FROM case_scores
    WHERE run = $run AND category = $category AND metric = $metric AND output = $output
    GROUP BY ALL HAVING count(value) > 1
), one_each AS (
    SELECT suite, "case", spread FROM spread JOIN all_cases USING (suite, "case")
    QUALIFY row_number() OVER (PARTITION BY suite, cluster ORDER BY spread DESC, "case") = 1
), differing AS (
    SELECT suite, "case", row_number() OVER (ORDER BY spread DESC, suite, "case") AS place
    FROM one_each WHERE spread > 0 QUALIFY place <= $differing
), random AS (
    SELECT suite, "case", row_number() OVER (ORDER BY md5($seed || '/' || suite || '/' || "case")) AS place
    FROM all_cases ANTI JOIN differing USING (suite, "case") QUALIFY place <= $random
)
SELECT suite, "case", 'differs' AS why, place FROM differing
UNION ALL
SELECT suite, "case", 'random' AS why, place FROM random
ORDER BY why, place;
