"""Waiting for one accepted job: ask for its state until it is over, then for its result.

A job that was accepted is paid for, so nothing that goes wrong on the way ends it: broken connections,
gateways' error pages and being told to slow down are all waited out until the deadline. Only the provider's
own word, or a URL that the key must not go to, is final.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from evalkit.remote.classify import Reply, Verdict, classify, message_of, retry_after
from evalkit.remote.paths import find
from evalkit.remote.settle import Final, deliver, ended, price_of_failure
from evalkit.remote.spec import Order, Spec, State
from evalkit.remote.tools import Tools, Watch, texts
from evalkit.remote.transport import Foreign, Lost, NotSent
from evalkit.types import Failed, Job, Outcome, Refused

GRACE_S = 30.0
"""A job that is done is given this long to hand over its result, even past the deadline."""

_POLL_S = 30.0
_GROWTH = 1.3
_HERE_S = (0.02, 0.2)
_HINTED_S = 60.0
_SLOW_DOWN = (408, 425, 429)
_MOST_SLOWED = 5
_GONE = (404, 410)


@dataclass(frozen=True, slots=True)
class _Again:
    """Nothing was learnt; `after` is how long the provider wants us to wait."""

    after: float | None = None


@dataclass(frozen=True, slots=True)
class _Seen:
    """The job as the provider describes it."""

    state: State
    word: str
    reply: Reply
    verdict: Verdict | None = None


@dataclass(slots=True)
class _Pace:
    """How long to wait before the next look; it grows from `first` to `most`."""

    first: float
    most: float
    current: float = 0.0

    def next(self) -> float:
        """Seconds."""
        self.current = min(self.most, self.current * _GROWTH) if self.current else self.first
        return self.current


@dataclass(slots=True)
class Follower:
    """One job on its way."""

    tools: Tools
    order: Order
    job: Job
    watch: Watch
    _values: dict[str, str] = field(default_factory=dict)
    _missed: int = 0
    _slowed: int = 0
    _last: str = "no answer"

    async def follow(self) -> Outcome:
        """The end of the job. It is never asked for again as a new one."""
        self._values = place_holders(self.order, self.job)
        end = time.monotonic() + self.order.deadline
        pace = self._pace()
        wait = 0.0 if self.watch.resumed else pace.next()
        while True:
            waited = await self._pause(wait, end)
            step = await self._look()
            if isinstance(step, Failed | Refused):
                return step
            if isinstance(step, _Seen) and step.state in ("done", "failed"):
                self.watch.interval = waited
                return await self._over(step, end)
            if isinstance(step, _Seen) and step.state == "running":
                self.watch.running = self.watch.running or time.monotonic()
            if time.monotonic() >= end:
                return await self._give_up()
            told = step.after if isinstance(step, _Again) else None
            wait = max(pace.next(), told or 0.0)

    def _pace(self) -> _Pace:
        low, high = self.tools.spec.poll_interval
        if self.tools.transport.loopback:
            return _Pace(min(low, _HERE_S[0]), min(high, _HERE_S[1]))
        return _Pace(low, max(high, _HINTED_S) if self.tools.hints else high)

    async def _pause(self, seconds: float, end: float) -> float:
        """Wait, but not beyond the deadline, and not once there is a hint. Returns how long it was."""
        start = time.monotonic()
        seconds = max(0.0, min(seconds, end - start))
        if self.tools.hints:
            await self.tools.hints.wait(self.job.id, seconds)
        else:
            await asyncio.sleep(seconds)
        return time.monotonic() - start

    # Asking for the state -----------------------------------------------------------------------------

    async def _look(self) -> _Again | _Seen | Failed | Refused:
        reply = await self._get(self.tools.spec.poll)
        if not isinstance(reply, Reply):
            return reply
        if _is_noise(reply, typed=False):
            return self._again(reply)
        if reply.status in _GONE:
            return self._not_there(reply)
        self._missed = 0
        if reply.status >= 400:
            return self._denied(reply)
        self._last = "still at it"
        self._values |= saved(self.tools.spec, reply)
        return self._state_of(reply)

    def _again(self, reply: Reply) -> _Again:
        self._last = f"HTTP {reply.status}"
        return _Again(retry_after(reply.headers, datetime.now(UTC)))

    async def _get(self, templates: Sequence[str]) -> Reply | _Again | Failed:
        resolved = (self.tools.transport.resolve(template, self._values) for template in templates)
        url = next((url for url in resolved if url), None)
        if url is None:
            return self._failed("permanent", "the provider gave no URL to ask for the job", again=True)
        try:
            return await self.tools.transport.send("GET", url, timeout=_POLL_S)
        except (NotSent, Lost) as error:
            self._last = str(error)
            return _Again()
        except Foreign as error:
            return self._failed("permanent", str(error), again=False)

    def _not_there(self, reply: Reply) -> _Again | Failed:
        """Twice in a row is the truth; once may be a copy of their database that lags behind."""
        self._missed += 1
        if self._missed < 2:
            return _Again()
        words = message_of(self.tools.spec, reply)
        return self._failed("expired", f"the provider no longer knows the job: {words}", again=False)

    def _state_of(self, reply: Reply) -> _Again | _Seen | Failed:
        spec = self.tools.spec
        word = next((value for value in find(reply.json, spec.state) if isinstance(value, str)), "")
        state = spec.states.get(word)
        if state in ("queued", "running"):
            return _Seen(state, word, reply)
        verdict = classify(spec, reply, "poll", state)
        if state is not None:
            return _Seen(state, word, reply, verdict)
        if verdict is not None and verdict.kind == "transient" and not word:
            return self._again(reply)
        if verdict is not None and verdict.kind != "permanent":
            return _Seen("failed", word, reply, verdict)
        message = f"the provider gives the job a status that is not in its description: {word[:60]!r}"
        return self._failed("permanent", message, again=True)

    # The end ------------------------------------------------------------------------------------------

    async def _over(self, seen: _Seen, end: float) -> Outcome:
        self.watch.finished = time.monotonic()
        if seen.verdict is not None:
            return self._ended(seen, seen.verdict)
        if seen.state == "failed":
            words = message_of(self.tools.spec, seen.reply) or f"the job ended as {seen.word}"
            return self._ended(seen, Verdict("permanent", words))
        if not self.tools.spec.result:
            return await deliver(self.tools, self._final(seen.reply, word=seen.word))
        return await self._result(seen, end)

    async def _result(self, seen: _Seen, end: float) -> Outcome:
        """The result has a URL of its own; what is stored there, an error too, does not change any more."""
        end = max(end, time.monotonic() + GRACE_S)
        pace = self._pace()
        while time.monotonic() < end:
            reply = await self._get((self.tools.spec.result,))
            if isinstance(reply, Failed):
                return reply
            if isinstance(reply, Reply) and not self._is_early(reply):
                return await self._read_result(reply, seen)
            told = self._again(reply).after if isinstance(reply, Reply) else None
            await asyncio.sleep(min(max(pace.next(), told or 0.0), max(0.0, end - time.monotonic())))
        message = f"the job is done, but its result cannot be had (last: {self._last})"
        return self._failed("timeout", message, again=True)

    async def _read_result(self, reply: Reply, seen: _Seen) -> Outcome:
        if reply.status in _GONE:
            words = message_of(self.tools.spec, reply)
            return self._failed("expired", f"the result is no longer there: {words}", again=False)
        verdict = classify(self.tools.spec, reply, "result", "done")
        final = self._final(reply, seen.reply, word=seen.word)
        if verdict is not None:
            return self._kept(ended(self.tools, final, verdict))
        return await deliver(self.tools, final)

    def _is_early(self, reply: Reply) -> bool:
        """Whether to ask for the result again: it is not the provider's own, or it says so itself.

        fal answers 400 `Request is still in progress` where the state was ahead of the result. Being told to
        slow down is believed a few times, for it may also be what the model's own maker had answered.
        """
        typed = any(find(reply.json, path) for path in self.tools.spec.error)
        if typed and reply.status in _SLOW_DOWN:
            self._slowed += 1
            return self._slowed <= _MOST_SLOWED
        if reply.status == 400 and "in progress" in message_of(self.tools.spec, reply).lower():
            return True
        return _is_noise(reply, typed=typed)

    def _ended(self, seen: _Seen, verdict: Verdict) -> Failed | Refused:
        return ended(self.tools, self._final(seen.reply, word=seen.word), verdict)

    def _kept(self, outcome: Failed | Refused) -> Failed | Refused:
        """An answer about our key says nothing about the job, which stays where it is."""
        if isinstance(outcome, Failed) and outcome.kind in ("auth", "balance"):
            return Failed(outcome.kind, outcome.message, self.tools.worst(self.order), retrievable=True)
        return outcome

    def _denied(self, reply: Reply) -> Failed | Refused:
        verdict = classify(self.tools.spec, reply, "poll")
        fallback = Verdict("permanent", message_of(self.tools.spec, reply))
        return self._kept(ended(self.tools, self._final(reply), verdict or fallback))

    async def _give_up(self) -> Outcome:
        """Past the deadline: cancel, look once more (it may be done after all), and let it go."""
        await self._cancel()
        step = await self._look()
        if isinstance(step, _Seen) and step.state == "done" and step.verdict is None:
            return await self._over(step, time.monotonic())
        if isinstance(step, _Seen) and step.verdict is not None and step.verdict.kind == "moderation":
            return self._ended(step, step.verdict)
        message = f"no picture within {self.order.deadline:g} s"
        if isinstance(step, _Seen) and step.state in ("done", "failed"):
            kind = step.verdict.kind if step.verdict else "cancelled"
            price = price_of_failure(self.tools, self._final(step.reply, word=step.word), kind)
            return Failed("timeout", f"{message}; the job was cancelled", price)
        return self._failed("timeout", f"{message} (last: {self._last})", again=True)

    async def _cancel(self) -> None:
        call = self.tools.spec.cancel
        url = self.tools.transport.resolve(call.url, self._values) if call else None
        if call is None or url is None:
            return
        try:
            await self.tools.transport.send(call.method, url, timeout=15.0)
        except (NotSent, Lost, Foreign):
            return

    def _final(self, *replies: Reply, word: str = "") -> Final:
        return Final(self.order, replies, self.watch, self.job, word)

    def _failed(self, kind: str, message: str, *, again: bool) -> Failed:
        """A job whose end nobody saw counts at the most it can cost."""
        return Failed(kind, self.tools.text(message), self.tools.worst(self.order), retrievable=again)


def place_holders(order: Order, job: Job) -> dict[str, str]:
    """What the URL templates of a description may name."""
    return {**texts(job.facts), "id": job.id, "model": order.model_id, "owner_app": owner_app(order.model_id)}


def owner_app(model_id: str) -> str:
    """The part of a fal endpoint that its queue is named by.

    >>> owner_app("microsoft/mai-image-2.5/edit"), owner_app("workflows/me/mine/x")
    ('microsoft/mai-image-2.5', 'workflows/me/mine')
    """
    parts = model_id.split("/")
    return "/".join(parts[: 3 if parts[0] in ("workflows", "comfy") else 2])


def saved(spec: Spec, reply: Reply) -> dict[str, str]:
    """What an answer says that later requests need."""
    found = {name: find(reply.json, path) for name, path in spec.save.items()}
    return {name: str(values[0]) for name, values in found.items() if values and _is_plain(values[0])}


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""


def _is_noise(reply: Reply, *, typed: bool) -> bool:
    """Whether an answer comes from something on the way rather than from the job.

    Redirects are: they are never followed with the key, and a portal that sends them goes away again.
    """
    if reply.status in _SLOW_DOWN or 300 <= reply.status < 400:
        return True
    if reply.status >= 500 or reply.status == 409:
        return not typed
    return reply.json is None and reply.status < 300
