"""What all fake providers have in common: the key, the faults on submit and poll, the life of a job.

A `Face` is one provider. Its file in `routes/` gives the paths, the payloads and the error bodies; the
order in which things can go wrong is here, once.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from evalkit.fakes.faults import BadDirective, Directive
from evalkit.fakes.hooks import by_itself
from evalkit.fakes.messages import Answer, Asked, hang_up, page, say
from evalkit.fakes.state import Job, Phase, Work, World, http_date
from evalkit.types import Json

SENTINEL = "SENTINEL-KEY-"
MAX_SIDE = 4096
Handler = Callable[..., Answer]
Route = tuple[str, str, Handler]


class Invalid(Exception):
    """The input is wrong; the provider says so with this status."""

    def __init__(self, message: str, status: int = 400, **facts: Any) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.facts = facts


class Face:
    """One provider. Subclasses give `routes`, `error` and whatever else differs.

    `keys` are the headers that may carry the key, each with what stands before it. `open` needs no key.
    `ids` are the keys of an acceptance that name the job (or hold the pictures): `submit:noid` drops them.
    """

    name: ClassVar[str]
    keys: ClassVar[Mapping[str, str]] = {"authorization": "Bearer "}
    open: ClassVar[bool] = False
    ids: ClassVar[tuple[str, ...]] = ("id",)
    balance: ClassVar[int] = 402

    def __init__(self, world: World) -> None:
        self.world = world
        self._routes = [(method, re.compile(path), handler) for method, path, handler in self.routes()]

    def routes(self) -> Sequence[Route]:
        """Method, pattern of the path behind the prefix, and who answers; the first that fits."""
        raise NotImplementedError

    def error(self, status: int, message: str = "", **facts: Any) -> Answer:
        """How this provider says that something went wrong."""
        raise NotImplementedError

    def quota(self) -> Answer:
        """What it says when the money is gone."""
        return self.error(self.balance)

    def answer(self, asked: Asked, path: str) -> Answer:
        """Whatever this provider has to say to a request; `path` is what follows its prefix."""
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(path)
            if match and method == asked.method:
                return self._guarded(asked, handler, match.groupdict())
        return self.error(404, f"no such route: {asked.method} {path}")

    def _guarded(self, asked: Asked, handler: Handler, names: Mapping[str, str]) -> Answer:
        if not isinstance(handler, Public):
            refused = self.refuse(asked)
            if refused is not None:
                return refused
        try:
            return handler(asked, **names)
        except Invalid as wrong:
            return self.error(wrong.status, wrong.message, **wrong.facts)
        except BadDirective as wrong:
            return self.error(400, f"evalkit fakes: {wrong}")
        except (ValueError, TypeError, KeyError, AttributeError) as wrong:
            return self.error(400, f"cannot read the request: {type(wrong).__name__}: {wrong}")

    def refuse(self, asked: Asked) -> Answer | None:
        """The 401 of a missing or wrong key; None for the right one."""
        given = self.key(asked)
        right = (f"{SENTINEL}{self.name}", f"{SENTINEL}{self.name}:secret")
        return None if self.open or given in right else self.unauthorized(given)

    def key(self, asked: Asked) -> str:
        """The key that came with the request, empty if none."""
        for header, prefix in self.keys.items():
            value = asked.headers.get(header, "")
            if value.startswith(prefix):
                return value.removeprefix(prefix)
        return ""

    def unauthorized(self, given: str) -> Answer:
        del given
        return self.error(401)

    # -- a request for pictures

    def submit(self, asked: Asked, work: Work, accepted: Callable[[Job], Answer]) -> Answer:
        """Take on a request, unless a fault of its prompt gets in the way. `accepted` words the answer."""
        plan = self.world.plan(self.name, work)
        delay = plan.delay("submit")
        fault = plan.hit("submit")
        answer = self._before(asked, fault) if fault else None
        if answer is None:
            answer = self.turned_away(plan.find("end"))
        if answer is None:
            job = self.world.accept(self.name, self._sized(work), self.new_id(work))
            answer = self._after(accepted(job), fault)
            self._announce(asked.origin, job, answer)
        answer.delay += delay
        return answer

    def new_id(self, work: Work) -> str:
        """What the next job is called."""
        del work
        return str(uuid.uuid4())

    def _announce(self, origin: str, job: Job, answer: Answer) -> None:
        """See to the webhook, if the request has one."""
        if not job.work.webhook:
            return
        if job.plan.find("hook", "before"):
            answer.first = lambda: by_itself(self.world, job, self.hook, origin)
        else:
            self.world.spawn(by_itself(self.world, job, self.hook, origin))

    def hook(self, origin: str, job: Job) -> Json:
        """What a webhook says of a finished job."""
        del origin
        return {"id": job.id}

    def turned_away(self, ending: Directive | None) -> Answer | None:
        """For providers that answer at once: an ending that comes as an error, so that nothing is billed."""
        del ending
        return None

    def _sized(self, work: Work) -> Work:
        """Small pictures for benchmarks, where the server was told so; none that would take all memory."""
        if not (1 <= work.width <= MAX_SIDE and 1 <= work.height <= MAX_SIDE):
            raise Invalid(f"width and height have to be from 1 to {MAX_SIDE}")
        side = self.world.side
        if side is None or max(work.width, work.height) <= side:
            return work
        scale = side / max(work.width, work.height)
        return replace(
            work, width=max(round(work.width * scale), 1), height=max(round(work.height * scale), 1)
        )

    def _before(self, asked: Asked, fault: Directive) -> Answer | None:
        """The faults that come before any work; None lets the work be done."""
        if fault.option("after"):
            return None
        return self._status(fault) or self._special(asked, fault)

    def _special(self, asked: Asked, fault: Directive) -> Answer | None:
        match fault.name:
            case "drop":
                return hang_up()
            case "html":
                return page("502 Bad Gateway")
            case "redirect":
                return Answer(307, headers={"location": asked.origin + asked.path.rstrip("/") + "/moved"})
            case "quota":
                return self.quota()
            case "locked":
                return self.locked()
            case "blocked":
                return self.blocked()
            case _:
                return None

    def locked(self) -> Answer:
        """The account is locked for want of money."""
        return self.error(403, "User is locked. Reason: Exhausted balance. Top up your balance.")

    def blocked(self) -> Answer:
        """The account is blocked for abuse."""
        return self.error(403, "Access to this resource has been temporarily blocked.")

    def _status(self, fault: Directive | None) -> Answer | None:
        if fault is None or fault.status is None:
            return None
        answer = self.error(fault.status, fault.arg.replace("_", " "))
        wait = fault.option("ra")
        if wait:
            later = float(fault.option("in", "2"))
            answer.headers["retry-after"] = http_date(self.world.now() + later) if wait == "date" else wait
        return answer

    def _after(self, answer: Answer, fault: Directive | None) -> Answer:
        """The faults that happen to the answer when the work is already done, and billed."""
        if fault is None:
            return answer
        if fault.option("after"):
            late = page("502 Bad Gateway") if fault.name == "html" else self._status(fault)
            return late or answer
        match fault.name:
            case "drop_after":
                return hang_up()
            case "noid":
                answer.body = json.dumps({k: v for k, v in answer.json.items() if k not in self.ids}).encode()
            case "badjson":
                answer.body = answer.body[: len(answer.body) // 2]
            case "empty500":
                return Answer(500)
        return answer

    # -- a look at a job

    def missing(self, job_id: str) -> Answer:
        """What it says about a job that it does not know."""
        return self.error(404, f"{job_id} not found")

    def poll(self, job_id: str, show: Callable[[Job, Phase], Answer], *, last: bool = True) -> Answer:
        """One poll with its faults; `show` words the answer. `last`: the final poll holds the result."""
        job = self.world.job(self.name, job_id)
        if job is None or job.plan.find("poll", "vanish"):
            return self.missing(job_id)
        delay = job.plan.delay("poll")
        answer = self._in_the_way(job, "poll")
        if answer is None:
            phase = self.world.look(job)
            answer = show(job, phase)
            if last and phase == "done":
                delay += job.plan.delay("result")
                answer = self._in_the_way(job, "result") or answer
        answer.delay += delay
        return answer

    def _in_the_way(self, job: Job, stage: str) -> Answer | None:
        """A status, a proxy's page or a lost answer, while the job itself is well."""
        for name in ("drop", "html"):
            if job.plan.hit(stage, name):
                return hang_up() if name == "drop" else page("502 Bad Gateway")
        fault = next((d for d in job.plan.directives if d.stage == stage and d.status is not None), None)
        return self._status(job.plan.hit(stage, fault.name)) if fault else None


def always(value: Json) -> Handler:
    """A route that says the same to everybody who has a key."""

    def handler(asked: Asked) -> Answer:
        del asked
        return say(value)

    return handler


@dataclass(frozen=True, slots=True)
class Public:
    """A route that asks for no key."""

    handler: Handler

    def __call__(self, asked: Asked, **names: str) -> Answer:
        return self.handler(asked, **names)
