"""How an edit of another size or shape lies over its source: which part of one shows which part of the other.

Both pictures end up on one grid, the smaller of the two, because enlarging one and comparing invents
differences. Where the shapes differ, a few explanations are tried (squeezed, cropped, padded, or wherever
matching corners say) and the one under which the pictures agree best is taken; if none makes them agree,
there is nothing to compare. Displacements that keep the shape are for `evalkit.metrics.overlay.registration`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from evalkit.metrics.base import RGB, Bits
from evalkit.metrics.overlay.registration import Grey, matched_corners

Kind = Literal["same", "resized", "stretched", "cropped", "padded", "moved"]

ASPECT_TOLERANCE = 0.005
"""Shapes that differ by no more than this (ratio of aspect ratios, minus one) count as the same."""

AGREES = 0.6
"""Correlation of the two pictures' brightness below which they do not show the same thing."""

_LOOK = 256
_SMALLEST = 8
_STRAIGHT = 0.03
"""How much rotation or shear, as the tangent, a mere crop or pad may show."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Frame:
    """The part of the source (x0, y0, x1, y1 in its pixels) that a part of the edit (in its pixels) shows."""

    kind: Kind
    source: Box
    image: Box


@dataclass(frozen=True, slots=True)
class Laid:
    """Both pictures on one grid, h x w x 3. `overlap` is the share of the source that is left, 0 to 1."""

    source: RGB
    image: RGB
    inside: Bits | None
    kind: Kind
    overlap: float


def lay(source: RGB, image: RGB, inside: Bits | None) -> Laid | None:
    """The edit over its source; None where no explanation makes the two agree."""
    if aspect_error(image.shape, source.shape) <= ASPECT_TOLERANCE:
        kind: Kind = "same" if image.shape == source.shape else "resized"
        return _framed(source, image, inside, Frame(kind, _whole(source), _whole(image)))
    candidates = [
        (_agreement(source, image, inside, frame), frame) for frame in _frames(source, image, inside)
    ]
    agreement, best = max(candidates, key=lambda pair: pair[0])
    return _framed(source, image, inside, best) if agreement >= AGREES else None


def aspect_error(shape: tuple[int, ...], wanted: tuple[int, ...]) -> float:
    """By what share the width of a picture is off, given its height; 0 for the same shape."""
    return float(abs(shape[1] * wanted[0] / (shape[0] * wanted[1]) - 1))


def resize(image: RGB, grid: tuple[int, int]) -> RGB:
    """To (height, width) with Pillow's antialiased Lanczos; the same array if the size is right already."""
    if image.shape[:2] == grid:
        return image
    return np.asarray(Image.fromarray(image).resize(grid[::-1], Image.Resampling.LANCZOS))


def resize_mask(mask: Bits, grid: tuple[int, int]) -> Bits:
    """To (height, width), nearest neighbour: a mask has no in-between."""
    if mask.shape == grid:
        return mask
    resized = Image.fromarray(mask.astype(np.uint8)).resize(grid[::-1], Image.Resampling.NEAREST)
    return np.asarray(resized).astype(np.bool_)


def grey(image: RGB) -> Grey:
    """Brightness (Rec. 601), H x W uint8."""
    import cv2

    return np.asarray(cv2.cvtColor(np.ascontiguousarray(image), cv2.COLOR_RGB2GRAY), dtype=np.uint8)


# Explanations ---------------------------------------------------------------------------------------------


def _frames(source: RGB, image: RGB, inside: Bits | None) -> Iterator[Frame]:
    yield Frame("stretched", _whole(source), _whole(image))
    yield Frame("cropped", _central(_whole(source), image.shape), _whole(image))
    bare = _without_bars(image)
    if bare is not None:
        yield Frame("padded", _whole(source), bare)
    found = _matched(source, image, inside)
    if found is not None:
        yield found


def _whole(image: RGB) -> Box:
    return 0.0, 0.0, float(image.shape[1]), float(image.shape[0])


def _central(box: Box, shape: tuple[int, ...]) -> Box:
    """The largest box of that shape in the middle of another."""
    width, height = box[2], box[3]
    aspect = shape[1] / shape[0]
    across, down = (height * aspect, height) if width / height > aspect else (width, width / aspect)
    return (width - across) / 2, (height - down) / 2, (width + across) / 2, (height + down) / 2


