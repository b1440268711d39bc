SELECT category, min(position) AS position FROM cases WHERE run = $run GROUP BY category ORDER BY position;
