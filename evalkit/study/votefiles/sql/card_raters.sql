-- How many ballots raters have cast: the least, quartiles, the most.
SELECT min(n) AS least, quantile_disc(n, 0.25) AS lower, quantile_disc(n, 0.5) AS middle, quantile_disc(n, 0.75) AS upper,
    max(n) AS most
FROM (SELECT rater, count(DISTINCT ballot) AS n FROM picked WHERE rater IS NOT NULL GROUP BY rater);
