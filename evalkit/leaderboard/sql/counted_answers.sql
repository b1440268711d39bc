SELECT answer, count(*) AS votes FROM chosen_votes GROUP BY answer
