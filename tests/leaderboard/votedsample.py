"""A sample run on which people have voted: two metrics, three systems, as many cases as wanted.

Rows are written table by table, because a thousand of them are wanted.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from sampledb import T0, SampleDb

SKILL = {"a": 1.0, "b": 0.5, "c": 0.0}
PAIRS = (("a", "b"), ("a", "c"), ("b", "c"))
CATEGORY = "product"


def scored_run(cases: int, seed: int = 0) -> tuple[SampleDb, dict[str, float]]:
    """A run with scores: `good` follows what pictures are worth, `noise` does not. Returns worth by trial."""
    sample, rng = SampleDb(), np.random.default_rng(seed)
    sample.suite(CATEGORY)
    for system in SKILL:
        sample.system(system)
    sample.metric("good", "good", headline=True, low=-9, high=9, label="Good")
    sample.metric("good", "good_flip", better="lower", position=1)
    sample.metric("noise", "noise", low=-9, high=9, label="Noise")
    sample.metric("noise", "width", better="neither", position=1)
    for i in range(cases):
        sample.case(CATEGORY, f"c{i}")
    planned = [(f"c{i}", system) for i in range(cases) for system in SKILL]
    ids = [sample.trial_id(CATEGORY, case, system) for case, system in planned]
    worth = {trial: SKILL[s] + float(rng.normal()) for trial, (_, s) in zip(ids, planned, strict=True)}
    _trials(sample, planned, ids)
    values = [
        {
            ("good", "good"): w,
            ("good", "good_flip"): -w,
            ("noise", "noise"): rng.normal(),
            ("noise", "width"): 1.0,
        }
        for w in worth.values()
    ]
    rows = [
        {"trial": trial, "metric": metric, "output": output, "value": float(value)}
        for trial, scores in zip(ids, values, strict=True)
        for (metric, output), value in scores.items()
    ]
    same = {"image_index": 0, "version": "1", "t": T0}
    insert(
        sample, "score_rows", [{**row, **same, "image": row["trial"], "key": row["trial"]} for row in rows]
    )
    return sample, worth


def cast(
    sample: SampleDb,
    worth: dict[str, float],
    study: str = "panel",
    *,
    votes: int = 1,
    simulated: bool = False,
    seed: int = 1,
) -> None:
    """`votes` ballots on every pair, by different ones of twelve raters, sides at random."""
    rng = np.random.default_rng(seed)
    ballots: list[dict[str, Any]] = []
    answers = []
    for (case,) in sample.db.execute('SELECT "case" FROM cases ORDER BY position').fetchall():
        for pair in PAIRS:
            for rater in rng.permutation(12)[:votes]:
                left, right = pair if rng.random() < 0.5 else pair[::-1]
                trials = [sample.trial_id(CATEGORY, case, system) for system in (left, right)]
                seen = worth[trials[0]] - worth[trials[1]] + float(rng.normal(0, 0.7))
                answers.append("tie" if abs(seen) < 0.2 else "left" if seen > 0 else "right")
                sides = {"left_system": left, "right_system": right}
                shown = {
                    "left_trial": trials[0],
                    "right_trial": trials[1],
                    "case": case,
                    "rater": f"r{rater}",
                }
                ballots.append({"ballot": f"{study}-{len(ballots):05d}", **sides, **shown})
    same = {"study": study, "suite": CATEGORY, "simulated": simulated}
    times = [T0 + timedelta(seconds=n) for n in range(len(ballots))]
    insert(sample, "ballot_rows", [{**b, **same, "t": t} for b, t in zip(ballots, times, strict=True)])
    said = {"study": study, "criterion": "alignment", "t": T0}
    insert(
        sample,
        "vote_rows",
        [{**said, "ballot": b["ballot"], "answer": a} for b, a in zip(ballots, answers, strict=True)],
    )


def insert(sample: SampleDb, table: str, rows: list[dict[str, Any]]) -> None:
    """Many rows of one table at once."""
    frame = pd.DataFrame(rows)
    sample.db.register("incoming", frame)
    sample.db.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")
    sample.db.unregister("incoming")


def _trials(sample: SampleDb, planned: list[tuple[str, str]], ids: list[str]) -> None:
    run = {"run": sample.run}
    places = [
        {**run, "trial": trial, "suite": CATEGORY, "case": case, "system": system, "replicate": 0}
        for trial, (case, system) in zip(ids, planned, strict=True)
    ]
    insert(sample, "trials", places)
    done = {**run, "attempt": 1, "t": T0, "status": "ok", "cost_basis": "none", "total_s": 1.0}
    insert(sample, "outcomes", [{**done, "trial": trial} for trial in ids])
    picture = {"attempt": 1, "image_index": 0, "width": 64, "height": 64, "format": "png", "bytes": 1}
    insert(sample, "images", [{**picture, "trial": trial, "image": trial} for trial in ids])
