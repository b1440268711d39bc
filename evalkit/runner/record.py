"""What a run writes down: the steps of each attempt, and the pictures that came.

The order of writes is the proof that nothing is paid twice: intent (money reserved), then the request, then
`accepted`, then the pictures' bytes, then `done`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from evalkit.clock import now
from evalkit.errors import EvalkitError
from evalkit.images import ImageProblem, check, read_header
from evalkit.runner.batches import Batches
from evalkit.store import Journal, Record
from evalkit.store.objects import ObjectStore
from evalkit.types import (
    Delivered,
    Document,
    Failed,
    Job,
    Json,
    Outcome,
    Picture,
    Price,
    Refused,
    Rejected,
    Status,
    StoredImage,
    Timings,
    Unknown,
)
from evalkit.workers import cpu_count


@dataclass(frozen=True, slots=True)
class Attempt:
    """One HTTP submission for a trial: what the journal files everything under."""

    trial: str
    number: int

    @property
    def head(self) -> Record:
        return {"trial": self.trial, "attempt": self.number, "t": now()}


@dataclass(frozen=True, slots=True)
class Kept:
    """An outcome after its pictures have been stored (or found to be none)."""

    outcome: Outcome
    images: tuple[StoredImage, ...] = ()


class Recorder:
    """Writes one journal and its pictures, from one event loop."""

    def __init__(self, journal: Journal, objects: ObjectStore) -> None:
        self._journal = journal
        self.objects = objects
        self._synced: Batches[None, None] = Batches(self._sync)
        self._kept: Batches[Outcome, Kept] = Batches(self._keep_all, cpu_count())

    def close(self) -> None:
        """Give the threads back; the journal is its owner's."""
        self._kept.close()
        self._synced.close()

    async def intent(self, attempt: Attempt, worst: Decimal, *, durable: bool) -> Record:
        """Money is set aside and a request is about to be sent. `durable`: it is on the disk before that."""
        return await self._write({"type": "intent", "usd": _usd(worst), **attempt.head}, durable=durable)

    async def accepted(self, attempt: Attempt, job: Job) -> Record:
        """A job exists; returns when that is on the disk."""
        step = {"type": "accepted", "note": job.id, "facts": dict(job.facts)}
        return await self._write(step | attempt.head, durable=True)

    async def rejected(self, attempt: Attempt, rejected: Rejected) -> Record:
        """No job exists. Losing this record would only make evalkit more careful, so nobody waits for it."""
        step = {"type": "rejected", "kind": rejected.kind, "note": rejected.message}
        return await self._write(step | attempt.head, durable=False)

    async def keep(self, outcome: Outcome) -> Kept:
        """Store every byte that came; a picture that cannot be decoded makes the outcome `failed`."""
        return await self._kept(outcome) if isinstance(outcome, Delivered) else Kept(outcome)

    async def done(
        self,
        attempt: Attempt,
        kept: Kept,
        timings: Timings | None = None,
        beside: Mapping[str, Json] = {},
    ) -> Record:
        """What the trial came to. `timings` are ours, for outcomes that bring none; `beside` are more facts.

        Nobody waits for the disk: if power fails within its 50 ms, a job is asked for its result once more,
        and an answer that came at once is unknown.
        """
        status, facts = _describe(kept.outcome)
        price = price_of(kept.outcome)
        if isinstance(kept.outcome, Delivered) and kept.outcome.timings is not None:
            throttle = timings.throttle if timings else None
            timings = replace(kept.outcome.timings, throttle=throttle)
        record: Record = {
            "type": "done",
            "status": status,
            "usd": _usd(price.usd),
            "basis": price.basis,
            "images": [_plain(image) for image in kept.images],
            **facts,
            **attempt.head,
        }
        if beside:
            record["facts"] = {**record.get("facts", {}), **beside}
        if timings is not None:
            record["timings"] = _seconds(timings)
        return await self._write(record, durable=False)

    async def _write(self, record: Record, *, durable: bool) -> Record:
        self._journal.append(record)
        if durable:
            await self._synced(None)
        return record

    def _sync(self, items: Sequence[None]) -> Sequence[None]:
        self._journal.sync()
        return items

    def _keep_all(self, outcomes: Sequence[Outcome]) -> Sequence[Kept | Exception]:
        return [self._keep(outcome) for outcome in outcomes]

    def _keep(self, outcome: Outcome) -> Kept | Exception:
        if not isinstance(outcome, Delivered):
            return Kept(outcome)
        try:
            stored = tuple(self._keep_one(picture) for picture in outcome.pictures)
        except ImageProblem as problem:
            return Kept(Failed("broken_image", f"{problem.reason}: {problem.message}", outcome.price))
        except (EvalkitError, OSError) as error:
            return error
        if not stored:
            return Kept(Failed("no_image", "the provider answered without a picture", outcome.price))
        return Kept(outcome, stored)

    def _keep_one(self, picture: Picture | Document) -> StoredImage:
        sha = self.objects.put(picture.data)
        if isinstance(picture, Document):
            return StoredImage(sha, 0, 0, "json", len(picture.data))
        header = read_header(picture.data) if picture.whole else check(picture.data)
        return StoredImage(sha, header.width, header.height, header.format, len(picture.data))


def price_of(outcome: Outcome) -> Price:
    """What an outcome has cost, or may have."""
    return outcome.at_risk if isinstance(outcome, Unknown) else outcome.price


def _usd(amount: Decimal) -> str:
    return format(amount.normalize(), "f") if amount else "0"


def _plain(image: StoredImage) -> dict[str, Json]:
    return {name: getattr(image, name) for name in image.__slots__}


def _seconds(timings: Timings) -> dict[str, float]:
    pairs = ((name, getattr(timings, name)) for name in timings.__slots__)
    return {name: round(seconds, 6) for name, seconds in pairs if seconds is not None}


def _describe(outcome: Outcome) -> tuple[Status, dict[str, Json]]:
    match outcome:
        case Delivered(pictures, wanted, facts=facts):
            status: Status = "ok" if len(pictures) >= wanted else "partial"
            return status, {"facts": dict(facts)} if facts else {}
        case Refused(message, stage, code):
            return "refused", {"reason": message, "stage": stage, "kind": code}
        case Failed(kind, message, retrievable=retrievable):
            again: dict[str, Json] = {"retrievable": True} if retrievable else {}
            return "failed", {"reason": message, "kind": kind, **again}
        case Unknown(message):
            return "unknown", {"reason": message}
