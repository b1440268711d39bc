"""What a plan is, on disk and in memory: the immutable list of trials of a run.

A plan is complete: with plan.json, the journal and the object store, everything can be scored and reported
even if the suite has changed since. How one is made of suites and systems is for `evalkit.runner.plan`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import evalkit
from evalkit.errors import InvalidInput, UsageError
from evalkit.ids import canonical
from evalkit.store import Workspace, write_atomically
from evalkit.suite import case_from_json, case_to_json
from evalkit.types import Case, Coverage, System, Trial

FORMAT = 1


@dataclass(frozen=True, slots=True)
class SuiteFacts:
    """What a plan keeps of a suite."""

    name: str
    version: str
    digest: str
    category: str
    licence: str
    description: str
    synthetic: bool


@dataclass(frozen=True, slots=True)
class PlannedCase:
    """A case as it is asked: with the digests of the bytes that travel with it."""

    suite: str
    case: Case
    source_sha: str | None = None
    mask_sha: str | None = None


@dataclass(frozen=True, slots=True)
class PlannedSystem:
    """A system, whether asking it twice is free, and how its own pictures fit the suites."""

    system: System
    replayable: bool
    coverage: Coverage | None = None
    worst_usd: Decimal = Decimal(0)

    @property
    def name(self) -> str:
        return self.system.name


@dataclass(frozen=True, slots=True)
class Plan:
    """See the module. `trials` are (id, index of case, index of system, replicate)."""

    run: str
    created: str
    suites: tuple[SuiteFacts, ...]
    cases: tuple[PlannedCase, ...]
    systems: tuple[PlannedSystem, ...]
    trials: tuple[tuple[str, int, int, int], ...]

    def __iter__(self) -> Iterator[tuple[Trial, PlannedCase, PlannedSystem]]:
        for trial, case_index, system_index, replicate in self.trials:
            case, system = self.cases[case_index], self.systems[system_index]
            yield Trial(trial, case.suite, case.case.id, system.name, replicate), case, system

    @property
    def worst_usd(self) -> Decimal:
        """The most this plan can cost, in US dollars."""
        return sum((system.worst_usd for system in self.systems), Decimal(0))


def save_plan(workspace: Workspace, plan: Plan) -> Plan:
    """Write plan.json once; if the run exists, return what it planned, which must be the same.

    Raises `UsageError` if another plan has that name.
    """
    path = plan_path(workspace, plan.run)
    if path.exists():
        old = load_plan(workspace, plan.run)
        if plan_content(old) != plan_content(plan):
            raise UsageError(
                f"the run {plan.run!r} exists and plans something else",
                "Choose another --name, or leave it out: a run is then named by what it plans.",
            )
        return old
    write_atomically(path, json.dumps(plan_to_json(plan), ensure_ascii=False, indent=1).encode("utf-8"))
    return plan


def load_plan(workspace: Workspace, run: str) -> Plan:
    """Read a run's plan. Raises `InvalidInput` if it is not one."""
    path = plan_path(workspace, run)
    try:
        return plan_from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path} is not a plan: {error}", "Restore it from a backup.") from error


def plan_path(workspace: Workspace, run: str) -> Path:
    """Where the plan of a run lies."""
    return workspace.runs / run / "plan.json"


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The content of plan.json, with every field of every case spelled out."""
    return {
        "format": FORMAT,
        "run": plan.run,
        "created": plan.created,
        "evalkit": evalkit.__version__,
        **plan_content(plan),
    }


def plan_from_json(raw: Mapping[str, Any]) -> Plan:
    """The inverse of `plan_to_json`."""
    return Plan(
        run=raw["run"],
        created=raw["created"],
        suites=tuple(SuiteFacts(**suite) for suite in raw["suites"]),
        cases=tuple(_case_from(case) for case in raw["cases"]),
        systems=tuple(_system_from(system) for system in raw["systems"]),
        trials=tuple((t, int(c), int(s), int(r)) for t, c, s, r in raw["trials"]),
    )


def plan_content(plan: Plan) -> dict[str, Any]:
    """What a plan plans, apart from when and under which name; plain JSON."""
    content = {
        "suites": [asdict(suite) for suite in plan.suites],
        "cases": [_case_json(case) for case in plan.cases],
        "systems": [_system_json(system) for system in plan.systems],
        "trials": [list(trial) for trial in plan.trials],
    }
    return dict(json.loads(canonical(content)))


def _case_json(planned: PlannedCase) -> dict[str, Any]:
    case = planned.case
    plain = {field.name: getattr(case, field.name) for field in fields(Case)} | case_to_json(case)
    return {"suite": planned.suite, "source_sha": planned.source_sha, "mask_sha": planned.mask_sha, **plain}


def _case_from(raw: Mapping[str, Any]) -> PlannedCase:
    rest = {key: value for key, value in raw.items() if key not in ("suite", "source_sha", "mask_sha")}
    given = {key: value for key, value in rest.items() if value not in (None, [], "")}
    return PlannedCase(raw["suite"], case_from_json(given), raw["source_sha"], raw["mask_sha"])


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
        "worst_usd": str(planned.worst_usd),
    }


def _system_from(raw: Mapping[str, Any]) -> PlannedSystem:
    coverage = Coverage(raw["matched"], tuple(raw["missing_cases"]), tuple(raw["unmatched_files"]))
    return PlannedSystem(
        System(raw["provider"], raw["model"], raw["params"], raw["label"]),
        raw["replayable"],
        coverage if raw["has_pictures"] else None,
        Decimal(raw["worst_usd"]),
    )
