"""What the fake providers remember: jobs, the ledger of billable ones, every request, the clock, uploads.

A job's life is counted in polls, not in seconds: the first finds it queued, the second running, the third
finished. `[[speed=real]]` makes it seconds.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Literal

from evalkit.fakes import faults
from evalkit.fakes.faults import Directive, Plan
from evalkit.fakes.messages import Asked
from evalkit.fakes.pictures import EXTENSION, SPOILED, Drawing, Format, draw, spoil

Phase = Literal["queued", "running", "done", "banana"]
KEPT_REQUESTS = 50_000
KEPT_BODIES = 256 * 1024 * 1024
"""Bytes of request bodies that are kept; later ones leave only their hash."""


@dataclass(frozen=True, slots=True)
class Billed:
    """One billable job: what an invoice would list."""

    provider: str
    id: str
    n: int
    prompt: str


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it came in; `t` is Unix time. `body` is empty if it was too much to keep."""

    t: float
    method: str
    path: str
    headers: Mapping[str, str]
    body_sha256: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Work:
    """What a request asks for, in one vocabulary for all providers."""

    model: str
    prompt: str
    n: int = 1
    seed: int | None = None
    width: int = 1024
    height: int = 1024
    format: Format = "png"
    source: bytes = b""
    webhook: str = ""
    input: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True)
class Job:
    """An accepted request. `ended` and `started` are Unix times, 0 until then."""

    id: str
    provider: str
    work: Work
    plan: Plan
    created: float
    started: float = 0.0
    ended: float = 0.0
    polls: int = 0
    cancelled: bool = False
    problems: list[Any] = field(default_factory=list)
    """What is wrong with the input, for providers that only say so at the end."""
    facts: dict[str, Any] = field(default_factory=dict)
    downloads: dict[int, Plan] = field(default_factory=dict)

    @property
    def ending(self) -> Directive | None:
        """How it ends, if not well."""
        return Directive("end", "cancelled") if self.cancelled else self.plan.find("end")

    def ends(self, *names: str) -> bool:
        return self.ending is not None and self.ending.name in names

    @property
    def delivered(self) -> int:
        """How many pictures there are in the end."""
        if self.plan.find("result", "noimages"):
            return 0
        return max(self.work.n - 1, 0) if self.ends("partial") else self.work.n

    def seed(self, index: int) -> int:
        """The seed of one picture: as asked, or the one that "happened"."""
        if self.work.seed is not None:
            return self.work.seed + index
        return int(hashlib.sha256(self.work.prompt.encode()).hexdigest()[:7], 16) + index

    def picture(self, index: int) -> bytes:
        """The untouched bytes of one picture."""
        work = self.work
        blank = index == 0 and self.ends("nsfw", "blank")
        return draw(
            Drawing(
                faults.strip(work.prompt),
                work.seed,
                index,
                work.width,
                work.height,
                work.format,
                work.source,
                blank,
            )
        )

    def inline(self, index: int) -> bytes:
        """The bytes of one picture that travels inside the answer, `dl:` faults included."""
        fault = self.plan.find("dl")
        return spoil(self.picture(index), fault.name if fault and fault.name in SPOILED else "")

    def file(self, index: int) -> str:
        """The path under which a picture is fetched."""
        return f"/files/{self.id}/{index}.{EXTENSION[self.work.format]}"


class World:
    """Everything that the providers of one server share."""

    def __init__(self, *, polls: int = 3, side: int | None = None) -> None:
        self.polls = polls
        self.side = side
        self._tasks: set[asyncio.Task[None]] = set()
        self.reset()

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Let something happen by itself, on the server's loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def reset(self) -> None:
        """As on the first day; the clock, too."""
        self.jobs: dict[str, Job] = {}
        self.ledger: list[Billed] = []
        self.requests: deque[Seen] = deque(maxlen=KEPT_REQUESTS)
        self.uploads: dict[str, bytes] = {}
        self.defaults: dict[str, str] = {}
        self.offset = 0.0
        self._plans: dict[tuple[str, str, int | None], Plan] = {}
        self._kept = 0

    def now(self) -> float:
        """Unix time, with what `advance` added."""
        return time.time() + self.offset

    def note(self, asked: Asked) -> None:
        """Remember a request."""
        self._kept += len(asked.body)
        body = asked.body if self._kept <= KEPT_BODIES else b""
        digest = hashlib.sha256(asked.body).hexdigest()
        self.requests.append(Seen(self.now(), asked.method, asked.target, asked.headers, digest, body))

    def directives(self, provider: str, prompt: str) -> tuple[Directive, ...]:
        """The prompt's own, then what was set for the provider, then for all. Raises `BadDirective`."""
        texts = (prompt, self.defaults.get(provider, ""), self.defaults.get("*", ""))
        return tuple(directive for text in texts for directive in faults.parse(text))

    def plan(self, provider: str, work: Work) -> Plan:
        """The plan of this very request: asked again, it goes on counting where it was."""
        key = (provider, work.prompt, work.seed)
        wanted = self.directives(provider, work.prompt)
        plan = self._plans.get(key)
        if plan is None or plan.directives != wanted:
            plan = self._plans[key] = Plan(wanted)
        return plan

    def accept(self, provider: str, work: Work, job_id: str) -> Job:
        """Take a request on: from here on it is billed."""
        plan = Plan(self.directives(provider, work.prompt))
        job = Job(job_id, provider, work, plan, self.now())
        self.jobs[job.id] = job
        self.ledger.append(Billed(provider, job.id, work.n, work.prompt))
        return job

    def job(self, provider: str, job_id: str) -> Job | None:
        job = self.jobs.get(job_id)
        return job if job is not None and job.provider == provider else None

    def look(self, job: Job) -> Phase:
        """One poll: the job's life goes on, and this is how far it is."""
        job.polls += 1
        phase = self._phase(job)
        if phase in ("running", "done"):
            job.started = job.started or self.now()
        if phase == "done":
            job.ended = job.ended or self.now()
        return phase

    def finish(self, job: Job) -> None:
        """End it now, however often it was polled."""
        job.started = job.started or self.now()
        job.ended = job.ended or self.now()

    def _phase(self, job: Job) -> Phase:
        plan = job.plan
        if job.cancelled:
            return "done"
        if plan.find("poll", "stuck"):
            return "queued"
        if plan.find("poll", "stuckrun"):
            return "running"
        if plan.find("poll", "unknown"):
            return "banana"
        speed = plan.setting("speed")
        phase = self._by_time(job, speed) if speed and speed.arg == "real" else self._by_count(job)
        if phase == "done" and job.ended and plan.find("poll", "flap") and not job.facts.get("flapped"):
            job.facts["flapped"] = True
            return "running"
        return phase

    def _by_count(self, job: Job) -> Phase:
        setting = job.plan.setting("polls")
        needed = int(setting.arg) if setting else self.polls
        if job.polls >= needed or (job.ended and not job.plan.find("poll", "flap")):
            return "done"
        return "queued" if job.polls == 1 else "running"

    def _by_time(self, job: Job, speed: Directive) -> Phase:
        queue, run = float(speed.option("queue", "0.3")), float(speed.option("run", "0.7"))
        age = self.now() - job.created
        if age < queue:
            return "queued"
        return "running" if age < queue + run else "done"


def iso(seconds: float) -> str | None:
    """ISO 8601 in UTC with microseconds; None for a moment that has not come."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ") if seconds else None


def http_date(seconds: float) -> str:
    """As in a `Retry-After` header."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)
