-- Delivered pictures of which something else was asked than the case says, because the model cannot do that.
-- `pictures` counts them once, however many notes there are, of all that were `delivered`.
WITH delivered AS (
    SELECT system, category, degraded FROM generations WHERE run = $run AND status IN ('ok', 'partial')
), sums AS (
    SELECT system, category, count(*) AS delivered, count(*) FILTER (len(degraded) > 0) AS pictures
    FROM delivered GROUP BY ALL
), notes AS (
    SELECT system, category, note, count(*) AS n
    FROM (SELECT system, category, unnest(degraded) AS note FROM delivered) GROUP BY ALL
)
SELECT system, category, note, n, pictures, delivered
FROM notes JOIN sums USING (system, category)
ORDER BY system, category, n DESC, note;
