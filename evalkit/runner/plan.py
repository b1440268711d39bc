"""From suites and systems to a plan: which cases are asked of whom, how often, under which ids, for how much.

Two plans of the same content have the same run id, which is why the same command continues its run.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from decimal import Decimal

from evalkit.clock import now
from evalkit.errors import UsageError
from evalkit.ids import Question, digest
from evalkit.progress import SILENT, Progress
from evalkit.providers.base import Provider, Settings
from evalkit.providers.systems import make_provider
from evalkit.runs import Plan, PlannedCase, PlannedSystem, SuiteFacts, Trials, plan_content
from evalkit.runs.trials import Row
from evalkit.suite import resolve_mask, resolve_source
from evalkit.types import Ask, Case, CostBasis, Coverage, ImageInput, Request, Suite, System

SHOWN = 10


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
    settings: Settings = Settings(),
    progress: Progress = SILENT,
) -> tuple[Plan, Mapping[str, Provider]]:
    """Plan every case of `suites` on every one of `systems`, and the providers by system name.

    `keep` stores the inputs' bytes (a run does, a mere look at the plan does not). Raises `SuiteProblems`,
    `UnknownName`, `UsageError`.
    """
    _check(suites, systems, replicates)
    providers = {system.name: make_provider(system, settings) for system in systems}
    asked = {suite.name: suite.cases for suite in suites}
    coverages = {label: provider.match(asked) for label, provider in providers.items()}
    drafts = [_Draft(position, provider) for position, provider in enumerate(providers.values())]
    cases: list[PlannedCase] = []
    progress.start("plan", sum(len(suite.cases) for suite in suites))

    def rows() -> Iterator[Row]:
        for suite, case in [(whole, part) for whole in suites for part in whole.cases]:
            source = resolve_source(suite, case)
            inputs = Inputs(source, resolve_mask(suite, case, source))
            planned = _planned(suite.name, case, inputs, keep)
            for draft in drafts:
                yield from draft.rows(planned, len(cases), inputs, replicates)
            cases.append(planned)
            progress.advance("plan")

    trials = Trials(rows())
    progress.finish("plan")
    _complain(drafts)
    _no_trial_twice(trials, systems)
    planned_systems = tuple(
        draft.planned(coverage) for draft, coverage in zip(drafts, coverages.values(), strict=True)
    )
    facts = tuple(_facts(suite) for suite in suites)
    return _named(Plan("", now(), facts, tuple(cases), planned_systems, trials), name), providers


class _Draft:
    """One system while it is being planned: what it costs, and what its model cannot do."""

    def __init__(self, position: int, provider: Provider) -> None:
        self.position = position
        self.provider = provider
        self.problems: Counter[str] = Counter()
        self.hints: list[str] = []
        self.notes: Counter[str] = Counter()
        self.expected = self.worst = Decimal(0)
        self.basis: CostBasis = "none"

    def rows(self, planned: PlannedCase, index: int, inputs: Inputs, replicates: int) -> Iterator[Row]:
        """The trials of one case; none, and a problem more, if the model cannot do it."""
        provider, case = self.provider, planned.case
        try:
            ask = provider.ask(case)
            asked = question(planned, provider, ask)
            request = _request(planned, ask, inputs, trial=asked.trial(0), replicate=0)
            quote = provider.quote(request)
        except UsageError as error:
            self.problems[error.message] += 1
            self.hints += [error.hint] if error.hint not in self.hints else []
            return
        count = provider.replicates(planned.suite, case, replicates)
        self.expected += quote.expected * count
        self.worst += quote.worst * count
        self.basis = quote.basis if quote.basis != "none" else self.basis
        self.notes.update(ask.notes)
        for replicate in range(count):
            fingerprint = provider.fingerprint(planned.suite, case, replicate)
            yield asked.trial(replicate, fingerprint), index, self.position, replicate

    def planned(self, coverage: Coverage | None) -> PlannedSystem:
        """The system as the plan keeps it."""
        return PlannedSystem(
            self.provider.system,
            self.provider.replayable,
            coverage,
            self.expected,
            self.worst,
            self.basis,
            dict(self.notes),
            self.provider.rehearsed,
        )


def make_request(
    planned: PlannedCase, provider: Provider, replicate: int, inputs: Inputs, trial: str
) -> Request:
    """What one trial asks, under its id."""
    return _request(planned, provider.ask(planned.case), inputs, trial=trial, replicate=replicate)


def _request(planned: PlannedCase, ask: Ask, inputs: Inputs, *, trial: str, replicate: int) -> Request:
    case = planned.case
    return Request(
        trial=trial,
        suite=planned.suite,
        case=case.id,
        replicate=replicate,
        task=case.task,
        prompt=case.prompt,
        aspect_ratio=ask.aspect_ratio,
        model=ask.model,
        params=ask.params,
        source=inputs.source,
        mask=inputs.mask if ask.mask else None,
        notes=ask.notes,
    )


def question(planned: PlannedCase, provider: Provider, ask: Ask) -> Question:
    """All that the ids of this case's trials are hashes of."""
    case = planned.case
    return Question(
        suite=planned.suite,
        case=case.id,
        task=case.task,
        prompt=case.prompt,
        aspect_ratio=ask.aspect_ratio,
        source=planned.source_sha,
        mask=planned.mask_sha if ask.mask else None,
        provider=provider.system.provider,
        model=ask.model,
        params=ask.params,
    )


def _complain(drafts: Sequence[_Draft]) -> None:
    """Everything that no model can do as asked, at once."""
    lines = [
        f"  {draft.provider.system.name}: {message}" + (f" ({count} cases)" if count > 1 else "")
        for draft in drafts
        for message, count in draft.problems.most_common(SHOWN)
    ]
    if lines:
        hints = dict.fromkeys(hint for draft in drafts for hint in draft.hints if hint)
        raise UsageError("this cannot be run as asked:\n" + "\n".join(lines), " ".join(hints))


def _no_trial_twice(trials: Trials, systems: Sequence[System]) -> None:
    same = trials.twice()
    if same is not None:
        one, other = (systems[trials[position][2]].name for position in same)
        raise UsageError(f"{one} and {other} ask for the same pictures", "Name each system once.")


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
    content = digest(plan_content(plan))
    return replace(plan, run=name or f"{stem}-{content[:8]}", digest=content)
