-- What is wrong with the rows of a file of votes, and where.
SELECT fault, count(*) AS times, list_slice(list(file_row_number + 1 ORDER BY file_row_number), 1, 5) AS some
FROM (
    SELECT file_row_number, CASE
        WHEN left_system IS NULL OR right_system IS NULL THEN 'a system has no name'
        WHEN left_system = right_system THEN 'a system is compared with itself'
        WHEN answer IS NULL THEN 'there is no answer'
        WHEN answer NOT IN ('left', 'right', 'tie', 'both_bad', 'skip') THEN 'the answer is "' || answer || '"'
        END AS fault
    FROM read_parquet(getvariable('votes_file'), file_row_number = true)
)
WHERE fault IS NOT NULL
GROUP BY fault
ORDER BY times DESC, fault
LIMIT 5
