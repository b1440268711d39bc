"""The path mini-language: where in a JSON answer something is kept.

    error.message              names, by dots
    images[0].url              an item of a list
    images[*].url              every item of a list
    parts[?!thought].data      the items whose `thought` is missing, empty or false
    info{}.all_seeds[0]        JSON inside a string

It only looks: a path that leads nowhere finds nothing. What a found value means is for others.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

from evalkit.types import Json


class Step(NamedTuple):
    """One step of a path; `name` is the key for `name` and `unless`, the number for `item`."""

    kind: Literal["name", "item", "every", "unless", "parse"]
    name: str = ""


_TOKEN = re.compile(
    r"""(?P<name>[^.\[\]{}]+)
      | \[(?P<item>[0-9]{1,6})\]
      | (?P<every>\[\*\])
      | \[\?!(?P<unless>[^.\[\]{}]+)\]
      | (?P<parse>\{\})""",
    re.VERBOSE,
)


def find(body: Json, path: str) -> list[Json]:
    """Every value at `path`, in order, nulls left out. An empty path finds nothing.

    >>> find({"images": [{"url": "a"}, {"url": None}, {"url": "b"}]}, "images[*].url")
    ['a', 'b']
    """
    return [value for value in places(body, path) if value is not None]


def places(body: Json, path: str) -> list[Json]:
    """The same with the nulls, so that what is at two paths can be told to belong together.

    >>> places({"images": [{"url": "a"}, {"url": None}, {}]}, "images[*].url")
    ['a', None, None]
    """
    if not path:
        return []
    values = [body]
    for step in steps(path):
        values = [after for value in values for after in _take(value, step)]
    return values


def first(body: Json, path: str) -> Json:
    """The first value at `path`, None if there is none."""
    return next(iter(find(body, path)), None)


@lru_cache(maxsize=1024)
def steps(path: str) -> tuple[Step, ...]:
    """The steps of a path. Raises `ValueError` where it is not one."""
    found: list[Step] = []
    at = 0
    while at < len(path):
        dotted = bool(found) and path[at] == "."
        match = _TOKEN.match(path, at + dotted)
        if match is None or match.lastgroup is None:
            raise ValueError(f"{path!r} is not a path: cannot read it from {path[at:]!r} on")
        if dotted != (match.lastgroup == "name" and bool(found)):
            raise ValueError(f"{path!r} is not a path: a dot belongs before a name, and only there")
        found.append(_step(match))
        at = match.end()
    return tuple(found)


def _step(match: re.Match[str]) -> Step:
    groups = match.groupdict()
    if groups["name"] is not None:
        return Step("name", groups["name"])
    if groups["item"] is not None:
        return Step("item", groups["item"])
    if groups["unless"] is not None:
        return Step("unless", groups["unless"])
    return Step("every") if groups["every"] else Step("parse")


def _take(value: Json, step: Step) -> Iterator[Json]:
    match step.kind, value:
        case "name", dict():
            yield value.get(step.name)
        case "item", list():
            yield from value[int(step.name) : int(step.name) + 1]
        case "every", list():
            yield from value
        case "unless", list():
            yield from (item for item in value if not (isinstance(item, dict) and item.get(step.name)))
        case "parse", str():
            yield _parsed(value)


def _parsed(text: str) -> Json:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value
