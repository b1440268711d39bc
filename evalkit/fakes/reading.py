"""What a request asks for, read back through the body template that it was made from.

The inverse of `evalkit.remote.body`, as far as a fake needs it: prompt, number, shape, format, seed, source.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from evalkit.fakes.face import Invalid
from evalkit.fakes.inputs import format_of, picture, pixels, prompt_of, ratio_size, seed_of, whole
from evalkit.fakes.messages import Asked
from evalkit.fakes.pictures import size_of
from evalkit.fakes.state import Work, World
from evalkit.remote.spec import Model, Spec
from evalkit.types import Json

_FIELD = re.compile(r"\$([a-z_][A-Za-z0-9_]*)(?:\[[0-9]\])?")
_SOURCES = ("images", "image", "images_base64", "@files")

Fields = dict[str, Any]
"""Values by what stood in the template: `prompt`, `n`, ..., and `@files` and the like."""


def read_work(
    world: World, spec: Spec, asked: Asked, rows: Iterable[Model], model: str
) -> tuple[Model, Work]:
    """The row that fits best, and what is asked of it. `model` is the one in the path, if any.

    Raises `Invalid` for what the row cannot have, `ValueError` for a body that cannot be read.
    """
    read = [(row, _fields(spec, asked, row)) for row in rows]
    row, fields = max(read, key=lambda pair: _fit(pair[0], pair[1], model))
    source = _source(world, row, fields)
    width, height = _size(fields, source)
    work = Work(
        model=str(model or fields.get("model") or row.id),
        prompt=prompt_of(fields.get("prompt")),
        n=whole(fields.get("n"), "n", 1, row.max_n),
        seed=seed_of(fields.get("seed")),
        width=width,
        height=height,
        format=format_of(fields.get("output_format")),
        source=source,
    )
    return row, work


def _fit(row: Model, fields: Fields, model: str) -> tuple[bool, bool, bool]:
    named = row.id == (model or fields.get("model") or row.id)
    edits = any(fields.get(name) for name in _SOURCES)
    return "prompt" in fields, named, (row.task == "edit") == edits


def _fields(spec: Spec, asked: Asked, row: Model) -> Fields:
    sending = spec.sending(row)
    sent: Json = dict(_form(asked, sending.body)) if sending.multipart else asked.json()
    found: Fields = {}
    for name, value in _walk(dict(sending.body), sent):
        found.setdefault(name, value)
    for key, part in sending.body.items():
        if sending.multipart and isinstance(part, str) and part.startswith("@"):
            found[part] = list(asked.form.files.get(key, ()))
    return found


def _form(asked: Asked, template: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    for key, text in asked.form.fields.items():
        yield key, json.loads(text) if isinstance(template.get(key), dict) else text


def _walk(template: Json, sent: Json) -> Iterator[tuple[str, Any]]:
    """Every value of a request whose place in the template has a name."""
    match template, sent:
        case "@gemini_parts", list():
            yield from _parts(sent)
        case str(), _:
            if found := _FIELD.fullmatch(template):
                yield found[1], sent
            elif template.startswith("@"):
                yield template, sent
        case list(), list():
            for part, value in zip(template, sent, strict=False):
                yield from _walk(part, value)
        case dict(), dict():
            for key, part in template.items():
                if key in sent:
                    yield from _walk(part, sent[key])


def _parts(parts: list[Json]) -> Iterator[tuple[str, Any]]:
    for part in parts:
        match part:
            case {"text": text}:
                yield "prompt", text
            case {"inlineData": {"data": data}}:
                yield "image", data


def _source(world: World, row: Model, fields: Fields) -> bytes:
    given = next((fields[name] for name in _SOURCES if fields.get(name)), None)
    first = given[0] if isinstance(given, list) else given
    if first is None:
        if row.images[0]:
            raise Invalid("a source picture is required")
        return b""
    return picture(world, first)


def _size(fields: Fields, source: bytes) -> tuple[int, int]:
    if fields.get("width") and fields.get("height"):
        return int(fields["width"]), int(fields["height"])
    size = fields.get("size") or fields.get("@size")
    if size:
        return pixels(str(size), size_of(source) or (1024, 1024))
    return ratio_size(str(fields.get("aspect_ratio") or ""), source)
