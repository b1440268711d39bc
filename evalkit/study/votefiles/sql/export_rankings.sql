-- One row per ranking: systems best first, those ranked alike in one list.
CREATE TEMP TABLE picked_rankings AS
SELECT ballot, criterion, to_json(list(alike ORDER BY place)) AS ranking, suite, category, "case", cluster, rater, t
FROM (
    SELECT r.* EXCLUDE (study, system, rater), coalesce(p.alias, r.rater) AS rater, list(r.system ORDER BY r.system) AS alike
    FROM rankings r
    LEFT JOIN aliases p ON p.name = r.rater
    WHERE r.study = $study AND ($criterion IS NULL OR r.criterion = $criterion)
    GROUP BY ALL
)
GROUP BY ALL
ORDER BY t, ballot, criterion;
