-- Votes on pairs of pictures of a run, as integers: trials by their place in the run, the one that comes first
-- there being the first of its pair. `answer` is 1 for the first, -1 for the second, 0 for neither; `same` marks
-- pictures that are equal to the byte. A rater's earliest vote on a pair counts.
WITH numbered AS (
    SELECT trial, any_value(image) AS image, row_number() OVER (ORDER BY trial) - 1 AS n
    FROM generations WHERE run = $run GROUP BY trial
), cast_votes AS (
    SELECT v.criterion, v.category, v.suite, coalesce(nullif(v.cluster, ''), v."case") AS cluster, v.rater, v.t, v.ballot,
        least(l.n, r.n) AS first, greatest(l.n, r.n) AS second, l.image = r.image AS same,
        CASE v.answer WHEN 'left' THEN 1 WHEN 'right' THEN -1 ELSE 0 END * CASE WHEN l.n < r.n THEN 1 ELSE -1 END AS answer
    FROM votes v
    JOIN studies s USING (study)
    JOIN numbered l ON l.trial = v.left_trial
    JOIN numbered r ON r.trial = v.right_trial
    WHERE list_contains($studies, v.study) AND v.answer IN ('left', 'right', 'tie', 'both_bad')
        AND v.left_system <> v.right_system
        AND (coalesce(v.simulated, false) OR coalesce(s.simulated, false)) = $simulated
    QUALIFY row_number() OVER (PARTITION BY v.criterion, first, second, v.rater ORDER BY v.t, v.ballot) = 1
)
SELECT list_position($criteria, criterion) - 1 AS criterion, list_position($categories, category) - 1 AS category,
    dense_rank() OVER (ORDER BY suite, cluster) - 1 AS prompt, dense_rank() OVER (ORDER BY rater) - 1 AS rater,
    first, second, answer, same
FROM cast_votes
WHERE list_contains($criteria, criterion) AND list_contains($categories, category)
ORDER BY criterion, category, first, second, t, ballot;
