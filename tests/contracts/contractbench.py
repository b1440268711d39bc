"""One provider of the catalogue at a time, planned and run against the fakes; and what must always hold.

`Bench.run` plans, runs, and then checks five things, whatever the test is about: nothing was billed that is
not accounted for, pictures are fetched without a credential, no key lies about anywhere, every trial has one
end, and the same command again sends nothing. `bills` is how many jobs the fakes' ledger must have gained.

Every description is tried: ours, and those in EVALKIT_PROVIDERS, which are mirrored. Where one speaks as a
provider of ours does, EVALKIT_CONTRACTS says so: `mylab=fal,other=openai` lets the fake of fal answer for it.
"""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from evalkit.fakes import FakeServer, Seen
from evalkit.fakes.files import CREDENTIALS
from evalkit.fakes.server import BASES
from evalkit.providers.base import Settings
from evalkit.remote.accounts import base_variable
from evalkit.remote.catalog import specs
from evalkit.remote.spec import Model, Spec
from evalkit.runner.execute import RunOptions, RunReport, execute
from evalkit.runner.plan import build_plan
from evalkit.runs import Plan, read_generations, read_history, save_plan
from evalkit.store import Record, Workspace, read_records
from evalkit.types import Case, Generation, Suite, System, Task

SENTINEL = "SENTINEL-KEY"
PICTURE_PATHS = ("/files/", "/uploads/", "/comfyui/view")
PRICE = Decimal("0.05")
"""Assumed for a picture of a model whose price nobody knows."""
ANY = "someone/model"
"""What stands for `*`, any other model."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A row of a provider's table, and the fake that speaks its protocol."""

    spec: Spec
    face: str
    row: Model

    def __str__(self) -> str:
        return f"{self.spec.name}:{self.row.id}:{self.row.task}"

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def free(self) -> bool:
        return self.row.tariff.free

    @property
    def waits(self) -> bool:
        """Whether its jobs are polled for."""
        return self.spec.mode != "sync" and not self.row.path

    def system(self, params: Mapping[str, str] = {}) -> System:
        model = ANY if self.row.id == "*" else self.row.id
        if not self.spec.base_is_model:
            return System(self.name, model, params)
        return System(self.name, "http://127.0.0.1:9/v1", {**params, "model": model})


def faces() -> dict[str, str]:
    """Which fake speaks for which description."""
    told = dict(pair.split("=") for pair in os.environ.get("EVALKIT_CONTRACTS", "").split(",") if pair)
    known = {name: told.get(name, name) for name in specs()}
    return {name: face for name, face in known.items() if face in BASES or face == name}


def every_row() -> list[Subject]:
    """Every model that is still there, for each of its tasks."""
    return [
        Subject(specs()[name], face, row)
        for name, face in faces().items()
        for row in specs()[name].models
        if not row.gone
    ]


def subjects() -> list[Subject]:
    """One model of each provider: the first known by name that makes pictures from words, if any."""
    best: dict[str, Subject] = {}
    for subject in every_row():
        known = best.get(subject.name)
        if known is None or _rank(subject) > _rank(known):
            best[subject.name] = subject
    return list(best.values())


def subject(name: str, task: Task = "t2i", model: str = "") -> Subject:
    """One that a test names."""
    fitting = [s for s in every_row() if s.name == name and s.row.task == task]
    return next(s for s in fitting if model in ("", s.row.id))


def _rank(subject: Subject) -> tuple[bool, bool]:
    return subject.row.id != "*", subject.row.task == "t2i"


def red_png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (48, 48), "red").save(out, "PNG")
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Ran:
    """What one run came to."""

    plan: Plan
    report: RunReport
    records: list[Record]
    ends: list[Generation | None]
    requests: list[Seen]
    again: RunReport | None = None

    @property
    def statuses(self) -> list[str]:
        return [end.status if end else "open" for end in self.ends]

    @property
    def status(self) -> str:
        (status,) = self.statuses
        return status

    @property
    def end(self) -> Generation:
        (end,) = self.ends
        assert end is not None
        return end

    @property
    def submits(self) -> list[Seen]:
        """Requests that may make a job: not those that upload, cancel or take something out of a queue."""
        aside = ("/cancel", "/upload", "/storage", "/files", "/queue", "/interrupt", "presign")
        posts = [seen for seen in self.requests if seen.method == "POST"]
        return [seen for seen in posts if not any(part in seen.path for part in aside)]

    def kinds(self, record: str) -> list[str]:
        return [r["kind"] for r in self.records if r["type"] == record]


