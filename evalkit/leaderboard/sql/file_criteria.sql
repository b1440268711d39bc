SELECT DISTINCT criterion FROM chosen_votes WHERE criterion IS NOT NULL ORDER BY criterion
