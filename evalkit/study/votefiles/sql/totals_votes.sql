SELECT count(*), count(*) FILTER (rater IS NULL), count(*) FILTER (coalesce(cluster, "case") IS NULL),
    coalesce(bool_and(simulated), false), list_sort(list(DISTINCT criterion))
FROM staged WHERE fault IS NULL;
