SELECT category, count(*) AS n FROM cases WHERE run = $run GROUP BY category;
