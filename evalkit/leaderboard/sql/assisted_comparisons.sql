-- Every comparison that a study could have asked on one criterion: two systems on one case of the suites it asked
-- about, where both have a picture. Systems, categories and prompts by number; trials by their place in the run, the
-- one that comes first there being the first. `mass` shares one unit among the replicates of a case, because only the first of them was ever shown.
WITH numbered AS (
    SELECT trial, any_value(system) AS system, any_value(suite) AS suite, any_value(category) AS category,
        any_value("case") AS "case", any_value(task) AS task, any_value(replicate) AS replicate,
        any_value(coalesce(nullif(cluster, ''), "case")) AS cluster, any_value(image) AS image,
        row_number() OVER (ORDER BY trial) - 1 AS n
    FROM generations WHERE run = $run GROUP BY trial
), asked AS (
    SELECT DISTINCT v.suite, c.task
    FROM votes v
    JOIN cases c ON c.run = $run AND c.suite = v.suite AND c."case" = v."case"
    WHERE v.study = $study AND v.criterion = $criterion AND NOT v.withdrawn
), shown AS (
    SELECT n, suite, category, "case", cluster, replicate, list_position($systems, system) - 1 AS system
    FROM numbered
    SEMI JOIN asked USING (suite, task)
    ANTI JOIN (SELECT trial FROM withdrawn_rows WHERE study = $study) gone USING (trial)
    WHERE image IS NOT NULL AND list_contains($systems, system) AND ($category IS NULL OR category = $category)
)
SELECT a.n AS first_trial, b.n AS second_trial, a.system AS first, b.system AS second,
    dense_rank() OVER (ORDER BY a.suite, a.cluster) - 1 AS prompt,
    dense_rank() OVER (ORDER BY a.category) - 1 AS category,
    1.0::DOUBLE / count(*) OVER same_pair AS mass
FROM shown a
JOIN shown b ON b.suite = a.suite AND b."case" = a."case" AND b.replicate = a.replicate
    AND a.system <> b.system AND a.n < b.n
WINDOW same_pair AS (
    PARTITION BY a.suite, a."case", least(a.system, b.system), greatest(a.system, b.system)
)
QUALIFY min(a.replicate) OVER same_pair = 0
ORDER BY first_trial, second_trial;
