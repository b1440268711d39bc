"""Lines of text as they lie in a picture: which way they run, in which order they are read.

It knows where lines are and nothing of how they were read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.metrics.base import RGB

Floats = NDArray[np.float32]
Corners = NDArray[np.float32]
"""4 x 2, in pixels, as the text sees them: top left, top right, bottom right, bottom left."""


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """One piece of text as it was read, with the reader's confidence from 0 to 1.

    `other` is what the same box says in an orientation that was not kept. `straight` is the picture of a bent
    line after it was straightened, H x W x 3; other lines are cut out by their corners.
    """

    text: str
    confidence: float
    corners: Corners
    other: str = ""
    straight: RGB | None = None

    @property
    def letters(self) -> int:
        """How many characters it has, spaces left out."""
        return len("".join(self.text.split()))

    @property
    def centre(self) -> Floats:
        """Its middle, (x, y)."""
        return np.asarray(self.corners.mean(axis=0), np.float32)


def confidence(lines: Sequence[Line]) -> float | None:
    """The mean over all characters, 0 to 1: a long line says more than a stray letter. None without text."""
    letters = sum(line.letters for line in lines)
    return sum(line.letters * line.confidence for line in lines) / letters if letters else None


def direction(lines: Sequence[Line]) -> Floats:
    """The unit vector along which the lines run, mean by characters; to the right if there are none."""
    total = np.zeros(2, np.float32)
    for line in lines:
        along = line.corners[1] - line.corners[0]
        total += line.letters * along / max(float(np.linalg.norm(along)), 1e-6)
    length = float(np.linalg.norm(total))
    return np.asarray(total / length if length > 1e-6 else (1, 0), np.float32)


def in_reading_order(lines: Sequence[Line]) -> list[Line]:
    """Rows from top to bottom, each from its start to its end, as the text itself lies.

    A picture that stands on its head is read standing on one's head. A line belongs to a row if it overlaps
    it by at least half of the lower of the two heights.
    """
    return [line for row in rows(lines) for line in row]


def rows(lines: Sequence[Line]) -> list[list[Line]]:
    """The lines in reading order, row by row."""
    x, y = direction(lines)
    turn = np.asarray([(x, -y), (y, x)], np.float32)
    places = {id(line): line.corners @ turn for line in lines}

    def extent(line: Line) -> tuple[float, float]:
        heights = places[id(line)][:, 1]
        return float(heights.min()), float(heights.max())

    def start(line: Line) -> float:
        return float(places[id(line)][:, 0].min())

    found: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: (sum(extent(one)), start(one))):
        row = next((row for row in found if _overlap(extent(row[0]), extent(line)) >= 0.5), None)
        if row is None:
            found.append([line])
        else:
            row.append(line)
    return [sorted(row, key=start) for row in found]


def joined(lines: Sequence[Line]) -> str:
    """Their texts with a space between them."""
    return " ".join(line.text for line in lines)


def covers(corners: Corners, point: Floats) -> bool:
    """Whether a point lies inside a convex quadrilateral."""
    edges = np.roll(corners, -1, axis=0) - corners
    ways = point - corners
    sides = edges[:, 0] * ways[:, 1] - edges[:, 1] * ways[:, 0]
    return bool((sides >= 0).all() or (sides <= 0).all())


def _overlap(a: tuple[float, float], b: tuple[float, float]) -> float:
    """Shared height over the lower of the two heights."""
    return (min(a[1], b[1]) - max(a[0], b[0])) / max(min(a[1] - a[0], b[1] - b[0]), 1e-6)
