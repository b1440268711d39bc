-- `chosen_votes` as small integers; -1 where nothing is known. What is no answer (a skip) finds no number and stays
-- out. Columns of a sliced board take the place of the mark.
SELECT l.n AS "left", r.n AS "right", a.n AS answer, coalesce(c.n, -1) AS "case", coalesce(p.n, -1) AS rater --more
FROM chosen_votes v
JOIN vote_systems l ON l.name = v.left_system
JOIN vote_systems r ON r.name = v.right_system
JOIN vote_answers a ON a.name = v.answer
LEFT JOIN vote_cases c ON c.name = v.prompt
LEFT JOIN vote_raters p ON p.name = v.rater
