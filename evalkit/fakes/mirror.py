"""A fake that is made from a description: it says what the description expects to hear.

So a provider that came as one TOML file can be rehearsed, and every contract be tested on it, before anybody
has a key. It cannot find a mistake in the description: if the real answer has its pictures somewhere else,
the mirror has them where the description says, and all is well. Only the provider's own documentation, and a
first request to it, tell that. What is code and not description is missing here: uploads, lists of lost jobs
and webhooks. The providers of the catalogue have fakes of their own in `routes/`, written from their pages.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from evalkit.fakes import faults
from evalkit.fakes.endings import Ending, ending, error_body, word_for
from evalkit.fakes.face import SENTINEL, Face, Handler, Route
from evalkit.fakes.faults import Directive
from evalkit.fakes.inputs import b64
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.pictures import MEDIA_TYPE
from evalkit.fakes.reading import read_work
from evalkit.fakes.state import Job, iso
from evalkit.fakes.state import Phase as Life
from evalkit.fakes.writing import Clash, write, write_free
from evalkit.remote.catalog import specs
from evalkit.remote.paths import steps
from evalkit.remote.spec import Kind, Model, Phase, Spec
from evalkit.types import Json

KINDS: Mapping[str, Kind] = {
    "moderation": "moderation",
    "validation": "validation",
    "fail": "permanent",
    "error": "transient",
    "timeout": "timeout",
    "cancelled": "cancelled",
    "aborted": "cancelled",
}
"""What the `end:` faults mean in the taxonomy; the others are about the pictures."""
SECONDS = 1.25
PRICE = 0.04
"""US dollars that a job reports where its model has no list price."""

_IN_BRACES = re.compile(r"\{(\w+)\}")


class Mirror(Face):
    """One description; `mirrored` makes a class of it."""

    spec: ClassVar[Spec]
    shared: ClassVar[frozenset[str]]

    def routes(self) -> Sequence[Route]:
        return (*self._check(), *self._jobs(), *self._submits())

    def key(self, asked: Asked) -> str:
        before, _, after = self.spec.auth.value.partition("{key}")
        value = asked.headers.get(self.spec.auth.header.lower(), "")
        fits = value.startswith(before) and value.endswith(after)
        return value.removeprefix(before).removesuffix(after) if fits else ""

    def refuse(self, asked: Asked) -> Answer | None:
        """The 401 of any key but ours; descriptions that read the same variable have one key."""
        given = self.key(asked)
        right = given.startswith(SENTINEL) and given.removeprefix(SENTINEL).partition(":")[0] in self.shared
        return None if self.open or right else self.unauthorized(given)

    def error(self, status: int, message: str = "", **facts: Any) -> Answer:
        del facts
        return say(error_body(self.spec, message or f"The request failed with status {status}."), status)

    def quota(self) -> Answer:
        return ending(self.spec, "balance", ["submit"]).answer()

    def turned_away(self, ending: Directive | None) -> Answer | None:
        end = self._end(ending)
        return end.answer() if end and end.phase == "submit" else None

    def create(self, asked: Asked, rows: Sequence[Model], model: str = "") -> Answer:
        """The submit of any of these rows."""
        row, work = read_work(self.world, self.spec, asked, rows, model)

        def accepted(job: Job) -> Answer:
            job.facts["row"] = row
            return self._made(asked, job) if self.spec.mode == "sync" else self._taken(asked, job)

        return self.submit(asked, work, accepted)

    def status(self, asked: Asked, job_id: str) -> Answer:
        return self.poll(job_id, lambda job, life: self._look(asked, job, life), last=not self._apart)

    def result(self, asked: Asked, job_id: str) -> Answer:
        """The end of a job, where that has a URL of its own."""
        job = self.world.job(self.name, job_id)
        if job is None or job.plan.find("poll", "vanish"):
            return self.missing(job_id)
        if not job.ended:
            return self.error(400, "The job is still in progress.")
        answer = self._in_the_way(job, "result") or self._outcome(asked, job)
        answer.delay += job.plan.delay("result")
        return answer

    def cancel(self, asked: Asked, job_id: str) -> Answer:
        del asked
        job = self.world.job(self.name, job_id)
        if job is None:
            return self.missing(job_id)
        job.cancelled = not job.ended
        return say({}, 202)

    def checked(self, asked: Asked, job_id: str) -> Answer:
        """The look at an account, with a good key."""
        del asked, job_id
        return say({}, next((status for status in self.spec.check_ok if status < 300), 200))

    # -- routes

    def _check(self) -> Sequence[Route]:
        if self.spec.check is None:
            return ()
        place = self._place(self.spec.check.url)
        return ((self.spec.check.method, place.pattern, place.finding(self.checked)),)

    def _jobs(self) -> Sequence[Route]:
        if self.spec.mode == "sync":
            return ()
        found = [("GET", self._place(template), self.status) for template in self.spec.poll]
        if self._apart:
            found.append(("GET", self._place(self.spec.result), self.result))
        if self.spec.cancel:
            found.append((self.spec.cancel.method, self._place(self.spec.cancel.url), self.cancel))
        return [(method, place.pattern, place.finding(handler)) for method, place, handler in found]

    def _submits(self) -> Sequence[Route]:
        """The most particular first: `/v1/fill` before `/v1/{model}`."""
        by_path: dict[str, list[Model]] = {}
        for row in self.spec.models:
            by_path.setdefault(self.spec.sending(row).path.partition("?")[0], []).append(row)
        paths = sorted(by_path, key=lambda path: ("{model}" in path, -len(path)))
        return [("POST", self._submit_pattern(path), self._creating(by_path[path])) for path in paths]

    def _creating(self, rows: Sequence[Model]) -> Handler:
        return lambda asked, model="": self.create(asked, rows, model)

    def _submit_pattern(self, path: str) -> str:
        first, *others = (re.escape(part) for part in (self._own + path).split("{model}"))
        return "(?P<model>.+)".join([first, "(?P=model)".join(others)]) if others else first

    @property
    def _own(self) -> str:
        """The path that `EVALKIT_<NAME>_BASE` gets added, where every account has a base of its own."""
        return self.spec.base.rstrip("/") if self.spec.base.startswith("/") else ""

    @property
    def _apart(self) -> bool:
        """Whether the result has a URL of its own."""
        return bool(self.spec.result) and self.spec.result not in self.spec.poll

    def _place(self, template: str) -> _Place:
        """Where a URL template of the description leads to on this server."""
        path, _, query = template.partition("?")
        opening = _IN_BRACES.match(path)
        if opening and opening[1] in self.spec.save:
            path = self._saved_path(opening[1], "{id}") + path[opening.end() :]
        else:
            path = self._own + (path[opening.end() :] if opening else path)
        key = next((pair.partition("=")[0] for pair in query.split("&") if _names_job(pair)), "")
        return _Place(_pattern(path), key)

    def _saved_path(self, name: str, job: str) -> str:
        return f"{self._own}/-/{job}/{name.removesuffix('_url')}"

    def _is_url(self, name: str) -> bool:
        """Whether a saved value is a URL: one that opens a template."""
        cancel = self.spec.cancel.url if self.spec.cancel else ""
        templates = (*self.spec.poll, self.spec.result, cancel)
        return any(template.startswith(f"{{{name}}}") for template in templates)

    # -- what is said

    def _taken(self, asked: Asked, job: Job) -> Answer:
        """The acceptance of a job: its id, what has to be saved, its state."""
        body = write(None, self.spec.id, [job.id])
        for name, path in self.spec.save.items():
            body = write(body, path, [self._saved(asked, job, name)])
        queued = word_for(self.spec, "queued", "running")
        return self._stamped(job, say(write_free(body, [self.spec.state], [queued] if queued else [])))

    def _saved(self, asked: Asked, job: Job, name: str) -> str:
        if not self._is_url(name):
            return job.id
        origin = "https://elsewhere.example" if job.plan.find("poll", "foreign") else asked.origin
        return f"{origin}/{self.name}{self._saved_path(name, job.id)}"

    def _look(self, asked: Asked, job: Job, life: Life) -> Answer:
        if life == "done":
            self.world.finish(job)
            return self._done(asked, job)
        word = "BANANA" if life == "banana" else self._word(life)
        return say(write(None, self.spec.state, [word] if word else []) or {})

    def _word(self, life: Life) -> str:
        return word_for(self.spec, "queued" if life == "queued" else "running", "queued", "running")

    def _done(self, asked: Asked, job: Job) -> Answer:
        end = self._end(job.ending)
        if end and end.phase == "poll":
            return end.answer()
        if not self._apart:
            return self._outcome(asked, job)
        return say(write(None, self.spec.state, [word_for(self.spec, "done")]))

    def _outcome(self, asked: Asked, job: Job) -> Answer:
        end = self._end(job.ending)
        return end.answer() if end else self._made(asked, job)

    def _end(self, directive: Directive | None) -> Ending | None:
        """How a job with this ending ends; None for one that ends with pictures."""
        kind = KINDS.get(directive.name) if directive else None
        if kind is None:
            return None
        return ending(self.spec, kind, self._phases(kind))

    def _phases(self, kind: Kind) -> Sequence[Phase]:
        """When an end of this kind may be told, the likeliest first; cancelling shows in the state."""
        if self.spec.mode == "sync":
            return ("submit",)
        if not self._apart:
            return "poll", "submit"
        return ("poll", "result", "submit") if kind == "cancelled" else ("result", "poll", "submit")

    def _made(self, asked: Asked, job: Job) -> Answer:
        """The pictures, and everything else that the description knows how to read."""
        self.world.finish(job)
        done = word_for(self.spec, "done")
        tells_state = self.spec.mode != "sync" and not self._apart
        body = write(None, self.spec.state, [done]) if tells_state else {}
        body = self._with_pictures(body, [self._picture(asked, job, n) for n in range(job.delivered)])
        for path, values in self._facts(job):
            body = write_free(body, [path], values)
        answer = self._stamped(job, say(body))
        if self.spec.out.units_header:
            answer.headers[self.spec.out.units_header] = str(job.delivered)
        return answer

    def _stamped(self, job: Job, answer: Answer) -> Answer:
        if self.spec.request_id_header:
            answer.headers[self.spec.request_id_header] = job.id
        return answer

    def _with_pictures(self, body: Json, values: Sequence[Json]) -> Json:
        for path in self.spec.out.images:
            try:
                return write(body, path, values)
            except Clash:
                continue
        raise Clash(f"{self.name} cannot have pictures and its state in one answer as its paths say")

    def _picture(self, asked: Asked, job: Job, index: int) -> str:
        """A URL, unless the answer comes at once or the path says that it is base64."""
        name = (steps(self.spec.out.images[0])[-1].name or "").lower()
        if "b64" in name or "base64" in name:
            return b64(job.inline(index))
        if self.spec.mode != "sync" or "url" in name:
            return asked.origin + job.file(index)
        return f"data:{MEDIA_TYPE[job.work.format]};base64,{b64(job.inline(index))}"

    def _facts(self, job: Job) -> Sequence[tuple[str, list[Json]]]:
        out, row = self.spec.out, job.facts["row"]
        flags: list[Json] = [(n == 0 and job.ends("nsfw")) == out.unsafe_when for n in range(job.delivered)]
        found: list[tuple[str, list[Json]]] = [
            (out.flagged, flags),
            (out.seed, [job.seed(n) for n in range(job.delivered)]),
            (out.revised_prompt, [faults.strip(job.work.prompt)]),
            (out.model_version, ["mirror"]),
            (out.seconds, [SECONDS]),
            (out.queued_at, [iso(job.created)]),
            (out.started_at, [iso(job.started)]),
            (out.finished_at, [iso(job.ended)]),
            (out.usage, [_usage(row, job)]),
            (out.cost, [_dollars(row, job) / float(out.cost_unit)]),
        ]
        return [(path, values) for path, values in found if path]


@dataclass(frozen=True, slots=True)
class _Place:
    """A path on this server as a pattern, and the query parameter that names the job, if one does."""

    pattern: str
    key: str

    def finding(self, handler: Handler) -> Handler:
        """`handler` with the job's id, wherever it stands."""

        def found(asked: Asked, job_id: str = "") -> Answer:
            return handler(asked, job_id or asked.query.get(self.key, ""))

        return found


