"""Where an edit may change the picture, as booleans and as the PNG that is sent.

A pixel belongs to a shape if its centre does. Nothing here depends on a drawing library, so the same mask
has the same bytes on every machine.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evalkit.errors import InvalidInput
from evalkit.ids import sha256
from evalkit.images import ImageProblem, to_pil
from evalkit.suite.maskpng import mask_png
from evalkit.suite.sources import input_path
from evalkit.types import Case, ImageInput, Mask, Shape, Suite

Bits = NDArray[np.bool_]

GREY_SHARE = 0.05
"""Most of a mask is black or white; soft edges may take up to this share of its pixels."""


class MaskProblem(InvalidInput):
    """A mask that cannot be used; the message says why, in words fit for a problem list."""


def resolve_mask(suite: Suite, case: Case, source: ImageInput | None) -> ImageInput | None:
    """The mask of `case` as a PNG of mode L and the source's size, 255 where the picture may change.

    None for a case without a mask (or without a source). Raises `MaskProblem` or `SourceProblem`.
    """
    if case.mask is None or source is None:
        return None
    if case.mask.file is None:
        return _drawn(case.mask, source.width, source.height)
    return _encoded(mask_bits(Path(suite.root), case.mask, source.width, source.height))


def mask_bits(root: Path, mask: Mask, width: int, height: int) -> Bits:
    """H x W booleans, True where the picture may change. Raises `MaskProblem` or `SourceProblem`."""
    if mask.file is None:
        bits = shape_bits(mask.shapes, width, height)
    else:
        bits = _file_bits(root, mask.file, width, height)
    bits = ~bits if mask.invert else bits
    if not bits.any():
        raise MaskProblem(f"the mask is empty: no pixel of the {width} x {height} picture may change")
    if bits.all():
        raise MaskProblem("the mask covers the whole picture: nothing is left to preserve")
    return bits


def shape_bits(shapes: tuple[Shape, ...], width: int, height: int) -> Bits:
    """H x W booleans: the union of `shapes`."""
    bits = np.zeros((height, width), dtype=np.bool_)
    for shape in shapes:
        if shape.kind == "polygon":
            bits |= _polygon(shape.points, width, height)
        else:
            bits |= _box(shape, width, height)
    return bits


def _box(shape: Shape, width: int, height: int) -> Bits:
    x0, y0, x1, y1 = shape.points
    x, y = _centres(width), _centres(height)[:, None]
    if shape.kind == "rect":
        return np.asarray((x >= x0) & (x < x1) & (y >= y0) & (y < y1), dtype=np.bool_)
    across, down = (2 * x - x0 - x1) / (x1 - x0), (2 * y - y0 - y1) / (y1 - y0)
    return np.asarray(across**2 + down**2 <= 1, dtype=np.bool_)


def _polygon(points: tuple[float, ...], width: int, height: int) -> Bits:
    """Even-odd rule: each edge flips every pixel to the right of it, row by row."""
    flips = np.zeros((height, width + 1), dtype=np.int64)
    y = _centres(height)
    corners = list(zip(points[::2], points[1::2], strict=True))
    for (x0, y0), (x1, y1) in zip(corners, [*corners[1:], corners[0]], strict=True):
        rows = np.flatnonzero((y >= min(y0, y1)) & (y < max(y0, y1)))
        if rows.size:
            x = x0 + (y[rows] - y0) * ((x1 - x0) / (y1 - y0))
            np.add.at(flips, (rows, np.searchsorted(_centres(width), x)), 1)
    return np.asarray(np.cumsum(flips, axis=1)[:, :width] % 2 == 1, dtype=np.bool_)


def _centres(size: int) -> NDArray[np.float64]:
    return (np.arange(size) + 0.5) / size


def _file_bits(root: Path, name: str, width: int, height: int) -> Bits:
    try:
        picture = to_pil(input_path(root, name).read_bytes())
    except ImageProblem as problem:
        raise MaskProblem(f"{name!r}: {problem.message}") from problem
    except OSError as error:
        raise MaskProblem(f"{name!r} cannot be read: {error.strerror}") from error
    if picture.size != (width, height):
        size = f"{picture.width} x {picture.height}"
        raise MaskProblem(f"{name!r} is {size}, but the source is {width} x {height}; they must agree")
    return _two_levels(picture, name)


def _two_levels(picture: Image.Image, name: str) -> Bits:
    """White from the middle up; a picture that is not nearly black and white is refused."""
    values = np.asarray(picture).astype(np.int16)
    coloured = np.ptp(values, axis=2) > 16
    grey = (values.max(axis=2) > 32) & (values.min(axis=2) < 223)
    share = float((coloured | grey).mean())
    if share > GREY_SHARE:
        raise MaskProblem(
            f"{name!r} is not black and white: {share:.0%} of it is grey or coloured;"
            " a mask is white where the picture may change and black elsewhere"
        )
    return np.asarray(values.mean(axis=2) >= 127.5, dtype=np.bool_)


@lru_cache(maxsize=64)
def _drawn(mask: Mask, width: int, height: int) -> ImageInput:
    return _encoded(mask_bits(Path(), mask, width, height))


def _encoded(bits: Bits) -> ImageInput:
    data = mask_png(bits)
    return ImageInput(data, sha256(data), bits.shape[1], bits.shape[0])
