"""What a plan is, on disk and in memory: the immutable list of trials of a run.

A plan is complete: with plan.json, trials.csv, the journal and the object store, everything can be scored and
reported even if the suite has changed since. How one is made of suites and systems is for
`evalkit.runner.plan`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import evalkit
from evalkit.errors import InvalidInput, UsageError
from evalkit.runs.trials import Trials, rows_as_csv
from evalkit.store import Workspace, write_atomically
from evalkit.suite import case_from_json, case_to_json
from evalkit.types import Case, CostBasis, Coverage, System, Trial

FORMAT = 2


@dataclass(frozen=True, slots=True)
class SuiteFacts:
    """What a plan keeps of a suite. `redistributable`: prompts and pictures may be passed on."""

    name: str
    version: str
    digest: str
    category: str
    licence: str
    description: str
    synthetic: bool
    redistributable: bool = True


@dataclass(frozen=True, slots=True)
class PlannedCase:
    """A case as it is asked: with the digests of the bytes that travel with it."""

    suite: str
    case: Case
    source_sha: str | None = None
    mask_sha: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedSystem:
    """A system, whether asking it twice is free, how its own pictures fit the suites, and what it will cost.

    `notes` counts the cases that are put differently because the model cannot do what they ask. `rehearsed`:
    it was planned with a server on this machine in the provider's place.
    """

    system: System
    replayable: bool
    coverage: Coverage | None = None
    expected_usd: Decimal = Decimal(0)
    worst_usd: Decimal = Decimal(0)
    basis: CostBasis = "none"
    notes: Mapping[str, int] = field(default_factory=dict)
    rehearsed: bool = False

    @property
    def name(self) -> str:
        return self.system.name


@dataclass(frozen=True, slots=True)
class Plan:
    """See the module. `digest` is that of its content: two plans of one digest plan the same."""

    run: str
    created: str
    suites: tuple[SuiteFacts, ...]
    cases: tuple[PlannedCase, ...]
    systems: tuple[PlannedSystem, ...]
    trials: Trials
    digest: str = ""

    def __iter__(self) -> Iterator[tuple[Trial, PlannedCase, PlannedSystem]]:
        return (self.work(position) for position in range(len(self.trials)))

    def work(self, position: int) -> tuple[Trial, PlannedCase, PlannedSystem]:
        """One trial with all that belongs to it."""
        trial, case_index, system_index, replicate = self.trials[position]
        case, system = self.cases[case_index], self.systems[system_index]
        return Trial(trial, case.suite, case.case.id, system.name, replicate), case, system

    @property
    def expected_usd(self) -> Decimal:
        """What this plan will probably cost, in US dollars."""
        return sum((system.expected_usd for system in self.systems), Decimal(0))

    @property
    def worst_usd(self) -> Decimal:
        """The most this plan can cost, in US dollars."""
        return sum((system.worst_usd for system in self.systems), Decimal(0))


def save_plan(workspace: Workspace, plan: Plan) -> Plan:
    """Write a plan once; if the run exists, it must have planned the same, at whatever prices.

    Returns the plan as of when it was first made. Raises `UsageError` if another plan has that name.
    """
    path = plan_path(workspace, plan.run)
    if not path.exists():
        write_atomically(path.with_name("trials.csv"), plan.trials.to_csv())
        write_atomically(path, json.dumps(plan_to_json(plan), ensure_ascii=False).encode("utf-8"))
        return plan
    old = _read(path)
    if old.get("digest") != plan.digest:
        raise UsageError(
            f"the run {plan.run!r} exists and plans something else",
            "Choose another --name, or leave it out: a run is then named by what it plans.",
        )
    return replace(plan, created=old["created"])


def load_plan(workspace: Workspace, run: str) -> Plan:
    """Read a run's plan. Raises `InvalidInput` if it is not one."""
    path = plan_path(workspace, run)
    raw = _read(path)
    try:
        with trials_path(path).open(encoding="ascii") as trials:
            return plan_from_json(raw, Trials.from_csv(trials))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path} is not a plan: {error}", "Restore it from a backup.") from error


