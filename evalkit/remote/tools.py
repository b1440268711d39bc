"""What the steps of one job share: the description of the provider, its connections, and a stopwatch.

It knows how long things took and what a request costs at worst. Sending and reading are for its neighbours.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Protocol

from evalkit.errors import UsageError
from evalkit.remote.classify import Reply
from evalkit.remote.download import Downloader
from evalkit.remote.paths import find
from evalkit.remote.prices import quote
from evalkit.remote.spec import Order, Out, Spec
from evalkit.remote.transport import Transport
from evalkit.types import Json, Price, Timings

_LONGEST_TEXT = 4000


class Waiter(Protocol):
    """Tells early that a job may be done: `evalkit.remote.hooks.Hints`."""

    async def wait(self, job_id: str, seconds: float) -> bool:
        """True as soon as there is a hint, False after `seconds`."""
        ...


@dataclass(frozen=True, slots=True)
class Tools:
    """One provider, one account, and what a run allows it."""

    spec: Spec
    transport: Transport
    downloader: Downloader
    assumed: Decimal | None = None
    hints: Waiter | None = None

    def worst(self, order: Order) -> Price:
        """The most that this order can cost; nothing is known where nobody knows the price.

        That is said when a run is planned, so a job that is being waited for must not break off over it.
        """
        try:
            asked = quote(order.model, order, self.assumed)
        except UsageError:
            return Price()
        return Price(asked.worst, asked.basis)

    def clean(self, value: Json) -> Json:
        """A value of an answer, fit for a journal: no key, no endless text, nothing JSON or UTF-8 forbids."""
        if isinstance(value, str):
            text = value[:_LONGEST_TEXT].encode("utf-8", errors="replace").decode("utf-8")
            return self.transport.redact(text)
        if isinstance(value, float):
            return value if math.isfinite(value) else None
        if isinstance(value, list):
            return [self.clean(item) for item in value]
        if isinstance(value, dict):
            return {str(self.clean(name)): self.clean(item) for name, item in value.items()}
        return value

    def text(self, value: str) -> str:
        """The same for a text."""
        return str(self.clean(value))


@dataclass(slots=True)
class Watch:
    """When the steps of one job happened, on the monotonic clock.

    `interval` is how long we had not looked before the job was seen to be over. Fetching its result from a
    URL of its own counts as download. A `resumed` job has no times: the gap is ours.
    """

    resumed: bool = False
    started: float = field(default_factory=time.monotonic)
    answered: float | None = None
    running: float | None = None
    finished: float | None = None
    interval: float | None = None

    def timings(self, out: Out, replies: Sequence[Reply]) -> Timings | None:
        """What was measured until now, when the pictures are here, and what the provider reports."""
        if self.resumed:
            return None
        now = time.monotonic()
        return Timings(
            total=now - self.started,
            submit=_between(self.started, self.answered),
            queue=_between(self.answered, self.running),
            run=_between(self.running, self.finished),
            download=_between(self.finished or self.answered, now),
            provider=seconds_at_work(out, replies),
            provider_queue=_span(out.queued_at, out.started_at, replies),
            poll=self.interval,
        )


def seconds_at_work(out: Out, replies: Sequence[Reply]) -> float | None:
    """The provider's own figure, or the time between its own stamps."""
    told = number(first(out.seconds, replies))
    if told is not None and told >= 0:
        return told
    return _span(out.started_at, out.finished_at, replies)


def whole_stay(out: Out, replies: Sequence[Reply]) -> float | None:
    """Seconds from being taken to being finished by the provider's own stamps: its queue and its work."""
    return _span(out.queued_at, out.finished_at, replies)


def first(path: str, replies: Sequence[Reply]) -> Json:
    """The first value at `path` in the newest reply that has one."""
    found = (find(reply.json, path) for reply in replies) if path else ()
    return next((values[0] for values in found if values), None)


def number(value: Json) -> float | None:
    """A finite number, also if it is written as text."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        parsed = float(value)
    except (ValueError, OverflowError):
        return None
    return parsed if math.isfinite(parsed) else None


def texts(facts: Mapping[str, Json]) -> dict[str, str]:
    """Those facts that can stand in a URL."""
    return {name: value for name, value in facts.items() if isinstance(value, str)}


def _between(start: float | None, end: float | None) -> float | None:
    return None if start is None or end is None else max(0.0, end - start)


def _span(start_path: str, end_path: str, replies: Sequence[Reply]) -> float | None:
    start, end = (_moment(first(path, replies)) for path in (start_path, end_path))
    return None if start is None or end is None or end < start else end - start


def _moment(value: Json) -> float | None:
    """Seconds since 1970 of an ISO 8601 time (UTC if it names no zone) or of such a number."""
    if not isinstance(value, str):
        return number(value)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return number(value)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
