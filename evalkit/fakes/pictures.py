"""Pictures out of nothing: flat shapes and the prompt's words, the same bytes for the same request.

Everything about a picture follows from sha256(prompt, seed, index), so tests need no fixtures and a
rehearsal has something to look at. An edit shows its source with a caption. Also the broken pictures that
`dl:` faults ask for.
"""

from __future__ import annotations

import colorsys
import hashlib
import io
import struct
import textwrap
import zlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from PIL import Image, ImageDraw, ImageFont

from evalkit.errors import InvalidInput
from evalkit.images import read_header, to_pil

Format = Literal["png", "jpeg", "webp"]
Colour = int | tuple[int, int, int]
"""A place in a palette, or red, green and blue."""
MEDIA_TYPE = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp"}
EXTENSION = {"png": "png", "jpeg": "jpg", "webp": "webp"}
SPOILED = frozenset({"truncate_ok", "empty", "html", "bomb", "webp"})
"""Faults that change the bytes themselves, wherever they travel."""

_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a picture is made from; `blank` is what a filter leaves of it."""

    prompt: str
    seed: int | None = None
    index: int = 0
    width: int = 1024
    height: int = 1024
    format: Format = "png"
    source: bytes = b""
    blank: bool = False


@lru_cache(maxsize=512)
def draw(drawing: Drawing) -> bytes:
    """The encoded picture."""
    digest = hashlib.sha256(f"{drawing.prompt}\0{drawing.seed}\0{drawing.index}".encode()).digest()
    if drawing.blank:
        image = Image.new("P", (drawing.width, drawing.height), 0)
        image.putpalette([0, 0, 0])
    elif drawing.source:
        image = _edited(drawing, digest)
    else:
        image = _invented(drawing, digest)
    return encode(image, drawing.format)


def encode(image: Image.Image, form: Format) -> bytes:
    """PNG keeps a palette; the others get RGB."""
    out = io.BytesIO()
    if form == "png":
        image.save(out, "PNG", compress_level=1)
    else:
        image.convert("RGB").save(out, form.upper(), quality=85)
    return out.getvalue()


def _invented(drawing: Drawing, digest: bytes) -> Image.Image:
    image = Image.new("P", (drawing.width, drawing.height), 0)
    image.putpalette([channel for colour in _palette(digest) for channel in colour])
    pen = ImageDraw.Draw(image)
    pen.fontmode = "1"
    for number in range(4):
        a, b, c = digest[3 + number * 3 : 6 + number * 3]
        x, y = drawing.width * a / 255, drawing.height * b / 255
        radius = min(drawing.width, drawing.height) * (0.12 + 0.25 * c / 255)
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=1 + number)
    _caption(pen, drawing, ink=7, paper=6)
    return image


def _edited(drawing: Drawing, digest: bytes) -> Image.Image:
    image = to_pil(drawing.source).resize((drawing.width, drawing.height))
    pen = ImageDraw.Draw(image)
    colours = _palette(digest)
    _caption(pen, drawing, ink=colours[7], paper=colours[6])
    return image


def _palette(digest: bytes) -> list[tuple[int, int, int]]:
    """A background, four accents of neighbouring hues, a spare, and paper and ink for the caption."""
    hue = digest[0] / 255
    tones = [(hue, 0.25, 0.95)]
    tones += [((hue + 0.08 + 0.11 * step) % 1, 0.55, 0.88) for step in range(4)]
    tones += [(hue, 0.1, 1.0), (hue, 0.08, 0.99), (hue, 0.6, 0.25)]
    return [_rgb(tone) for tone in tones]


def _rgb(tone: tuple[float, float, float]) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(*tone)
    return round(red * 255), round(green * 255), round(blue * 255)


def _caption(pen: ImageDraw.ImageDraw, drawing: Drawing, *, ink: Colour, paper: Colour) -> None:
    """The prompt in a band near the bottom, at most four lines; nothing on a thumbnail."""
    size = max(min(drawing.width, drawing.height) // 22, 1)
    if size < 9:
        return
    columns = max(int(drawing.width * 0.8 / (size * 0.52)), 8)
    lines = textwrap.wrap(drawing.prompt, columns)[:4] or ["(no prompt)"]
    top = drawing.height - size * 1.35 * (len(lines) + 1.4)
    left, right = drawing.width * 0.07, drawing.width * 0.93
    pen.rectangle((left, top, right, drawing.height - size), fill=paper)
    for number, line in enumerate(lines):
        pen.text((left + size, top + size * (0.6 + 1.35 * number)), line, fill=ink, font=_font(size))


@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def spoil(data: bytes, fault: str) -> bytes:
    """What is left of a picture after one of `SPOILED`; other faults leave it alone."""
    match fault:
        case "truncate_ok":
            return data[: len(data) // 2]
        case "empty":
            return b""
        case "html":
            return b"<!DOCTYPE html><html><body>Just a moment...</body></html>"
        case "bomb":
            return bomb()
        case "webp":
            return encode(to_pil(data), "webp")
        case _:
            return data


def bomb(side: int = 60_000) -> bytes:
    """A PNG that says it is huge and holds next to nothing."""
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return _PNG + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b"\0" * 64)) + _chunk(b"IEND", b"")


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


@lru_cache(maxsize=256)
def size_of(data: bytes) -> tuple[int, int] | None:
    """Width and height of a picture that decodes completely, None of anything else."""
    try:
        header = read_header(data)
        to_pil(data)
    except InvalidInput:
        return None
    return header.width, header.height
