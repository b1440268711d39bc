SELECT left_system, right_system, answer, count(*) AS votes
FROM chosen_votes
GROUP BY ALL
