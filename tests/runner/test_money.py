"""A hundred thousand random lives of a run: whatever happens, nobody is charged more than the cap.

The real code asks, reserves, settles, writes and reads back; only the disk and the provider are stand-ins.
The provider keeps its own bill. Each life has several runs: prices change in between, runs crash at any await
(then only what was written before is known), answers are refused, rejected, lost or found again, and failures
and unknowns are sent again.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import pytest

from evalkit.errors import BudgetReached, LaneStopped
from evalkit.providers.base import Ledger, Limits, Lost, Provider
from evalkit.runner import asking as asking_module
from evalkit.runner.asking import Asking
from evalkit.runner.budget import Budget
from evalkit.runner.lanes import Lane
from evalkit.runner.limiter import Limiter
from evalkit.runner.record import Kept, Recorder
from evalkit.runner.todo import sort_out
from evalkit.runs import History, Plan, PlannedCase, PlannedSystem, Trials
from evalkit.types import (
    Case,
    Delivered,
    Failed,
    Job,
    Outcome,
    Price,
    Quote,
    Refused,
    Rejected,
    Request,
    System,
    Unknown,
)

LIVES = 100_000
IDS = [f"{n:064x}" for n in range(4)]


class Crash(BaseException):
    """The process is gone."""


@dataclass
class World:
    """What survives a crash: the provider's bill and jobs, and the records that were written."""

    chance: random.Random
    cap: Decimal
    price: Decimal
    bill: Decimal = Decimal(0)
    jobs: dict[str, Decimal] = field(default_factory=dict)
    records: list[dict[str, Any]] = field(default_factory=list)
    tries: int = 0

    def charge(self, worst: Decimal) -> Decimal:
        """Any amount up to the worst that was quoted."""
        amount = worst * self.chance.choice([0, 1, 1, 3]) / 3 if self.chance.random() < 0.5 else worst
        amount = amount.quantize(Decimal("0.000001"))
        self.bill += amount
        assert self.bill <= self.cap, "overspent"
        return amount

    def step(self) -> None:
        """Somewhere here the process may die."""
        if self.chance.random() < 0.02:
            raise Crash


class Paid(Provider):
    """Charges, loses answers, turns away, fails; as the chances of its world have it."""

    name = "paid"

    def __init__(self, world: World) -> None:
        super().__init__(System("paid", "x"))
        self.world = world

    def quote(self, request: Request) -> Quote:
        return Quote(self.world.price / 2, self.world.price, "list")

    async def generate(self, request: Request, ledger: Ledger) -> Outcome | Rejected:
        world, worst = self.world, self.world.price
        world.tries += 1
        await asyncio.sleep(0)
        fate = world.chance.random()
        if fate < 0.2:
            return Rejected(world.chance.choice(["rate_limit", "transient", "validation"]), "no", 0.0)
        if fate < 0.22:
            return Rejected("balance", "empty", hold=world.chance.random() < 0.5)
        cost = world.charge(worst)
        world.step()
        if fate < 0.3:
            return Unknown("answer lost", Price(worst, "list"))
        if fate < 0.4:
            raise RuntimeError("a bug after the submit")
        job = Job(f"job-{len(world.jobs)}")
        world.jobs[job.id] = cost
        await ledger.accepted(job)
        world.step()
        return self._end(cost, worst)

    def _end(self, cost: Decimal, worst: Decimal) -> Outcome:
        fate = self.world.chance.random()
        if fate < 0.2:
            return Failed("timeout", "slow", Price(worst, "list"), retrievable=True)
        if fate < 0.3:
            return Refused("no", price=Price(cost, "reported"))
        return Delivered((), price=Price(cost, "reported"))

    async def resume(self, request: Request, job: Job) -> Outcome:
        await asyncio.sleep(0)
        self.world.step()
        cost = self.world.jobs[job.id]
        return self._end(cost, cost)

    async def reconcile(self, request: Request, lost: Lost) -> Job | None:
        return None


class Memory(Recorder):
    """Writes to a list that survives."""

    def __init__(self, world: World) -> None:
        self.world = world

    async def keep(self, outcome: Outcome) -> Kept:
        return Kept(outcome)

    async def _write(self, record: dict[str, Any], *, durable: bool) -> dict[str, Any]:
        self.world.records.append(record)
        if durable:
            await asyncio.sleep(0)
        self.world.step()
        return record


def plan() -> Plan:
    cases = tuple(PlannedCase("s", Case(f"c{n}", "a thing")) for n in range(len(IDS)))
    trials = Trials((id_, n, 0, 0) for n, id_ in enumerate(IDS))
    return Plan("r", "", (), cases, (PlannedSystem(System("paid", "x"), False),), trials)


PLAN = plan()
NAME = PLAN.systems[0].name


async def one_run(world: World) -> None:
    history = History(PLAN.trials)
    for record in world.records:
        history.add(IDS.index(record["trial"]), record)
    again, resubmit = world.chance.random() < 0.5, world.chance.random() < 0.3
    providers = {NAME: Paid(world)}
    budget = Budget(world.cap, history.spent)
    assert budget.spent >= world.bill, "what was charged is known or reserved, even after a crash"
    asking = Asking(PLAN, providers, history, Memory(world), budget)
    lane = Lane("paid", Limiter(Limits(2, 3)))
    todo = sort_out(PLAN, history, providers, retry_failed=again, resubmit=resubmit)
    lane.add(todo.of(0), todo.count(0))
    workers = [asyncio.create_task(work(lane, asking)) for _ in range(3)]
    done, rest = await asyncio.wait(workers, return_when=asyncio.FIRST_EXCEPTION)
    for task in rest:
        task.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    crashed = any(isinstance(task.exception(), Died) for task in done)
    if not crashed:
        assert budget.reserved == 0
        assert world.bill <= budget.spent == history.spent <= world.cap


class Died(Exception):
    """A crash, in a form that a task can carry."""


async def work(lane: Lane, asking: Asking) -> None:
    try:
        while (item := lane.take()) is not None:
            try:
                await asking.carry_out(lane, item)
            except (BudgetReached, LaneStopped) as error:
                lane.stop(str(error))
    except Crash:
        raise Died from None


async def lives(seeds: Sequence[int]) -> int:
    tries = 0
    for seed in seeds:
        chance = random.Random(seed)
        world = World(chance, Decimal(chance.randint(0, 12)) / 10, Decimal(0))
        for _ in range(chance.randint(1, 3)):
            world.price = Decimal(chance.choice(["0.1", "0.25", "0.333333", "0.04"]))
            await one_run(world)
        tries += world.tries
    return tries


def test_the_cap_holds_in_every_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking_module, "BACKOFF_S", 0.0)
    monkeypatch.setattr(asking_module, "MOST_TRIES", {"rate_limit": 3, "transient": 2})
    tries = asyncio.run(lives(range(LIVES)))
    assert tries > LIVES, "most lives ask several times"
