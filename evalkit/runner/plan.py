"""From suites and systems to a plan: which cases are asked of whom, how often, under which ids, for how much.

Two plans of the same content have the same run id, which is why the same command continues its run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal

from evalkit.clock import now
from evalkit.errors import UsageError
from evalkit.ids import digest, trial_id
from evalkit.progress import SILENT, Progress
from evalkit.providers.base import Provider
from evalkit.providers.systems import make_provider
from evalkit.runs import Plan, PlannedCase, PlannedSystem, SuiteFacts, plan_content
from evalkit.suite import resolve_mask, resolve_source
from evalkit.types import Case, ImageInput, Request, Suite, System


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
    run = name or f"{stem}-{digest(plan_content(plan))[:8]}"
    return Plan(run, plan.created, plan.suites, plan.cases, plan.systems, plan.trials)
