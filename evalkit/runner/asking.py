"""One trial at a time: ask for it, or follow up what was asked before; with its money and its records.

It decides about a single trial. Which trials there are, and how many at a time, is for
`evalkit.runner.execute`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from evalkit.clock import now
from evalkit.errors import EvalkitError, LaneStopped
from evalkit.images import read_header
from evalkit.providers.base import Lost, Provider
from evalkit.runner.budget import Budget
from evalkit.runner.lanes import Lane
from evalkit.runner.limiter import BACKOFF_MOST_S, BACKOFF_S
from evalkit.runner.plan import Inputs, make_request
from evalkit.runner.record import Attempt, Recorder, price_of
from evalkit.runner.todo import Item
from evalkit.runs import History, Plan, PlannedCase, Step
from evalkit.store import Record
from evalkit.types import (
    Failed,
    ImageInput,
    Job,
    Json,
    Outcome,
    Price,
    Rejected,
    Request,
    Status,
    Timings,
    Unknown,
)

MOST_TRIES = {"rate_limit": 8, "transient": 4}
"""How often one trial is sent before a rejection of that kind is final; once for all other kinds."""

_STOPS = ("auth", "balance")


@dataclass(slots=True)
class _Trial:
    """What is known about the trial at hand. `throttled` are seconds we waited because of 429s.

    `facts` are written beside those of its outcome: what was asked differently, the first call of a lane.
    """

    position: int
    id: str
    provider: Provider
    request: Request
    label: str
    throttled: float = 0.0
    tries: int = 0
    held: bool = False
    facts: dict[str, Json] = field(default_factory=dict)


class Asking:
    """Asks providers, one trial after another; `made` counts what came of it, `asked` the submissions.

    `unchanged` counts the trials that were looked at and are as unknown as before. `known_jobs` tells the ids
    of all jobs that runs before this one have seen accepted; it is only asked when a job is looked for.
    """

    def __init__(
        self,
        plan: Plan,
        providers: Mapping[str, Provider],
        history: History,
        recorder: Recorder,
        budget: Budget,
        known_jobs: Callable[[], Collection[str]] = frozenset,
    ) -> None:
        self.plan = plan
        self.providers = providers
        self.history = history
        self.recorder = recorder
        self.budget = budget
        self._known_before = known_jobs
        self._jobs: set[str] | None = None
        self.made: Counter[Status] = Counter()
        self.unchanged: Counter[Status] = Counter()
        self.asked = 0

    async def carry_out(self, lane: Lane, item: Item) -> bool:
        """Bring one trial to its end; False if it is still open because the lane has been stopped.

        Raises `BudgetReached` and `LaneStopped`: this trial stays open, and so do all after it.
        """
        found, planned, system = self.plan.work(item.position)
        provider = self.providers[system.name]
        inputs = await asyncio.to_thread(self._inputs, planned) if planned.source_sha else Inputs(None, None)
        request = make_request(planned, provider, found.replicate, inputs, found.id)
        trial = _Trial(item.position, found.id, provider, request, system.name)
        if request.notes:
            trial.facts["degraded"] = [*request.notes]
        lost = not provider.replayable and self.history.step(item.position) in (Step.INTENT, Step.UNKNOWN)
        if item.follow or lost:
            if not await lane.limiter.acquire():
                return False
            try:
                followed = await self._follow(trial, resubmit=not item.follow)
            finally:
                lane.limiter.release()
            if followed or item.follow:
                return True
        return await self._ask(lane, trial)

    async def _ask(self, lane: Lane, trial: _Trial) -> bool:
        """Submit until there is an outcome, or a rejection that is final."""
        while await lane.limiter.acquire():
            try:
                answer = await self._submit(lane, trial)
            finally:
                lane.limiter.release()
            if answer is None:
                return False
            if not isinstance(answer, Rejected):
                lane.limiter.succeeded()
                return True
            trial.tries += 1
            if answer.kind in _STOPS:
                self._hold_or_stop(lane, trial, answer)
            elif trial.tries >= MOST_TRIES.get(answer.kind, 1):
                await self._finish(trial, Failed(answer.kind, answer.message))
                return True
            else:
                await self._wait(lane, trial, answer)
        return False

    def _hold_or_stop(self, lane: Lane, trial: _Trial, answer: Rejected) -> None:
        if not answer.hold or trial.held:
            raise LaneStopped(answer.message, _HINTS[answer.kind])
        trial.held = True
        lane.limiter.hold()

    async def _wait(self, lane: Lane, trial: _Trial, answer: Rejected) -> None:
        """A 429 pauses the whole lane, anything else only this trial."""
        started = time.monotonic()
        if answer.kind == "rate_limit":
            lane.limiter.limited(answer.retry_after)
            await lane.limiter.rested()
            trial.throttled += time.monotonic() - started
        else:
            most = min(BACKOFF_MOST_S, BACKOFF_S * 2.0 ** (trial.tries - 1))
            await lane.limiter.nap(most * random.random())

    async def _submit(self, lane: Lane, trial: _Trial) -> Outcome | Rejected | None:
        """One submission, its money set aside before and settled after; None if the lane was stopped."""
        worst = trial.provider.quote(trial.request).worst
        await self.budget.reserve(worst)
        if lane.stopped:
            self.budget.settle(worst, Decimal(0))
            return None
        attempt = Attempt(trial.id, self.history.attempts[trial.position] + 1)
        if not lane.used and not trial.provider.replayable:
            trial.facts["warmup"] = True
        lane.used = True
        self.learn(trial, await self.recorder.intent(attempt, worst, durable=not trial.provider.replayable))
        self.asked += 1
        started = time.monotonic()
        answer = await self._generate(trial, attempt, worst)
        if isinstance(answer, Rejected):
            self.learn(trial, await self.recorder.rejected(attempt, answer))
            self.budget.settle(worst, Decimal(0))
            return answer
        seconds = Timings(time.monotonic() - started, throttle=trial.throttled or None)
        outcome = await self._finish(trial, answer, seconds)
        self.budget.settle(worst, price_of(outcome).usd)
        _check_charge(trial.label, worst, price_of(outcome).usd)
        return outcome

    async def _generate(self, trial: _Trial, attempt: Attempt, worst: Decimal) -> Outcome | Rejected:
        ledger = _Ledger(self, trial, attempt)
        try:
            return await trial.provider.generate(trial.request, ledger)
        except LaneStopped as error:
            return Rejected("auth", f"{error.message} {error.hint}".strip())
        except EvalkitError:
            raise
        except Exception as error:
            return _mishap(error, trial.provider, worst, retrievable=ledger.told)

    async def _follow(self, trial: _Trial, *, resubmit: bool) -> bool:
        """Ask for the result of a job that exists; look for one that may; never send anything.

        False if there is no job to be found. `resubmit`: then it will be sent again.
        """
        position = trial.position
        attempt, worst = Attempt(trial.id, self.history.attempts[position]), self.history.cost(position)
        job = self.history.jobs.get(position)
        if job is None:
            job = await self._look_for(trial, attempt)
        if job is None:
            await self._give_up(trial, worst, resubmit=resubmit)
            return False
        self.budget.adopt(worst)
        try:
            outcome = await trial.provider.resume(trial.request, job)
        except EvalkitError:
            raise
        except Exception as error:
            outcome = _mishap(error, trial.provider, worst, retrievable=True)
        outcome = await self._finish(trial, outcome)
        self.budget.settle(worst, price_of(outcome).usd)
        return True

    async def _look_for(self, trial: _Trial, attempt: Attempt) -> Job | None:
        gone = self.history.lost.get(trial.position)
        job = None
        if gone is not None and gone.sent:
            known = self._known()
            job = await trial.provider.reconcile(trial.request, Lost(gone.sent, now(), known))
            job = job if job is not None and job.id not in known else None
        if job is not None:
            self.learn(trial, await self.recorder.accepted(attempt, job))
        return job

    async def _give_up(self, trial: _Trial, worst: Decimal, *, resubmit: bool) -> None:
        """A lost job was not found: it is unknown, which counts as an outcome unless it is sent again."""
        if self.history.step(trial.position) is not Step.UNKNOWN:
            await self._finish(trial, Unknown("cut off before an answer", Price(worst, "list")))
            self.made["unknown"] -= resubmit
        elif not resubmit:
            self.unchanged["unknown"] += 1

    async def _finish(self, trial: _Trial, outcome: Outcome, timings: Timings | None = None) -> Outcome:
        """Keep the pictures, write `done`, and say what it really came to."""
        kept = await self.recorder.keep(outcome)
        attempt = Attempt(trial.id, max(1, self.history.attempts[trial.position]))
        record = await self.recorder.done(attempt, kept, timings, trial.facts)
        self.learn(trial, record)
        self.made[record["status"]] += 1
        return kept.outcome

    def _known(self) -> set[str]:
        """The ids of all jobs that are somebody's: read once, then kept up to date by `learn`."""
        if self._jobs is None:
            self._jobs = {*self._known_before(), *(job.id for job in self.history.jobs.values())}
        return self._jobs

    def learn(self, trial: _Trial, record: Record) -> None:
        """Take in what has just been written."""
        if self._jobs is not None and record["type"] == "accepted":
            self._jobs.add(record["note"])
        self.history.add(trial.position, record)

    def _inputs(self, planned: PlannedCase) -> Inputs:
        return Inputs(self._input(planned.source_sha), self._input(planned.mask_sha))

    def _input(self, sha: str | None) -> ImageInput | None:
        if sha is None:
            return None
        data = self.recorder.objects.get(sha)
        header = read_header(data)
        return ImageInput(data, sha, header.width, header.height)


