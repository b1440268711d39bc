"""Reading a whole picture: one plain look, and further looks where text is expected and was not well read.

**No look ever sees the expected text.** How often one looks depends on how many letters are expected and on
how many were read how surely. Which reading of a place is kept depends on the reader's confidence and on the
amount of text it found there. Had the choice been by likeness to the expected text, a misspelt sign would be
read again and again until some look got it right, and every score would be too good.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from evalkit.metrics.base import RGB
from evalkit.metrics.reading import reader, unwrap
from evalkit.metrics.reading.layout import (
    Floats,
    Line,
    confidence,
    covers,
    direction,
    in_reading_order,
    joined,
    rows,
)
from evalkit.metrics.reading.reader import Found, find, read_boxes
from evalkit.metrics.reading.unwrap import Band

SURE = 0.8
"""From this confidence on a line counts as read."""

SURE_OF_ONE = 0.9
"""A single character takes more: a cup passes for an 8 at 0.86."""

ENOUGH = 0.9
"""Share of the expected number of letters from which on nothing seems to be missing."""

WORSE = 0.05
"""A further look may be this much less confident than what it replaces, if it reads more."""

TILE = 0.56
"""The share of each side that one of the four parts covers in which small print is searched."""

_LEAST_LETTERS = 3
_CORRECTIONS = 6
_FILLED = 0.7
"""Boxes whose core is marked less than this hold something bent: straight text had 0.76 and more."""
_LEAST_MARK = 100
_BENT = np.cos(np.radians(12))


@dataclass(frozen=True, slots=True)
class Reading:
    """Lines in reading order, which looks added any of them, and whether text was seen but not read."""

    lines: tuple[Line, ...]
    looks: tuple[str, ...] = ()
    unread: bool = False

    @property
    def confidence(self) -> float | None:
        """Mean over all characters, 0 to 1; None if nothing was read."""
        return confidence(self.lines)


def read(image: RGB, letters: int = 0) -> Reading:
    """The text of an H x W x 3 picture in which so many letters are expected.

    With `letters=0` there is one plain look. Otherwise arcs are straightened wherever the detector sees text
    off the straight boxes. While fewer letters than `ENOUGH` of those expected are read surely, or the whole
    is below `SURE`, the picture is searched closer (a very large one before anything else) and on its side.
    """
    found = find(image)
    lines = _without_specks(read_boxes(image, found.boxes))
    looks: list[str] = []
    for look in _order(image) if letters else ():
        if look == "arc":
            lines = _look(look, lines, _arcs(image, found, lines), looks)
        elif _wanting(lines, letters):
            lines = _look(look, lines, _closer(image) if look == "closer" else _on_its_side(image), looks)
    unread = not lines and bool(unwrap.unread(found, []).sum() > _LEAST_MARK)
    return Reading(tuple(in_reading_order(lines)), tuple(looks), unread)


def _order(image: RGB) -> tuple[str, ...]:
    """Small print in a very large picture looks like anything to the detector, arcs included."""
    shrunk = max(image.shape[:2]) / reader.MAX_SIDE
    if shrunk >= 2:
        return ("closer", "arc", "turned")
    return ("arc", "closer", "turned") if shrunk > 1.25 else ("arc", "turned")


@dataclass(frozen=True, slots=True)
class _Claim:
    """A line of a further look, and where in the picture it says that it stands."""

    line: Line
    spots: tuple[Floats, ...]
    part: Callable[[Floats], bool]

    def contests(self, other: Line) -> bool:
        """Whether another line stands in the same place."""
        inside = sum(covers(other.corners, spot) for spot in self.spots)
        return self.part(other.centre) or 2 * inside > len(self.spots)


def _look(name: str, lines: Sequence[Line], claims: Sequence[_Claim], looks: list[str]) -> list[Line]:
    """The lines after a further look: every claim is set against the lines in its place."""
    kept = list(lines)
    for claim in claims:
        rivals = [line for line in kept if claim.contests(line)]
        if _better(claim.line, rivals):
            kept = [line for line in kept if all(line is not rival for rival in rivals)] + [claim.line]
            looks += [] if name in looks else [name]
    return kept


def _better(line: Line, rivals: Sequence[Line]) -> bool:
    """More letters, or as many in fewer pieces; read surely, and not much less so than before.

    Where nothing was read before, it takes a few letters: rings and posts easily pass for 0 and 1.
    """
    more = line.letters > _sure_letters(rivals) + (1 if rivals else _LEAST_LETTERS - 1)
    whole = len(rivals) > 1 and line.letters >= _sure_letters(rivals)
    least = max(SURE, (confidence(rivals) or 0.0) - WORSE)
    return line.confidence >= least and (more or whole)


def _sure_letters(lines: Sequence[Line]) -> int:
    return sum(line.letters for line in lines if line.confidence >= SURE)


def _wanting(lines: Sequence[Line], letters: int) -> bool:
    return _sure_letters(lines) < ENOUGH * letters or (confidence(lines) or 0.0) < SURE


def _without_specks(lines: Sequence[Line]) -> list[Line]:
    """A letter or two are more often a thing than a text, unless the reader is very sure of them."""
    least = {1: SURE_OF_ONE, 2: SURE}
    return [line for line in lines if line.confidence >= least.get(line.letters, 0.0)]


def _arcs(image: RGB, found: Found, lines: Sequence[Line]) -> list[_Claim]:
    """Text on circles that were fitted to what the detector marks beside the lines that are read surely."""
    bent = found.boxes[found.filled < _FILLED]
    boxes = [
        line.corners
        for line in lines
        if line.confidence >= SURE
        and not _bends(line, lines)
        and not any(covers(box, line.centre) for box in bent)
    ]
    claims: list[_Claim] = []
    done: list[Band] = []
    for rough in unwrap.bands(found, unwrap.unread(found, boxes)):
        band = _settled(image, rough)
        if band is None or any(other.holds(band.apex) for other in done):
            continue
        done.append(band)
        strip = unwrap.straighten(image, band)
        lying = _without_specks(read_boxes(strip, find(strip).boxes))
        upright = [line for line in lying if direction([line])[0] >= 0]
        turned = [line for line in lying if direction([line])[0] < 0]
        claims += [_along(band, strip, row) for row in [*rows(upright), *rows(turned)]]
    return claims


def _settled(image: RGB, band: Band) -> Band | None:
    """The band after its circle was corrected by what is seen along it, until that changes little."""
    for _ in range(_CORRECTIONS):
        better = unwrap.refined(band, find(unwrap.straighten(image, band)))
        if better is None or better.is_like(band):
            return better
        band = better
    return band


def _along(band: Band, strip: RGB, row: Sequence[Line]) -> _Claim:
    """A row of the straightened band as one line of the picture."""
    points = np.concatenate([line.corners for line in row])
    part, turned = unwrap.part_of(band, points), bool(direction(row)[0] < 0)
    line = Line(
        joined(row),
        confidence(row) or 0.0,
        unwrap.box_at_apex(part, turned=turned),
        " ".join(line.other for line in row if line.other),
        _cut_out(strip, points, turned),
    )
    return _Claim(line, part.spots(), part.with_chords().holds)


def _cut_out(strip: RGB, points: Floats, turned: bool) -> RGB:
    """The part of the strip around these points, letters upright."""
    left, top = np.floor(points.min(axis=0)).astype(int).clip(0)
    right, bottom = np.ceil(points.max(axis=0)).astype(int) + 1
    piece = strip[top:bottom, left:right]
    return np.ascontiguousarray(piece[::-1, ::-1] if turned else piece)


def _bends(line: Line, lines: Sequence[Line]) -> bool:
    """Whether a line close by runs in another direction, as pieces of text on an arc do."""
    height = float(np.linalg.norm(line.corners[3] - line.corners[0]))
    for other in lines:
        gap = min(float(np.linalg.norm(a - b)) for a in line.corners for b in other.corners)
        along = float(direction([line]) @ direction([other]))
        if other is not line and gap < height and 0 < along < _BENT:
            return True
    return False


def _closer(image: RGB) -> list[_Claim]:
    """Searched in four overlapping parts. One larger copy does not help: the detector weighs all of it."""
    high, wide = (math.ceil(TILE * side) for side in image.shape[:2])
    claims = []
    for top in (0, image.shape[0] - high):
        for left in (0, image.shape[1] - wide):
            part = np.ascontiguousarray(image[top : top + high, left : left + wide])
            boxes = find(part).boxes + np.asarray((left, top), np.float32)
            claims += [_straight(line) for line in read_boxes(image, boxes)]
    return claims


def _on_its_side(image: RGB) -> list[_Claim]:
    """The picture turned by a quarter, counter-clockwise; every box is read both ways up in any case."""
    turned = np.ascontiguousarray(np.rot90(image))
    lines = read_boxes(turned, find(turned).boxes)
    back = [np.stack([image.shape[1] - line.corners[:, 1], line.corners[:, 0]], axis=1) for line in lines]
    return [
        _straight(replace(line, corners=np.asarray(corners, np.float32)))
        for line, corners in zip(lines, back, strict=True)
    ]


def _straight(line: Line) -> _Claim:
    ends = (line.corners[0] + line.corners[3]) / 2, (line.corners[1] + line.corners[2]) / 2
    spots = tuple(ends[0] + share * (ends[1] - ends[0]) for share in (0.1, 0.3, 0.5, 0.7, 0.9))
    return _Claim(line, spots, lambda point: covers(line.corners, point))
