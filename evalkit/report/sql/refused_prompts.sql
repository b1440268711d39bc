-- Harmless prompts that were refused, by system: how often, and the provider's words of the first time.
SELECT g.suite, g."case", g.prompt, g.system,
    count(*) FILTER (status = 'refused') AS refused,
    count(*) FILTER (status IN ('ok', 'partial', 'refused')) AS answered,
    coalesce(arg_min(stage, replicate) FILTER (status = 'refused'), '') AS stage,
    coalesce(arg_min(kind, replicate) FILTER (status = 'refused'), '') AS code,
    coalesce(arg_min(reason, replicate) FILTER (status = 'refused'), '') AS words
FROM generations g
JOIN cases c USING (run, suite, "case")
JOIN systems s USING (run, system)
WHERE g.run = $run AND g.category = 'refusals'
  AND list_contains(c.tags, 'harmless') AND NOT list_contains(c.tags, 'borderline')
GROUP BY g.suite, g."case", g.prompt, g.system, c.position, s.position
HAVING count(*) FILTER (status = 'refused') > 0
ORDER BY c.position, g.suite, g."case", s.position;
