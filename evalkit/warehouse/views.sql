-- Every total and every "latest" is a view over the facts.

-- An attempt only climbs, from unknown (a lost job that may be found) to ok: its best end is its outcome.
-- The newest attempt of a trial counts, but every attempt has cost what it cost; a trial is shared by every run
-- that plans it.
CREATE VIEW attempt_outcomes AS
SELECT * FROM outcomes
QUALIFY row_number() OVER (PARTITION BY trial, attempt
    ORDER BY list_position(['unknown', 'failed', 'refused', 'partial', 'ok'], status) DESC, t DESC, run DESC) = 1;

CREATE VIEW latest_outcomes AS
SELECT * FROM attempt_outcomes
QUALIFY row_number() OVER (PARTITION BY trial ORDER BY attempt DESC) = 1;

CREATE VIEW generations AS
SELECT
    t.run, t.trial, t.suite, c.category, t."case", c.cluster, c.task, t.system, t.replicate, c.prompt,
    coalesce(o.status, CASE WHEN a.trial IS NULL THEN 'planned' ELSE 'in_flight' END) AS status,
    o.reason, o.kind, o.stage, k.cost_usd, o.cost_basis, o.total_s, o.submit_s, o.queue_s, o.run_s,
    o.download_s, o.provider_s, o.provider_queue_s, o.throttle_s, o.poll_s, o.t AS finished, o.attempt,
    o.degraded, o.warmup, o.resumed, o.request_id, o.model_version,
    i.image, i.width, i.height, i.format, i.bytes
FROM trials t
JOIN cases c USING (run, suite, "case")
LEFT JOIN latest_outcomes o USING (trial)
LEFT JOIN (SELECT trial, sum(cost_usd)::DECIMAL(12,6) AS cost_usd FROM attempt_outcomes GROUP BY trial) k
    USING (trial)
LEFT JOIN (SELECT DISTINCT trial FROM attempts) a USING (trial)
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
    s.detail, CASE WHEN s.value IS NOT NULL THEN s.flag END AS flag,
    s.trial IS NOT NULL AS scored
FROM generations g
JOIN cases c USING (run, suite, "case")
JOIN run_metrics r USING (run)
JOIN metrics m ON m.metric = r.metric
LEFT JOIN latest_scores s
    ON s.trial = g.trial AND s.metric = m.metric AND s.output = m.output AND s.image = g.image
WHERE (coalesce(len(m.categories), 0) = 0 OR list_contains(m.categories, g.category))
  AND (NOT list_contains(m.needs, 't2i') OR g.task = 't2i')
  AND (NOT list_contains(m.needs, 'source') OR c.source_sha IS NOT NULL)
  AND (NOT list_contains(m.needs, 'mask') OR c.mask_sha IS NOT NULL)
  AND (NOT list_contains(m.needs, 'expected_text') OR len(c.expected_text) > 0)
  AND (NOT list_contains(m.needs, 'captions') OR (c.source_caption IS NOT NULL AND c.target_caption IS NOT NULL))
  AND (NOT list_contains(m.needs, 'questions') OR c.questions > 0)
  AND coalesce(s.reason, '') <> 'not_asked';  -- never owed: neither the case nor the system's parameters ask for it

-- Replicates are folded before anything else: one value per case.
CREATE VIEW case_scores AS
SELECT run, suite, category, "case", cluster, task, system, metric, output,
    avg(value) AS value, count(value) AS n_scored, count(*) AS n_expected, count(flag) AS n_flagged
FROM scores
GROUP BY ALL;

-- What every attempt has cost: those that ended by how they ended, and what is set aside for one that has not.
CREATE VIEW charges AS
SELECT t.run, t.trial, t.suite, c.category, t."case", t.system, o.attempt, o.status, o.cost_usd, o.cost_basis AS basis
FROM trials t
JOIN cases c USING (run, suite, "case")
JOIN attempt_outcomes o USING (trial)
UNION ALL
SELECT t.run, t.trial, t.suite, c.category, t."case", t.system, i.attempt, 'in_flight', i.usd, 'none'
FROM trials t
JOIN cases c USING (run, suite, "case")
JOIN (SELECT DISTINCT trial, attempt, usd FROM attempts WHERE event = 'intent') i USING (trial)
ANTI JOIN attempt_outcomes o ON o.trial = t.trial AND o.attempt = i.attempt
ANTI JOIN (SELECT trial, attempt FROM attempts WHERE event = 'rejected') r
    ON r.trial = t.trial AND r.attempt = i.attempt;

-- Delivered pictures and how long they took. `left_out` says why one tells nothing about the service: the gap of
-- a job that was taken up again is ours, and the first request of a lane pays for waking things up.
-- `wait_s` is the time in the provider's hands where a job was never seen running: queue and run in one.
CREATE VIEW latencies AS
SELECT run, trial, suite, category, "case", cluster, system, replicate, total_s, submit_s, queue_s, run_s,
    download_s, provider_s, provider_queue_s, throttle_s, poll_s,
    CASE WHEN poll_s IS NOT NULL AND queue_s IS NULL AND run_s IS NULL
         THEN greatest(total_s - coalesce(submit_s, 0) - coalesce(download_s, 0), 0) END AS wait_s,
    CASE WHEN resumed THEN 'resumed' WHEN warmup THEN 'warmup' WHEN total_s IS NULL THEN 'untimed' END AS left_out
FROM generations
WHERE status IN ('ok', 'partial');

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
    quantile_cont(l.total_s, 0.5) AS latency_p50,
    quantile_cont(l.total_s, 0.95) AS latency_p95
FROM generations
LEFT JOIN (SELECT run, trial, total_s FROM latencies WHERE left_out IS NULL) l USING (run, trial)
GROUP BY ALL;

