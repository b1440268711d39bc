"""What each key of a case may hold: JSON value in, typed value or a sentence about what is wrong out.

This module knows single keys only. What keys mean together is in `rules`, what files they name in `sources`
and `masks`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from evalkit.types import ASPECT_RATIOS, EDIT_TYPES, TASKS, Json, Mask, Shape

NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
NAME_RULE = "must be lower-case letters, digits, '.', '_' or '-', and start with a letter or digit"


class Unfit(ValueError):
    """A value that a key cannot hold; the text continues the sentence '"key" ...'."""


Reader = Callable[[Any], Any]


def read_fields(raw: Mapping[str, Any], readers: Mapping[str, Reader]) -> tuple[dict[str, Any], list[str]]:
    """The values that could be read, and a sentence for each key that could not."""
    values: dict[str, Any] = {}
    messages: list[str] = []
    for key, value in raw.items():
        reader = readers.get(key)
        if reader is None:
            messages.append(f'unknown key "{key}"' + did_you_mean(key, readers))
            continue
        try:
            values[key] = reader(value)
        except Unfit as unfit:
            messages.append(f'"{key}" {unfit}')
    return values, messages


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """`; did you mean "..."?`, or the whole choice where nothing is near."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f'; did you mean "{near[0]}"?' if near else f"; known are {', '.join(names)}"


def read_text(value: Any) -> str:
    """A string with something in it."""
    if not isinstance(value, str):
        raise Unfit(f"must be a string, not {_kind(value)}")
    if not value.strip():
        raise Unfit("must not be empty")
    return value


def read_name(value: Any) -> str:
    """A string that is safe in file names and on command lines."""
    text = read_text(value)
    if not NAME.fullmatch(text):
        raise Unfit(f"is {text!r}: it {NAME_RULE}")
    return text


def one_of(options: Sequence[str]) -> Reader:
    """A reader of one of `options`."""

    def read(value: Any) -> str:
        text = read_text(value)
        if text not in options:
            raise Unfit(f"is {text!r}" + did_you_mean(text, options))
        return text

    return read


def read_texts(value: Any) -> tuple[str, ...]:
    """A list of strings, none of them empty."""
    if not isinstance(value, list):
        raise Unfit(f"must be a list of strings, not {_kind(value)}")
    for index, item in enumerate(value):
        try:
            read_text(item)
        except Unfit as unfit:
            raise Unfit(f"item {index + 1} {unfit}") from None
    return tuple(value)


def read_checks(value: Any) -> tuple[Mapping[str, Json], ...]:
    """A list of objects, each with a string `kind`."""
    if not isinstance(value, list):
        raise Unfit(f"must be a list of objects, not {_kind(value)}")
    for index, item in enumerate(value):
        if not isinstance(item, dict):
            raise Unfit(f"item {index + 1} must be an object, not {_kind(item)}")
        if not isinstance(item.get("kind"), str) or not item["kind"].strip():
            raise Unfit(f'item {index + 1} must have a "kind" (a string)')
    return tuple(value)


def read_mask(value: Any) -> Mask:
    """A file name, or an object with `shapes` or `file`, and optionally `invert`."""
    if isinstance(value, str):
        return Mask(file=read_text(value))
    if not isinstance(value, dict):
        raise Unfit(f"must be a file name or an object, not {_kind(value)}")
    values = _parts(value, {"shapes": _read_shapes, "file": read_text, "invert": read_bool})
    if ("shapes" in values) == ("file" in values):
        raise Unfit('must have either "shapes" or "file"')
    return Mask(**values)


def _read_shapes(value: Any) -> tuple[Shape, ...]:
    if not isinstance(value, list) or not value:
        raise Unfit("must be a list of at least one shape")
    return tuple(_read_shape(index, shape) for index, shape in enumerate(value))


def _read_shape(index: int, value: Any) -> Shape:
    try:
        if not isinstance(value, dict):
            raise Unfit(f"must be an object, not {_kind(value)}")
        values = _parts(value, {"kind": one_of(("rect", "ellipse", "polygon")), "points": _read_points})
        for key in ("kind", "points"):
            if key not in values:
                raise Unfit(f'needs "{key}"')
        shape = Shape(**values)
        _require_area(shape)
    except Unfit as unfit:
        raise Unfit(f"shape {index + 1} {unfit}") from None
    return shape


def _read_points(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise Unfit(f"must be a list of numbers, not {_kind(value)}")
    for number in value:
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise Unfit(f"must hold numbers only, not {_kind(number)}")
        if not 0 <= number <= 1:
            raise Unfit(f"must lie from 0 to 1 (parts of the picture's width and height); {number} does not")
    return tuple(float(number) for number in value)


def _require_area(shape: Shape) -> None:
    points = shape.points
    if shape.kind == "polygon":
        if len(points) < 6 or len(points) % 2:
            raise Unfit("is a polygon: it needs x, y pairs for at least three corners")
        if abs(_signed_area(points)) < 1e-9:
            raise Unfit("encloses no area; list its corners in order around the outline")
        return
    if len(points) != 4:
        raise Unfit(f"is a {shape.kind}: it needs exactly x0, y0, x1, y1")
    x0, y0, x1, y1 = points
    if x0 >= x1 or y0 >= y1:
        raise Unfit("has no area: x0 must be less than x1, and y0 less than y1")


def _signed_area(points: tuple[float, ...]) -> float:
    """The shoelace formula."""
    corners = list(zip(points[::2], points[1::2], strict=True))
    following = [*corners[1:], corners[0]]
    return 0.5 * sum(x0 * y1 - x1 * y0 for (x0, y0), (x1, y1) in zip(corners, following, strict=True))


def _parts(value: Mapping[str, Any], readers: Mapping[str, Reader]) -> dict[str, Any]:
    values, messages = read_fields(value, readers)
    if messages:
        raise Unfit("is wrong inside: " + "; ".join(messages))
    return values


def read_bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Unfit(f"must be true or false, not {_kind(value)}")
    return value


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}
    if value is None:
        return "null (leave the key out instead)"
    return names.get(type(value), "a number")


CASE_READERS: Mapping[str, Reader] = {
    "id": read_name,
    "prompt": read_text,
    "task": one_of(TASKS),
    "aspect_ratio": one_of(ASPECT_RATIOS),
    "tags": read_texts,
    "cluster": read_text,
    "source": read_text,
    "mask": read_mask,
    "source_caption": read_text,
    "target_caption": read_text,
    "edit_type": one_of(EDIT_TYPES),
    "keep": read_texts,
    "expected_text": read_texts,
    "checks": read_checks,
}


def read_case(raw: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The keyword arguments of a `Case` and every sentence about keys that are wrong or missing."""
    values, messages = read_fields(raw, CASE_READERS)
    messages += [f'"{key}" is missing' for key in ("id", "prompt") if key not in raw]
    return values, messages
