-- Pictures whose score of a given output is flagged, each with the other system's picture of the same case from
-- which it differs most by that output: what a second look would be at. First pictures of the first replicate.
WITH outputs AS (
    SELECT unnest($outputs) AS name
), seen AS (
    SELECT s.category, s.suite, s."case", s.trial, s.system, s.image, s.metric || '/' || s.output AS name, s.value, s.flag
    FROM scores s
    JOIN outputs o ON o.name = s.metric || '/' || s.output
    WHERE s.run = $run AND s.replicate = 0 AND s.value IS NOT NULL
), spread AS (
    SELECT category, name, stddev_pop(value) AS sd FROM seen GROUP BY ALL
), pairs AS (
    SELECT a.category, a.suite, a."case", a.name, a.flag, a.trial, a.system, a.image, a.value,
        b.trial AS other_trial, b.system AS other_system, b.image AS other_image, b.value AS other_value,
        abs(a.value - b.value) / nullif(sqrt(2) * s.sd, 0) AS z
    FROM seen a
    JOIN seen b ON b.suite = a.suite AND b."case" = a."case" AND b.name = a.name AND b.system <> a.system
    JOIN spread s ON s.category = a.category AND s.name = a.name
    WHERE a.flag IS NOT NULL AND a.image <> b.image
)
SELECT * FROM pairs
WHERE z IS NOT NULL
QUALIFY row_number() OVER (PARTITION BY least(trial, other_trial), greatest(trial, other_trial) ORDER BY z DESC, name) = 1
    AND row_number() OVER (PARTITION BY trial ORDER BY z DESC, name, other_system) = 1
ORDER BY z DESC, category, suite, "case", name, system
LIMIT $limit;
