"""A probe: a few small requests that settle what a provider's documentation leaves open.

Each paid step is a run of one trial in a workspace of its own, `probes/<provider>`, carried out by the same
code as any run: recorded on the disk before it is sent, within the budget, never sent a second time. So a
probe that is started again pays only for what it has not asked yet. What it asks is in `steps`, what it
learns in `learn`.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import cached_property
from pathlib import Path

from evalkit.errors import BudgetReached, LaneStopped, UsageError
from evalkit.progress import SILENT, Progress
from evalkit.providers.base import Settings
from evalkit.providers.catalogued import Catalogued
from evalkit.providers.systems import make_provider
from evalkit.remote.catalog import Account, account
from evalkit.runner.execute import RunOptions, RunReport, execute
from evalkit.runner.probing.facts import Fact, keep_facts, place
from evalkit.runner.probing.learn import CERTAIN, Answer, facts_of, read_answer
from evalkit.runner.probing.looks import Look, look_around, look_at_result
from evalkit.runner.probing.planning import Planned, Round, newest_round, source_picture
from evalkit.runner.probing.steps import SOURCE, rows_to_probe, steps_of
from evalkit.runs import Step, read_history, save_plan
from evalkit.store import Record, Workspace, read_records, write_atomically
from evalkit.types import Job, System, Task


@dataclass(frozen=True, slots=True)
class Target:
    """What is probed: `system.model` is empty where the first model of the catalogue will do.

    `again` asks everything anew, in a new round, and pays for it; `all_ratios` asks for every shape.
    """

    system: System
    task: Task | None = None
    all_ratios: bool = False
    again: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one step; `earlier` is true where an earlier probe has paid for it already."""

    step: str
    question: str
    status: str
    outcome: str
    usd: Decimal = Decimal(0)
    earlier: bool = False


@dataclass(slots=True)
class ProbeReport:
    """What a probe came to. `spent_usd` counts all steps of this round, whenever they were paid."""

    looks: list[Look] = field(default_factory=list)
    results: list[Result] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    spent_usd: Decimal = Decimal(0)
    stopped: str = ""
    out_of_budget: bool = False
    interrupted: bool = False
    failed: bool = False

    @property
    def exit_code(self) -> int:
        """130 interrupted, 5 budget reached, 3 stopped or a step without the answer it should have."""
        if self.interrupted:
            return 130
        if self.out_of_budget:
            return BudgetReached.exit_code
        return LaneStopped.exit_code if self.stopped or self.failed else 0


