-- A ballot has one content and one answer to each question; the same said twice is said once.
UPDATE staged SET fault = 'conflict', detail = ballot
WHERE fault IS NULL AND ballot IN (
    SELECT ballot FROM staged WHERE fault IS NULL GROUP BY ballot HAVING min(content) <> max(content)
    UNION ALL
    SELECT ballot FROM staged WHERE fault IS NULL GROUP BY ballot, criterion HAVING min(answer) <> max(answer)
);

DELETE FROM staged WHERE row IN (
    SELECT s.row FROM staged s
    JOIN (SELECT ballot, criterion, min(row) AS row FROM staged WHERE fault IS NULL GROUP BY ALL HAVING count(*) > 1) d
        ON d.ballot = s.ballot AND d.criterion = s.criterion
    WHERE s.fault IS NULL AND s.row > d.row
);
