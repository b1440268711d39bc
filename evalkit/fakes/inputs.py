"""Reading what requests bring along: source pictures, sizes, numbers.

The fakes fetch nothing: a source may be a data URI, bare base64, or a URL of a picture that was uploaded to
(or made by) this very server.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any
from urllib.parse import urlsplit

from evalkit.fakes.face import Invalid
from evalkit.fakes.pictures import Format, size_of
from evalkit.fakes.state import World

RATIO_SIZES = {
    "1:1": (1024, 1024),
    "5:4": (1120, 896),
    "4:3": (1152, 864),
    "3:2": (1248, 832),
    "16:9": (1360, 768),
    "21:9": (1536, 658),
    "4:5": (896, 1120),
    "3:4": (864, 1152),
    "2:3": (832, 1248),
    "9:16": (768, 1360),
}
FORMATS: dict[str, Format] = {"png": "png", "jpeg": "jpeg", "jpg": "jpeg", "webp": "webp"}


class NotThere(Exception):
    """A URL that nobody here can fetch."""


def source_bytes(world: World, value: Any) -> bytes:
    """The bytes behind a data URI, base64 or one of our URLs. Raises `NotThere` or `ValueError`."""
    text = str(value)
    if text.startswith(("http://", "https://")):
        return _ours(world, urlsplit(text).path)
    if text.startswith("data:"):
        head, _, text = text.partition(",")
        if not head.endswith(";base64"):
            raise ValueError("a data URI has to be base64")
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError(f"broken base64: {error}") from error


def _ours(world: World, path: str) -> bytes:
    _, _, name = path.partition("/uploads/")
    if name in world.uploads:
        return world.uploads[name]
    parts = path.strip("/").split("/")
    job = world.jobs.get(parts[1]) if len(parts) == 3 and parts[0] == "files" else None
    if job is None:
        raise NotThere(path)
    return job.picture(int(parts[2].partition(".")[0]))


def picture(world: World, value: Any, status: int = 400, what: str = "image") -> bytes:
    """A source picture that decodes. Raises `Invalid` with `status`."""
    try:
        data = value if isinstance(value, bytes) else source_bytes(world, value)
    except NotThere as error:
        raise Invalid(f"{what}: cannot fetch {error}", status, type="file_download_error") from error
    except ValueError as error:
        raise Invalid(f"{what}: {error}", status, type="image_load_error") from error
    if size_of(data) is None:
        raise Invalid(f"{what}: this is not a picture that can be read", status, type="image_load_error")
    return data


def mask_for(world: World, value: Any, source: bytes, status: int = 400) -> bytes:
    """A mask that decodes and has the size of its source. Raises `Invalid`."""
    data = picture(world, value, status, "mask")
    if size_of(data) != size_of(source):
        raise Invalid("the mask has to have the size of the image", status, type="mask_size")
    return data


def whole(value: Any, name: str, low: int, high: int, default: int = 1) -> int:
    """An integer in a range. Raises `Invalid`."""
    if value is None or value == "":
        return default
    try:
        number = int(value)
    except (TypeError, ValueError) as error:
        raise Invalid(f"{name} has to be an integer", type="int_parsing") from error
    if not low <= number <= high:
        raise Invalid(f"{name} has to be from {low} to {high}", type="less_than_equal")
    return number


def seed_of(value: Any) -> int | None:
    """A seed if one was given; -1 asks for a random one by custom."""
    return None if value in (None, "", -1, "-1") else int(value)


def prompt_of(value: Any, status: int = 400) -> str:
    """A prompt that is there. Raises `Invalid`."""
    if not isinstance(value, str) or not value.strip():
        raise Invalid("prompt is required", status, type="missing")
    return value


def format_of(value: Any, default: Format = "png") -> Format:
    """An output format. Raises `Invalid`."""
    if value in (None, ""):
        return default
    if str(value) not in FORMATS:
        raise Invalid(f"output_format has to be one of {', '.join(FORMATS)}", type="one_of")
    return FORMATS[str(value)]


def ratio_size(ratio: str, source: bytes = b"", default: str = "1:1") -> tuple[int, int]:
    """The pixels of an aspect ratio of about a megapixel; `auto` and empty follow the source."""
    if ratio in ("", "auto", "match_input_image"):
        size = size_of(source) if source else None
        return size or RATIO_SIZES[default]
    return RATIO_SIZES.get(ratio) or _about_a_megapixel(ratio)


def _about_a_megapixel(ratio: str) -> tuple[int, int]:
    across, _, down = ratio.replace("x", ":").partition(":")
    if not (across.isdigit() and down.isdigit() and 0.25 <= int(across) / max(int(down), 1) <= 4):
        raise Invalid(f"aspect_ratio {ratio!r} is not supported", type="one_of")
    unit = 1024 / (int(across) * int(down)) ** 0.5
    return round(int(across) * unit / 16) * 16, round(int(down) * unit / 16) * 16


def pixels(text: str, default: tuple[int, int] = (1024, 1024)) -> tuple[int, int]:
    """`1024x768` as numbers; `auto` and empty give the default."""
    if text in ("", "auto"):
        return default
    width, _, height = text.partition("x")
    if not (width.isdigit() and height.isdigit()):
        raise Invalid(f"size {text!r} is not WxH", type="invalid_value")
    return int(width), int(height)


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()
