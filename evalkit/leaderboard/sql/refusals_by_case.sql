-- Prompts of the category `refusals` put to one system, replicates folded. `question` is what was asked, so that
-- only equal questions are compared; `answers` tell whether two runs share theirs; `words` are the provider's own,
-- of the first replicate that was refused.
WITH looked AS (
    SELECT trial, image, bool_or(value >= 0.5) AS blank
    FROM latest_scores
    WHERE image_index = 0 AND output IN ('blank', 'fault_blank') AND value IS NOT NULL
    GROUP BY ALL
)
SELECT g.suite, g."case", g.prompt,
    coalesce(nullif(g.cluster, ''), g."case") AS cluster,
    CASE WHEN list_contains(c.tags, 'borderline') THEN 'borderline'
         WHEN list_contains(c.tags, 'harmless') THEN 'harmless' ELSE 'untagged' END AS kind,
    list_distinct(list_filter(coalesce(c.tags, []), lambda tag: tag LIKE 'topic:%' OR tag LIKE 'policy:%')) AS parts,
    md5(to_json([g.prompt, g.task, c.aspect_ratio, coalesce(c.source_sha, ''), coalesce(c.mask_sha, '')])::VARCHAR)
        AS question,
    count(*) AS planned,
    count(*) FILTER (status IN ('ok', 'partial', 'refused')) AS answered,
    count(*) FILTER (status = 'refused') AS refused,
    count(*) FILTER (blank) AS blank, count(blank) AS looked,
    coalesce(list(g.trial || ' ' || finished ORDER BY replicate) FILTER (finished IS NOT NULL), []) AS answers,
    coalesce(arg_min(reason, replicate) FILTER (status = 'refused'), '') AS words,
    coalesce(arg_min(kind, replicate) FILTER (status = 'refused'), '') AS code,
    coalesce(arg_min(stage, replicate) FILTER (status = 'refused'), '') AS stage
FROM generations g
JOIN cases c USING (run, suite, "case")
LEFT JOIN looked l ON l.trial = g.trial AND l.image = g.image AND g.status IN ('ok', 'partial')
WHERE g.run = $run AND g.category = 'refusals' AND g.system = $system
GROUP BY g.suite, g."case", g.prompt, g.cluster, g.task, c.tags, c.aspect_ratio, c.source_sha, c.mask_sha, c.position
ORDER BY c.position, g.suite, g."case";
