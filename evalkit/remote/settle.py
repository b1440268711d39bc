"""What a job came to: pictures, a refusal or a failure, each with its price.

It reads the last answers of a job. Getting them is for `polling` and `engine`; what the words of a provider
mean is for `classify`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from evalkit.remote.classify import Reply, Verdict
from evalkit.remote.download import DownloadFailed
from evalkit.remote.paths import find, places
from evalkit.remote.prices import Usage, amount, charge
from evalkit.remote.spec import Order, Spec
from evalkit.remote.tools import Tools, Watch, first, whole_stay
from evalkit.types import Delivered, Document, Failed, Job, Json, Outcome, Picture, Price, Refused

COST = "reported_cost"
"""The fact of a job that holds what its acceptance said it costs, as text, in the provider's unit."""

_LONGEST_USAGE = 4000


@dataclass(frozen=True, slots=True)
class Final:
    """The end of one job: its answers, newest first, the word for its state, and how long it took.

    `job` is None where the answer came at once: there is nothing to ask again then.
    """

    order: Order
    replies: tuple[Reply, ...]
    watch: Watch
    job: Job | None = None
    word: str = ""


@dataclass(frozen=True, slots=True)
class _Found:
    """The pictures of an answer as URLs or text, without those that a filter hit, and how many came."""

    usable: tuple[str, ...]
    flagged: int
    given: int


async def deliver(tools: Tools, final: Final) -> Outcome:
    """The pictures of a job that is done, or its answer in words."""
    if tools.spec.out.answer:
        return _in_words(tools, final)
    found = _pictures_in(tools.spec, final)
    price = _charged(tools, final, found.given)
    if not found.usable:
        return _nothing(tools, final, found, price)
    again = final.job is not None
    if len(found.usable) == 1:
        answers = [await _fetch(tools, found.usable[0])]
    else:
        answers = await asyncio.gather(*(_fetch(tools, value) for value in found.usable))
    pictures = tuple(Picture(data, whole=True) for data in answers if isinstance(data, bytes))
    problems = [problem for problem in answers if isinstance(problem, DownloadFailed)]
    lost = next((problem for problem in problems if problem.kind == "download"), None)
    if lost is not None:
        return Failed("download", tools.text(lost.message), price, retrievable=again)
    if not pictures:
        return Failed("expired", tools.text(problems[0].message), price)
    timings = final.watch.timings(tools.spec.out, final.replies)
    return Delivered(pictures, final.order.n, price, timings, _facts(tools, final, found))


def _in_words(tools: Tools, final: Final) -> Delivered:
    """The whole answer; the key is cut out of it already."""
    price = _charged(tools, final, 1)
    timings = final.watch.timings(tools.spec.out, final.replies)
    document = Document(final.replies[0].text.encode("utf-8", "replace"))
    return Delivered((document,), 1, price, timings, _facts(tools, final, _Found((), 0, 1)))


def ended(tools: Tools, final: Final, verdict: Verdict) -> Refused | Failed:
    """A job that ended without a picture; what it costs is the provider's word, or else the worst."""
    message = tools.text(verdict.message)
    price = price_of_failure(tools, final, verdict.kind)
    if verdict.kind == "moderation":
        return Refused(message, verdict.stage, tools.text(verdict.code), price)
    return Failed(verdict.kind, message, price)


def price_of_failure(tools: Tools, final: Final, kind: str) -> Price:
    """Reported, else nothing where that is documented, else by tokens, else the most it could cost.

    Refusals are free unless the answer counts tokens or the description says that they may be billed.
    """
    told = _charged(tools, final, 0)
    words = {final.word, kind} - {""}
    if told.basis in ("reported", "units"):
        return told
    if words & set(tools.spec.free_on):
        return Price()
    if told.basis == "tokens":
        return told
    if kind == "moderation" and not words & set(tools.spec.billed_on):
        return Price()
    return tools.worst(final.order)


def has_pictures(spec: Spec, reply: Reply) -> bool:
    """Whether an answer holds what was asked for: a picture, the empty place of one, or words.

    So does one that says that a filter took the picture.
    """
    if spec.out.answer:
        return bool(find(reply.json, spec.out.answer))
    return bool(_values(spec, reply)) or any(_flags(spec, reply))


def cost_in(spec: Spec, reply: Reply) -> str:
    """The amount that an answer reports, as text; empty if there is none."""
    cost = amount(first(spec.out.cost, (reply,)))
    return "" if cost is None else str(cost)


