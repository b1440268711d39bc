SELECT s.suite, s.version, s.digest, s.category, s.licence, s.description, s.synthetic,
    coalesce(s.redistributable, true) AS redistributable, count(c."case") AS cases,
    count(DISTINCT c.cluster) AS clusters
FROM suites s
LEFT JOIN cases c USING (run, suite)
WHERE s.run = $run
GROUP BY ALL
ORDER BY min(c.position), s.suite;
