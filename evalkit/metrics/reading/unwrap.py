"""Text on an arc: finding the circles that unread text lies on, and laying such a band out straight.

The detector marks curved text clearly but draws straight boxes, which miss it. So its map, not its boxes,
is searched for circles. Nothing here reads, and nothing knows what should be read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from evalkit.metrics.base import RGB, Bits
from evalkit.metrics.reading.layout import Corners, Floats
from evalkit.metrics.reading.reader import TEXT_LIKE, Found

TRIES = 400
"""Circles through three random points of an outline that are looked at."""

NEAR = 2.0
"""A point this many pixels of the detector's map from a circle lies on it."""

Points = NDArray[np.float64]

_LEAST_POINTS = 24
_SAMPLE = 400
_SMALLEST, _LARGEST = 8.0, 4000.0
_REACH = 2.5
"""A band reaches this times the thickness of the detector's mark to either side of its middle."""
_LEAST_TURN = np.radians(18)
"""Text that bends less than this over its length is read as it is."""
_LEAST_THICKNESS = 3
"""Thinner marks are print too small to be sure of a bend."""
_WIDEST, _HIGHEST = 2400, 1000


@dataclass(frozen=True, slots=True)
class Band:
    """Part of a ring in pixels of the picture, from `start` on clockwise; angles in radians.

    `inner` and `outer` are radii that hold the letters and some ground on both sides of them.
    """

    centre: tuple[float, float]
    inner: float
    outer: float
    start: float
    span: float

    @property
    def middle(self) -> float:
        """The radius along which lengths are kept."""
        return (self.inner + self.outer) / 2

    @property
    def apex(self) -> Floats:
        """Its middle, (x, y)."""
        return self.at(0.5)

    def at(self, share: float) -> Floats:
        """The point of its middle line after this share of the way, (x, y)."""
        angle = self.start + share * self.span
        way = np.asarray((np.cos(angle), np.sin(angle)))
        return np.asarray(np.asarray(self.centre) + self.middle * way, np.float32)

    def spots(self) -> tuple[Floats, ...]:
        """Some points along its middle line."""
        return tuple(self.at(share) for share in (0.1, 0.3, 0.5, 0.7, 0.9))

    def is_like(self, other: Band) -> bool:
        """Whether both hold the same letters about equally well."""
        apart = float(np.linalg.norm(self.apex - other.apex))
        thick = self.outer - self.inner
        return apart < 0.1 * thick and abs(self.span - other.span) * self.middle < 0.2 * thick

    def with_chords(self) -> Band:
        """A band that also holds the middles of straight boxes laid over parts of this one's text."""
        return replace(self, inner=max(2.0, self.inner - 0.75 * (self.outer - self.inner)))

    def holds(self, point: Floats) -> bool:
        """Whether a point (x, y) of the picture lies in it."""
        x, y = float(point[0]) - self.centre[0], float(point[1]) - self.centre[1]
        turn = (np.arctan2(y, x) - self.start) % (2 * np.pi)
        return bool(self.inner <= np.hypot(x, y) <= self.outer and turn <= self.span)


def unread(found: Found, boxes: Sequence[Corners]) -> Bits:
    """Where the detector's map shows text outside these boxes."""
    import cv2

    there = (found.heat > TEXT_LIKE).astype(np.uint8)
    for box in boxes:
        cv2.fillPoly(there, [np.round(_grown(box) / found.scale).astype(np.int32)], 0)
    return there.astype(np.bool_)


def bands(found: Found, where: Bits, most: int = 3) -> list[Band]:
    """Bands along which the marked text bends, in pixels of the picture; at most so many."""
    rng, left = np.random.default_rng(0), where.copy()
    made: list[Band] = []
    for _ in range(most):
        points = _outline(left)
        circle = _circle(points, rng)
        band = None if circle is None else _band(left, points, circle)
        if band is None:
            break
        made.append(_scaled(band, found.scale))
        left &= ~_inside(left.shape, band)
    return made


def refined(band: Band, found: Found) -> Band | None:
    """The band corrected by where the detector sees the letters in its straightened picture.

    `found` is of `straighten(image, band)`. None if there is nothing on a bend.
    """
    rows, columns = np.nonzero(found.heat > TEXT_LIKE)
    if columns.size < _LEAST_POINTS:
        return None
    numbers, counts = np.unique(columns, return_counts=True)
    heights = np.bincount(columns, rows)[numbers] / counts
    wide, high = _size(band)
    angles = band.start + band.span * (numbers + 0.5) * found.scale[0] / wide
    radii = band.outer - (heights + 0.5) * found.scale[1] * (band.outer - band.inner) / high
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None] + np.asarray(band.centre)
    circle = _trimmed(points)
    return None if circle is None else _around(circle, points, float(np.median(counts)) * found.scale[1])


