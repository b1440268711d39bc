"""An edit laid over its source: on one pixel grid as it was delivered, and registered.

Everything that compares the two starts from a `Pair`. What several metrics need of it (the registered
picture, the map of changes) is worked out when it is first asked for and kept, and so are the latest pairs,
so that metrics of the bench "pair" share the work.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from evalkit.images import ImageProblem
from evalkit.metrics.base import RGB, Bits, Subject
from evalkit.metrics.overlay.changes import Changes, find_changes
from evalkit.metrics.overlay.geometry import Kind, grey, lay
from evalkit.metrics.overlay.registration import (
    IDENTITY,
    Affine,
    displacement,
    register,
    stretch,
    warp,
)

BENCH = "pair"
KEPT = 8
"""Pairs that are remembered: as many as a worker is given at a time, so that metrics share them."""

IMPROVES = 0.95
"""A registration is used if it lowers the squared error outside the edit to this share or less."""

STRETCHES = (0.6, 1.7)
COVERS = 0.3
AGREES = 0.6
"""Registrations that scale by more than `STRETCHES`, leave less of the source than `COVERS`, or after which
the brightness correlates by less than `AGREES`, are not believed."""

SURROUNDINGS_PX = 25
"""So far from an edit region, at 1024 px, nothing is looked at to register: edits have soft edges."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Registered:
    """The edit drawn where its source is. `valid`: where it has pixels. `moved`: it is not as delivered.

    `displacement` is the root mean square way of the four corners, in pixels of the common grid.
    """

    image: RGB
    valid: Bits
    matrix: Affine
    displacement: float
    moved: bool


@dataclass(frozen=True)
class Pair:
    """Source and edit on one grid (H x W x 3 uint8). `inside` is the edit region, None without a mask.

    `geometry` is how the edit's shape was explained, and `overlap` the share of the source it shows.
    """

    source: RGB
    image: RGB
    inside: Bits | None
    size_ratio: float
    geometry: Kind = "same"
    overlap: float = 1.0
    _kept: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def registration(self) -> Registered:
        """By the map that makes the two agree outside the edit; the identity where none does better."""
        ignore = self._surroundings
        found = _register(self, ignore)
        if self.inside is None:
            found = self._without_changes(found)
        return found

    @property
    def registered(self) -> RGB:
        """The edit laid exactly over the source; `image` itself where that would not help."""
        return self.registration.image

    @property
    def valid(self) -> Bits:
        """Where the registered edit has pixels, H x W."""
        return self.registration.valid

    @cached_property
    def changes(self) -> Changes:
        """What differs between the source and the registered edit."""
        quiet = None if self.inside is None else ~self.inside
        return find_changes(self.source, self.registered, self.valid, quiet)

    def once(self, name: str, work: Callable[[], T]) -> T:
        """What `work` returns, worked out once for this pair."""
        if name not in self._kept:
            self._kept[name] = work()
        result: T = self._kept[name]
        return result

    @property
    def scale(self) -> float:
        """The long side in units of 1024 px: distances given for 1024 px grow with it, from half of it."""
        return max(0.5, float(max(self.source.shape[:2])) / 1024)

    @property
    def _surroundings(self) -> Bits | None:
        if self.inside is None or self.inside.all():
            return None
        wide = dilate(self.inside, round(SURROUNDINGS_PX * self.scale))
        return wide if wide.mean() < 0.9 else self.inside

    def _without_changes(self, found: Registered) -> Registered:
        """Once more, looking away from what has changed; kept if that leaves less difference elsewhere."""
        changes = find_changes(self.source, found.image, found.valid)
        if not 0 < changes.fraction < 0.6:
            return found
        again = _register(self, dilate(changes.where, round(8 * self.scale)))
        if not again.moved:
            return again if not found.moved else found
        return again


@dataclass(frozen=True, slots=True)
class Unusable:
    """Why there is nothing to compare; `size_ratio` where both sizes are known."""

    reason: str
    size_ratio: float | None = None


_latest: OrderedDict[tuple[str, str | None, str | None], Pair] = OrderedDict()


