-- How often prompts of the category `refusals` were refused: by kind of prompt, by topic or policy ('' is all of
-- the kind) and by system, with the counts of each cluster of prompts. A case that says it is borderline is never
-- harmless. Blank pictures are known only where a metric with an output `blank` or `fault_blank` has looked.
WITH looked AS (
    SELECT trial, image, bool_or(value >= 0.5) AS blank
    FROM latest_scores
    WHERE image_index = 0 AND output IN ('blank', 'fault_blank') AND value IS NOT NULL
    GROUP BY ALL
), chosen AS (
    SELECT g.system, g.status, g.stage, c.position, l.blank,
        g.suite || '/' || g."case" AS prompt,
        g.suite || '/' || coalesce(nullif(g.cluster, ''), g."case") AS cluster,
        CASE WHEN list_contains(c.tags, 'borderline') THEN 'borderline'
             WHEN list_contains(c.tags, 'harmless') THEN 'harmless' ELSE 'untagged' END AS kind,
        unnest(list_prepend('', list_distinct(list_filter(coalesce(c.tags, []),
            lambda tag: tag LIKE 'topic:%' OR tag LIKE 'policy:%')))) AS part
    FROM generations g
    JOIN cases c USING (run, suite, "case")
    LEFT JOIN looked l ON l.trial = g.trial AND l.image = g.image AND g.status IN ('ok', 'partial')
    WHERE g.run = $run AND g.category = 'refusals' AND ($system IS NULL OR g.system = $system)
), per_cluster AS (
    SELECT kind, part, system, cluster,
        count(*) FILTER (status IN ('ok', 'partial', 'refused')) AS answered,
        count(*) FILTER (status = 'refused') AS refused
    FROM chosen GROUP BY ALL
), lists AS (
    SELECT kind, part, system, list(answered ORDER BY cluster) AS answered, list(refused ORDER BY cluster) AS refused
    FROM per_cluster GROUP BY ALL
), totals AS (
    SELECT kind, part, system, min(position) AS position, count(DISTINCT prompt) AS prompts, count(*) AS planned,
        count(*) FILTER (status IN ('ok', 'partial')) AS delivered,
        count(*) FILTER (status = 'partial') AS partial,
        count(*) FILTER (status = 'failed') AS failed,
        count(*) FILTER (status = 'unknown') AS unknown,
        count(*) FILTER (status IN ('planned', 'in_flight')) AS open,
        count(*) FILTER (status = 'refused' AND stage = 'input') AS at_input,
        count(*) FILTER (status = 'refused' AND stage = 'output') AS at_output,
        count(*) FILTER (status = 'refused' AND coalesce(stage, '') NOT IN ('input', 'output')) AS at_unknown,
        count(blank) AS looked, count(*) FILTER (blank) AS blank
    FROM chosen GROUP BY ALL
)
SELECT kind, part, system, prompts, planned, delivered, partial, failed, unknown, open, at_input, at_output, at_unknown,
    looked, blank, lists.answered, lists.refused
FROM totals
JOIN lists USING (kind, part, system)
JOIN systems s ON s.run = $run AND s.system = totals.system
ORDER BY list_position(['harmless', 'borderline', 'untagged'], kind), part <> '', totals.position, part, s.position;
