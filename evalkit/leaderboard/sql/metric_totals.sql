-- One row per category x system x output, with totals per cluster of prompts. `known` is what the pictures that are
-- scored add to the sum over cases, `missing` how many cases' worth of pictures are not.
WITH per_cluster AS (
    SELECT category, system, metric, output,
        suite || '/' || coalesce(nullif(cluster, ''), "case") AS cluster,
        coalesce(sum(value), 0) AS total, count(value) AS cases_scored, count(*) AS cases,
        min(value) AS smallest, max(value) AS largest,
        sum(n_scored) AS n_scored, sum(n_expected) AS n_expected,
        coalesce(sum(value * n_scored / n_expected), 0) AS known, sum(1 - n_scored / n_expected) AS missing
    FROM case_scores
    WHERE run = $run AND ($category IS NULL OR category = $category)
        AND ($outputs IS NULL OR list_contains($outputs, output))
    GROUP BY ALL
)
SELECT p.category, p.system, p.metric, p.output, any_value(m.label), any_value(m.better),
    any_value(m.unit), any_value(m.low), any_value(m.high), any_value(m.headline), any_value(m.caveat),
    list(p.total ORDER BY p.cluster) FILTER (p.cases_scored > 0),
    list(p.cases_scored ORDER BY p.cluster) FILTER (p.cases_scored > 0),
    min(p.smallest), max(p.largest), sum(p.cases)::BIGINT,
    sum(p.n_scored)::BIGINT, sum(p.n_expected)::BIGINT, min(m.position), sum(p.known), sum(p.missing)
FROM per_cluster p
JOIN metrics m ON m.metric = p.metric AND m.output = p.output
GROUP BY p.category, p.system, p.metric, p.output
ORDER BY p.category, p.metric, min(m.position), p.output, p.system;