class _Ledger:
    """What a provider tells of one attempt."""

    def __init__(self, asking: Asking, trial: _Trial, attempt: Attempt) -> None:
        self._asking, self._trial, self._attempt = asking, trial, attempt
        self.told = False

    async def accepted(self, job: Job) -> None:
        self.told = True
        self._asking.learn(self._trial, await self._asking.recorder.accepted(self._attempt, job))


_HINTS = {
    "auth": "Check the key with: evalkit providers check",
    "balance": "Top up the account, then run the same command again.",
}


def _mishap(error: Exception, provider: Provider, worst: Decimal, *, retrievable: bool) -> Failed | Unknown:
    """A mistake in a provider's code: what it may have cost depends on how far it had come."""
    message = f"{type(error).__name__}: {error}"
    if provider.replayable:
        return Failed("internal", message)
    price = Price(worst, "list")
    return Failed("internal", message, price, retrievable=True) if retrievable else Unknown(message, price)


def _check_charge(system: str, worst: Decimal, charged: Decimal) -> None:
    """A price that has risen stops the lane: the budget was kept with the old one."""
    if charged > worst:
        raise LaneStopped(
            f"{system} charged ${charged} where ${worst} was the most expected",
            "The catalogue's price is too low; where it was read: evalkit providers show PROVIDER MODEL",
        )