def _without_bars(image: RGB) -> Box | None:
    """The picture without plain bars along its edges; None if it has none, or is nothing else."""
    spread = (
        np.ptp(image.astype(np.int16), axis=1).max(axis=1),
        np.ptp(image.astype(np.int16), axis=0).max(axis=1),
    )
    rows, columns = (np.flatnonzero(axis > 12) for axis in spread)
    if len(rows) < _SMALLEST or len(columns) < _SMALLEST:
        return None
    box = float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
    return None if box == _whole(image) else box


def _matched(source: RGB, image: RGB, inside: Bits | None) -> Frame | None:
    """Where matching corners put the edit, if that is upright."""
    matrix = matched_corners(grey(source), grey(image), inside)
    if matrix is None:
        return None
    (a, b, x), (c, d, y) = matrix.tolist()
    if min(a, d) <= 0.1 or max(abs(b), abs(c)) > _STRAIGHT * min(a, d):
        return None
    height, width = source.shape[:2]
    mid_x, mid_y = x + b * height / 2, y + c * width / 2
    left, right = max(0.0, -mid_x / a), min(float(width), (image.shape[1] - mid_x) / a)
    top, bottom = max(0.0, -mid_y / d), min(float(height), (image.shape[0] - mid_y) / d)
    if right - left < _SMALLEST or bottom - top < _SMALLEST:
        return None
    there = left * a + mid_x, top * d + mid_y, right * a + mid_x, bottom * d + mid_y
    return Frame(
        _kind_of((left, top, right, bottom), there, source, image), (left, top, right, bottom), there
    )


def _kind_of(here: Box, there: Box, source: RGB, image: RGB) -> Kind:
    cut = _area(here) < 0.97 * source.shape[0] * source.shape[1]
    bars = _area(there) < 0.97 * image.shape[0] * image.shape[1]
    if cut and bars:
        return "moved"
    return "cropped" if cut else "padded" if bars else "stretched"


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _agreement(source: RGB, image: RGB, inside: Bits | None, frame: Frame) -> float:
    """Correlation of brightness under a frame, in small copies and outside the edit region, -1 to 1."""
    laid = _framed(source, image, inside, frame, _LOOK)
    if laid is None:
        return -1.0
    one, other = grey(laid.source).astype(np.float64), grey(laid.image).astype(np.float64)
    kept = np.ones(one.shape, np.bool_) if laid.inside is None or laid.inside.all() else ~laid.inside
    first, second = one[kept] - one[kept].mean(), other[kept] - other[kept].mean()
    size = float(np.sqrt((first**2).sum() * (second**2).sum()))
    shown = laid.overlap * _area(frame.image) / (image.shape[0] * image.shape[1])
    return float((first * second).sum()) / size * min(1.0, 0.9 + 0.1 * shown) if size > 0 else -1.0


def _framed(
    source: RGB, image: RGB, inside: Bits | None, frame: Frame, most: int | None = None
) -> Laid | None:
    """Both parts on the smaller of their two grids, or on one whose long side is at most `most`."""
    here, there = _clipped(frame.source, source), _clipped(frame.image, image)
    width, height = min(here[2] - here[0], there[2] - there[0]), min(here[3] - here[1], there[3] - there[1])
    scale = min(1.0, most / max(width, height)) if most else 1.0
    grid = max(1, round(height * scale)), max(1, round(width * scale))
    if min(grid) < 1:
        return None
    mask = None if inside is None else _part_of_mask(inside, here, grid)
    overlap = _area(here) / (source.shape[0] * source.shape[1])
    return Laid(_part(source, here, grid), _part(image, there, grid), mask, frame.kind, min(1.0, overlap))


def _clipped(box: Box, image: RGB) -> Box:
    height, width = image.shape[:2]
    return max(0.0, box[0]), max(0.0, box[1]), min(float(width), box[2]), min(float(height), box[3])


def _part(image: RGB, box: Box, grid: tuple[int, int]) -> RGB:
    if box == _whole(image):
        return resize(image, grid)
    left, top, right, bottom = (round(side) for side in box)
    if all(side.is_integer() for side in box) and (bottom - top, right - left) == grid:
        return np.ascontiguousarray(image[top:bottom, left:right])
    return np.asarray(Image.fromarray(image).resize(grid[::-1], Image.Resampling.LANCZOS, box=box))


def _part_of_mask(mask: Bits, box: Box, grid: tuple[int, int]) -> Bits:
    if box == (0.0, 0.0, float(mask.shape[1]), float(mask.shape[0])):
        return resize_mask(mask, grid)
    part = Image.fromarray(mask.astype(np.uint8)).resize(grid[::-1], Image.Resampling.NEAREST, box=box)
    return np.asarray(part).astype(np.bool_)
