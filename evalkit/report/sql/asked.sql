-- What answered, and when it was asked. More than one version in one run means that the model changed under way.
WITH versions AS (
    SELECT system, model_version AS version, count(*) AS n, min(finished) AS first, max(finished) AS last
    FROM generations WHERE run = $run AND model_version IS NOT NULL GROUP BY ALL
), asked AS (
    SELECT t.system, min(a.t) AS first, max(a.t) AS last
    FROM trials t JOIN attempts a USING (trial) WHERE t.run = $run AND a.event = 'intent' GROUP BY ALL
), ended AS (
    SELECT system, min(finished) AS first, max(finished) AS last FROM generations WHERE run = $run GROUP BY ALL
), told AS (
    SELECT system, list({'version': version, 'n': n, 'first': first, 'last': last} ORDER BY first, version) AS versions
    FROM versions GROUP BY ALL
)
SELECT s.system, coalesce(a.first, e.first) AS first, coalesce(a.last, e.last) AS last,
    coalesce(v.versions, []) AS versions
FROM systems s
LEFT JOIN asked a USING (system)
LEFT JOIN ended e USING (system)
LEFT JOIN told v USING (system)
WHERE s.run = $run
ORDER BY s.position;
