-- Every pair of a run that a judge was asked about, with what it came to and the cluster of its case.
SELECT coalesce(category, ''), system_a, system_b, result, flipped, coalesce(cluster, "case")
FROM judge_pairs
WHERE run = $run AND judge = $judge
ORDER BY ALL;
