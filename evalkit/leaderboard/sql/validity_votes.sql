-- Votes on pairs of pictures of a run, as integers: trials by their place in the run, the one that comes first
-- there being the first of its pair. `answer` is 1 for the first, -1 for the second, 0 for neither; `same` marks
-- pictures that are equal to the byte. A rater's earliest vote on a pair counts; votes without a rater are of nobody
-- else's and all count. What was asked is told by the run: an imported vote may name its pictures only.
WITH numbered AS (
    SELECT trial, any_value(image) AS image, any_value(suite) AS suite, any_value(category) AS category,
        any_value("case") AS "case", any_value(coalesce(nullif(cluster, ''), "case")) AS cluster,
        row_number() OVER (ORDER BY trial) - 1 AS n
    FROM generations WHERE run = $run GROUP BY trial
), cast_votes AS (
    SELECT v.criterion, l.category, l.suite, l.cluster, v.t, v.ballot, v.study,
        least(l.n, r.n) AS first, greatest(l.n, r.n) AS second, l.image = r.image AS same, v.rater,
        CASE WHEN v.rater IS NULL THEN {'study': v.study, 'ballot': v.ballot} END AS nobody,
        CASE v.answer WHEN 'left' THEN 1 WHEN 'right' THEN -1 ELSE 0 END * CASE WHEN l.n < r.n THEN 1 ELSE -1 END AS answer
    FROM votes v
    JOIN studies s USING (study)
    JOIN numbered l ON l.trial = v.left_trial
    JOIN numbered r ON r.trial = v.right_trial AND r.suite = l.suite AND r."case" = l."case"
    WHERE list_contains($studies, v.study) AND v.answer IN ('left', 'right', 'tie', 'both_bad')
        AND NOT v.withdrawn AND v.left_system <> v.right_system
        AND (coalesce(v.simulated, false) OR coalesce(s.simulated, false)) = $simulated
    QUALIFY row_number() OVER (PARTITION BY v.criterion, first, second, v.rater, nobody ORDER BY v.t, v.study, v.ballot) = 1
)
SELECT list_position($criteria, criterion) - 1 AS criterion, list_position($categories, category) - 1 AS category,
    dense_rank() OVER (ORDER BY suite, cluster) - 1 AS prompt, dense_rank() OVER (ORDER BY rater, nobody) - 1 AS rater,
    first, second, answer, same
FROM cast_votes
WHERE list_contains($criteria, criterion) AND list_contains($categories, category)
ORDER BY criterion, category, first, second, t, study, ballot;
