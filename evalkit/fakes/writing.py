"""Writing an answer where a description will look: the inverse of `evalkit.remote.paths`.

It knows paths, and the patterns of rules. What is said, and when, is for `mirror` and `endings`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from evalkit.remote.paths import Step, find, steps
from evalkit.types import Json

_GROUP = re.compile(r"\((?:\?:)?([^()|]*)(?:\|[^()]*)?\)[?*+]?")
_SIMPLER: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), text)
    for pattern, text in (
        (r"\\[bBAZ]|(?<!\\)[\^$]", ""),
        (r"\\d", "1"),
        (r"\\w", "a"),
        (r"\\s", " "),
        (r"\[([^\]\^])[^\]]*\]", r"\1"),
        (r"(?<!\\)\.(?=[?*])", "~"),
        (r"(?<!\\)\.", "x"),
        (r"(?:\\.|[^\\])[?*]\??", ""),
        (r"\+|\{[0-9,]+\}", ""),
        (r"\\(.)", r"\1"),
    )
)
"""Pattern by pattern from a regular expression to a text that it may match."""


class Clash(ValueError):
    """Two values would have to be in the same place, or one inside the other."""


def write(body: Json, path: str, values: Sequence[Json]) -> Json:
    """`body` with the values at `path`: where it says `[*]` all of them, otherwise the first.

    Raises `Clash` where something else is in the way. `body` itself is left as it is.

    >>> write(None, "images[*].url", ["a", "b"])
    {'images': [{'url': 'a'}, {'url': 'b'}]}
    """
    return _into(body, steps(path), list(values))


def write_free(body: Json, paths: Iterable[str], values: Sequence[Json]) -> Json:
    """The same at the first of `paths` where nothing is yet and nothing is in the way; else as it was."""
    for path in paths:
        if not path or find(body, path):
            continue
        try:
            return write(body, path, values)
        except Clash:
            continue
    return body


def sample(pattern: str) -> str | None:
    """A text in which `pattern` is found, for patterns as rules have them; None if none comes to mind.

    >>> sample("^content_policy$"), sample("responsible.?ai|nsfw"), sample("cancell?ed")
    ('content_policy', 'responsibleai', 'canceled')
    """
    if not pattern:
        return "x"
    found = (text for text in _guesses(pattern) if text and re.search(pattern, text, re.IGNORECASE))
    return next(found, None)


def _guesses(pattern: str) -> Iterator[str]:
    flat = pattern
    while (shorter := _GROUP.sub(r"\1", flat)) != flat:
        flat = shorter
    for alternative in flat.split("|"):
        text = alternative
        for simpler, instead in _SIMPLER:
            text = simpler.sub(instead, text)
        yield text


def _into(here: Json, rest: Sequence[Step], values: list[Json]) -> Json:
    if not rest:
        return _leaf(here, values)
    step, after = rest[0], rest[1:]
    match step.kind:
        case "name":
            table = _be(here, {})
            return {**table, step.name: _into(table.get(step.name), after, values)}
        case "item":
            return _item(_be(here, []), int(step.name), after, values)
        case "every" | "unless":
            return _every(_be(here, []), after, values)
        case "parse":
            inner = json.loads(_be(here, "")) if here is not None else None
            return json.dumps(_into(inner, after, values))


def _leaf(here: Json, values: list[Json]) -> Json:
    if not values:
        return here
    if here is not None and type(here) is not type(values[0]):
        raise Clash("something else is there")
    return values[0]


def _item(items: list[Json], number: int, after: Sequence[Step], values: list[Json]) -> Json:
    padded = [*items, *[None] * (number + 1 - len(items))]
    padded[number] = _into(padded[number], after, values)
    return padded


def _every(items: list[Json], after: Sequence[Step], values: list[Json]) -> Json:
    """One item per value; those that are there already get it added."""
    padded = [*items, *[None] * (len(values) - len(items))]
    return [_into(item, after, values[n : n + 1]) for n, item in enumerate(padded)]


def _be(here: Json, kind: Any) -> Any:
    if here is None:
        return kind
    if type(here) is not type(kind):
        raise Clash(f"{type(here).__name__} where {type(kind).__name__} is wanted")
    return here
