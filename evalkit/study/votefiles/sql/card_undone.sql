-- How often a ballot was taken back, and how many ballots stay so.
SELECT (SELECT count(*) FROM undo_rows WHERE study = $study) AS undos,
    (SELECT count(*) FROM undos u WHERE u.study = $study
        AND NOT EXISTS (SELECT 1 FROM ballots b WHERE b.study = u.study AND b.ballot = u.ballot)) AS undone;
