"""Painting shaded shapes on a picture: the studio's only way to put pixels down.

It knows shapes, frames (where a unit box lies on the canvas) and shading; it does not know what is being
drawn. The canvas is twice the final size, which is all the anti-aliasing there is.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from evalkit.studio.palette import RGB
from evalkit.studio.parts import Part, Shade

_SWATCH = 40


@dataclass(frozen=True, slots=True)
class Frame:
    """A box on the canvas, in canvas pixels. `mirrored` flips what is painted into it left to right."""

    x: float
    y: float
    width: float
    height: float
    mirrored: bool = False

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Canvas pixels of a point given in units of the box."""
        return self.x + (1 - x if self.mirrored else x) * self.width, self.y + y * self.height


def paint(image: Image.Image, frame: Frame, part: Part, colour: RGB) -> None:
    """Paint one part in `colour` into `frame`."""
    shape = Shape.of(part, frame)
    left, top, right, bottom = shape.bounds()
    width, height = right - left, bottom - top
    if width < 1 or height < 1:
        return
    mask = Image.new("L", (width, height))
    shape.fill(ImageDraw.Draw(mask), left, top)
    fill: Image.Image | RGB = colour
    if part.shade != "none":
        fill = swatch(colour, part.shade).resize((width, height), Image.Resampling.BILINEAR)
    else:
        fill = Image.new("RGB", (width, height), colour)
    image.paste(fill, (left, top), mask)


@dataclass(frozen=True, slots=True)
class Shape:
    """A part in canvas pixels: what kind it is, its points, and the width or radius of its kind."""

    form: str
    points: tuple[tuple[float, float], ...]
    extra: tuple[float, ...] = ()

    @staticmethod
    def of(part: Part, frame: Frame) -> Shape:
        n = part.numbers
        if part.form == "turned":
            return Shape("poly", tuple(frame.point(x, y) for x, y in _turned(n)))
        if part.form == "poly":
            return Shape("poly", tuple(frame.point(x, y) for x, y in zip(n[::2], n[1::2], strict=True)))
        if part.form == "blob":
            return Shape("poly", tuple(frame.point(x, y) for x, y in _rounded(n)))
        corners = (frame.point(n[0], n[1]), frame.point(n[2], n[3]))
        if part.form == "arc":
            start, end = (180 - n[5], 180 - n[4]) if frame.mirrored else (n[4], n[5])
            return Shape("arc", _sorted(corners), (start, end, max(1.0, n[6] * frame.width)))
        if part.form == "line":
            return Shape("line", corners, (max(1.0, n[4] * frame.width),))
        return Shape(part.form, _sorted(corners), tuple(value * frame.width for value in n[4:]))

    def bounds(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in whole pixels, the last two exclusive."""
        margin = self.extra[0] if self.form == "line" else 0.0
        xs = [x for x, _ in self.points]
        ys = [y for _, y in self.points]
        left, top = round(min(xs) - margin), round(min(ys) - margin)
        return left, top, round(max(xs) + margin) + 1, round(max(ys) + margin) + 1

    def fill(self, draw: ImageDraw.ImageDraw, left: int, top: int) -> None:
        """Fill the shape in a mask whose corner is at (left, top) of the canvas."""
        points = [(x - left, y - top) for x, y in self.points]
        flat = [value for point in points for value in point]
        match self.form:
            case "oval":
                draw.ellipse(flat, fill=255)
            case "box":
                draw.rounded_rectangle(flat, radius=self.extra[0], fill=255)
            case "poly":
                draw.polygon(points, fill=255)
            case "arc":
                start, end, width = self.extra
                draw.arc(flat, start, end, fill=255, width=round(width))
            case _:
                _stroke(draw, points, self.extra[0])


def _stroke(draw: ImageDraw.ImageDraw, points: Sequence[tuple[float, float]], width: float) -> None:
    draw.line(points, fill=255, width=round(width))
    radius = width / 2
    for x, y in points:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def _sorted(corners: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    (x0, y0), (x1, y1) = corners
    return ((min(x0, x1), min(y0, y1)), (max(x0, x1), max(y0, y1)))


@functools.lru_cache(maxsize=256)
def _turned(profile: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """The outline of a body of revolution: a smooth curve through its half-widths, and its mirror image."""
    ys, halves = np.array(profile[::2]), np.array(profile[1::2])
    along = np.linspace(0, len(ys) - 1, 6 * len(ys))
    index = np.arange(len(ys))
    y = np.interp(along, index, ys)
    smooth = np.interp(along, index, halves)
    if len(ys) > 2:
        padded = np.pad(smooth, 3, mode="edge")
        smooth = np.convolve(padded, np.ones(7) / 7, mode="valid")
    right = [(0.5 + h, v) for h, v in zip(smooth.tolist(), y.tolist(), strict=True)]
    return tuple(right) + tuple((1 - x, v) for x, v in reversed(right))


@functools.lru_cache(maxsize=256)
def _rounded(numbers: tuple[float, ...]) -> tuple[tuple[float, float], ...]:
    """A polygon with its corners cut twice (Chaikin): a smooth outline; a doubled point stays a corner."""
    points = np.array(numbers, dtype=float).reshape(-1, 2)
    for _ in range(3):
        following = np.roll(points, -1, axis=0)
        cut = np.stack([0.75 * points + 0.25 * following, 0.25 * points + 0.75 * following], axis=1)
        points = cut.reshape(-1, 2)
    return tuple((x, y) for x, y in points.tolist())


@functools.lru_cache(maxsize=512)
def swatch(colour: RGB, shade: Shade) -> Image.Image:
    """A small square of `colour` lit from the upper left, to be stretched over a shape."""
    y, x = np.mgrid[0:_SWATCH, 0:_SWATCH] / (_SWATCH - 1.0)
    if shade == "ball":
        distance = np.hypot(x - 0.36, y - 0.3)
        light = 1.16 - 0.72 * distance**1.4
        gloss = 0.75 * np.exp(-((distance / 0.13) ** 2))
    elif shade == "round":
        light = 0.64 + 0.5 * np.exp(-(((x - 0.32) / 0.36) ** 2)) - 0.1 * y
        gloss = 0.38 * np.exp(-(((x - 0.24) / 0.06) ** 2)) * np.clip(1.2 - 1.3 * y, 0, 1)
    else:
        light = 1.08 - 0.2 * y - 0.08 * x
        gloss = np.zeros_like(x)
    lit = np.asarray(colour)[None, None, :] * light[..., None]
    lit += (255 - lit) * gloss[..., None]
    return Image.fromarray(np.clip(np.rint(lit), 0, 255).astype(np.uint8))


@functools.lru_cache(maxsize=8)
def _blot(power: float) -> Image.Image:
    """A soft round spot, 255 in the middle."""
    y, x = np.mgrid[-1:1:64j, -1:1:64j]
    spot = np.clip(1 - np.hypot(x, y), 0, 1) ** power
    return Image.fromarray(np.rint(spot * 255).astype(np.uint8))


def shadow(image: Image.Image, frame: Frame, strength: float = 0.55, power: float = 1.0) -> None:
    """Darken the canvas softly inside the ellipse that fits `frame`; `strength` is 0-1."""
    size = (max(1, round(frame.width)), max(1, round(frame.height)))
    mask = _blot(power).resize(size, Image.Resampling.BILINEAR).point(lambda value: value * strength)
    image.paste(Image.new("RGB", size, (12, 10, 16)), (round(frame.x), round(frame.y)), mask)
