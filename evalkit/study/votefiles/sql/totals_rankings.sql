SELECT count(*), count(*) FILTER (rater IS NULL), count(*) FILTER (coalesce(cluster, "case") IS NULL), false,
    list_sort(list(DISTINCT criterion))
FROM staged WHERE fault IS NULL;
