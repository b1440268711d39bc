SELECT status, count(*) AS n FROM generations WHERE run = $run GROUP BY status ORDER BY n DESC, status;
