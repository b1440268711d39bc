-- Scores of the pictures that were voted on, trials and outputs by number.
WITH numbered AS (
    SELECT trial, any_value(image) AS image, row_number() OVER (ORDER BY trial) - 1 AS n
    FROM generations WHERE run = $run GROUP BY trial
)
SELECT g.n AS trial, list_position($outputs, s.metric || '/' || s.output) - 1 AS output, s.value
FROM latest_scores s
JOIN numbered g ON g.trial = s.trial AND g.image = s.image
JOIN (SELECT unnest($trials) AS n) voted ON voted.n = g.n
WHERE s.image_index = 0 AND s.value IS NOT NULL AND list_contains($outputs, s.metric || '/' || s.output);
