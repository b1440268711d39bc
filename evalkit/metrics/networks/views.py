"""How pictures are shown to a model that embeds them: whole, padded to a square, a part; and the source.

A view has a name, so that what has been seen in that way need not be looked at again; the pixels are fetched
only if it has not. What the model then does with them is its own preprocessing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evalkit.images import ImageProblem
from evalkit.metrics.base import RGB, Subject

THINNEST = 20
"""Pictures longer than this many times their short side are not scaled to 224 px: it would fill memory."""

Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels; the last two are outside."""


@dataclass(frozen=True, slots=True)
class View:
    """A picture as an encoder is shown it. `key` names it: digest, and which part of it in which dress.

    `look` gives its pixels, or None if it cannot be shown; it is called in another thread.
    """

    key: str
    look: Callable[[], RGB | None]


def size_of(subject: Subject) -> tuple[int, int] | None:
    """(height, width) of the picture, without decoding it where its header is known; None if it is broken."""
    if subject.header is not None:
        return subject.header.height, subject.header.width
    return None if subject.image is None else (subject.image.shape[0], subject.image.shape[1])


def whole(subject: Subject) -> View:
    """The picture as it is; the model's preprocessing decides what is seen of it."""
    return View(subject.image_sha, lambda: subject.image)


def in_square(subject: Subject, colour: tuple[int, int, int]) -> View:
    """The picture in a square of that colour, so that nothing of it is cropped."""
    name = "-".join(map(str, colour))
    return View(
        f"{subject.image_sha} pad {name}",
        lambda: None if subject.image is None else padded(subject.image, colour),
    )


def part(subject: Subject, box: Box) -> View:
    """What lies in the box."""
    left, top, right, bottom = box

    def look() -> RGB | None:
        image = subject.image
        return None if image is None else np.ascontiguousarray(image[top:bottom, left:right])

    return View(f"{subject.image_sha} crop {left} {top} {right} {bottom}", look)


def source(subject: Subject) -> View:
    """What was edited."""

    def look() -> RGB | None:
        try:
            return subject.load_source()
        except ImageProblem:
            return None

    return View(subject.source_sha or "", look)


def source_problem(subject: Subject) -> str:
    """Why the source could not be shown."""
    try:
        subject.load_source()
    except ImageProblem as problem:
        return f"source_{problem.reason}"
    return "no_source"


def padded(picture: RGB, colour: tuple[int, int, int]) -> RGB:
    """The picture in the middle of the smallest square that holds it, the rest in `colour`."""
    height, width = picture.shape[:2]
    side = max(height, width)
    square = np.empty((side, side, 3), np.uint8)
    square[:] = colour
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = picture
    return square