-- When a rater last took a ballot back: only what was said after that counts. Nobody takes back another's.
CREATE VIEW undos AS
SELECT u.study, u.ballot, max(u.t) AS t
FROM undo_rows u
SEMI JOIN (
    SELECT study, ballot, rater FROM ballot_rows
    UNION ALL SELECT study, ballot, rater FROM ranking_rows WHERE NOT imported
) b ON b.study = u.study AND b.ballot = u.ballot AND b.rater = u.rater
GROUP BY ALL;

-- A ballot sent twice is one ballot.
CREATE VIEW cast_ballots AS
SELECT b.* REPLACE (coalesce(b.weight, 1.0) AS weight)
FROM ballot_rows b
LEFT JOIN undos u ON u.study = b.study AND u.ballot = b.ballot
WHERE u.t IS NULL OR b.t > u.t
QUALIFY row_number() OVER (PARTITION BY b.study, b.ballot ORDER BY b.t) = 1;

CREATE VIEW ballots AS
SELECT * FROM cast_ballots
UNION ALL BY NAME
SELECT study, ballot, suite, "case", rater, left_system, right_system, left_trial, right_trial, t, propensity,
    pair_propensity, visible_ms, simulated, session, weight, extra
FROM imported_rows WHERE "first";

CREATE VIEW votes AS
WITH said AS (
    SELECT b.study, b.ballot, v.criterion, v.answer, b.suite, c.category, b."case", c.cluster, b.rater,
        b.left_system, b.right_system, b.left_trial, b.right_trial, b.t, b.propensity, b.pair_propensity,
        b.visible_ms, b.simulated, b.session, b.weight, b.extra, false AS withdrawn
    FROM cast_ballots b
    JOIN (SELECT v.* FROM vote_rows v
          LEFT JOIN undos u ON u.study = v.study AND u.ballot = v.ballot
          WHERE u.t IS NULL OR v.t > u.t
          QUALIFY row_number() OVER (PARTITION BY v.study, v.ballot, v.criterion ORDER BY v.t) = 1) v
        ON v.study = b.study AND v.ballot = b.ballot
    LEFT JOIN studies s ON s.study = b.study
    LEFT JOIN cases c ON c.run = s.run AND c.suite = b.suite AND c."case" = b."case"
    UNION ALL BY NAME
    SELECT * EXCLUDE ("first") FROM imported_rows
), gone AS (
    SELECT DISTINCT study, trial FROM withdrawn_rows
)
SELECT said.* REPLACE (said.withdrawn OR l.trial IS NOT NULL OR r.trial IS NOT NULL AS withdrawn)
FROM said
LEFT JOIN gone l ON l.study = said.study AND l.trial = said.left_trial
LEFT JOIN gone r ON r.study = said.study AND r.trial = said.right_trial;

-- How often each answer was given, as the two systems were shown; skips are an answer.
CREATE VIEW vote_counts AS
SELECT study, criterion, category, left_system, right_system, answer, count(*) AS votes
FROM votes
WHERE NOT withdrawn AND left_system <> right_system
GROUP BY ALL;

-- What the votes on each pair come to, whichever side each system was on: `share_a` counts ties and "both bad" half.
CREATE VIEW pair_votes AS
WITH turned AS (
    SELECT study, criterion, category, answer, votes, least(left_system, right_system) AS system_a,
        greatest(left_system, right_system) AS system_b,
        CASE answer WHEN 'left' THEN left_system WHEN 'right' THEN right_system END AS winner
    FROM vote_counts
    WHERE answer IN ('left', 'right', 'tie', 'both_bad')
), counted AS (
    SELECT study, criterion, category, system_a, system_b, sum(votes)::BIGINT AS votes,
        coalesce(sum(votes) FILTER (winner = system_a), 0)::BIGINT AS wins_a,
        coalesce(sum(votes) FILTER (winner = system_b), 0)::BIGINT AS wins_b,
        coalesce(sum(votes) FILTER (answer = 'tie'), 0)::BIGINT AS ties,
        coalesce(sum(votes) FILTER (answer = 'both_bad'), 0)::BIGINT AS both_bad
    FROM turned
    GROUP BY ALL
)
SELECT *, (wins_a + 0.5 * (ties + both_bad))::DOUBLE / votes AS share_a FROM counted;

-- One row per ranked system. `place` counts from 1, the best; systems ranked alike share the best place among them.
CREATE VIEW rankings AS
SELECT r.study, r.ballot, r.criterion, r.suite, c.category, r."case", c.cluster, r.rater, r.place, r.system, r.t
FROM (SELECT r.* FROM ranking_rows r
      LEFT JOIN undos u ON u.study = r.study AND u.ballot = r.ballot
      WHERE NOT r.imported AND (u.t IS NULL OR r.t > u.t)
      QUALIFY rank() OVER (PARTITION BY r.study, r.ballot, r.criterion ORDER BY r.t) = 1
          AND row_number() OVER (PARTITION BY r.study, r.ballot, r.criterion, r.system ORDER BY r.t) = 1) r
LEFT JOIN studies s ON s.study = r.study
LEFT JOIN cases c ON c.run = s.run AND c.suite = r.suite AND c."case" = r."case"
UNION ALL BY NAME
SELECT * EXCLUDE (imported) FROM ranking_rows WHERE imported;

-- Pairs as a judge decided them, both orders taken together; what people voted is in `votes` and nowhere near these.
CREATE VIEW judge_pairs AS
SELECT p.* EXCLUDE (t), c.category, c.cluster
FROM (SELECT * FROM judge_pair_rows
      QUALIFY row_number() OVER (PARTITION BY run, judge, trial_a, trial_b ORDER BY t DESC) = 1) p
LEFT JOIN cases c ON c.run = p.run AND c.suite = p.suite AND c."case" = p."case";
