SELECT study, ballot, count(DISTINCT system) AS systems
FROM chosen_rankings
GROUP BY study, ballot, criterion
HAVING count(DISTINCT system) < 2 OR count(DISTINCT system) < count(*)
ORDER BY study, ballot
