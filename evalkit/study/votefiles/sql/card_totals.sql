-- What the exported votes come to, in one row.
SELECT count(*) AS answers, count(DISTINCT ballot) AS ballots, count(DISTINCT rater) AS raters,
    count(*) FILTER (rater IS NULL) AS no_rater,
    count(*) FILTER (coalesce(cluster, "case") IS NULL) AS no_case,
    count(DISTINCT (suite, "case")) FILTER ("case" IS NOT NULL) AS cases,
    count(*) FILTER (answer = 'skip') AS skipped, count(*) FILTER (withdrawn) AS withdrawn,
    count(*) FILTER (simulated) AS simulated, count(*) FILTER (weight <> 1) AS weighted,
    count(propensity) AS known_odds, min(propensity) AS odds_low, median(propensity) AS odds_mid,
    max(propensity) AS odds_high, count(pair_propensity) AS known_pair_odds,
    min(pair_propensity) AS pair_odds_low, max(pair_propensity) AS pair_odds_high, count(visible_ms) AS timed, median(visible_ms) / 1000 AS seconds,
    strftime(min(t), '%Y-%m-%d') AS "from", strftime(max(t), '%Y-%m-%d') AS until
FROM picked;
