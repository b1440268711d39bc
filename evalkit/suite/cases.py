"""A `Case` as JSON and back, exactly; used by suites and plans alike.

Keys that hold their default are left out, so the text of a case is as short as a person would write it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from evalkit.errors import InvalidInput
from evalkit.suite.fields import read_case
from evalkit.types import Case, Json, Mask, Shape

_DEFAULTS: dict[str, Any] = {field.name: field.default for field in fields(Case)}


def case_to_json(case: Case) -> dict[str, Json]:
    """The object that stands for `case` in `cases.jsonl`.

    >>> case_to_json(Case("mug", "a red mug"))
    {'id': 'mug', 'prompt': 'a red mug'}
    """
    given = {name: getattr(case, name) for name in _DEFAULTS}
    return {name: _plain(value) for name, value in given.items() if value != _DEFAULTS[name]}


def case_from_json(raw: Mapping[str, Any]) -> Case:
    """The inverse of `case_to_json`. Raises `InvalidInput` naming every key that is wrong.

    >>> case_from_json({"id": "mug", "prompt": "a red mug"})
    Case(id='mug', prompt='a red mug', ...)
    """
    values, messages = read_case(raw)
    if messages:
        raise InvalidInput(f"case {raw.get('id')!r}: " + "; ".join(messages))
    return Case(**values)


def _plain(value: Any) -> Json:
    match value:
        case Mask():
            return _mask_to_json(value)
        case tuple():
            return [_plain(item) for item in value]
        case Mapping():
            return {str(key): _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
    plain: Json = value
    return plain


def _mask_to_json(mask: Mask) -> Json:
    if mask.file is not None and not mask.shapes and not mask.invert:
        return mask.file
    given: dict[str, Json] = {}
    if mask.shapes:
        given["shapes"] = [_shape_to_json(shape) for shape in mask.shapes]
    if mask.file is not None:
        given["file"] = mask.file
    if mask.invert:
        given["invert"] = True
    return given


def _shape_to_json(shape: Shape) -> dict[str, Json]:
    return {"kind": shape.kind, "points": list(shape.points)}