def pair(subject: Subject) -> Pair | Unusable:
    """The subject's picture over its source. Never raises for bad pictures."""
    if subject.image is None:
        return Unusable(subject.image_problem or "decode_error")
    key = (subject.image_sha, subject.source_sha, subject.mask_sha)
    if subject.source_sha and key in _latest:
        return _latest[key]
    try:
        source = subject.load_source()
        mask = subject.load_mask()
    except ImageProblem as problem:
        return Unusable(f"source_{problem.reason}")
    if source is None:
        return Unusable("no_source")
    found = _laid(source, subject.image, mask)
    if isinstance(found, Pair) and subject.source_sha:
        _latest[key] = found
        while len(_latest) > KEPT:
            _latest.popitem(last=False)
    return found


def _laid(source: RGB, image: RGB, mask: Bits | None) -> Pair | Unusable:
    (height, width), (rows, columns) = source.shape[:2], image.shape[:2]
    ratio = (rows * columns) / (height * width)
    if mask is not None and mask.shape != (height, width):
        return Unusable("mask_size", ratio)
    laid = lay(source, image, mask)
    if laid is None:
        return Unusable("unaligned", ratio)
    return Pair(laid.source, laid.image, laid.inside, ratio, laid.kind, laid.overlap)


def _register(both: Pair, ignore: Bits | None) -> Registered:
    height, width = both.source.shape[:2]
    everything = np.ones((height, width), np.bool_)
    still = Registered(both.image, everything, IDENTITY, 0.0, moved=False)
    off = ignore if both.inside is None else both.inside
    kept = everything if off is None or off.all() else ~off
    before = _squared(both.source, both.image, kept)
    if min(height, width) < 32 or before == 0:
        return still
    matrix = register(grey(both.source), grey(both.image), ignore)
    if matrix is None or matrix is IDENTITY or not _believable(matrix):
        return still
    drawn, valid = warp(both.image, matrix)
    region = kept & erode(valid, 3)
    if region.mean() < COVERS * kept.mean() or not region.any():
        return still
    now = _squared(both.source, drawn, region)
    if now > IMPROVES * min(before, _squared(both.source, both.image, region)):
        return still
    if _correlation(both.source, drawn, region) < AGREES:
        return still
    return Registered(drawn, valid, matrix, displacement(matrix, height, width), moved=True)


def _believable(matrix: Affine) -> bool:
    least, most = stretch(matrix)
    mirrored = float(np.linalg.det(matrix[:, :2])) <= 0
    return not mirrored and STRETCHES[0] <= least and most <= STRETCHES[1]


def _correlation(source: RGB, image: RGB, region: Bits) -> float:
    """Of the brightness of every fourth pixel in each direction, -1 to 1; 1 where a picture is flat."""
    some = region[::4, ::4]
    one, other = (grey(np.ascontiguousarray(p[::4, ::4]))[some].astype(np.float64) for p in (source, image))
    if one.size < 16 or not one.std() or not other.std():
        return 1.0
    return float(np.corrcoef(one, other)[0, 1])


def _squared(source: RGB, image: RGB, region: Bits) -> float:
    import cv2

    mask = np.ascontiguousarray(region).view(np.uint8)
    return float(cv2.norm(source, image, cv2.NORM_L2SQR, mask)) / max(1, 3 * int(np.count_nonzero(region)))


def erode(region: Bits, radius: int) -> Bits:
    """Pixels whose square of (2 radius + 1) px lies in `region`; beyond the picture counts as inside it."""
    import cv2

    return np.asarray(cv2.erode(region.astype(np.uint8), _square(radius))).astype(np.bool_)


def dilate(region: Bits, radius: int) -> Bits:
    """Pixels with one of `region` in their square of (2 radius + 1) px."""
    import cv2

    return np.asarray(cv2.dilate(region.astype(np.uint8), _square(radius))).astype(np.bool_)


def _square(radius: int) -> NDArray[np.uint8]:
    return np.ones((2 * radius + 1, 2 * radius + 1), np.uint8)
