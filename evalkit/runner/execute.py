"""Carry out a plan: only what is missing, durably, within the budget.

The order of writes is the proof that nothing is paid twice: intent (money reserved), then the request,
then the bytes, then `done`. An attempt that a crash cut off is made again only if asking twice is free;
otherwise it is recorded as `unknown` with what it may have cost.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from decimal import Decimal

from evalkit.clock import now
from evalkit.errors import BudgetReached, EvalkitError, LaneStopped, UsageError
from evalkit.ids import digest
from evalkit.images import ImageProblem, decode, read_header
from evalkit.progress import SILENT, Progress
from evalkit.providers.base import Provider
from evalkit.runner.budget import Budget
from evalkit.runner.plan import Inputs, make_request
from evalkit.runs import History, Plan, PlannedCase, PlannedSystem, TrialState, read_history
from evalkit.store import Dropped, Journal, Record, Workspace, exclusive
from evalkit.types import (
    Delivered,
    Failed,
    ImageInput,
    Json,
    Outcome,
    Picture,
    Price,
    Refused,
    Request,
    Status,
    StoredImage,
    Timings,
    Trial,
    Unknown,
)
from evalkit.workers import cpu_count


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How to carry out a plan. `concurrency` is per system; `budget` in US dollars."""

    concurrency: int | None = None
    budget: Decimal | None = None
    retry_failed: bool = False


@dataclass(slots=True)
class RunReport:
    """What a run came to: outcomes made now and taken over, money, and what stopped early."""

    run: str
    made: Counter[Status] = field(default_factory=Counter)
    reused: Counter[Status] = field(default_factory=Counter)
    spent_usd: Decimal = Decimal(0)
    stopped: dict[str, str] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)
    interrupted: bool = False
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


Work = tuple[Trial, PlannedCase, PlannedSystem]


def execute(
    workspace: Workspace,
    plan: Plan,
    providers: Mapping[str, Provider],
    options: RunOptions = RunOptions(),
    progress: Progress = SILENT,
) -> RunReport:
    """Run or continue `plan`; see the module. Raises `Locked`, `StorageError`, `UsageError`."""
    if plan.worst_usd > 0 and options.budget is None:
        raise UsageError(
            f"this plan can cost up to ${plan.worst_usd}", "Say how much may be spent: --budget USD"
        )
    with _locks(workspace, plan), Journal(workspace.runs / plan.run / "journal.jsonl", what="run") as journal:
        workspace.objects.sweep()
        history = read_history(workspace)
        report = RunReport(plan.run, dropped=history.dropped)
        runner = _Runner(workspace, journal, providers, Budget(options.budget, _spent(plan, history)), report)
        todo = runner.sort_out(plan, history, options)
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(runner.run(todo, options.concurrency or cpu_count(), progress))
    report.open = len(plan.trials) - sum(report.made.values()) - sum(report.reused.values())
    report.spent_usd = runner.budget.spent
    return report


@contextlib.contextmanager
def _locks(workspace: Workspace, plan: Plan) -> Iterator[None]:
    """One process per system and workspace: two runs that share trials must not both ask them."""
    with contextlib.ExitStack() as stack:
        for system in sorted(plan.systems, key=lambda planned: planned.system.spec):
            name = f"system-{digest(system.system.spec)[:16]}.lock"
            stack.enter_context(
                exclusive(workspace.locks / name, f"running {system.system.spec} in this workspace")
            )
        yield


def _spent(plan: Plan, history: History) -> Decimal:
    """What this plan's trials have cost so far, cut-off attempts at their worst."""
    states = (history.trials.get(trial) for trial, *_ in plan.trials)
    return sum((state.spent + state.reserved for state in states if state is not None), Decimal(0))


class _JournalLedger:
    """Writes the steps of one attempt, durably."""

    def __init__(self, journal: Journal, trial: str, attempt: int) -> None:
        self._journal = journal
        self._head: Record = {"trial": trial, "attempt": attempt}

    def accepted(self, request_id: str, **facts: Json) -> None:
        step = {"type": "accepted", "t": now(), "note": request_id, "facts": facts}
        self._journal.append(self._head | step, durable=True)

    def rejected(self, kind: str, message: str) -> None:
        step = {"type": "rejected", "t": now(), "kind": kind, "note": message}
        self._journal.append(self._head | step, durable=True)


