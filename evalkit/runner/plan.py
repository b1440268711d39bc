"""The immutable list of trials, written before the first request.

A plan knows which cases are asked of which systems, how often, under which ids, and what that can cost.
It is complete: with plan.json, the journal and the object store, everything can be scored and reported
even if the suite has changed since. Two plans of the same content have the same run id, which is why the
same command continues its run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Any

import evalkit
from evalkit.clock import now
from evalkit.errors import InvalidInput, UsageError
from evalkit.ids import canonical, digest, trial_id
from evalkit.progress import SILENT, Progress
from evalkit.providers.base import Coverage, Provider
from evalkit.providers.systems import make_provider
from evalkit.store import Workspace, write_atomically
from evalkit.suite import case_from_json, case_to_json, resolve_mask, resolve_source
from evalkit.types import Case, ImageInput, Request, Suite, System, Trial

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


@dataclass(frozen=True, slots=True)
class Inputs:
    """The pictures that travel with one case."""

    source: ImageInput | None
    mask: ImageInput | None


def build_plan(
    suites: Sequence[Suite],
    systems: Sequence[System],
    *,
    replicates: int = 1,
    name: str | None = None,
    keep: Callable[[bytes], str] | None = None,
    progress: Progress = SILENT,
) -> tuple[Plan, Mapping[str, Provider]]:
    """Plan every case of `suites` on every one of `systems`, and the providers by system name.

    `keep` stores the inputs' bytes (a run does, a mere look at the plan does not). Raises `SuiteProblems`,
    `UnknownName`, `UsageError`.
    """
    _check(suites, systems, replicates)
    providers = {system.name: make_provider(system) for system in systems}
    asked = {suite.name: suite.cases for suite in suites}
    coverages = {label: provider.match(asked) for label, provider in providers.items()}
    cases: list[PlannedCase] = []
    trials: list[tuple[str, int, int, int]] = []
    worst = dict.fromkeys(providers, Decimal(0))
    progress.start("plan", sum(len(suite.cases) for suite in suites))
    for suite, case in [(whole, part) for whole in suites for part in whole.cases]:
        source = resolve_source(suite, case)
        inputs = Inputs(source, resolve_mask(suite, case, source))
        planned = _planned(suite.name, case, inputs, keep)
        for position, (label, provider) in enumerate(providers.items()):
            for replicate in range(provider.replicates(suite.name, case, replicates)):
                request = make_request(planned, provider, replicate, inputs)
                trials.append((request.trial, len(cases), position, replicate))
                worst[label] += provider.quote(request).usd
        cases.append(planned)
        progress.advance("plan")
    progress.finish("plan")
    planned_systems = tuple(
        PlannedSystem(p.system, p.replayable, coverages[label], worst[label])
        for label, p in providers.items()
    )
    facts = tuple(_facts(suite) for suite in suites)
    plan = Plan("", now(), facts, tuple(cases), planned_systems, tuple(trials))
    return _named(plan, name), providers


def make_request(planned: PlannedCase, provider: Provider, replicate: int, inputs: Inputs) -> Request:
    """What one trial asks, under its id."""
    case, system = planned.case, provider.system
    identity = trial_id(
        suite=planned.suite,
        case=case.id,
        task=case.task,
        prompt=case.prompt,
        aspect_ratio=case.aspect_ratio,
        source=planned.source_sha,
        mask=planned.mask_sha,
        provider=system.provider,
        model=system.model,
        params=system.params,
        fingerprint=provider.fingerprint(planned.suite, case, replicate),
        replicate=replicate,
    )
    return Request(
        trial=identity,
        suite=planned.suite,
        case=case.id,
        replicate=replicate,
        task=case.task,
        prompt=case.prompt,
        aspect_ratio=case.aspect_ratio,
        model=system.model,
        params=system.params,
        source=inputs.source,
        mask=inputs.mask,
    )


def save_plan(workspace: Workspace, plan: Plan) -> Plan:
    """Write plan.json once; if the run exists, return what it planned, which must be the same.

    Raises `UsageError` if another plan has that name.
    """
    path = plan_path(workspace, plan.run)
    if path.exists():
        old = load_plan(workspace, plan.run)
        if _content(old) != _content(plan):
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
        **_content(plan),
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


def _check(suites: Sequence[Suite], systems: Sequence[System], replicates: int) -> None:
    if not suites:
        raise UsageError("no suite to run", "Name one or more; see: evalkit suite list")
    if not systems:
        raise UsageError("no system to run", "Add --system provider:model; see: evalkit providers list")
    if len({suite.name for suite in suites}) != len(suites):
        raise UsageError("two suites have the same name", "Name each suite once.")
    if replicates < 1:
        raise UsageError(f"--replicates must be at least 1, not {replicates}")


def _planned(suite: str, case: Case, inputs: Inputs, keep: Callable[[bytes], str] | None) -> PlannedCase:
    for picture in (inputs.source, inputs.mask):
        if picture is not None and keep is not None:
            keep(picture.data)
    source, mask = (picture.sha256 if picture else None for picture in (inputs.source, inputs.mask))
    return PlannedCase(suite, case, source, mask)


def _facts(suite: Suite) -> SuiteFacts:
    return SuiteFacts(**{field.name: getattr(suite, field.name) for field in fields(SuiteFacts)})


def _named(plan: Plan, name: str | None) -> Plan:
    if name is not None and not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}", name):
        raise UsageError(f"{name!r} is not a good name for a run", "Use letters, digits, '.', '_' and '-'.")
    first, *more = plan.suites
    stem = f"{first.name}+{len(more)}" if more else first.name
    run = name or f"{stem}-{digest(_content(plan))[:8]}"
    return Plan(run, plan.created, plan.suites, plan.cases, plan.systems, plan.trials)


def _content(plan: Plan) -> dict[str, Any]:
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
