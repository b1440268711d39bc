"""Carry out a plan: only what is missing, durably, within the budget, each account at the pace it allows.

An attempt that a crash cut off is made again only if asking twice is free. Otherwise an accepted job is asked
for its result, a lost one is looked for, and what cannot be found is `unknown` with what it may have cost; it
is sent again only if that is asked for. What is written in which order is in `evalkit.runner.record`.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from evalkit.errors import BudgetReached, EvalkitError, LaneStopped, UsageError
from evalkit.ids import digest
from evalkit.progress import SILENT, Progress
from evalkit.providers.base import Limits, Provider
from evalkit.runner.asking import Asking
from evalkit.runner.budget import Budget
from evalkit.runner.lanes import Lane
from evalkit.runner.limiter import Change, Limiter
from evalkit.runner.record import Recorder
from evalkit.runner.todo import Todo, sort_out
from evalkit.runs import History, Plan, Step, known_jobs, read_history
from evalkit.store import Dropped, Journal, Workspace, exclusive
from evalkit.types import Status


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to carry out a plan. `concurrency` caps each lane; `budget` in US dollars.

    `resubmit_unknown` sends again what may have been accepted, and may so pay for it twice.
    """

    concurrency: int | None = None
    budget: Decimal | None = None
    retry_failed: bool = False
    resubmit_unknown: bool = False


@dataclass(frozen=True, slots=True)
class UnknownTrial:
    """A trial whose end nobody knows, and what it may have cost."""

    trial: str
    system: str
    case: str
    usd: Decimal
    reason: str


@dataclass(slots=True)
class RunReport:
    """What a run came to: outcomes made now and taken over, money, and what stopped early.

    `asked` counts submissions, so it exceeds the outcomes by those that were turned away and sent again.
    """

    run: str
    made: Counter[Status] = field(default_factory=Counter)
    reused: Counter[Status] = field(default_factory=Counter)
    spent_usd: Decimal = Decimal(0)
    stopped: dict[str, str] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    unknown: list[UnknownTrial] = field(default_factory=list)
    paces: dict[str, list[Change]] = field(default_factory=dict)
    interrupted: bool = False
    asked: int = 0
    open: int = 0

    @property
    def exit_code(self) -> int:
        """130 interrupted, 5 budget reached, 3 with failed or stopped lanes, 0 otherwise."""
        if self.interrupted:
            return 130
        if "budget" in self.stopped:
            return BudgetReached.exit_code
        failed = self.made["failed"] + self.reused["failed"] + self.made["unknown"] + self.reused["unknown"]
        return LaneStopped.exit_code if self.stopped or failed else 0


def execute(
    workspace: Workspace,
    plan: Plan,
    providers: Mapping[str, Provider],
    options: RunOptions = RunOptions(),
    progress: Progress = SILENT,
) -> RunReport:
    """Run or continue `plan`; see the module. Raises `Locked`, `StorageError`, `UsageError`."""
    if options.budget is None and plan.worst_usd > 0:
        _needs_no_money(plan, _todo(plan, read_history(workspace, plan.trials), providers, options))
    journal_path = workspace.runs / plan.run / "journal.jsonl"
    with _locks(workspace, providers), Journal(journal_path, what="run") as journal:
        workspace.objects.sweep()
        history = read_history(workspace, plan.trials)
        recorder = Recorder(journal, workspace.objects)
        todo = _todo(plan, history, providers, options)
        runner = _Runner(plan, history, todo, options, progress)
        budget = Budget(options.budget, history.spent)
        asking = Asking(plan, providers, history, recorder, budget, lambda: known_jobs(workspace))
        try:
            with contextlib.suppress(KeyboardInterrupt):
                asyncio.run(runner.run(asking))
        finally:
            recorder.close()
    return runner.closed(asking)


def unknown_trials(plan: Plan, history: History) -> list[UnknownTrial]:
    """Every trial of a plan whose end nobody knows, and those that were cut off and not looked at yet."""
    found = []
    for position, step in enumerate(history.steps):
        if step in (Step.UNKNOWN, Step.INTENT):
            trial, _, system = plan.work(position)
            if system.replayable:
                continue
            reason = history.lost[position].reason
            found.append(UnknownTrial(trial.id, system.name, trial.case, history.cost(position), reason))
    return found


def _todo(plan: Plan, history: History, providers: Mapping[str, Provider], options: RunOptions) -> Todo:
    failed, unknown = options.retry_failed, options.resubmit_unknown
    return sort_out(plan, history, providers, retry_failed=failed, resubmit=unknown)