def _values(spec: Spec, reply: Reply) -> list[str]:
    """What stands where pictures are, empty where one is missing: the first path with any text wins."""
    for path in spec.out.images:
        values = places(reply.json, path)
        if any(isinstance(value, str) for value in values):
            return [value if isinstance(value, str) else "" for value in values]
    return []


def _pictures_in(spec: Spec, final: Final) -> _Found:
    values = next((values for reply in final.replies if (values := _values(spec, reply))), [])
    flags = next((flags for reply in final.replies if (flags := _flags(spec, reply))), [])
    safe = _unflagged(values, flags)
    usable = [value for value in safe if value.strip()]
    # A server that prepends a contact sheet sends one more than was asked for; drafts come first, too.
    return _Found(tuple(usable[-final.order.n :]), sum(flags), len([value for value in values if value]))


def _unflagged(values: list[str], flags: list[bool]) -> list[str]:
    """The pictures that no filter hit. Some providers give no URL for the others, so that fewer come."""
    if len(values) != len(flags) and len(values) <= len(flags) - sum(flags):
        return values
    marked = [*flags, *[False] * len(values)]
    return [value for value, flag in zip(values, marked, strict=False) if not flag]


def _flags(spec: Spec, reply: Reply) -> list[bool]:
    if not spec.out.flagged:
        return []
    return [bool(value) == spec.out.unsafe_when for value in find(reply.json, spec.out.flagged)]


def _nothing(tools: Tools, final: Final, found: _Found, price: Price) -> Refused | Failed:
    if found.flagged:
        count = "the picture" if found.flagged == 1 else f"all {found.flagged} pictures"
        return Refused(f"a filter of the provider hit {count}", "output", "flagged", price)
    price = price_of_failure(tools, final, "no_image")
    return Failed("no_image", "the provider says that it is done and gives no picture", price)


async def _fetch(tools: Tools, value: str) -> bytes | DownloadFailed:
    try:
        return await tools.downloader.picture(value)
    except DownloadFailed as problem:
        return problem


def _charged(tools: Tools, final: Final, images: int) -> Price:
    return charge(tools.spec, final.order, _usage(tools.spec, final, images), tools.assumed)


def _usage(spec: Spec, final: Final, images: int) -> Usage:
    return Usage(
        images=images,
        cost=_cost(spec, final),
        units=_units(spec, final),
        usage=first(spec.out.usage, final.replies),
    )


def _cost(spec: Spec, final: Final) -> Decimal | None:
    """Reported at the end, or else when the job was accepted."""
    told = amount(first(spec.out.cost, final.replies))
    if told is not None or final.job is None:
        return told
    return amount(final.job.facts.get(COST))


def _units(spec: Spec, final: Final) -> Decimal | None:
    header = spec.out.units_header.lower()
    told = (reply.headers.get(header) for reply in final.replies)
    return amount(next((value for value in told if value), None))


def _facts(tools: Tools, final: Final, found: _Found) -> dict[str, Json]:
    """What is worth keeping of the answers; names without a value are left out."""
    out, replies = tools.spec.out, final.replies
    cost, units = _cost(tools.spec, final), _units(tools.spec, final)
    facts: dict[str, Json] = {
        "request_id": request_id(tools.spec, final),
        "job": final.job.id if final.job else None,
        "seed": _one_or_all(out.seed, replies),
        "revised_prompt": _one_or_all(out.revised_prompt, replies),
        "model_version": first(out.model_version, replies),
        "usage": _small(first(out.usage, replies)),
        "units": None if units is None else str(units),
        "reported_cost": None if cost is None else str(cost),
        "provider_total": whole_stay(out, replies),
        "flagged": found.flagged or None,
        "resumed": final.watch.resumed or None,
    }
    return {name: tools.clean(value) for name, value in facts.items() if value not in (None, "", [])}


def request_id(spec: Spec, final: Final) -> str | None:
    """What the provider's support asks for: the header of the newest answer, or that of the acceptance."""
    header = spec.request_id_header.lower()
    told = next((value for reply in final.replies if (value := reply.headers.get(header))), None)
    if told or final.job is None:
        return told
    kept = final.job.facts.get("request_id")
    return kept if isinstance(kept, str) else None


def _one_or_all(path: str, replies: Sequence[Reply]) -> Json:
    values = next((values for reply in replies if path and (values := find(reply.json, path))), [])
    return values[0] if len(values) == 1 else values


def _small(usage: Json) -> Json:
    return usage if len(json.dumps(usage)) <= _LONGEST_USAGE else None
