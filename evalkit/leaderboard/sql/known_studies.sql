SELECT s.study, s.run, s.selection IS NOT NULL AS picked, count(b.ballot) AS ballots
FROM studies s LEFT JOIN ballots b ON b.study = s.study
GROUP BY s.study, s.run, s.selection, s.created
ORDER BY s.created DESC, s.study
