"""What a system's parameters say about the file that should come: size, shape and format.

Providers call the same thing by different names; those that are understood are listed here. It reads
`Subject.asked` and knows no provider.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_FORMATS = {"png": "png", "jpg": "jpeg", "jpeg": "jpeg", "webp": "webp", "avif": "avif", "gif": "gif"}
_SIZE = re.compile(r"(\d{2,5})\s*[x×*]\s*(\d{2,5})", re.IGNORECASE)
_RATIO = re.compile(r"(\d{1,4}(?:\.\d+)?)\s*[:/]\s*(\d{1,4}(?:\.\d+)?)")


def asked_size(asked: Mapping[str, str]) -> tuple[int, int] | None:
    """Width and height in pixels, from `size`, `image_size` or `resolution` ("1024x1536"), or both sides."""
    for name in ("size", "image_size", "resolution"):
        found = _SIZE.fullmatch(asked.get(name, "").strip())
        if found:
            return int(found[1]), int(found[2])
    width, height = asked.get("width", ""), asked.get("height", "")
    return (int(width), int(height)) if width.isdecimal() and height.isdecimal() else None


def asked_aspect(asked: Mapping[str, str]) -> tuple[float, float] | None:
    """Width to height ("3:2"), from `aspect_ratio`."""
    found = _RATIO.fullmatch(asked.get("aspect_ratio", "").strip())
    if not found or not float(found[2]) or not float(found[1]):
        return None
    return float(found[1]), float(found[2])


def asked_format(asked: Mapping[str, str]) -> str | None:
    """`png`, `jpeg`, `webp`, ... from `output_format`, `format` or `response_mime_type`."""
    for name in ("output_format", "format", "image_format", "response_mime_type"):
        word = asked.get(name, "").strip().lower().removeprefix("image/")
        if word in _FORMATS:
            return _FORMATS[word]
    return None
