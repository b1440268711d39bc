-- What went wrong, by kind: of a refusal that is the provider's code, of a failure our name for it.
SELECT system, status, coalesce(kind, '') AS kind, coalesce(stage, '') AS stage,
    list_sort(list(DISTINCT category)) AS categories, arg_min(reason, trial) AS example, count(*) AS n
FROM generations
WHERE run = $run AND status IN ('refused', 'failed', 'unknown')
GROUP BY system, status, kind, stage
ORDER BY system, status, n DESC, kind, stage;