class Probe:
    """One probe of one model. Making it sends and writes nothing; `run` does.

    `root` is the workspace, of which `observed/` gets the facts and `probes/` the runs. Raises `UsageError`
    for a provider that is not described by the catalogue, and where a price is not known.
    """

    def __init__(self, root: Path, target: Target, settings: Settings = Settings()) -> None:
        self.root = root
        self.provider = _provider(target.system, settings)
        spec = self.provider.spec
        name = target.system.params.get("model", "") if spec.base_is_model else target.system.model
        rows = rows_to_probe(spec, name, target.task)
        self.model = name or rows[0].id
        if not target.system.model:
            self.provider = _provider(replace(target.system, model=self.model), settings)
        self.workspace = Workspace(root / "probes" / spec.name)
        number = newest_round(self.workspace)
        around = Round(
            spec, target.system, settings, number + 1 if target.again else max(1, number),
            source_picture(self.workspace),
        )  # fmt: skip
        self.steps = [around.plan(step) for step in steps_of(spec, rows, all_ratios=target.all_ratios)]

    @cached_property
    def base(self) -> str:
        """The URL that is asked."""
        return self._account.base

    @cached_property
    def at(self) -> str:
        """Where its facts are observed."""
        return place(self._account)

    @cached_property
    def _account(self) -> Account:
        spec, found = self.provider.spec, account(self.provider.spec)
        own = spec.base_is_model and not found.moved
        return replace(found, base=self.provider.system.model) if own else found

    @property
    def spent(self) -> Decimal:
        """What the steps have cost so far, the open ones at their worst, in US dollars."""
        return sum((self.spent_on(step) for step in self.steps), Decimal(0))

    @property
    def worst(self) -> Decimal:
        """The most that all steps can cost, those that are paid included."""
        return self.spent + sum((self.may_cost(step) for step in self.steps), Decimal(0))

    def spent_on(self, step: Planned) -> Decimal:
        """What one step has cost so far, at its worst while it is open."""
        return read_history(self.workspace, step.plan.trials).spent

    def may_cost(self, step: Planned) -> Decimal:
        """What one step can still cost: nothing once a job may exist."""
        stands = read_history(self.workspace, step.plan.trials).step(0)
        return step.worst if stands in (Step.NONE, Step.REJECTED) else Decimal(0)

    def name_of(self, step: Planned) -> str:
        """What a step's model is called in facts: with the parameters that were given."""
        system, own = step.provider.system, self.provider.spec.base_is_model
        model = system.params.get("model", "*") if own else system.model
        skipped = ("n", "model") if own else ("n",)
        given = {name: value for name, value in system.params.items() if name not in skipped}
        return System("", model, given).spec.removeprefix(":")

    def answers(self) -> dict[str, Answer]:
        """What is known of every step, by its trial."""
        records: dict[str, list[Record]] = {step.trial: [] for step in self.steps}
        for path in sorted(self.workspace.runs.glob("*/journal.jsonl")):
            for record in read_records(path, []):
                records.get(str(record.get("trial")), []).append(record)
        return {trial: read_answer(found) for trial, found in records.items()}

    def run(
        self, budget: Decimal | None, *, retry_failed: bool = False, progress: Progress = SILENT
    ) -> ProbeReport:
        """Ask what is still open. Raises `UsageError` without a key, or without a budget if it can cost."""
        if gap := self.provider.missing():
            raise UsageError(f"{self.provider.name} cannot be asked yet", f"Set {gap}.")
        if self.worst > 0 and budget is None:
            raise UsageError(
                f"this probe can cost up to ${self.worst.normalize():f}",
                "Say how much may be spent: --budget USD",
            )
        self._open()
        report = ProbeReport(looks=asyncio.run(self._look_around()))
        self.keep(report, [fact for look in report.looks for fact in look.facts])
        broken = next((look for look in report.looks if look.stop), None)
        if broken is not None:
            report.stopped = broken.answer
        _Walk(self, report, budget or Decimal(0), retry_failed).go(progress)
        report.spent_usd = self.spent
        return report

    def _open(self) -> None:
        Workspace.open(self.root)
        Workspace.open(self.workspace.root)
        source = source_picture(self.workspace)
        if not (self.workspace.root / SOURCE).exists():
            write_atomically(self.workspace.root / SOURCE, source.data)
        self.workspace.objects.put(source.data)

    async def _look_around(self) -> list[Look]:
        try:
            return await look_around(self.provider, self.model)
        finally:
            await self.provider.aclose()

    def keep(self, report: ProbeReport, found: list[Fact]) -> None:
        """Write facts down at once, so that a crash later on loses nothing that was paid for."""
        report.facts += found
        if found:
            keep_facts(self.root, self.provider.spec.name, found)


