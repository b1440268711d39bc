"""What an edit changed: a map of visible differences, found without being told where to look.

A pixel has changed if its colour differs by more than the eye's threshold and by more than what the rest of
the picture differs by anyway (compression, resampling). Specks are dropped and small gaps closed. The map is
made at half resolution; it knows two pictures on one grid and nothing of masks or scores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.metrics.base import RGB, Bits
from evalkit.metrics.overlay.colour import delta_e

VISIBLE = 2.3
"""CIEDE2000 that is just noticeable (Mahy, Van Eycken, Oosterlinck, Color Res. Appl. 19(2), 1994)."""

LOUDEST = 6.0
"""However noisy a picture is, a difference above this counts: a repainted picture is not its own noise."""

_SPECK = 0.0005
_SPECK_PX = 16


@dataclass(frozen=True, slots=True)
class Changes:
    """`where` is H x W, `fraction` its share of the pixels that were compared, `pieces` its components.

    `difference` is the CIEDE2000 it was made from, at half the size.
    """

    where: Bits
    fraction: float
    pieces: int
    difference: NDArray[np.float32]

    def strength(self, region: Bits) -> float | None:
        """The median difference of what has changed within `region` (H x W); None if nothing has."""
        changed = _smaller(self.where & region, self.difference.shape)
        return float(np.median(self.difference[changed])) if changed.any() else None


def find_changes(source: RGB, image: RGB, valid: Bits | None = None, quiet: Bits | None = None) -> Changes:
    """The differences of two H x W x 3 pictures.

    Only pixels of `valid` are compared. `quiet` says where nothing should have changed: there the noise
    is measured; everywhere, where it is not given.
    """
    small = _half(source)
    grid = small.shape[:2]
    looked_at = np.ones(grid, np.bool_) if valid is None else _smaller(valid, grid)
    difference = delta_e(small, _half(image))
    heard = looked_at if quiet is None else looked_at & _smaller(quiet, grid)
    raw = (difference > threshold(difference[heard if heard.any() else looked_at])) & looked_at
    where, pieces = _cleaned(raw)
    where &= looked_at
    seen = int(looked_at.sum())
    fraction = float(where.sum()) / seen if seen else 0.0
    return Changes(_larger(where, source.shape[:2]), fraction, pieces, difference)


def threshold(differences: NDArray[np.float32]) -> float:
    """What counts as a change, in CIEDE2000: above the eye's threshold and six deviations above the rest."""
    if not differences.size:
        return VISIBLE
    middle = float(np.median(differences))
    spread = 1.4826 * float(np.median(np.abs(differences - middle)))
    return min(max(VISIBLE, middle + 6 * spread), LOUDEST)


def _half(image: RGB) -> RGB:
    """Half the size, and slightly blurred: sigma 1.5 px in pixels of the original."""
    import cv2

    size = (max(1, image.shape[1] // 2), max(1, image.shape[0] // 2))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.GaussianBlur(small, (5, 5), 0.7), dtype=np.uint8)


def _smaller(region: Bits, grid: tuple[int, ...]) -> Bits:
    """Only those pixels all of which lie in the region."""
    import cv2

    area = cv2.resize(region.astype(np.uint8) * 255, grid[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(area == 255, dtype=np.bool_)


def _larger(region: Bits, grid: tuple[int, int]) -> Bits:
    import cv2

    return np.asarray(cv2.resize(region.astype(np.uint8), grid[::-1], interpolation=cv2.INTER_NEAREST)) > 0


def _cleaned(raw: Bits) -> tuple[Bits, int]:
    """Gaps closed (6 px of the original), hairs (2 px) and specks dropped, holes filled; and the pieces."""
    import cv2

    closed = cv2.morphologyEx(raw.astype(np.uint8), cv2.MORPH_CLOSE, _disc(3))
    opened = cv2.morphologyEx(closed, cv2.MORPH_OPEN, _disc(1))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    least = max(_SPECK_PX, _SPECK * raw.size)
    large = np.flatnonzero(stats[:, cv2.CC_STAT_AREA] >= least)
    kept = large[large != 0]
    table = np.zeros(count, np.bool_)
    table[kept] = True
    return _filled(table[labels]), len(kept)


def _filled(where: Bits) -> Bits:
    """With its holes: what it encloses, up to a quarter of its own area."""
    import cv2

    count, labels, stats, _ = cv2.connectedComponentsWithStats((~where).astype(np.uint8), connectivity=4)
    height, width = where.shape
    left, top, right, bottom = stats[:, 0], stats[:, 1], stats[:, 0] + stats[:, 2], stats[:, 1] + stats[:, 3]
    enclosed = (left > 0) & (top > 0) & (right < width) & (bottom < height)
    hole = enclosed & (stats[:, cv2.CC_STAT_AREA] < 0.25 * where.sum())
    hole[0] = False
    return where | hole[labels] if count > 1 else where


def _disc(radius: int) -> NDArray[np.uint8]:
    import cv2

    side = 2 * radius + 1
    return np.asarray(cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side)), dtype=np.uint8)
