"""What has already happened in a workspace, read from every run's journal.

Trial ids are global: a trial that one run finished is finished for every run that plans it. This module
only reads; what to do about an unfinished trial is for `evalkit.runner`.

An attempt only ever climbs: intent, rejected, unknown, accepted, failed, refused, partial, ok. (A job whose
acceptance was lost is `unknown` until it is found, and then accepted.) So whatever order journals are read
in, the highest step of the newest attempt is where a trial stands, and an attempt has cost what its highest
step says.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import IntEnum
from functools import lru_cache
from itertools import islice
from typing import cast

from evalkit.runs.trials import Trials
from evalkit.store import Dropped, Record, Workspace, read_records
from evalkit.types import Generation, Job, Price, Status, StoredImage, Timings

MICRO = Decimal("0.000001")
"""Money is counted in millionths of a US dollar, which is what the database holds."""
_AT_ONCE = 4096


class Step(IntEnum):
    """How far an attempt has come."""

    NONE = 0
    INTENT = 1
    REJECTED = 2
    UNKNOWN = 3
    ACCEPTED = 4
    FAILED = 5
    REFUSED = 6
    PARTIAL = 7
    OK = 8

    @property
    def status(self) -> Status | None:
        """The status of a generation that ended here; None where it has not ended."""
        return _STATUS.get(self)


_STATUS: dict[Step, Status] = {
    Step.UNKNOWN: "unknown",
    Step.FAILED: "failed",
    Step.REFUSED: "refused",
    Step.PARTIAL: "partial",
    Step.OK: "ok",
}
_STEP = {status: step for step, status in _STATUS.items()}
_TYPES = {"intent": Step.INTENT, "rejected": Step.REJECTED, "accepted": Step.ACCEPTED}


@dataclass(frozen=True, slots=True)
class Gone:
    """An attempt whose end nobody knows: when it was sent, and what was said about it."""

    sent: str = ""
    reason: str = ""


@dataclass(slots=True)
class History:
    """Where each trial of a plan stands, by its position there; and every line that could not be read.

    `money` is what the newest attempt has cost, or may cost while it is open; `older` how far earlier ones
    came and what they cost.
    """

    trials: Trials
    steps: bytearray = field(init=False)
    attempts: array[int] = field(init=False)
    money: array[int] = field(init=False)
    older: dict[tuple[int, int], tuple[Step, int]] = field(default_factory=dict)
    jobs: dict[int, Job] = field(default_factory=dict)
    lost: dict[int, Gone] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)

    def __post_init__(self) -> None:
        count = len(self.trials)
        self.steps = bytearray(count)
        self.attempts = array("I", bytes(4 * count))
        self.money = array("q", bytes(8 * count))

    def step(self, position: int) -> Step:
        """How far the newest attempt of a trial has come."""
        return Step(self.steps[position])

    def cost(self, position: int) -> Decimal:
        """What the newest attempt has cost, or may cost while it is open, in US dollars."""
        return self.money[position] * MICRO

    @property
    def spent(self) -> Decimal:
        """What all attempts have cost so far, the open ones at their worst."""
        return (sum(self.money) + sum(money for _, money in self.older.values())) * MICRO

    def add(self, position: int, record: Record) -> None:
        """Take in one record of the trial at `position`."""
        step = _step_of(record)
        if step is None:
            return
        attempt, newest = record.get("attempt", 1), self.attempts[position]
        if attempt < newest:
            self._add_older(position, attempt, step, record)
            return
        if attempt > newest:
            self._begin(position, attempt)
        elif step < self.steps[position]:
            return
        self.steps[position] = step
        if (usd := record.get("usd")) is not None:
            self.money[position] = _micro(usd)
        elif step is Step.REJECTED:
            self.money[position] = 0
        self._remember(position, step, record)

    def _begin(self, position: int, attempt: int) -> None:
        if self.money[position]:
            self.older[position, self.attempts[position]] = self.step(position), self.money[position]
        self.attempts[position], self.money[position] = attempt, 0
        self.jobs.pop(position, None)
        self.lost.pop(position, None)

    def _add_older(self, position: int, attempt: int, step: Step, record: Record) -> None:
        """Of an attempt that is not the newest only its cost matters: what its highest step says."""
        known, _ = self.older.get((position, attempt), (Step.NONE, 0))
        if step >= known and ("usd" in record or step is Step.REJECTED):
            self.older[position, attempt] = step, _micro(record.get("usd", "0"))

    def _remember(self, position: int, step: Step, record: Record) -> None:
        """What it takes to go on: when a lost attempt was sent, the job of an open or retrievable one."""
        if step is Step.INTENT:
            self.lost[position] = Gone(record["t"])
            return
        sent = self.lost.pop(position, None)
        if step is Step.UNKNOWN:
            self.lost[position] = Gone((sent or Gone(record["t"])).sent, record.get("reason") or "")
        elif step is Step.ACCEPTED:
            self.jobs[position] = Job(record["note"], record.get("facts", {}))
        elif position in self.jobs and not record.get("retrievable"):
            del self.jobs[position]


def read_history(workspace: Workspace, trials: Trials) -> History:
    """Where `trials` stand, from all journals of a workspace."""
    history = History(trials)
    for records in _batches(_all_records(workspace, history.dropped)):
        for position, record in zip(trials.find([r["trial"] for r in records]), records, strict=True):
            if position >= 0:
                history.add(position, record)
    return history


def read_generations(workspace: Workspace) -> dict[str, Generation]:
    """What every finished trial of a workspace came to, by id: the best end of its newest attempt."""
    newest: dict[str, tuple[tuple[int, Step], Record]] = {}
    for record in _all_records(workspace, []):
        step = _step_of(record)
        if step is None or record["type"] != "done":
            continue
        rank = (record.get("attempt", 1), step)
        known = newest.get(record["trial"])
        if known is None or rank >= known[0]:
            newest[record["trial"]] = rank, record
    return {trial: generation(record) for trial, (_, record) in newest.items()}


def known_jobs(workspace: Workspace) -> frozenset[str]:
    """The ids of all jobs that any run of a workspace has seen accepted."""
    records = _all_records(workspace, [])
    return frozenset(record["note"] for record in records if record.get("type") == "accepted")


def generation(done: Record) -> Generation:
    """A journal's `done` record as a Generation."""
    return Generation(
        trial=done["trial"],
        status=done["status"],
        images=tuple(StoredImage(**image) for image in done.get("images", ())),
        price=Price(Decimal(done.get("usd", "0")), done.get("basis", "none")),
        timings=Timings(**done["timings"]) if done.get("timings") else None,
        reason=done.get("reason"),
        kind=done.get("kind"),
        stage=done.get("stage"),
        attempt=done.get("attempt", 1),
        facts=done.get("facts", {}),
    )


def _step_of(record: Mapping[str, object]) -> Step | None:
    if record.get("type") == "done":
        return _STEP.get(cast(Status, record.get("status")))
    return _TYPES.get(str(record.get("type")))


@lru_cache(maxsize=4096)
def _micro(usd: str) -> int:
    """Prices are few, records are many."""
    return int(Decimal(usd).scaleb(6).to_integral_value())


def _all_records(workspace: Workspace, dropped: list[Dropped]) -> Iterator[Record]:
    for journal in sorted(workspace.runs.glob("*/journal.jsonl")):
        for record in read_records(journal, dropped):
            if isinstance(record.get("trial"), str) and len(record["trial"]) == 64:
                yield record


def _batches(records: Iterator[Record]) -> Iterator[list[Record]]:
    while batch := list(islice(records, _AT_ONCE)):
        yield batch