class _Runner:
    """The state of one execution."""

    def __init__(
        self,
        workspace: Workspace,
        journal: Journal,
        providers: Mapping[str, Provider],
        budget: Budget,
        report: RunReport,
    ) -> None:
        self.objects = workspace.objects
        self.journal = journal
        self.providers = providers
        self.budget = budget
        self.report = report
        self.attempts: dict[str, int] = {}
        self._stop = asyncio.Event()

    def sort_out(self, plan: Plan, history: History, options: RunOptions) -> dict[str, list[Work]]:
        """What is left to do, per system; what is done is counted, what was cut off is settled."""
        todo: dict[str, list[Work]] = {}
        for work in plan:
            trial, _, system = work
            state = history.trials.get(trial.id, TrialState())
            self.attempts[trial.id] = state.attempts
            if state.done is not None and not (options.retry_failed and state.done["status"] == "failed"):
                self.report.reused[state.done["status"]] += 1
            elif state.done is None and _is_ambiguous(state, system):
                self._record(
                    trial, state.attempts, Unknown("cut off before an answer", Price(state.reserved, "list"))
                )
            else:
                todo.setdefault(system.name, []).append(work)
        return todo

    async def run(self, todo: Mapping[str, Sequence[Work]], concurrency: int, progress: Progress) -> None:
        """All lanes at once; a lane is one system."""
        self._stop_on_interrupt()
        for system, works in todo.items():
            progress.start(f"run {system}", len(works))
        try:
            async with asyncio.TaskGroup() as lanes:
                for system, works in todo.items():
                    queue = iter(works)
                    for _ in range(min(concurrency, len(works))):
                        lanes.create_task(self._lane(system, queue, progress))
        except* EvalkitError as errors:
            raise errors.exceptions[0] from None
        finally:
            for provider in self.providers.values():
                await provider.aclose()
            for system in todo:
                progress.finish(f"run {system}")

    def _stop_on_interrupt(self) -> None:
        """The first Ctrl-C lets what is in flight finish; a second one cuts it off."""
        if threading.current_thread() is not threading.main_thread():
            return
        loop = asyncio.get_running_loop()

        def interrupt() -> None:
            self.report.interrupted = True
            self._stop.set()
            loop.remove_signal_handler(signal.SIGINT)

        loop.add_signal_handler(signal.SIGINT, interrupt)

    async def _lane(self, system: str, queue: Iterator[Work], progress: Progress) -> None:
        for work in queue:
            if self._stop.is_set() or system in self.report.stopped:
                return
            try:
                await self._one(work)
            except BudgetReached as error:
                self.report.stopped["budget"] = str(error)
                self._stop.set()
            except LaneStopped as error:
                self.report.stopped[system] = str(error)
            else:
                progress.advance(f"run {system}")

    async def _one(self, work: Work) -> None:
        trial, planned, system = work
        provider = self.providers[system.name]
        inputs = await asyncio.to_thread(self._inputs, planned) if planned.source_sha else Inputs(None, None)
        request = make_request(planned, provider, trial.replicate, inputs)
        worst = provider.quote(request).usd
        self.budget.reserve(worst)
        attempt = self.attempts[trial.id] + 1
        self._intend(trial, attempt, worst, durable=not provider.replayable)
        started = time.monotonic()
        try:
            outcome = await self._ask(provider, request, attempt, worst)
        except EvalkitError:
            self.budget.settle(worst, Decimal(0))
            raise
        stored, outcome = await asyncio.to_thread(self._store, outcome)
        self._record(trial, attempt, outcome, stored, time.monotonic() - started)
        self.budget.settle(worst, _price(outcome).usd)

    def _intend(self, trial: Trial, attempt: int, worst: Decimal, *, durable: bool) -> None:
        record = {"type": "intent", "trial": trial.id, "attempt": attempt, "t": now(), "usd": str(worst)}
        self.journal.append(record, durable=durable)

    async def _ask(self, provider: Provider, request: Request, attempt: int, worst: Decimal) -> Outcome:
        ledger = _JournalLedger(self.journal, request.trial, attempt)
        try:
            return await provider.generate(request, ledger)
        except LaneStopped as error:
            ledger.rejected("lane_stopped", error.message)
            raise
        except EvalkitError:
            raise
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            return (
                Failed("internal", message) if provider.replayable else Unknown(message, Price(worst, "list"))
            )

    def _inputs(self, planned: PlannedCase) -> Inputs:
        return Inputs(self._input(planned.source_sha), self._input(planned.mask_sha))

    def _input(self, sha: str | None) -> ImageInput | None:
        if sha is None:
            return None
        data = self.objects.get(sha)
        header = read_header(data)
        return ImageInput(data, sha, header.width, header.height)

    def _store(self, outcome: Outcome) -> tuple[tuple[StoredImage, ...], Outcome]:
        """Keep every byte that came; a picture that cannot be decoded makes the outcome `failed`."""
        if not isinstance(outcome, Delivered):
            return (), outcome
        try:
            stored = tuple(self._store_one(picture) for picture in outcome.pictures)
        except ImageProblem as problem:
            return (), Failed("broken_image", f"{problem.reason}: {problem.message}", outcome.price)
        if not stored:
            return (), Failed("no_image", "the provider answered without a picture", outcome.price)
        return stored, outcome

    def _store_one(self, picture: Picture) -> StoredImage:
        sha = self.objects.put(picture.data)
        decode(picture.data)
        header = read_header(picture.data)
        return StoredImage(sha, header.width, header.height, header.format, len(picture.data))

    def _record(
        self,
        trial: Trial,
        attempt: int,
        outcome: Outcome,
        stored: tuple[StoredImage, ...] = (),
        seconds: float | None = None,
    ) -> None:
        status, facts = _describe(outcome)
        price = _price(outcome)
        timings = outcome.timings if isinstance(outcome, Delivered) else None
        measured = timings or (Timings(round(seconds, 6)) if seconds is not None else None)
        done: Record = {
            "type": "done",
            "trial": trial.id,
            "attempt": max(attempt, 1),
            "t": now(),
            "status": status,
            "usd": str(price.usd),
            "basis": price.basis,
            "timings": asdict(measured) if measured else None,
            "images": [asdict(image) for image in stored],
            **facts,
        }
        self.journal.append(done, durable=price.usd > 0)
        self.report.made[status] += 1


def _is_ambiguous(state: TrialState, system: PlannedSystem) -> bool:
    """Whether a request may have been accepted that nobody knows the end of."""
    return not system.replayable and state.last_step in ("intent", "accepted", "submit_unknown")


def _price(outcome: Outcome) -> Price:
    return outcome.at_risk if isinstance(outcome, Unknown) else outcome.price


def _describe(outcome: Outcome) -> tuple[Status, dict[str, Json]]:
    match outcome:
        case Delivered(pictures, wanted, facts=facts):
            status: Status = "ok" if len(pictures) >= wanted else "partial"
            return status, {"facts": dict(facts)}
        case Refused(message, stage, code):
            return "refused", {"reason": message, "stage": stage, "kind": code}
        case Failed(kind, message):
            return "failed", {"reason": message, "kind": kind}
        case Unknown(message):
            return "unknown", {"reason": message}
