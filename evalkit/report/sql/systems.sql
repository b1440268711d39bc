-- Folders and the studio have no server that another could stand in for.
SELECT s.system, s.provider, s.model, s.params, s.spec, s.unmatched_files, s.missing_cases,
    s.rehearsed OR (r.rehearsal AND s.provider NOT IN ('studio', 'folder')) AS rehearsed
FROM systems s
JOIN runs r USING (run)
WHERE s.run = $run
ORDER BY s.position;
