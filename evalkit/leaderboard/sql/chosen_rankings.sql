-- The rankings a board is about, one row per ranked system; `withdrawn` where any picture of the ranking was.
-- A ranking names systems, not pictures: those of a system on that case are what was ranked.
CREATE OR REPLACE TEMP TABLE chosen_rankings AS
WITH gone AS (
    SELECT DISTINCT w.study, t.suite, t."case", t.system
    FROM withdrawn_rows w
    JOIN studies s ON s.study = w.study
    JOIN trials t ON t.run = s.run AND t.trial = w.trial
)
SELECT r.study, r.ballot, r.criterion, r.rater, r.system, r.place,
    CASE WHEN coalesce(nullif(r.cluster, ''), r."case") IS NOT NULL
         THEN coalesce(r.suite, '') || '/' || coalesce(nullif(r.cluster, ''), r."case") END AS prompt,
    bool_or(g.study IS NOT NULL) OVER (PARTITION BY r.study, r.ballot, r.criterion) AS withdrawn
FROM rankings r
LEFT JOIN gone g ON g.study = r.study AND g.suite = r.suite AND g."case" = r."case" AND g.system = r.system
WHERE list_contains($studies, r.study) AND ($criterion IS NULL OR r.criterion = $criterion)
    AND ($category IS NULL OR r.category = $category)
