"""Small databases for tests: the real schema and views in memory, filled row by row."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

import evalkit.warehouse

T0 = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC).replace(tzinfo=None)
WAREHOUSE = Path(evalkit.warehouse.__file__).parent


@dataclass
class SampleDb:
    """`db` is the connection; the methods append facts the way the builder would."""

    db: duckdb.DuckDBPyConnection = field(default_factory=lambda: duckdb.connect(":memory:"))
    run: str = "run-1"

    def __post_init__(self) -> None:
        for name in ("schema.sql", "views.sql"):
            self.db.execute((WAREHOUSE / name).read_text("utf-8"))
        self.row("runs", run=self.run, created=T0, evalkit="0.1.0", rehearsal=False)

    def row(self, table: str, **columns: Any) -> None:
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" for _ in columns)
        self.db.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(columns.values()))

    def suite(self, name: str, category: str | None = None, synthetic: bool = False) -> None:
        self.row(
            "suites",
            run=self.run,
            suite=name,
            version="1",
            digest=hashlib.sha256(name.encode()).hexdigest(),
            category=category or name,
            licence="CC0-1.0",
            description=f"Cases about {name}.",
            synthetic=synthetic,
        )

    def case(self, suite: str, case: str, **columns: Any) -> None:
        found = self.db.execute(
            "SELECT category FROM suites WHERE run = ? AND suite = ?", [self.run, suite]
        ).fetchone()
        position = self.db.execute("SELECT count(*) FROM cases WHERE run = ?", [self.run]).fetchone()
        assert found is not None
        assert position is not None
        base = {"cluster": case, "prompt": f"Prompt of {case}.", "task": "t2i", "aspect_ratio": "1:1"}
        lists: dict[str, list[str]] = {"tags": [], "keep": [], "expected_text": []}
        self.row(
            "cases",
            run=self.run,
            suite=suite,
            category=found[0],
            case=case,
            position=position[0],
            **{**base, **lists, **columns},
        )

    def system(self, name: str, provider: str = "acme", **columns: Any) -> None:
        position = self.db.execute("SELECT count(*) FROM systems WHERE run = ?", [self.run]).fetchone()
        assert position is not None
        self.row(
            "systems",
            run=self.run,
            system=name,
            position=position[0],
            provider=provider,
            **{
                "model": name,
                "params": "{}",
                "spec": f"{provider}:{name}",
                "replayable": False,
                "unmatched_files": [],
                "missing_cases": [],
                "rehearsed": False,
                **columns,
            },
        )

    def trial(self, suite: str, case: str, system: str, replicate: int = 0, **outcome: Any) -> str:
        """Plan a trial and, unless `status` is None, end it. Returns its id."""
        trial = self.trial_id(suite, case, system, replicate)
        self.row(
            "trials", run=self.run, trial=trial, suite=suite, case=case, system=system, replicate=replicate
        )
        status = outcome.pop("status", "ok")
        image = outcome.pop("image", trial if status == "ok" else None)
        if status is None:
            return trial
        base = {"attempt": 1, "t": T0, "cost_basis": "none", "total_s": 1.0}
        self.row("outcomes", trial=trial, run=self.run, status=status, **{**base, **outcome})
        if image:
            self.row(
                "images",
                trial=trial,
                attempt={**base, **outcome}["attempt"],
                image_index=0,
                image=image,
                width=1024,
                height=1024,
                format="png",
                bytes=1_000_000,
            )
        return trial

    def trial_id(self, suite: str, case: str, system: str, replicate: int = 0) -> str:
        return hashlib.sha256(f"{suite}/{case}/{system}/{replicate}".encode()).hexdigest()

    def step(self, trial: str, event: str, attempt: int = 1, usd: str | None = None) -> None:
        """One step of an attempt, as a journal tells it: intent, accepted or rejected."""
        self.row("attempts", trial=trial, run=self.run, attempt=attempt, event=event, t=T0, usd=usd)

    def metric(self, metric: str, output: str, **columns: Any) -> None:
        base = {"family": metric.split("[")[0], "version": "1", "config": "{}", "weights": None}
        shape = {
            "position": 0,
            "label": output,
            "better": "higher",
            "unit": "",
            "low": None,
            "high": None,
            "needs": [],
            "headline": False,
            "caveat": "",
            "t": T0,
        }
        self.row("metric_outputs", run=self.run, metric=metric, output=output, **{**base, **shape, **columns})

    def score(
        self,
        trial: str,
        metric: str,
        output: str,
        value: float | None,
        reason: str | None = None,
        flag: str | None = None,
        detail: str = "",
    ) -> None:
        self.row(
            "score_rows",
            trial=trial,
            image_index=0,
            image=self._image(trial),
            metric=metric,
            version="1",
            key=f"{trial}{output}",
            output=output,
            value=value,
            reason=reason,
            flag=flag,
            detail=detail,
            t=T0,
        )

    def study(self, study: str, systems: Sequence[str], criteria: Sequence[str], **columns: Any) -> None:
        base = {"created": T0, "title": study, "run": self.run, "comparisons": 100, "simulated": False}
        self.row(
            "studies",
            study=study,
            systems=list(systems),
            criteria=list(criteria),
            questions=[f"Which is better on {c}?" for c in criteria],
            **{**base, **columns},
        )

    def vote(
        self, study: str, ballot: str, sides: tuple[str, str], where: tuple[str, str], **answers: str
    ) -> None:
        """One ballot: `where` is (suite, case), `answers` are criterion=answer; so may be rater=name.

        simulated="yes" marks it.
        """
        rater = answers.pop("rater", "r1")
        simulated = answers.pop("simulated", "") == "yes"
        self.row(
            "ballot_rows",
            study=study,
            ballot=ballot,
            comparison=f"c-{ballot}",
            suite=where[0],
            case=where[1],
            rater=rater,
            left_system=sides[0],
            right_system=sides[1],
            left_trial=self.trial_id(*where, sides[0]),
            right_trial=self.trial_id(*where, sides[1]),
            t=T0 + timedelta(seconds=len(ballot)),
            simulated=simulated,
        )
        for criterion, answer in answers.items():
            self.row("vote_rows", study=study, ballot=ballot, criterion=criterion, answer=answer, t=T0)

    def _image(self, trial: str) -> str | None:
        found = self.db.execute("SELECT image FROM images WHERE trial = ?", [trial]).fetchone()
        return found[0] if found else None
