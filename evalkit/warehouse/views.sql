-- Every total and every "latest" is a view over the facts.

-- The newest outcome of a trial counts, but every attempt has cost what it cost; a trial is shared by every
-- run that plans it.
CREATE VIEW latest_outcomes AS
SELECT * FROM outcomes
QUALIFY row_number() OVER (PARTITION BY trial ORDER BY t DESC, attempt DESC, run DESC) = 1;

CREATE VIEW generations AS
SELECT
    t.run, t.trial, t.suite, c.category, t."case", c.cluster, c.task, t.system, t.replicate, c.prompt,
    coalesce(o.status, CASE WHEN a.trial IS NULL THEN 'planned'
                            WHEN a.last_event = 'submit_unknown' THEN 'unknown'
                            ELSE 'in_flight' END) AS status,
    o.reason, o.kind, o.stage, k.cost_usd, o.cost_basis, o.total_s, o.submit_s, o.queue_s, o.run_s,
    o.download_s, o.provider_s, o.t AS finished, o.attempt,
    i.image, i.width, i.height, i.format, i.bytes
FROM trials t
JOIN cases c USING (run, suite, "case")
LEFT JOIN latest_outcomes o USING (trial)
LEFT JOIN (SELECT trial, sum(cost_usd)::DECIMAL(12,6) AS cost_usd FROM outcomes GROUP BY trial) k USING (trial)
LEFT JOIN (SELECT trial, arg_max(event, (t, attempt)) AS last_event FROM attempts GROUP BY trial) a USING (trial)
LEFT JOIN images i ON i.trial = o.trial AND i.attempt = o.attempt AND i.image_index = 0;

CREATE VIEW metrics AS
SELECT * EXCLUDE (run, t) FROM metric_outputs
QUALIFY row_number() OVER (PARTITION BY metric, output ORDER BY t DESC, version DESC) = 1;

CREATE VIEW latest_scores AS
SELECT * FROM score_rows
QUALIFY row_number() OVER (PARTITION BY trial, image_index, metric, output ORDER BY t DESC, version DESC, key DESC) = 1;

-- A run owes scores of the metrics it has been scored by, not of those only other runs know.
CREATE VIEW run_metrics AS
SELECT DISTINCT run, metric FROM metric_outputs;

-- One row per score that a run owes: a planned trial of a case that has what the metric needs.
-- `value` is NULL with a reason where there is none; `scored` says whether the metric has looked at all.
CREATE VIEW scores AS
SELECT
    g.run, g.suite, g.category, g."case", g.cluster, g.task, g.system, g.replicate, g.trial, g.status, g.image,
    m.metric, m.output, m.label, m.better,
    s.value,
    CASE WHEN s.value IS NOT NULL THEN NULL
         WHEN g.status IN ('refused', 'failed', 'unknown', 'in_flight', 'planned') THEN g.status
         ELSE coalesce(s.reason, 'not_scored') END AS reason,
    s.trial IS NOT NULL AS scored
FROM generations g
JOIN cases c USING (run, suite, "case")
JOIN run_metrics r USING (run)
JOIN metrics m ON m.metric = r.metric
LEFT JOIN latest_scores s
    ON s.trial = g.trial AND s.metric = m.metric AND s.output = m.output AND s.image = g.image
WHERE (NOT list_contains(m.needs, 'source') OR c.source_sha IS NOT NULL)
  AND (NOT list_contains(m.needs, 'mask') OR c.mask_sha IS NOT NULL)
  AND (NOT list_contains(m.needs, 'expected_text') OR len(c.expected_text) > 0)
  AND (NOT list_contains(m.needs, 'captions') OR (c.source_caption IS NOT NULL AND c.target_caption IS NOT NULL));

-- Replicates are folded before anything else: one value per case.
CREATE VIEW case_scores AS
SELECT run, suite, category, "case", cluster, task, system, metric, output,
    avg(value) AS value, count(value) AS n_scored, count(*) AS n_expected
FROM scores
GROUP BY ALL;

CREATE VIEW reliability AS
SELECT run, category, system,
    count(*) AS planned,
    count(*) FILTER (status IN ('ok', 'partial')) AS delivered,
    count(*) FILTER (status = 'partial') AS partial,
    count(*) FILTER (status = 'refused') AS refused,
    count(*) FILTER (status = 'failed') AS failed,
    count(*) FILTER (status = 'unknown') AS unknown,
    count(*) FILTER (status IN ('planned', 'in_flight')) AS open,
    sum(cost_usd) AS cost_usd,
    count(cost_usd) FILTER (cost_basis <> 'none') AS priced,
    quantile_cont(total_s, 0.5) FILTER (status IN ('ok', 'partial')) AS latency_p50,
    quantile_cont(total_s, 0.95) FILTER (status IN ('ok', 'partial')) AS latency_p95
FROM generations
GROUP BY ALL;

-- A ballot sent twice is one ballot.
CREATE VIEW ballots AS
SELECT * FROM ballot_rows
QUALIFY row_number() OVER (PARTITION BY study, ballot ORDER BY t) = 1;

CREATE VIEW votes AS
SELECT b.study, b.ballot, v.criterion, v.answer, b.suite, c.category, b."case", c.cluster, b.rater,
    b.left_system, b.right_system, b.left_trial, b.right_trial, b.t, b.propensity, b.visible_ms, b.simulated
FROM ballots b
JOIN (SELECT * FROM vote_rows
      QUALIFY row_number() OVER (PARTITION BY study, ballot, criterion ORDER BY t) = 1) v USING (study, ballot)
LEFT JOIN studies s USING (study)
LEFT JOIN cases c ON c.run = s.run AND c.suite = b.suite AND c."case" = b."case";