def _read(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise InvalidInput(f"{path} is not a plan: {error}", "Restore it from a backup.") from error


def plan_path(workspace: Workspace, run: str) -> Path:
    """Where the plan of a run lies."""
    return workspace.runs / run / "plan.json"


def trials_path(plan: Path) -> Path:
    """Where the trials of a plan lie. Plans of format 1 held them inside; those are written out here once."""
    path = plan.with_name("trials.csv")
    if not path.exists():
        write_atomically(path, rows_as_csv(json.loads(plan.read_bytes())["trials"]))
    return path


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The content of plan.json, with every field of every case spelled out."""
    content = plan_content(plan)
    prices = [_prices_json(system) for system in plan.systems]
    return {
        "format": FORMAT,
        "run": plan.run,
        "digest": plan.digest,
        "created": plan.created,
        "evalkit": evalkit.__version__,
        **content,
        "systems": [system | price for system, price in zip(content["systems"], prices, strict=True)],
    }


def plan_from_json(raw: Mapping[str, Any], trials: Trials) -> Plan:
    """The inverse of `plan_to_json`, given what is in trials.csv."""
    return Plan(
        run=raw["run"],
        created=raw["created"],
        suites=tuple(SuiteFacts(**suite) for suite in raw["suites"]),
        cases=tuple(_case_from(case) for case in raw["cases"]),
        systems=tuple(_system_from(system) for system in raw["systems"]),
        trials=trials,
        digest=raw.get("digest", ""),
    )


def plan_content(plan: Plan) -> dict[str, Any]:
    """What a plan plans, apart from when, under which name and for how much; plain JSON."""
    return {
        "suites": [_suite_json(suite) for suite in plan.suites],
        "cases": [_case_json(case) for case in plan.cases],
        "systems": [_system_json(system) for system in plan.systems],
        "trials": {"count": len(plan.trials), "sha256": plan.trials.digest},
    }


def _suite_json(facts: SuiteFacts) -> dict[str, Any]:
    """What is true of nearly every suite is left out, so that older plans keep their digests."""
    content = asdict(facts)
    if facts.redistributable:
        del content["redistributable"]
    return content


def _case_json(planned: PlannedCase) -> dict[str, Any]:
    case = planned.case
    plain = {field.name: getattr(case, field.name) for field in fields(Case)} | case_to_json(case)
    return {"suite": planned.suite, "source_sha": planned.source_sha, "mask_sha": planned.mask_sha, **plain}


def _case_from(raw: Mapping[str, Any]) -> PlannedCase:
    rest = {key: value for key, value in raw.items() if key not in ("suite", "source_sha", "mask_sha")}
    given = {key: value for key, value in rest.items() if value not in (None, [], "")}
    if given.get("task") == "answer":
        # A question to a judge: no suite could have it as a case.
        case = replace(case_from_json(given | {"task": "t2i"}), task="answer")
    else:
        case = case_from_json(given)
    return PlannedCase(raw["suite"], case, raw["source_sha"], raw["mask_sha"])


def _system_json(planned: PlannedSystem) -> dict[str, Any]:
    system, coverage = planned.system, planned.coverage or Coverage(0)
    return {
        "name": system.name,
        "label": system.label,
        "provider": system.provider,
        "model": system.model,
        "params": dict(system.params),
        "spec": system.spec,
        "replayable": planned.replayable,
        "has_pictures": planned.coverage is not None,
        "matched": coverage.matched,
        "missing_cases": list(coverage.missing_cases),
        "unmatched_files": list(coverage.unmatched_files),
        "notes": dict(planned.notes),
    }


def _prices_json(planned: PlannedSystem) -> dict[str, Any]:
    return {
        "expected_usd": str(planned.expected_usd),
        "worst_usd": str(planned.worst_usd),
        "basis": planned.basis,
        "rehearsed": planned.rehearsed,
    }


def _system_from(raw: Mapping[str, Any]) -> PlannedSystem:
    coverage = Coverage(raw["matched"], tuple(raw["missing_cases"]), tuple(raw["unmatched_files"]))
    return PlannedSystem(
        System(raw["provider"], raw["model"], raw["params"], raw["label"]),
        raw["replayable"],
        coverage if raw["has_pictures"] else None,
        Decimal(raw.get("expected_usd", raw["worst_usd"])),
        Decimal(raw["worst_usd"]),
        raw.get("basis", "none"),
        raw.get("notes", {}),
        raw.get("rehearsed", False),
    )
