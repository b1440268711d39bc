SELECT s.study, s.run, s.selection IS NOT NULL AS picked,
    (SELECT count(*) FROM ballots b WHERE b.study = s.study)
        + (SELECT count(*) FROM rankings r WHERE r.study = s.study) AS ballots
FROM studies s
ORDER BY s.created DESC, s.study