@dataclass
class Bench:
    """The fakes, a workspace, and everything that is watched."""

    fakes: FakeServer
    root: Path
    monkeypatch: pytest.MonkeyPatch
    caplog: pytest.LogCaptureFixture
    told: list[float | None] = field(default_factory=list)
    """The waits that answers asked for, in seconds."""

    def __post_init__(self) -> None:
        self.root.mkdir(exist_ok=True)
        self.workspace = Workspace.open(self.root / "workspace")
        (self.root / "red.png").write_bytes(red_png())
        self.resubmitted = False

    def introduce(self, subject: Subject) -> None:
        """Move a provider that the fakes know under another name."""
        if subject.face == subject.name:
            return
        self.monkeypatch.setenv(base_variable(subject.name), self.fakes.base(subject.face))
        for entry in subject.spec.env[:1]:
            self.monkeypatch.setenv(entry.split(":")[0], f"{SENTINEL}-{subject.face}")

    def suite(self, prompts: tuple[str, ...], task: Task) -> Suite:
        source = "red.png" if task == "edit" else None
        cases = tuple(Case(f"c{n}", prompt, task, source=source) for n, prompt in enumerate(prompts))
        return Suite("contract", "1", "product", "CC0-1.0", "x", str(self.root), cases)

    def draft(
        self, system: System, task: Task, *prompts: str, replicates: int = 1, **settings: Any
    ) -> tuple[Plan, Mapping[str, Any]]:
        allowed = Settings(**{"allow_degrade": True, "assume_price": PRICE, **settings})
        suite = self.suite(prompts, task)
        plan, providers = build_plan(
            [suite], [system], replicates=replicates, keep=self.workspace.objects.put, settings=allowed
        )
        return save_plan(self.workspace, plan), providers

    def run(self, subject: Subject, *prompts: str, bills: int | None, **how: Any) -> Ran:
        """Plan and run; see the module. `how` are `replicates`, `params`, and fields of settings and options.

        `twice` allows a second bill for a trial. Where `bills` is None, the test counts them itself.
        """
        self.introduce(subject)
        system, task = subject.system(how.pop("params", {})), subject.row.task
        return self.run_system(system, task, *prompts, bills=bills, **how)

    def run_system(self, system: System, task: Task, *prompts: str, bills: int | None, **how: Any) -> Ran:
        """The same for a system that is no row of a table."""
        self.resubmitted |= how.pop("twice", False)
        names = {option.name for option in fields(RunOptions)}
        asked = {name: how.pop(name) for name in names & how.keys()}
        options = RunOptions(**{"budget": Decimal(1000), **asked})
        before = self.fakes.ledger()
        ran = self._execute(lambda: self.draft(system, task, *prompts, **how), options)
        billed = self.fakes.ledger()[len(before) :]
        assert bills in (None, len(billed)), (f"{len(billed)} jobs were billed", ran.statuses, ran.records)
        self._check(ran)
        return replace(
            ran, again=self._once_more(ran, options, lambda: self.draft(system, task, *prompts, **how))
        )

    def crash_after(self, step: str) -> None:
        """Make it as if the process had died right after the last record of that type was written."""
        (path,) = self.workspace.runs.glob("*/journal.jsonl")
        lines = path.read_bytes().splitlines(keepends=True)
        last = max(n for n, record in enumerate(read_records(path)) if record["type"] == step)
        path.write_bytes(b"".join(lines[: last + 1]))

    # What always holds --------------------------------------------------------------------------------

    def _execute(self, draft: Any, options: RunOptions) -> Ran:
        seen, written = len(self.fakes.requests()), self._by_journal()
        try:
            plan, providers = draft()
            report = execute(self.workspace, plan, providers, options)
        except Exception as error:
            _check_text(f"{error!r}{error.__cause__!r}{getattr(error, 'hint', '')}")
            raise
        made = read_generations(self.workspace)
        ends = [made.get(plan.work(position)[0].id) for position in range(len(plan.trials))]
        now = self._by_journal()
        records = [record for path, lines in now.items() for record in lines[len(written.get(path, ())) :]]
        return Ran(plan, report, records, ends, self.fakes.requests()[seen:])

    def _check(self, ran: Ran) -> None:
        self._check_bills(ran)
        self._check_credentials()
        self._check_no_key(ran)
        self._check_ends(ran)

    def _check_bills(self, ran: Ran) -> None:
        """One bill per trial at most, and every bill belongs to one."""
        ledger = self.fakes.ledger()
        if not self.resubmitted:
            trials = Counter(ran.plan.cases[trial[1]].case.prompt for trial in ran.plan.trials)
            billed = Counter(job.prompt for job in ledger)
            assert all(billed[prompt] <= count for prompt, count in trials.items()), "billed twice"
        accepted = [(r["trial"], r["note"]) for r in self._records() if r["type"] == "accepted"]
        owners = Counter(job for _, job in set(accepted))
        assert max(owners.values(), default=1) == 1, "a job belongs to two trials"
        assert owners.keys() <= {job.id for job in ledger}, "a job that nobody made"
        delivered = ran.statuses.count("ok") + ran.statuses.count("partial")
        assert delivered <= len(ledger)

    def _check_credentials(self) -> None:
        """Keys go to their own provider, and to no place where pictures lie."""
        for seen in self.fakes.requests():
            headers = {name.lower() for name in seen.headers}
            if seen.method == "GET" and seen.path.startswith(PICTURE_PATHS):
                assert CREDENTIALS.isdisjoint(headers), f"a credential went to {seen.path}"
            for face, base in BASES.items():
                own = seen.path.startswith(base.removesuffix("/v1") or "/sdapi")
                assert own or f"{SENTINEL}-{face}" not in seen.headers.values(), (
                    f"{face}'s key went elsewhere"
                )

    def _check_no_key(self, ran: Ran) -> None:
        for path in self.workspace.root.rglob("*"):
            assert not path.is_file() or SENTINEL.encode() not in path.read_bytes(), f"a key in {path}"
        _check_text(f"{ran.report!r} {ran.plan!r} {self.caplog.text}")

    def _check_ends(self, ran: Ran) -> None:
        report = ran.report
        ended = report.made + report.reused
        assert sum(ended.values()) + report.open == len(ran.plan.trials)
        assert not report.open or report.stopped, "trials are open and no lane says why"
        ends = Counter(status for status in ran.statuses if status != "open")
        assert ends == +ended
        done = Counter(record["trial"] for record in ran.records if record["type"] == "done")
        assert max(done.values(), default=1) == 1, "a trial with two ends"
        history = read_history(self.workspace, ran.plan.trials)
        assert report.spent_usd == history.spent

    def _once_more(self, ran: Ran, options: RunOptions, draft: Any) -> RunReport | None:
        """A finished run sends nothing; one with unknowns may look for them, but orders nothing."""
        if ran.report.open:
            return None
        billed = len(self.fakes.ledger())
        safe = replace(options, retry_failed=False, resubmit_unknown=False)
        again = self._execute(draft, safe)
        assert len(self.fakes.ledger()) == billed
        assert not again.submits
        assert not again.requests or "unknown" in ran.statuses
        self._check(again)
        return again.report

    def _records(self) -> list[Record]:
        return [record for lines in self._by_journal().values() for record in lines]

    def _by_journal(self) -> dict[Path, list[Record]]:
        paths = sorted(self.workspace.runs.glob("*/journal.jsonl"))
        return {path: list(read_records(path)) for path in paths}


def _check_text(text: str) -> None:
    assert SENTINEL not in text, "a key in what a person sees"