@dataclass(slots=True)
class _Walk:
    """The steps of one probe, one after another."""

    probe: Probe
    report: ProbeReport
    budget: Decimal
    retry_failed: bool
    done: dict[str, Answer] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)

    def go(self, progress: Progress) -> None:
        before = self.probe.answers()
        progress.start("probe", len(self.probe.steps))
        for planned in self.probe.steps:
            answer = before[planned.trial]
            if not self.report.stopped and not self._is_over(planned, answer):
                answer = self._ask(planned)
            self._take_in(planned, answer, earlier=before[planned.trial].status == answer.status != "")
            progress.advance("probe")
        progress.finish("probe")

    def _is_over(self, planned: Planned, answer: Answer) -> bool:
        if self._answered(planned):
            return True
        if answer.status == "failed":
            return not self._retries(planned, answer)
        return answer.status not in ("", "unknown")

    def _retries(self, planned: Planned, answer: Answer) -> bool:
        """A refusal that is an answer is not asked again."""
        return self.retry_failed and not (planned.step.finding and answer.kind in CERTAIN)

    def _answered(self, planned: Planned) -> bool:
        """Whether another step has made this one unnecessary."""
        other = self.done.get(planned.step.unless)
        return other is not None and other.good

    def _ask(self, planned: Planned) -> Answer:
        """Carry out one step as a run, if the budget covers it."""
        probe, report = self.probe, self.report
        spent = probe.spent
        left = self.budget - (spent - probe.spent_on(planned))
        if probe.may_cost(planned) > self.budget - spent:
            report.out_of_budget = True
            report.stopped = (
                f"the budget of ${self.budget} does not cover {planned.step.name}, which may cost "
                f"${planned.worst.normalize():f}: ${spent.normalize():f} is spent"
            )
        else:
            plan = save_plan(probe.workspace, planned.plan)
            retry = self._retries(planned, probe.answers()[planned.trial])
            options = RunOptions(1, max(left, Decimal(0)), retry)
            providers = {planned.provider.system.name: planned.provider}
            self._note(execute(probe.workspace, plan, providers, options))
        return probe.answers()[planned.trial]

    def _note(self, ran: RunReport) -> None:
        self.report.interrupted = ran.interrupted
        self.report.out_of_budget = "budget" in ran.stopped
        self.report.stopped = "; ".join(ran.stopped.values()) or ("interrupted" if ran.interrupted else "")

    def _take_in(self, planned: Planned, answer: Answer, *, earlier: bool) -> None:
        """Put down what came of a step, and what it teaches."""
        step, probe, report = planned.step, self.probe, self.report
        self.done[step.name] = answer
        facts = facts_of(step, answer, probe.at, probe.name_of(planned))
        if answer.good and answer.job and step.row.task not in self.told:
            self.told.add(step.row.task)
            facts += self._at_result(planned, answer.job)
        probe.keep(report, facts)
        status = self._status(planned, answer)
        report.failed = report.failed or status in ("failed", "refused", "unknown")
        words = _words(answer, step.n, status)
        report.results.append(Result(step.name, step.question, status or "open", words, answer.usd, earlier))

    def _status(self, planned: Planned, answer: Answer) -> str:
        """A step that may be turned away has its answer when it is."""
        if not answer.status and self._answered(planned):
            return "not needed"
        finding = planned.step.finding and answer.status in ("failed", "refused")
        return "turned away" if finding and answer.kind in CERTAIN else answer.status

    def _at_result(self, planned: Planned, job: Job) -> list[Fact]:
        spec, model = self.probe.provider.spec, planned.provider.system.model
        look = asyncio.run(look_at_result(spec, model, planned.step.row.task, job))
        self.report.looks += [look] if look else []
        return list(look.facts) if look else []


def _provider(system: System, settings: Settings) -> Catalogued:
    provider = make_provider(system, settings)
    if not isinstance(provider, Catalogued):
        raise UsageError(
            f"{system.provider} is code, not a description: there is nothing to probe",
            "Probes are for the providers of docs/catalog.md.",
        )
    return provider


def _words(answer: Answer, wanted: int, status: str) -> str:
    match status:
        case "ok" | "partial":
            images = answer.done.get("images")
            return f"{len(images) if isinstance(images, list) else 0} of {wanted} pictures"
        case "unknown":
            return f"nobody knows: {answer.reason}. It may have been billed and is not sent again"
        case "not needed":
            return "another step has answered it"
        case "":
            return "a job is there, and its end is not known yet" if answer.job else "not asked"
        case _:
            return f"{answer.kind}: {answer.reason}" if answer.kind else answer.reason
