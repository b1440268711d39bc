-- Votes on one criterion: the trials shown by their place in the run (-1: not in it), the one that comes first there
-- being the first, and what it won.
WITH numbered AS (
    SELECT trial, row_number() OVER (ORDER BY trial) - 1 AS n
    FROM generations WHERE run = $run GROUP BY trial
)
SELECT least(coalesce(l.n, -1), coalesce(r.n, -1)) AS first_trial,
    greatest(coalesce(l.n, -1), coalesce(r.n, -1)) AS second_trial,
    (0.5 + 0.5 * CASE v.answer WHEN 'left' THEN 1 WHEN 'right' THEN -1 ELSE 0 END
        * CASE WHEN l.n < r.n THEN 1 ELSE -1 END)::DOUBLE AS won,
    dense_rank() OVER (ORDER BY coalesce(v.rater, v.ballot)) - 1 AS rater, v.weight
FROM votes v
JOIN studies s USING (study)
LEFT JOIN numbered l ON l.trial = v.left_trial
LEFT JOIN numbered r ON r.trial = v.right_trial
WHERE v.study = $study AND v.criterion = $criterion AND ($category IS NULL OR v.category = $category)
    AND v.answer IN ('left', 'right', 'tie', 'both_bad') AND v.left_system <> v.right_system
    AND v.weight > 0 AND NOT v.withdrawn
    AND (coalesce(v.simulated, false) OR coalesce(s.simulated, false)) = $simulated
ORDER BY v.ballot;
