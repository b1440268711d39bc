-- Tables of the derived database. Everything here comes from text files in the workspace and can be
-- rebuilt from them; no table holds a total. Times are UTC, money is DECIMAL(12,6).

CREATE TABLE meta (schema_version INTEGER);

-- How far each fact file has been read. `bytes` is an offset for appended files, a size for whole ones.
CREATE TABLE ingested (path VARCHAR PRIMARY KEY, bytes BIGINT);

-- ---- what was planned (runs/*/plan.json)
CREATE TABLE runs (
    run VARCHAR PRIMARY KEY, created TIMESTAMP, evalkit VARCHAR, rehearsal BOOLEAN
);
CREATE TABLE suites (
    run VARCHAR, suite VARCHAR, version VARCHAR, digest VARCHAR, category VARCHAR,
    licence VARCHAR, description VARCHAR, synthetic BOOLEAN, redistributable BOOLEAN
);
CREATE TABLE cases (
    run VARCHAR, suite VARCHAR, category VARCHAR, "case" VARCHAR, position INTEGER, prompt VARCHAR, task VARCHAR,
    aspect_ratio VARCHAR, tags VARCHAR[], cluster VARCHAR, source VARCHAR, source_sha VARCHAR, mask_sha VARCHAR,
    source_caption VARCHAR, target_caption VARCHAR, edit_type VARCHAR, keep VARCHAR[], expected_text VARCHAR[],
    questions INTEGER
);
CREATE TABLE systems (
    run VARCHAR, system VARCHAR, position INTEGER, provider VARCHAR, model VARCHAR, params VARCHAR, spec VARCHAR,
    replayable BOOLEAN, unmatched_files VARCHAR[], missing_cases VARCHAR[], rehearsed BOOLEAN
);
CREATE TABLE trials (
    run VARCHAR, trial VARCHAR, suite VARCHAR, "case" VARCHAR, system VARCHAR, replicate INTEGER
);

-- ---- what happened (runs/*/journal.jsonl)
CREATE TABLE attempts (
    trial VARCHAR, run VARCHAR, attempt INTEGER, event VARCHAR, t TIMESTAMP, usd DECIMAL(12,6), note VARCHAR
);
CREATE TABLE outcomes (
    trial VARCHAR, run VARCHAR, attempt INTEGER, t TIMESTAMP, status VARCHAR, reason VARCHAR, kind VARCHAR,
    stage VARCHAR, cost_usd DECIMAL(12,6), cost_basis VARCHAR, total_s DOUBLE, submit_s DOUBLE, queue_s DOUBLE,
    run_s DOUBLE, download_s DOUBLE, provider_s DOUBLE, provider_queue_s DOUBLE, throttle_s DOUBLE, poll_s DOUBLE,
    degraded VARCHAR[], warmup BOOLEAN, resumed BOOLEAN, request_id VARCHAR, model_version VARCHAR
);
CREATE TABLE images (
    trial VARCHAR, attempt INTEGER, image_index INTEGER, image VARCHAR, width INTEGER, height INTEGER,
    format VARCHAR, bytes BIGINT
);

