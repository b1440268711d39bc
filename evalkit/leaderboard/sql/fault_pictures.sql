-- Every delivered picture of a run: the fault it was given (its detail begins with the class), and its fingerprint.
-- `looked` is false where the metric `faults` has not been at work, or could not judge the picture.
SELECT g.category, g.system, g.suite, g."case", g.replicate, g.trial, g.image,
    suite || '/' || coalesce(nullif(g.cluster, ''), g."case") AS prompts,
    c.source_sha, f.value IS NOT NULL AS looked, coalesce(f.detail, '') AS detail, f.reason,
    coalesce(d.detail, '') AS fingerprint
FROM generations g
JOIN cases c USING (run, suite, "case")
LEFT JOIN latest_scores f ON f.trial = g.trial AND f.image = g.image AND f.output = 'fault'
LEFT JOIN latest_scores d ON d.trial = g.trial AND d.image = g.image AND d.output = 'delivered_megapixels'
WHERE g.run = $run AND g.status IN ('ok', 'partial') AND ($category IS NULL OR g.category = $category)
ORDER BY g.category, g.system, g.suite, g."case", g.replicate;
