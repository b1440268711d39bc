"""Finding a job again whose acceptance was lost, in the provider's own list of requests.

A wrong match would put somebody else's picture under a trial, so a job counts as found only if it was sent in
the right minute, asked for exactly what we asked for, down to the bytes of the pictures, and is the only one.
Anything less, and any answer that cannot be read in full, is None: not found, which proves nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Protocol
from urllib.parse import urlencode

from evalkit.remote.body import fill
from evalkit.remote.download import Downloader, DownloadFailed
from evalkit.remote.spec import Order
from evalkit.remote.transport import Foreign, Lost, NotSent, Transport
from evalkit.types import ImageInput, Job, Json

SLACK = timedelta(seconds=30)
"""How far the provider's clock may be off ours."""

ENDS_WITHIN = timedelta(hours=1)
"""fal sorts by the time a request ended and does not say which time its bounds mean; ours is checked here."""

_PAGE = 100
_MOST_PAGES = 20
_MARK = f"picture-{token_hex(8)}-"
"""Stands for a picture in a body; no prompt can begin with it."""


_Sent = tuple[str, Json]
"""A job's id and what it was asked for."""


class Reconciler(Protocol):
    """Looks for the job of `order` among those sent between two UTC times (ISO 8601).

    `known` are the ids of jobs that belong to other trials; they are passed over.
    """

    async def __call__(
        self, transport: Transport, order: Order, since: str, until: str, known: Collection[str] = ()
    ) -> Job | None: ...


class _CannotTell(Exception):
    """The list could not be read in full, so that nothing in it can be called the only one."""


@dataclass(frozen=True, slots=True)
class _Window:
    """Times between which the lost request was sent, as the provider's clock may have it."""

    start: datetime
    end: datetime

    def __contains__(self, stamp: Json) -> bool:
        when = _time(stamp)
        return when is not None and self.start <= when <= self.end


async def fal_by_endpoint(
    transport: Transport, order: Order, since: str, until: str, known: Collection[str] = ()
) -> Job | None:
    """fal lists requests with what was asked (`json_input`), if the account stores payloads.

    Source: https://docs.fal.ai/platform-apis/v1/models/requests/by-endpoint
    """
    window = _window(since, until)
    query = {"endpoint_id": order.model_id, "expand": "payloads", "limit": str(_PAGE)}
    query |= {"start": _stamp(window.start), "end": _stamp(window.end + ENDS_WITHIN)}

    async def sent() -> AsyncIterator[_Sent]:
        async for item in _fal_items(transport, query):
            if item.get("sent_at") in window and item.get("request_id") not in known:
                yield _id(item.get("request_id")), item.get("json_input")

    return await _the_only(transport, order, _asked(transport, order), sent())


async def each_executions(
    transport: Transport, order: Order, since: str, until: str, known: Collection[str] = ()
) -> Job | None:
    """each::labs lists executions without what was asked; each prediction tells that when asked for it.

    Source: https://docs.eachlabs.ai/api-reference/executions/list-executions
    """
    window = _window(since, until)
    query = {"model": order.model_id, "limit": str(_PAGE)}
    query |= {"from": _stamp(window.start), "to": _stamp(window.end)}

    async def sent() -> AsyncIterator[_Sent]:
        async for item in _each_items(transport, query):
            if item.get("created_at") in window and item.get("id") not in known:
                yield _id(item.get("id")), await _each_input(transport, item)

    body = _asked(transport, order)
    return await _the_only(transport, order, body.get("input") if isinstance(body, dict) else None, sent())


RECONCILERS: Mapping[str, Reconciler] = {
    "fal_by_endpoint": fal_by_endpoint,
    "each_executions": each_executions,
}


async def _the_only(
    transport: Transport, order: Order, asked: Json, sent: AsyncIterator[_Sent]
) -> Job | None:
    try:
        ids = {job async for job, found in sent if await _is_ours(transport, order, asked, found)}
    except _CannotTell:
        return None
    return Job(ids.pop()) if len(ids) == 1 else None


async def _fal_items(transport: Transport, query: dict[str, str]) -> AsyncIterator[dict[str, Json]]:
    cursor: Json = None
    for _ in range(_MOST_PAGES):
        page = {**query, "cursor": cursor} if isinstance(cursor, str) else query
        body = await _get(transport, "{api}/v1/models/requests/by-endpoint", page)
        for item in _items(body, "items"):
            yield item
        cursor = body.get("next_cursor")
        if not cursor:
            return
    raise _CannotTell


