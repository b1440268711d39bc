"""An edit laid over its source: one pixel grid for both, and what lies outside the edit region.

It knows the size rule (docs/metrics.md) and nothing about any formula. Both pictures are brought to the
smaller of their two grids, because enlarging one and comparing invents differences; pictures of another
shape are `unaligned` and get no number.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evalkit.images import ImageProblem
from evalkit.metrics.base import RGB, Bits, Subject

ASPECT_TOLERANCE = 0.005
"""Shapes that differ by no more than this (ratio of aspect ratios, minus one) count as the same."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Source and edit on one grid (H x W x 3 uint8). `inside` is the edit region, None without a mask."""

    source: RGB
    image: RGB
    inside: Bits | None
    size_ratio: float

    @property
    def registered(self) -> RGB:
        """The edit laid exactly over the source; `image` itself where that would not help."""
        return self.image


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why there is nothing to compare; `size_ratio` where both sizes are known."""

    reason: str
    size_ratio: float | None = None


def pair(subject: Subject) -> Pair | Unusable:
    """The subject's picture over its source. Never raises for bad pictures."""
    if subject.image is None:
        return Unusable(subject.image_problem or "decode_error")
    try:
        source = subject.load_source()
        mask = subject.load_mask()
    except ImageProblem as problem:
        return Unusable(f"source_{problem.reason}")
    if source is None:
        return Unusable("no_source")
    return _on_one_grid(source, subject.image, mask)


def _on_one_grid(source: RGB, image: RGB, mask: Bits | None) -> Pair | Unusable:
    (height, width), (rows, columns) = source.shape[:2], image.shape[:2]
    ratio = (rows * columns) / (height * width)
    if mask is not None and mask.shape != (height, width):
        return Unusable("mask_size", ratio)
    if abs(columns * height / (rows * width) - 1) > ASPECT_TOLERANCE:
        return Unusable("unaligned", ratio)
    grid = (height, width) if height * width <= rows * columns else (rows, columns)
    inside = None if mask is None else resize_mask(mask, grid)
    return Pair(resize(source, grid), resize(image, grid), inside, ratio)


def resize(image: RGB, grid: tuple[int, int]) -> RGB:
    """To (height, width) with Pillow's antialiased Lanczos; the same array if the size is right already."""
    if image.shape[:2] == grid:
        return image
    resized = Image.fromarray(image).resize(grid[::-1], Image.Resampling.LANCZOS)
    return np.asarray(resized)


def resize_mask(mask: Bits, grid: tuple[int, int]) -> Bits:
    """To (height, width), nearest neighbour: a mask has no in-between."""
    if mask.shape == grid:
        return mask
    resized = Image.fromarray(mask.astype(np.uint8)).resize(grid[::-1], Image.Resampling.NEAREST)
    return np.asarray(resized).astype(np.bool_)


def erode(region: Bits, radius: int) -> Bits:
    """Pixels whose square of (2 radius + 1) px lies in `region`; beyond the picture counts as inside it."""
    import cv2

    kernel = np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
    eroded: NDArray[np.uint8] = cv2.erode(region.astype(np.uint8), kernel)
    return eroded.astype(np.bool_)
