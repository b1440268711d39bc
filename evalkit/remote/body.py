"""Body templates: a request in a provider's own words.

A template is JSON in which `"$name"` stands for a field of the order; a key whose field is absent goes away,
and so does a table that held nothing else. `"*" = "$params"` takes the parameters that no other key has
taken, `"@hook"` is one of the few values that take a little code, and `"$$x"` is the plain text `$x`.
How pictures become URLs and how the body travels is for the transport and the uploads.
"""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from PIL import Image

from evalkit.remote.spec import Order, Submit
from evalkit.types import ImageInput, Json

File = tuple[str, bytes, str]

FIELDS: tuple[str, ...] = (
    "model",
    "prompt",
    "negative_prompt",
    "n",
    "aspect_ratio",
    "width",
    "height",
    "size",
    "seed",
    "output_format",
    "image",
    "images",
    "images_base64",
    "mask",
    "mask_base64",
    "webhook",
    "webhook_secret",
    "trial",
)
"""What `$name` can stand for besides the parameters of a model's row."""

_FIELD = re.compile(r"\$([a-z_][A-Za-z0-9_]*)(?:\[([0-9])\])?")
_SIGNATURES = ((b"\x89PNG", "png"), (b"\xff\xd8\xff", "jpeg"), (b"RIFF", "webp"), (b"GIF8", "gif"))


@dataclass(frozen=True, slots=True)
class Filled:
    """A body: `json`, or a form's `fields` (name, text) and `files` (name, (file name, bytes, type))."""

    json: Json = None
    fields: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, File], ...] = ()


def fill(
    submit: Submit,
    order: Order,
    image_urls: Sequence[str],
    mask_url: str = "",
    webhook: str = "",
    webhook_secret: str = "",
) -> Filled:
    """The body of one request.

    `image_urls` are data URIs or uploaded URLs in the order of `order.images`, `mask_url` likewise. Raises
    `ValueError` for a template that the catalogue would have refused.
    """
    values = _values(order, image_urls, mask_url)
    hook = {"webhook": webhook, "webhook_secret": webhook_secret}
    values |= {name: value for name, value in hook.items() if value}
    if submit.multipart:
        return _form(submit.body, order, values)
    return Filled(json=_table(submit.body, order, values, set(names(submit.body))))


def data_uri(image: ImageInput) -> str:
    """The picture's bytes as they are, as a `data:` URI."""
    return f"data:{media_type(image.data)};base64,{_base64(image)}"


def media_type(data: bytes) -> str:
    """`image/png`, `image/jpeg`, ... by the first bytes; `application/octet-stream` for anything else."""
    known = (name for start, name in _SIGNATURES if data.startswith(start))
    return f"image/{name}" if (name := next(known, "")) else "application/octet-stream"


def names(template: Json | Mapping[str, Json]) -> Iterator[str]:
    """Every `$name` of a template, `params` of `"*" = "$params"` among them."""
    match template:
        case str():
            if found := _FIELD.fullmatch(template):
                yield found[1]
        case list():
            for item in template:
                yield from names(item)
        case Mapping():
            for item in template.values():
                yield from names(item)


def _values(order: Order, image_urls: Sequence[str], mask_url: str) -> dict[str, Json]:
    fields: dict[str, Json] = {
        "model": order.model_id,
        "prompt": order.prompt,
        "n": order.n,
        "aspect_ratio": order.aspect_ratio,
        "width": order.width,
        "height": order.height,
        "size": _size(order),
        "seed": order.seed,
        "output_format": order.output_format,
        "image": image_urls[0] if image_urls else None,
        "images": list(image_urls),
        "images_base64": [_base64(image) for image in order.images],
        "mask": mask_url,
        "mask_base64": _base64(order.mask) if order.mask else None,
        "trial": order.trial,
    }
    return {**order.params, **{name: value for name, value in fields.items() if not _absent(value)}}


def _absent(value: Json) -> bool:
    return value is None or value == "" or value == [] or value == {}


def _table(
    template: Mapping[str, Json], order: Order, values: Mapping[str, Json], taken: set[str]
) -> dict[str, Json]:
    filled: dict[str, Json] = {}
    for key, part in template.items():
        if key == "*":
            rest = {name: value for name, value in order.params.items() if name not in taken}
            filled.update({name: value for name, value in rest.items() if not _absent(value)})
        elif (value := _value(part, order, values, taken)) is not None:
            filled[key] = value
    return filled


