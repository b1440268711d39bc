"""From the journal of a step to facts: what came, how large, how many, for how much, how fast.

It only reads records, so a probe that was cut off, or is started a second time, learns the same without
paying. An answer that was lost teaches nothing, and is said to be unknown.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from evalkit.remote.shapes import TOLERANCE, ratio_of
from evalkit.runner.probing.facts import Fact
from evalkit.runner.probing.steps import Step
from evalkit.store import Record
from evalkit.types import Job, Json

CERTAIN = ("validation", "permanent", "moderation")
"""Kinds of failure that say something about the model, and not about the moment."""

_TIMES = {
    "submit": "submit",
    "queue": "queue",
    "run": "run",
    "provider_queue": "its own queue",
    "provider": "its own work",
    "download": "download",
    "total": "in all",
}
_TOLD = {"units": "units", "reported cost": "reported_cost", "usage": "usage"}


@dataclass(frozen=True, slots=True)
class Answer:
    """The newest attempt at a step, as the journal tells it. `status` is empty while it is open."""

    trial: str = ""
    status: str = ""
    reason: str = ""
    kind: str = ""
    usd: Decimal = Decimal(0)
    basis: str = ""
    date: str = ""
    job: Job | None = None
    done: Mapping[str, Json] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return self.status in ("ok", "partial")


def read_answer(records: Sequence[Record]) -> Answer:
    """What the records of one trial come to."""
    newest = max((record.get("attempt", 1) for record in records), default=1)
    mine = [record for record in records if record.get("attempt", 1) == newest]
    jobs = [Job(r["note"], r.get("facts", {})) for r in mine if r["type"] == "accepted"]
    done = next((record for record in reversed(mine) if record["type"] == "done"), None)
    trial, job = (mine[0]["trial"] if mine else ""), (jobs[-1] if jobs else None)
    if done is None:
        return Answer(trial, job=job)
    return Answer(
        trial,
        done["status"],
        done.get("reason") or "",
        done.get("kind") or "",
        Decimal(done["usd"]),
        done["basis"],
        done["t"][:10],
        job,
        done,
    )


def facts_of(step: Step, answer: Answer, at: str, model: str) -> list[Fact]:
    """What an answer teaches; nothing if it was lost, or failed for reasons of the moment."""
    found = [(name, about, value) for find in _FINDERS for name, about, value in find(step, answer)]
    return [
        Fact(name, value, answer.date, at, model, step.row.task, about, answer.trial[:12])
        for name, about, value in found
    ]


Found = Iterator[tuple[str, str, str]]
"""(name, about, value) of each fact."""


def _validation(step: Step, answer: Answer) -> Found:
    if step.prompt:
        return
    if answer.good:
        yield "invalid request", "no prompt", "taken, and answered with a picture"
    elif answer.status in ("failed", "refused") and answer.kind in CERTAIN:
        when = "at its result, after it was taken" if answer.job else "when it is sent"
        yield "invalid request", "no prompt", f"refused {when}: {answer.reason}"


def _served(step: Step, answer: Answer) -> Found:
    if step.prompt and answer.good:
        yield "served", "", "yes"
    elif answer.status == "failed" and answer.kind in CERTAIN and not step.finding:
        yield "served", "", f"no: {answer.reason}"


def _data_uri(step: Step, answer: Answer) -> Found:
    if step.inline and answer.good:
        yield "data URI", "", "taken"
    elif step.inline and answer.status == "failed" and answer.kind in CERTAIN:
        yield "data URI", "", f"refused: {answer.reason}"


def _shapes(step: Step, answer: Answer) -> Found:
    for image in _images(answer)[:1]:
        width, height = image["width"], image["height"]
        if not isinstance(width, int) or not isinstance(height, int):
            continue
        yield "pixels", step.ratio, f"{width}x{height}, {_kept(step.ratio, width, height)}"
        yield "format", "", str(image["format"]).lower()


def _counts(step: Step, answer: Answer) -> Found:
    about, facts = _request(step), _facts(answer)
    if answer.good:
        if step.n > 1:
            yield "pictures", about, f"{len(_images(answer))} of {step.n}"
        yield "charged", about, f"${answer.usd.normalize():f} ({answer.basis})"
    elif step.n > 1 and step.finding and answer.status == "failed" and answer.kind in CERTAIN:
        yield "pictures", about, f"refused: {answer.reason}"
    told = [(name, facts[key]) for name, key in _TOLD.items() if answer.good and key in facts]
    for name, value in told:
        yield name, about, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if answer.good and not told:
        yield "cost", about, "neither cost nor units nor tokens are told"


def _speed(step: Step, answer: Answer) -> Found:
    times = answer.done.get("timings")
    if not answer.good or not isinstance(times, dict):
        return
    parts = [f"{words} {times[name]:.1f}" for name, words in _TIMES.items() if times.get(name) is not None]
    yield "seconds", _request(step), ", ".join(parts)


_FINDERS: tuple[Callable[[Step, Answer], Found], ...] = (
    _validation,
    _served,
    _data_uri,
    _shapes,
    _counts,
    _speed,
)


def _request(step: Step) -> str:
    return f"n={step.n} at {step.ratio}"


def _images(answer: Answer) -> list[dict[str, Json]]:
    images = answer.done.get("images")
    return [image for image in images if isinstance(image, dict)] if isinstance(images, list) else []


def _facts(answer: Answer) -> Mapping[str, Json]:
    facts = answer.done.get("facts")
    return facts if isinstance(facts, dict) else {}


def _kept(asked: str, width: int, height: int) -> str:
    wanted, came = ratio_of(asked), width / height
    if wanted is None:
        return f"a ratio of {came:.3f}"
    near = abs(came / float(wanted) - 1) <= TOLERANCE
    return f"which is {asked}" if near else f"a ratio of {came:.3f} where {float(wanted):.3f} was asked"