def straighten(image: RGB, band: Band) -> RGB:
    """The band as a rectangle, its outer edge on top, clockwise from left to right."""
    import cv2

    wide, high = _size(band)
    angles = band.start + band.span * (np.arange(wide) + 0.5) / wide
    radii = band.outer - (np.arange(high) + 0.5) * (band.outer - band.inner) / high
    x = (band.centre[0] + radii[:, None] * np.cos(angles)[None]).astype(np.float32)
    y = (band.centre[1] + radii[:, None] * np.sin(angles)[None]).astype(np.float32)
    flags = {"interpolation": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
    return np.asarray(cv2.remap(image, x, y, **flags), np.uint8)


def part_of(band: Band, points: Floats) -> Band:
    """The part of a band that holds these points (n x 2) of its straightened picture."""
    wide, high = _size(band)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    step = (band.outer - band.inner) / high
    start = band.start + band.span * float(left) / wide
    span = band.span * float(right - left) / wide
    return Band(band.centre, band.outer - float(bottom) * step, band.outer - float(top) * step, start, span)


def box_at_apex(band: Band, *, turned: bool) -> Corners:
    """A straight box for a bent line: where its middle is, running as it runs there.

    `turned`: the tops of the letters point to the centre.
    """
    angle = band.start + band.span / 2
    out = np.asarray((np.cos(angle), np.sin(angle)))
    along = np.asarray((-np.sin(angle), np.cos(angle))) * min(band.span * band.middle / 2, band.middle)
    up = out * (band.outer - band.inner) / 2
    corners = [band.apex + step for step in (up - along, up + along, along - up, -along - up)]
    return np.asarray(np.roll(corners, 2 if turned else 0, axis=0), np.float32)


def _size(band: Band) -> tuple[int, int]:
    """Width and height of the straightened band."""
    wide = min(_WIDEST, max(32, round(band.span * band.middle)))
    return int(wide), int(min(_HIGHEST, max(16, round(band.outer - band.inner))))


def _trimmed(points: Points) -> _Circle | None:
    """A circle through the middle of a line of letters; the worst fifth of the points is left out twice."""
    circle = _fitted(points)
    for _ in range(2):
        if circle is None:
            return None
        away = np.abs(np.hypot(points[:, 0] - circle.x, points[:, 1] - circle.y) - circle.radius)
        circle = _fitted(points[away <= np.percentile(away, 80)])
    return circle


def _around(circle: _Circle, points: Points, thick: float) -> Band | None:
    """The band around a line of letters whose middle is the circle."""
    start, span = _extent(points, circle)
    reach = _REACH * thick + 4
    if span < _LEAST_TURN:
        return None
    margin = 1.5 * reach / circle.radius
    whole = min(span + 2 * margin, 2 * np.pi)
    inner = max(2.0, circle.radius - reach)
    return Band((circle.x, circle.y), inner, circle.radius + reach, start - margin, whole)


def _grown(box: Corners) -> Corners:
    centre = box.mean(axis=0)
    return np.asarray(centre + (box - centre) * 1.1, np.float32)


def _outline(where: Bits) -> Points:
    """Points on the outer edges of the marked areas, n x 2; specks left out."""
    import cv2

    outlines, _ = cv2.findContours(where.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    large = [one[:, 0] for one in outlines if cv2.contourArea(one) >= 40]
    return np.concatenate(large).astype(np.float64) if large else np.zeros((0, 2))


@dataclass(frozen=True, slots=True)
class _Circle:
    x: float
    y: float
    radius: float


def _circle(points: Points, rng: np.random.Generator) -> _Circle | None:
    """The circle with the most outline on it (Fischler and Bolles 1981), fitted again to that outline."""
    if len(points) < _LEAST_POINTS:
        return None
    some = points[rng.permutation(len(points))[:_SAMPLE]]
    centres, radii = _through(some[rng.integers(len(some), size=(TRIES, 3))])
    away = np.hypot(*(some[None, :, :] - centres[:, None, :]).transpose(2, 0, 1))
    on = (np.abs(away - radii[:, None]) < NEAR).sum(axis=1)
    on[~((radii > _SMALLEST) & (radii < _LARGEST))] = 0
    best = int(on.argmax())
    circle: _Circle | None = _Circle(float(centres[best, 0]), float(centres[best, 1]), float(radii[best]))
    for _ in range(3):
        circle = None if circle is None else _fitted(points[_on(points, circle)])
    return circle


def _on(points: Points, circle: _Circle) -> Bits:
    away = np.hypot(points[:, 0] - circle.x, points[:, 1] - circle.y)
    return np.asarray(np.abs(away - circle.radius) < NEAR)


def _through(trios: Points) -> tuple[Points, Points]:
    """Centres and radii of the circles through n x 3 points; infinite for points on a line."""
    a, b, c = trios[:, 0], trios[:, 1] - trios[:, 0], trios[:, 2] - trios[:, 0]
    with np.errstate(divide="ignore", invalid="ignore"):
        twice = 2 * (b[:, 0] * c[:, 1] - b[:, 1] * c[:, 0])
        bb, cc = (b**2).sum(axis=1), (c**2).sum(axis=1)
        x = (c[:, 1] * bb - b[:, 1] * cc) / twice
        y = (b[:, 0] * cc - c[:, 0] * bb) / twice
    offset = np.nan_to_num(np.stack([x, y], axis=1), nan=1e9, posinf=1e9, neginf=-1e9)
    return a + offset, np.hypot(offset[:, 0], offset[:, 1])


def _fitted(points: Points) -> _Circle | None:
    """Least squares on x² + y² = 2ax + 2by + c (Kasa 1976); None for points on a line."""
    if len(points) < _LEAST_POINTS:
        return None
    shift = points.mean(axis=0)
    near = points - shift
    matrix = np.column_stack([2 * near, np.ones(len(near))])
    (a, b, c), *_ = np.linalg.lstsq(matrix, (near**2).sum(axis=1), rcond=None)
    radius = float(np.sqrt(max(c + a * a + b * b, 0.0)))
    return (
        _Circle(float(a + shift[0]), float(b + shift[1]), radius) if _SMALLEST < radius < _LARGEST else None
    )


def _band(where: Bits, points: Points, circle: _Circle) -> Band | None:
    """The band of letters at the circle, in pixels of the map; None if it hardly bends."""
    points = points[_on(points, circle)]
    thick, outwards = _thickness(where, circle, *_extent(points, circle))
    if thick < _LEAST_THICKNESS:
        return None
    shifted = replace(circle, radius=circle.radius + (thick / 2 if outwards else -thick / 2))
    return _around(shifted, points, thick)


def _extent(points: Points, circle: _Circle) -> tuple[float, float]:
    """From which angle on, and how far, points lie on the circle: all but the widest gap between them."""
    angles = np.sort(np.arctan2(points[:, 1] - circle.y, points[:, 0] - circle.x))
    gaps = np.diff(np.concatenate([angles, [angles[0] + 2 * np.pi]]))
    widest = int(gaps.argmax())
    return float(angles[(widest + 1) % len(angles)]), float(2 * np.pi - gaps[widest])


def _thickness(where: Bits, circle: _Circle, start: float, span: float) -> tuple[float, bool]:
    """How thick the marked band is where it is thin, and whether it lies outside the circle."""
    angles = start + span * np.linspace(0.03, 0.97, 120)
    steps = np.arange(1, max(3, int(0.6 * circle.radius)))
    runs = []
    for sign in (-1, 1):
        radii = circle.radius + sign * (steps + 0.5)
        x = np.round(circle.x + radii[None] * np.cos(angles)[:, None]).astype(int)
        y = np.round(circle.y + radii[None] * np.sin(angles)[:, None]).astype(int)
        inside = (x >= 0) & (y >= 0) & (x < where.shape[1]) & (y < where.shape[0])
        marked = inside & where[y.clip(0, where.shape[0] - 1), x.clip(0, where.shape[1] - 1)]
        runs.append(np.logical_and.accumulate(marked, axis=1).sum(axis=1))
    inwards, outwards = (run[run > 0] for run in runs)
    ours = outwards if outwards.size > inwards.size else inwards
    return (float(np.percentile(ours, 30)) if ours.size else 0.0), outwards.size > inwards.size


def _inside(shape: tuple[int, ...], band: Band) -> Bits:
    y, x = np.mgrid[: shape[0], : shape[1]]
    away = np.hypot(x - band.centre[0], y - band.centre[1])
    turn = (np.arctan2(y - band.centre[1], x - band.centre[0]) - band.start) % (2 * np.pi)
    return np.asarray((away >= band.inner) & (away <= band.outer) & (turn <= band.span))


def _scaled(band: Band, scale: tuple[float, float]) -> Band:
    """In pixels of the picture; both scales are nearly equal."""
    across, mean = scale, (scale[0] + scale[1]) / 2
    centre = (band.centre[0] * across[0], band.centre[1] * across[1])
    return Band(centre, band.inner * mean, band.outer * mean, band.start, band.span)
