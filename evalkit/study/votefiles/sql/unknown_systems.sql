UPDATE staged SET fault = 'system', detail = n.system
FROM (
    SELECT row, min(system) AS system FROM named
    WHERE fault IS NULL AND system NOT IN (SELECT unnest($known)) GROUP BY row
) n
WHERE n.row = staged.row;
