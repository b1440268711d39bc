"""The parts that things are made of, and short ways to write them.

Coordinates are in the thing's own box: x grows right, y grows down, both 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Shade = Literal["round", "ball", "flat", "none"]
Form = Literal["oval", "box", "poly", "blob", "turned", "arc", "line"]


@dataclass(frozen=True, slots=True)
class Part:
    """One painted shape.

    `numbers` by form: oval and box: x0, y0, x1, y1 (box: and a corner radius in box widths); poly: x, y
    pairs; blob: the same, its corners rounded off; turned (a body of revolution around x = 0.5): y,
    half-width pairs from top to bottom; arc: x0, y0, x1, y1, start and end in degrees, width; line:
    x0, y0, x1, y1, width.
    """

    form: Form
    numbers: tuple[float, ...]
    tone: str = "main"
    shade: Shade = "flat"


@dataclass(frozen=True, slots=True)
class Kind:
    """A thing: its size in slots, its usual colour, its parts from back to front."""

    width: float
    height: float
    colour: str
    parts: tuple[Part, ...]


def oval(*numbers: float, tone: str = "main", shade: Shade = "flat") -> Part:
    return Part("oval", numbers, tone, shade)


def box(*numbers: float, tone: str = "main", shade: Shade = "flat") -> Part:
    return Part("box", numbers, tone, shade)


def poly(*numbers: float, tone: str = "main", shade: Shade = "flat") -> Part:
    return Part("poly", numbers, tone, shade)


def blob(*numbers: float, tone: str = "main", shade: Shade = "flat") -> Part:
    return Part("blob", numbers, tone, shade)


def turned(*numbers: float, tone: str = "main", shade: Shade = "round") -> Part:
    return Part("turned", numbers, tone, shade)


def arc(*numbers: float, tone: str = "main") -> Part:
    return Part("arc", numbers, tone, "none")


def line(*numbers: float, tone: str = "ink") -> Part:
    return Part("line", numbers, tone, "none")
