-- What is wrong, how often, and in which rows first. Of each kind, the details beyond the ten commonest are one line.
WITH told AS (
    SELECT fault, detail, count(*) AS n, min(row, 5) AS rows,
        row_number() OVER (PARTITION BY fault ORDER BY count(*) DESC, detail) > 10 AS rest
    FROM staged
    WHERE fault IS NOT NULL
    GROUP BY fault, detail
)
SELECT fault, CASE WHEN NOT rest THEN detail ELSE '(others)' END AS detail, sum(n)::BIGINT AS n,
    list_sort(flatten(list(rows)))[:5] AS rows
FROM told
GROUP BY fault, rest, CASE WHEN NOT rest THEN detail ELSE '(others)' END
ORDER BY sum(sum(n)) OVER (PARTITION BY fault) DESC, fault, rest, n DESC, detail;
