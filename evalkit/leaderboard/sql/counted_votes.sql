SELECT left_system, right_system, answer, sum(coalesce(weight, 1)) AS votes
FROM chosen_votes
GROUP BY ALL
