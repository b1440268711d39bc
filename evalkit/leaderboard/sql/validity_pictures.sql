-- What the numbers of trials stand for: the n-th trial of the run, its system, case and picture.
WITH numbered AS (
    SELECT trial, any_value(system) AS system, any_value(suite) AS suite, any_value("case") AS "case",
        any_value(image) AS image, row_number() OVER (ORDER BY trial) - 1 AS n
    FROM generations WHERE run = $run GROUP BY trial
)
SELECT trial, system, suite, "case", image
FROM numbered
JOIN (SELECT unnest($trials) AS n) voted USING (n)
ORDER BY n;
