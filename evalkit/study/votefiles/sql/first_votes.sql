-- One row of each ballot stands for the ballot.
UPDATE staged SET "first" = false WHERE row IN (
    SELECT s.row FROM staged s
    JOIN (SELECT ballot, min(row) AS row FROM staged WHERE fault IS NULL GROUP BY ballot HAVING count(*) > 1) d
        ON d.ballot = s.ballot
    WHERE s.fault IS NULL AND s.row > d.row
);
