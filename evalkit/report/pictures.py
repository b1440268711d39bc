"""Thumbnails for the report, as data URIs: made from the stored pictures, which are never changed."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image, ImageChops, ImageFilter

from evalkit.errors import EvalkitError
from evalkit.images import ImageProblem, to_pil

LONG_SIDE = 320
QUALITY = 80


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG as a data URI, or, where there is none, the reason why."""

    uri: str | None
    width: int = 0
    height: int = 0
    problem: str = ""

    @property
    def size(self) -> int:
        """Bytes it adds to the page."""
        return len(self.uri or "")


def thumbnail(read: Callable[[str], bytes], picture: str | None, mask: str | None = None) -> Thumbnail:
    """The stored picture at no more than 320 px, with the outline of the mask where one is given."""
    if picture is None:
        return Thumbnail(None, problem="no picture")
    try:
        image = to_pil(read(picture))
    except (EvalkitError, OSError, KeyError) as problem:
        return Thumbnail(None, problem=_why(problem))
    image.thumbnail((LONG_SIDE, LONG_SIDE), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if mask is not None:
        image = _outlined(image, read, mask)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, optimize=True)
    code = base64.b64encode(out.getvalue()).decode("ascii")
    return Thumbnail(f"data:image/jpeg;base64,{code}", image.width, image.height)


def _why(problem: Exception) -> str:
    if isinstance(problem, ImageProblem):
        return problem.reason.replace("_", " ")
    return "picture not in the store"


def _outlined(image: Image.Image, read: Callable[[str], bytes], mask: str) -> Image.Image:
    """White line with a dark one around it: visible on any picture."""
    try:
        region = to_pil(read(mask)).convert("L").resize(image.size, Image.Resampling.BILINEAR)
    except (EvalkitError, OSError, KeyError):
        return image
    inside = region.point(lambda value: 255 if value >= 128 else 0)
    edge = ImageChops.difference(inside.filter(ImageFilter.MaxFilter(5)), inside)
    halo = edge.filter(ImageFilter.MaxFilter(5))
    dark = Image.composite(Image.new("RGB", image.size, (25, 25, 25)), image, halo)
    return Image.composite(Image.new("RGB", image.size, (255, 255, 255)), dark, edge)
