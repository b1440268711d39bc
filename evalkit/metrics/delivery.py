"""What was delivered: is it a picture at all, in the size, shape and format that were asked for?

It looks at the file and at plain statistics of its pixels, never at what the picture shows. What the
system's parameters asked for is read by `asked`, and the fingerprint beside the size is made by
`fingerprint`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from evalkit.metrics.asked import asked_aspect, asked_format, asked_size
from evalkit.metrics.base import RGB, Metric, Output, Subject
from evalkit.metrics.fingerprint import as_text, dhash, tones, tones_as_text
from evalkit.types import Value

BLANK_LEVELS = 12
"""A pixel within so many levels of the median colour, in every channel, belongs to it."""

BLANK_SHARE = 0.999
BLANK_DEVIATION = 4.0
"""Blank: nearly all pixels belong to the median colour, and deviate from it by less than a faint gradient."""

_BLANK_SIDE = 256
_SHARP_SIDE = 1024


class Delivery(Metric):
    """Size, shape, format, colourfulness, blankness and sharpness of the delivered file."""

    name = "delivery"
    version = "1"
    summary = "Size, shape and format delivered; blank pictures"
    reads_asked = True
    outputs = (
        Output("delivered_megapixels", "Size delivered", "neither", "MP", 0, None),
        Output("aspect_error", "Off the aspect ratio asked for", "lower", "", 0, None),
        Output("size_error", "Off the size asked for", "lower", "", 0, None),
        Output("format_ok", "File format as asked", "higher", "", 0, 1),
        Output("blank", "Blank picture", "lower", "", 0, 1),
        Output("colourfulness", "Colourfulness", "neither", "", 0, None),
        Output("sharpness", "Sharpness", "neither", "", 0, None),
    )

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject; a picture that cannot be read has reasons only."""
        return [self._score(subject) for subject in subjects]

    def _score(self, subject: Subject) -> Mapping[str, Value]:
        image = subject.image
        if image is None:
            return self.missing(subject.image_problem or "decode_error")
        kind = subject.header.format if subject.header else "unknown"
        height, width = image.shape[:2]
        return {
            "delivered_megapixels": Value(
                width * height / 1e6, detail=f"{width} x {height} px, {kind}; {fingerprint(image)}"
            ),
            "aspect_error": aspect_error(width, height, asked_aspect(subject.asked)),
            "size_error": size_error(width, height, asked_size(subject.asked)),
            "format_ok": format_ok(kind if subject.header else None, asked_format(subject.asked)),
            "blank": Value(float(is_blank(image))),
            "colourfulness": Value(colourfulness(image)),
            "sharpness": Value(sharpness(image)),
        }


def aspect_error(width: int, height: int, asked: tuple[float, float] | None) -> Value:
    """How far width / height is from the one asked for: the larger over the smaller, minus one."""
    if asked is None:
        return Value(None, "not_asked")
    error = _deviation(width / height, asked[0] / asked[1])
    return Value(error, detail=f"{width} x {height} px for {asked[0]:g}:{asked[1]:g}")


def size_error(width: int, height: int, asked: tuple[int, int] | None) -> Value:
    """The same for width and for height, whichever is worse."""
    if asked is None or not all(asked):
        return Value(None, "not_asked")
    error = max(_deviation(width, asked[0]), _deviation(height, asked[1]))
    return Value(error, detail=f"{width} x {height} px for {asked[0]} x {asked[1]}")


def format_ok(kind: str | None, asked: str | None) -> Value:
    """1 if the file is of the format asked for, by its content and not by its name."""
    if asked is None:
        return Value(None, "not_asked")
    if kind is None:
        return Value(None, "no_header")
    return Value(float(kind == asked), detail=f"{kind} for {asked}")


def is_blank(image: RGB) -> bool:
    """Whether the picture is one colour, but for noise and a speck or two.

    On a copy of at most 256 px: 99.9 % of it lie within 12 levels of the median colour in every channel, and
    their standard deviation is at most 4 levels in every channel. A gradient is not blank.
    """
    pixels = _reduced(image, _BLANK_SIDE).reshape(-1, 3).astype(np.float32)
    away = np.abs(pixels - np.median(pixels, axis=0))
    near = (away[:, 0] <= BLANK_LEVELS) & (away[:, 1] <= BLANK_LEVELS) & (away[:, 2] <= BLANK_LEVELS)
    if float(near.mean()) < BLANK_SHARE:
        return False
    return bool(pixels[near].std(axis=0).max() <= BLANK_DEVIATION)


def colourfulness(image: RGB) -> float:
    """M of Hasler and Suesstrunk, "Measuring colourfulness in natural images" (2003); 0 is grey.

    With rg = R - G and yb = (R + G) / 2 - B over all pixels: the length of their two standard deviations
    plus 0.3 times that of their two means. They call 15 slightly, 45 averagely and 109 extremely colourful.
    """
    import cv2

    opponents = np.array([[1, -1, 0], [0.5, 0.5, -1]], np.float32)
    mean, deviation = cv2.meanStdDev(cv2.transform(image.astype(np.float32), opponents))
    return float(np.hypot(*deviation.ravel()) + 0.3 * np.hypot(*mean.ravel()))


def sharpness(image: RGB) -> float:
    """Variance of the Laplacian of the brightness, on a copy whose longer side is at most 1024 px.

    The focus measure of Pech-Pacheco et al., "Diatom autofocusing in brightfield microscopy" (2000). Noise
    is sharp too, and so is text: compare pictures of one case only.
    """
    import cv2

    light = cv2.cvtColor(_reduced(image, _SHARP_SIDE), cv2.COLOR_RGB2GRAY)
    _, deviation = cv2.meanStdDev(cv2.Laplacian(light, cv2.CV_16S))
    return float(deviation[0, 0]) ** 2


def _deviation(delivered: float, asked: float) -> float:
    return max(delivered / asked, asked / delivered) - 1


def _reduced(image: RGB, long_side: int) -> RGB:
    import cv2

    scale = long_side / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def fingerprint(image: RGB) -> str:
    """What finds the same picture again: its hash and its mean colours, as they stand in a detail."""
    return f"{as_text(dhash(image))} {tones_as_text(tones(image))}"
