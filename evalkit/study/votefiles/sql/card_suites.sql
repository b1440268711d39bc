-- Where the cases come from, as far as the study's run tells.
SELECT p.suite, any_value(s.version) AS version, any_value(s.licence) AS licence,
    coalesce(bool_and(s.redistributable), true) AS redistributable, count(DISTINCT p."case") AS cases
FROM picked p
LEFT JOIN studies d ON d.study = $study
LEFT JOIN suites s ON s.run = d.run AND s.suite = p.suite
WHERE p.suite IS NOT NULL
GROUP BY p.suite ORDER BY p.suite;