def mirrored(spec: Spec) -> type[Mirror]:
    """The fake of a description."""
    naming = (spec.id,) if spec.mode != "sync" else spec.out.images
    facts = {
        "name": spec.name,
        "spec": spec,
        "open": spec.auth.optional or not spec.env,
        "shared": frozenset(name for name, other in specs().items() if keys_of(other).keys() & keys_of(spec))
        | {spec.name},
        "ids": tuple(steps(path)[0].name for path in naming),
        "__module__": __name__,
    }
    return cast(type[Mirror], type(f"Mirror of {spec.name}", (Mirror,), facts))


def keys_of(spec: Spec) -> dict[str, str]:
    """The variables of a description's key, with a key that only works here."""
    if not spec.env:
        return {}
    first, _, second = spec.env[0].partition(":")
    return {first: f"{SENTINEL}{spec.name}"} | ({second: "secret"} if second else {})


def _names_job(pair: str) -> bool:
    return any(name not in ("model", "owner_app", "base") for name in _IN_BRACES.findall(pair))


def _pattern(path: str) -> str:
    """A path with `{id}` and the like as a regular expression; the first that can name a job does."""
    parts, at, named = [], 0, False
    for found in _IN_BRACES.finditer(path):
        whole = found[1] in ("model", "owner_app")
        group = ".+" if whole else "[^/]+"
        job = not whole and not named
        parts += [re.escape(path[at : found.start()]), f"(?P<job_id>{group})" if job else group]
        at, named = found.end(), named or job
    return "".join(parts) + re.escape(path[at:])


def _usage(row: Model, job: Job) -> Json:
    """Token counts where the model's tariff reads them."""
    tariff = row.tariff
    counts = {
        "text_in": len(job.work.prompt) // 4 + 1,
        "image_in": tariff.source_tokens if job.work.source else 0,
        "image_out": tariff.image_tokens * job.delivered,
    }
    usage: Json = {}
    for name, path in tariff.usage.items():
        usage = write_free(usage, [path], [counts[name]])
    return usage


def _dollars(row: Model, job: Job) -> float:
    each = row.tariff.image or row.tariff.first_mp or row.tariff.unit_price
    return round(float(each or PRICE) * job.delivered, 6)