def _value(part: Json, order: Order, values: Mapping[str, Json], taken: set[str]) -> Json:
    """What a part of a template becomes; None if it goes away."""
    match part:
        case str():
            return _word(part, order, values)
        case list():
            items = [_value(item, order, values, taken) for item in part]
            return _unless_emptied(part, [item for item in items if item is not None])
        case dict():
            return _unless_emptied(part, _table(part, order, values, taken))
        case _:
            return part


def _unless_emptied(template: Json, filled: Json) -> Json:
    return None if template and not filled else filled


def _word(text: str, order: Order, values: Mapping[str, Json]) -> Json:
    if text.startswith("$$"):
        return text[1:]
    if text.startswith("@"):
        return _hook(text, order)
    if found := _FIELD.fullmatch(text):
        return _field(values.get(found[1]), found[2])
    return text


def _field(value: Json, index: str | None) -> Json:
    if index is not None:
        items = value if isinstance(value, list) else []
        value = items[int(index)] if int(index) < len(items) else None
    return None if _absent(value) else value


def _hook(name: str, order: Order) -> Json:
    hook = VALUE_HOOKS.get(name)
    if hook is None:
        raise ValueError(f"{name} is not a value that a JSON body can hold")
    return hook(order)


def _size(order: Order) -> str | None:
    return f"{order.width}x{order.height}" if order.width and order.height else None


def _gemini_parts(order: Order) -> Json:
    pictures: list[Json] = [
        {"inlineData": {"mimeType": media_type(image.data), "data": _base64(image)}} for image in order.images
    ]
    return [{"text": order.prompt}, *pictures]


def _chat_parts(order: Order) -> Json:
    detail = order.params.get("detail")
    asked: dict[str, Json] = {"detail": detail} if detail else {}
    pictures: list[Json] = [
        {"type": "image_url", "image_url": {"url": data_uri(image), **asked}} for image in order.images
    ]
    return [{"type": "text", "text": order.prompt}, *pictures]


def _base64(image: ImageInput) -> str:
    return base64.b64encode(image.data).decode("ascii")


def _form(template: Mapping[str, Json], order: Order, values: Mapping[str, Json]) -> Filled:
    files: list[tuple[str, File]] = []
    rest: dict[str, Json] = {}
    for key, part in template.items():
        if isinstance(part, str) and part in FILE_HOOKS:
            files += [(key, file) for file in FILE_HOOKS[part](order)]
        else:
            rest[key] = part
    table = _table(rest, order, values, set(names(template)))
    fields = [(key, text) for key, value in table.items() for text in _texts(value)]
    return Filled(fields=tuple(fields), files=tuple(files))


def _texts(value: Json) -> list[str]:
    """A form knows only texts: a list becomes one field per item, a table JSON."""
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)]


def _source_files(order: Order) -> list[File]:
    return [_file(f"source-{number}", image.data) for number, image in enumerate(order.images, 1)]


def _mask_file(order: Order) -> list[File]:
    return [_file("mask", order.mask.data)] if order.mask else []


def _mask_alpha_file(order: Order) -> list[File]:
    if order.mask is None:
        return []
    with Image.open(io.BytesIO(order.mask.data)) as mask:
        keep = mask.convert("L").point([255 - level for level in range(256)])
    picture = Image.merge("RGBA", (keep, keep, keep, keep))
    held = io.BytesIO()
    picture.save(held, "PNG")
    return [_file("mask", held.getvalue())]


def _file(stem: str, data: bytes) -> File:
    kind = media_type(data)
    return (f"{stem}.{kind.removeprefix('image/')}", data, kind)


VALUE_HOOKS: Mapping[str, Callable[[Order], Json]] = {
    "@size": _size,
    "@gemini_parts": _gemini_parts,
    "@chat_parts": _chat_parts,
}
"""`@size` is `WxH`; `@gemini_parts` and `@chat_parts` are the text and then the pictures, as Google wants
them, and as messages of chat completions hold them."""

FILE_HOOKS: Mapping[str, Callable[[Order], list[File]]] = {
    "@files": _source_files,
    "@mask_file": _mask_file,
    "@mask_alpha_file": _mask_alpha_file,
}
"""Only for forms, and only at the top. In `@mask_file` white may change; in `@mask_alpha_file` what may
change is transparent, as OpenAI wants it."""
