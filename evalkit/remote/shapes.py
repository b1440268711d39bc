"""How an aspect ratio is put to a model: as a word, as one of its sizes, or as width and height.

A shape that a model cannot make is an error, or the nearest one it can, with a note. `auto` is never chosen:
every model would choose differently, and then the shape is compared and not the picture.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache

from evalkit.errors import UsageError
from evalkit.remote.spec import Model, Pixels

COMMON: tuple[str, ...] = (
    "1:1",
    "5:4",
    "4:5",
    "4:3",
    "3:4",
    "3:2",
    "2:3",
    "16:9",
    "9:16",
    "2:1",
    "1:2",
    "21:9",
    "9:21",
)
"""What a model that takes any width and height is offered when it cannot make what was asked."""

TOLERANCE = 0.02
"""A computed size may miss its ratio by so much: 1360 x 768 for 16:9 misses it by 0.004."""

_RATIO = re.compile(r"([1-9][0-9]{0,4}):([1-9][0-9]{0,4})")
_SIZE = re.compile(r"([1-9][0-9]{0,4})x([1-9][0-9]{0,4})")


@dataclass(frozen=True, slots=True)
class Shape:
    """What is sent. Empty and None where the model decides. `note` says what was changed, if anything."""

    aspect_ratio: str
    size: str = ""
    width: int | None = None
    height: int | None = None
    note: str = ""


def fit(model: Model, aspect_ratio: str, *, degrade: bool) -> Shape:
    """The shape to ask `model` for. With `degrade` the nearest one it can make, if it cannot make this one.

    Raises `UsageError` where it cannot be made, and for something that is not a ratio, `auto` included.
    """
    wanted = ratio_of(aspect_ratio)
    if wanted is None:
        raise UsageError(f"{aspect_ratio!r} is not an aspect ratio", "Give two whole numbers, such as 16:9.")
    if not (model.ratios or model.sizes or model.pixels):
        return Shape("")
    shape = _exactly(model, aspect_ratio, wanted)
    return shape or _nearest(model, aspect_ratio, wanted, degrade=degrade)


@lru_cache(maxsize=256)
def ratio_of(text: str) -> Fraction | None:
    """Width by height of `16:9`; None for anything else.

    >>> ratio_of("16:9")
    Fraction(16, 9)
    """
    found = _RATIO.fullmatch(text)
    return Fraction(int(found[1]), int(found[2])) if found else None


def size_of(text: str) -> tuple[int, int] | None:
    """Width and height of `1024x768` in pixels; None for anything else."""
    found = _SIZE.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def best_size(pixels: Pixels, ratio: Fraction) -> tuple[int, int] | None:
    """Width and height on the model's grid, None if none comes within `TOLERANCE` of the ratio.

    Of the sizes with at least half the area of the largest, the one nearest to the ratio; of equally near
    ones, the largest. So 5:4 under 1,048,576 pixels is 1120 x 896 exactly, and not 1136 x 912 almost.
    """
    return _best_size(pixels, ratio)


@lru_cache(maxsize=256)
def _best_size(pixels: Pixels, ratio: Fraction) -> tuple[int, int] | None:
    sizes = [size for size in _grid(pixels, ratio) if _distance(Fraction(*size), ratio) <= TOLERANCE]
    if not sizes:
        return None
    largest = max(width * height for width, height in sizes)
    roomy = [size for size in sizes if 2 * size[0] * size[1] >= largest]
    return min(roomy, key=lambda size: (_distance(Fraction(*size), ratio), -size[0] * size[1]))


def _grid(pixels: Pixels, ratio: Fraction) -> Iterator[tuple[int, int]]:
    """For each width that is allowed, the allowed heights just under and over what the ratio wants."""
    step = pixels.step
    for width in range(math.ceil(pixels.min_side / step) * step, pixels.max_side + 1, step):
        under = math.floor(width / ratio / step) * step
        for height in (under, under + step):
            if pixels.min_side <= height <= pixels.max_side and 0 < width * height <= pixels.max_area:
                yield width, height


def _exactly(model: Model, aspect_ratio: str, wanted: Fraction) -> Shape | None:
    if model.pixels:
        size = best_size(model.pixels, wanted)
        return _sized(aspect_ratio, size) if size else None
    known = _same(model.ratios or model.sizes, wanted)
    if known is None:
        return None
    return Shape(known) if model.ratios else _sized(known, size_of(model.sizes[known]))


def _same(known: Iterable[str], wanted: Fraction) -> str | None:
    return next((name for name in known if ratio_of(name) == wanted), None)


def _sized(aspect_ratio: str, size: tuple[int, int] | None) -> Shape:
    if size is None:
        return Shape(aspect_ratio)
    return Shape(aspect_ratio, f"{size[0]}x{size[1]}", *size)


def _nearest(model: Model, aspect_ratio: str, wanted: Fraction, *, degrade: bool) -> Shape:
    near = min(_offers(model), key=lambda offer: _distance(offer[0], wanted), default=None)
    if near is None:
        raise UsageError(f"{model.id} makes no shape that has a name", "Its description needs other limits.")
    if not degrade:
        can = ", ".join(shape.aspect_ratio for _, shape in _offers(model))
        raise UsageError(
            f"{model.id} ({model.task}) cannot make {aspect_ratio} pictures",
            f"It makes {can}. --allow-degrade asks for {near[1].aspect_ratio} and says so in the results.",
        )
    return replace(near[1], note=f"aspect ratio {aspect_ratio} -> {near[1].aspect_ratio}")


def _offers(model: Model) -> list[tuple[Fraction, Shape]]:
    names = COMMON if model.pixels else tuple(model.ratios or model.sizes)
    ratios = ((name, ratio) for name in names if (ratio := ratio_of(name)))
    return [(ratio, shape) for name, ratio in ratios if (shape := _exactly(model, name, ratio))]


def _distance(a: Fraction, b: Fraction) -> float:
    return abs(math.log(a / b))