-- ---- how it was judged by metrics (scores/*.jsonl)
CREATE TABLE metric_outputs (
    run VARCHAR, metric VARCHAR, family VARCHAR, version VARCHAR, config VARCHAR, weights VARCHAR, output VARCHAR,
    position INTEGER, label VARCHAR, better VARCHAR, unit VARCHAR, low DOUBLE, high DOUBLE, needs VARCHAR[],
    headline BOOLEAN, categories VARCHAR[], caveat VARCHAR, t TIMESTAMP
);
CREATE TABLE score_rows (
    trial VARCHAR, image_index INTEGER, image VARCHAR, metric VARCHAR, version VARCHAR, key VARCHAR,
    output VARCHAR, value DOUBLE, reason VARCHAR, detail VARCHAR, flag VARCHAR, t TIMESTAMP
);

-- ---- what a vision-language model said (scores/*.jsonl, judgements/*.jsonl; how that is a score is in score_rows)
CREATE TABLE judged_scores (
    trial VARCHAR, image_index INTEGER, metric VARCHAR, key VARCHAR, model VARCHAR, templates VARCHAR[],
    questions VARCHAR[], answered TIMESTAMP, t TIMESTAMP
);
CREATE TABLE judge_pair_rows (
    run VARCHAR, judge VARCHAR, model VARCHAR, template VARCHAR, digest VARCHAR, suite VARCHAR, "case" VARCHAR,
    replicate INTEGER, system_a VARCHAR, system_b VARCHAR, trial_a VARCHAR, trial_b VARCHAR, forward VARCHAR,
    backward VARCHAR, result VARCHAR, reason VARCHAR, flipped BOOLEAN, answered TIMESTAMP, t TIMESTAMP
);
CREATE TABLE judge_anchor_rows (
    run VARCHAR, judge VARCHAR, model VARCHAR, template VARCHAR, digest VARCHAR, occasion VARCHAR, anchor VARCHAR,
    item VARCHAR, repeat INTEGER, output VARCHAR, value DOUBLE, reason VARCHAR, answered TIMESTAMP, t TIMESTAMP
);

-- ---- how it was judged by people (studies/*/study.json, studies/*/withdrawn.jsonl, votes/*/*.jsonl, and
-- votes/*/*.parquet where the votes were imported)
CREATE TABLE studies (
    study VARCHAR PRIMARY KEY, created TIMESTAMP, title VARCHAR, run VARCHAR, systems VARCHAR[],
    criteria VARCHAR[], questions VARCHAR[], comparisons BIGINT, simulated BOOLEAN, selection VARCHAR,
    imported BOOLEAN, sampling VARCHAR
);
CREATE TABLE ballot_rows (
    study VARCHAR, ballot VARCHAR, comparison VARCHAR, suite VARCHAR, "case" VARCHAR, rater VARCHAR,
    left_system VARCHAR, right_system VARCHAR, left_trial VARCHAR, right_trial VARCHAR, t TIMESTAMP,
    propensity DOUBLE, pair_propensity DOUBLE, visible_ms BIGINT, input VARCHAR, simulated BOOLEAN, session VARCHAR,
    weight DOUBLE, extra MAP(VARCHAR, VARCHAR)
);
CREATE TABLE vote_rows (study VARCHAR, ballot VARCHAR, criterion VARCHAR, answer VARCHAR, t TIMESTAMP);
CREATE TABLE undo_rows (study VARCHAR, ballot VARCHAR, rater VARCHAR, t TIMESTAMP);
CREATE TABLE withdrawn_rows (study VARCHAR, trial VARCHAR, reason VARCHAR, t TIMESTAMP);

-- Rows of an import are looked through before they are written: each ballot and criterion is there once, so no
-- view has to look again. `first` marks one row of each ballot.
CREATE TABLE imported_rows (
    study VARCHAR, ballot VARCHAR, "first" BOOLEAN, criterion VARCHAR, answer VARCHAR, suite VARCHAR,
    category VARCHAR, "case" VARCHAR, cluster VARCHAR, rater VARCHAR, session VARCHAR, left_system VARCHAR,
    right_system VARCHAR, left_trial VARCHAR, right_trial VARCHAR, t TIMESTAMP, propensity DOUBLE,
    pair_propensity DOUBLE, visible_ms BIGINT, simulated BOOLEAN, withdrawn BOOLEAN, weight DOUBLE, extra MAP(VARCHAR, VARCHAR)
);
CREATE TABLE ranking_rows (
    study VARCHAR, ballot VARCHAR, criterion VARCHAR, suite VARCHAR, category VARCHAR, "case" VARCHAR,
    cluster VARCHAR, rater VARCHAR, place INTEGER, system VARCHAR, t TIMESTAMP, imported BOOLEAN
);