async def _each_items(transport: Transport, query: dict[str, str]) -> AsyncIterator[dict[str, Json]]:
    offset = 0
    for _ in range(_MOST_PAGES):
        body = await _get(transport, "{base}/v1/executions", {**query, "offset": str(offset)})
        items = _items(body, "executions")
        for item in items:
            yield item
        offset += len(items)
        total = body.get("total_count")
        if not items or (offset >= total if isinstance(total, int) else len(items) < _PAGE):
            return
    raise _CannotTell


async def _each_input(transport: Transport, item: dict[str, Json]) -> Json:
    if "input" in item:
        return item["input"]
    body = await _get(transport, "{base}/v1/prediction/{id}", {}, {"id": _id(item.get("id"))})
    return body.get("input")


async def _get(
    transport: Transport, template: str, query: Mapping[str, str], values: Mapping[str, str] = {}
) -> dict[str, Json]:
    """A JSON object from the provider's API, or `_CannotTell`."""
    url = transport.resolve(template, values)
    if url is None:
        raise _CannotTell
    try:
        reply = await transport.send("GET", f"{url}?{urlencode(query)}" if query else url)
    except (NotSent, Lost, Foreign):
        raise _CannotTell from None
    if reply.status != 200 or not isinstance(reply.json, dict):
        raise _CannotTell
    return reply.json


def _items(body: dict[str, Json], name: str) -> list[dict[str, Json]]:
    items = body.get(name)
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise _CannotTell
    return [item for item in items if isinstance(item, dict)]


def _asked(transport: Transport, order: Order) -> Json:
    """The body as it was sent, with marks in place of pictures."""
    marks = [f"{_MARK}{number}" for number in range(len(order.images))]
    mask = f"{_MARK}mask" if order.mask else ""
    return fill(transport.spec.sending(order.model), order, marks, mask).json


async def _is_ours(transport: Transport, order: Order, asked: Json, found: Json) -> bool:
    pictures: dict[str, str] = {}
    if not isinstance(asked, dict) or not _agrees(asked, found, pictures):
        return False
    return not pictures or await _are_pictures(transport, order, pictures)


def _agrees(asked: Json, found: Json, pictures: dict[str, str]) -> bool:
    """Whether `found` says what we `asked` and nothing more; notes what it has in the place of each mark.

    More would be another request: a system with one parameter more asks for all that we ask for.
    """
    if isinstance(asked, dict):
        return isinstance(found, dict) and all(
            _agrees(asked.get(name), found.get(name), pictures) for name in {*asked, *found}
        )
    if isinstance(asked, list):
        return (
            isinstance(found, list)
            and len(asked) == len(found)
            and all(_agrees(one, other, pictures) for one, other in zip(asked, found, strict=True))
        )
    if isinstance(asked, str) and asked.startswith(_MARK) and isinstance(found, str):
        pictures[asked] = found
        return True
    if asked is None:
        return found in (None, "", [], {})
    return asked == found and isinstance(asked, bool) == isinstance(found, bool)


async def _are_pictures(transport: Transport, order: Order, found: Mapping[str, str]) -> bool:
    ours = {f"{_MARK}{number}": image for number, image in enumerate(order.images)}
    if order.mask:
        ours[f"{_MARK}mask"] = order.mask
    downloader = Downloader(loopback=transport.loopback)
    try:
        return all([await _is_picture(downloader, found[mark], ours[mark]) for mark in found])
    finally:
        await downloader.aclose()


async def _is_picture(downloader: Downloader, value: str, image: ImageInput) -> bool:
    try:
        data = await downloader.picture(value, deadline_s=60.0)
    except DownloadFailed:
        return False
    return hashlib.sha256(data).digest() == hashlib.sha256(image.data).digest()


def _id(value: Json) -> str:
    if not isinstance(value, str) or not value:
        raise _CannotTell
    return value


def _window(since: str, until: str) -> _Window:
    start, end = _time(since), _time(until)
    if start is None or end is None:
        raise ValueError(f"not ISO 8601 times: {since!r}, {until!r}")
    return _Window(start - SLACK, end + SLACK)


def _time(value: Json) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
    except ValueError:
        return None
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _stamp(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