def _needs_no_money(plan: Plan, todo: Todo) -> None:
    if any(plan.systems[system].worst_usd > 0 for system in todo.ask):
        raise UsageError(
            f"this plan can cost up to ${plan.worst_usd}", "Say how much may be spent: --budget USD"
        )


@contextlib.contextmanager
def _locks(workspace: Workspace, providers: Mapping[str, Provider]) -> Iterator[None]:
    """One process per account and workspace: two runs that share trials must not both ask for them."""
    with contextlib.ExitStack() as stack:
        for lane in sorted({provider.lane for provider in providers.values()}):
            name = f"lane-{digest(lane)[:16]}.lock"
            stack.enter_context(exclusive(workspace.locks / name, f"running {lane} in this workspace"))
        yield


class _Runner:
    """The state of one execution: its lanes, and what stops them."""

    def __init__(
        self, plan: Plan, history: History, todo: Todo, options: RunOptions, progress: Progress
    ) -> None:
        self.plan = plan
        self.history = history
        self.todo = todo
        self.options = options
        self.progress = progress
        self.report = RunReport(plan.run, reused=todo.made, dropped=history.dropped)
        self.lanes: dict[str, Lane] = {}

    async def run(self, asking: Asking) -> None:
        """All lanes at once."""
        self._stop_on_interrupt()
        self._open_lanes(asking.providers)
        for system in self.todo.systems:
            self.progress.start(self._stage(system), self.todo.count(system))
        try:
            for system in self.todo.systems:
                await asking.providers[self.plan.systems[system].name].prepare()
            async with asyncio.TaskGroup() as tasks:
                for lane in self.lanes.values():
                    for _ in range(min(lane.limiter.most, lane.size)):
                        tasks.create_task(self._work(lane, asking))
        except* EvalkitError as errors:
            raise errors.exceptions[0] from None
        finally:
            for provider in asking.providers.values():
                await provider.aclose()
            for system in self.todo.systems:
                self.progress.finish(self._stage(system))

    def closed(self, asking: Asking) -> RunReport:
        """The report, when everything has ended."""
        report = self.report
        report.made, report.asked = asking.made, asking.asked
        report.reused.update(asking.unchanged)
        report.open = len(self.plan.trials) - report.made.total() - report.reused.total()
        report.spent_usd = asking.budget.spent + asking.budget.reserved
        report.unknown = unknown_trials(self.plan, self.history)
        report.paces = {name: lane.limiter.changes for name, lane in self.lanes.items()}
        return report

    def _open_lanes(self, providers: Mapping[str, Provider]) -> None:
        for system in self.todo.systems:
            provider = providers[self.plan.systems[system].name]
            lane = self.lanes.get(provider.lane)
            if lane is None:
                limiter = Limiter(_capped(provider.limits, self.options.concurrency))
                lane = self.lanes[provider.lane] = Lane(provider.lane, limiter)
            lane.add(self.todo.of(system), self.todo.count(system))
            missing = provider.missing()
            if missing:
                self._stop(lane, f"set {missing} first")

    def _stop(self, lane: Lane, why: str) -> None:
        lane.stop(why)
        self.report.stopped.setdefault(lane.name, why)

    def _stage(self, system: int) -> str:
        return f"run {self.plan.systems[system].name}"

    def _stop_on_interrupt(self) -> None:
        """The first Ctrl-C lets what is in flight finish; a second one cuts it off."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            self.report.interrupted = True
            for lane in self.lanes.values():
                lane.stop("interrupted")
            loop.remove_signal_handler(signal.SIGINT)

        loop.add_signal_handler(signal.SIGINT, interrupt)

    async def _work(self, lane: Lane, asking: Asking) -> None:
        while (item := lane.take()) is not None:
            try:
                finished = await asking.carry_out(lane, item)
            except BudgetReached as error:
                self.report.stopped.setdefault("budget", str(error))
                lane.stop(str(error))
            except LaneStopped as error:
                self._stop(lane, f"{error} {error.hint}".strip())
            else:
                if finished:
                    self.progress.advance(self._stage(self.plan.trials[item.position][2]))


def _capped(limits: Limits, cap: int | None) -> Limits:
    if cap is None:
        return limits
    learns = limits.start < limits.most
    return Limits(min(limits.start, cap) if learns else cap, cap)
