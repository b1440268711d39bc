"""A product picture as a shop checks it: white at the edge, the product in the middle, nothing cut off.

The product is whatever differs from the background, and the background is what can be fitted to the
picture's border; where the border shows no plain background there is no number. Whether the product is the
right one is for other metrics and for people.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.metrics.base import RGB, Bits, Metric, Output, Subject, value_or
from evalkit.types import Case, Value

FRAME = 0.02
"""Width of the border that is looked at, of the shorter side."""

WHITE = 250
"""A pixel is white if every channel is at least this."""

_SIDE = 512
_SMALLEST = 32
_STRAY = 12.0
_PLAIN = 0.7
_PIECES = 12
_SHARP = 4.0
_SHADE = 0.08
_DARK = 0.3
_FADING = 0.2
_SPECK = 0.0004
_PRODUCT = frozenset({"product"})

Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Cut:
    """A picture cut in two, H x W: `subject`, and `backdrop` well away from it."""

    subject: Bits
    backdrop: Bits


class Product(Metric):
    """Whiteness of the border; place, size and completeness of the subject; evenness of the background."""

    name = "product"
    version = "1"
    summary = "White border, framing, even background"
    outputs = (
        Output("product_white_border", "White border", "higher", "", 0, 1, categories=_PRODUCT),
        Output("product_offset", "Subject off the middle", "lower", "", 0, 0.5, categories=_PRODUCT),
        Output("product_fill", "Picture filled by the subject", "neither", "", 0, 1, categories=_PRODUCT),
        Output("product_clipped", "Outline cut by the subject", "lower", "", 0, 1, categories=_PRODUCT),
        Output(
            "product_background_spread",
            "Unevenness of the background",
            "lower",
            "levels",
            0,
            255,
            categories=_PRODUCT,
        ),
    )

    def against(self, case: Case) -> Mapping[str, Any]:
        """Whether a white background was asked for."""
        return {"white": white_asked(case)}

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject; only a picture that cannot be read has no number at all."""
        return [self._score(subject) for subject in subjects]

    def _score(self, subject: Subject) -> Mapping[str, Value]:
        image = subject.image
        if image is None:
            return self.missing(subject.image_problem or "decode_error")
        white = Value(white_border(image)) if white_asked(subject.case) else Value(None, "not_asked")
        return {"product_white_border": white, **framing(image)}


def white_asked(case: Case) -> bool:
    """Whether the case has a check `{"kind": "background", "colour": "white"}`."""
    return any(check.get("kind") == "background" and check.get("colour") == "white" for check in case.checks)


def white_border(image: RGB) -> float:
    """Share of the outer 2 % frame that is at least 250 bright in every channel, 0 to 1."""
    return float((_smallest(image[border(*image.shape[:2])]) >= WHITE).mean())


def border(height: int, width: int) -> Bits:
    """True on the outer frame, at least a pixel wide."""
    frame = np.ones((height, width), np.bool_)
    edge = max(1, round(FRAME * min(height, width)))
    frame[edge:-edge, edge:-edge] = False
    return frame


def framing(image: RGB) -> dict[str, Value]:
    """Every output but the border's whiteness."""
    if min(image.shape[:2]) < _SMALLEST:
        return _none("too_small", "offset", "fill", "clipped", "background_spread")
    small = _calm(_reduced(image))
    cut = cut_out(small)
    if cut is None:
        return _none("no_plain_background", "offset", "fill", "clipped", "background_spread")
    spread = {"product_background_spread": value_or(unevenness(small, cut.backdrop), "no_background")}
    if not cut.subject.any():
        return {**spread, **_none("no_subject", "offset", "fill", "clipped")}
    return {**spread, **_place(cut.subject)}


def cut_out(image: RGB) -> Cut | None:
    """Subject and background of a picture of at most 512 px; None if the border is not plain.

    The background is a surface of second degree per channel, fitted to the border without what strays from
    it and then once more to everything that agrees with it. The border is plain if at least 70 % of it lies
    within 12 levels of the surface, in few pieces. What differs by more belongs to the subject, except light
    and shadow: another brightness of the same hue that fades into the background without an edge.
    """
    frame = border(*image.shape[:2])
    terms, pixels = _terms(*image.shape[:2]), image.astype(np.float32)
    agrees = _stray(_fit(terms, pixels, frame), pixels) <= _STRAY
    if float(agrees[frame].mean()) < _PLAIN or _pieces(_outline(agrees)) > _PIECES:
        return None
    surface = _refit(terms, pixels, agrees)
    apart = _stray(surface, pixels) > _STRAY
    subject = without_specks(apart & ~_light_and_shadow(pixels, surface, apart))
    return Cut(subject, ~_grown(subject))


def unevenness(image: RGB, backdrop: Bits) -> float | None:
    """95th percentile of the largest channel's distance from the background's median colour, 0 to 255."""
    pixels = image[backdrop].astype(np.float32)
    if not pixels.size:
        return None
    return float(np.percentile(_largest(np.abs(pixels - np.median(pixels, axis=0))), 95))


def without_specks(subject: Bits) -> Bits:
    """The connected parts that are more than 0.04 % of the picture, once gaps of a pixel are closed."""
    import cv2

    closed = cv2.morphologyEx(subject.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    _, labels, facts, _ = cv2.connectedComponentsWithStats(closed, connectivity=8)
    large = facts[:, cv2.CC_STAT_AREA] >= max(9, _SPECK * subject.size)
    large[0] = False
    return np.asarray(large[labels], np.bool_)


# ------------------------------------------------------------------ the background's surface


def _terms(height: int, width: int) -> Floats:
    """H x W x 6: 1, x, y, x², xy, y², with x and y from -1 to 1."""
    y, x = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1).astype(np.float32)


def _fit(terms: Floats, pixels: Floats, frame: Bits) -> Floats:
    """The surface, H x W x 3, through the border: from its median colour by a plane to the second degree.

    Each step leaves out what strays from the one before, so that a subject on the border does not bend it.
    """
    known, colours = terms[frame], pixels[frame]
    surface = np.broadcast_to(np.median(colours, axis=0), colours.shape)
    weights = np.zeros((6, 3), np.float32)
    for degree in (1, 3, 3, 6, 6):
        stray = _largest(np.abs(colours - surface))
        keep = stray <= max(_STRAY, 3 * 1.4826 * float(np.median(stray)))
        weights[:] = 0
        weights[:degree] = np.linalg.lstsq(known[keep, :degree], colours[keep], rcond=None)[0]
        surface = known @ weights
    return np.asarray(terms @ weights, np.float32)


def _refit(terms: Floats, pixels: Floats, backdrop: Bits) -> Floats:
    """The surface through every pixel that agrees with the border's; a sample of them is enough."""
    step = max(1, int(backdrop.sum()) // 20_000)
    known, colours = terms[backdrop][::step], pixels[backdrop][::step]
    weights = np.linalg.lstsq(known, colours, rcond=None)[0]
    return np.asarray(terms @ weights, np.float32)


def _stray(surface: Floats, pixels: Floats) -> Floats:
    return np.asarray(_largest(np.abs(pixels - surface)), np.float32)


def _light_and_shadow(pixels: Floats, surface: Floats, apart: Bits) -> Bits:
    """Smooth places of the background's hue, darker or lighter, that fade into the background.

    The inside of a grey product on white is smooth and of the same hue too, but an edge lies around it.
    """
    import cv2

    smooth = apart & _same_hue(pixels, surface) & (_slope(pixels) < _SHARP)
    _, labels = cv2.connectedComponents(smooth.astype(np.uint8), connectivity=4)
    fades, edged = (_touching(labels, other) for other in (~apart, apart & ~smooth))
    soft = fades > _FADING * (fades + edged)
    soft[0] = False
    return np.asarray(soft[labels], np.bool_)


def _same_hue(pixels: Floats, surface: Floats) -> Bits:
    """Where all channels are the background's times one factor."""
    ratio = pixels / np.maximum(surface, 1)
    low, high = _smallest(ratio), _largest(ratio)
    return np.asarray((high - low <= _SHADE * high) & (low > _DARK), np.bool_)


def _largest(pixels: NDArray[Any]) -> NDArray[Any]:
    """The largest channel; several times quicker than `max` along so short an axis."""
    return np.asarray(np.maximum(np.maximum(pixels[..., 0], pixels[..., 1]), pixels[..., 2]))


def _smallest(pixels: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.minimum(np.minimum(pixels[..., 0], pixels[..., 1]), pixels[..., 2]))


def _slope(pixels: Floats) -> Floats:
    """Change of brightness in levels per pixel."""
    import cv2

    light = np.ascontiguousarray((pixels[..., 0] + pixels[..., 1] + pixels[..., 2]) / 3)
    across, down = (cv2.Sobel(light, cv2.CV_32F, dx, 1 - dx, scale=0.125) for dx in (1, 0))
    return np.asarray(np.hypot(across, down), np.float32)


def _touching(labels: NDArray[np.int32], other: Bits) -> NDArray[np.int64]:
    """For each label, how often one of its pixels has a pixel of `other` beside, above or below it."""
    count = int(labels.max()) + 1
    sides = [
        np.bincount(labels[1:][other[:-1]], minlength=count),
        np.bincount(labels[:-1][other[1:]], minlength=count),
        np.bincount(labels[:, 1:][other[:, :-1]], minlength=count),
        np.bincount(labels[:, :-1][other[:, 1:]], minlength=count),
    ]
    return np.asarray(np.sum(sides, axis=0), np.int64)


# ------------------------------------------------------------------ numbers of a subject


def _place(subject: Bits) -> dict[str, Value]:
    """Offset (of the diagonal) and fill of the bounding box, and the share of the outline that is subject."""
    height, width = subject.shape
    rows, columns = np.flatnonzero(subject.any(axis=1)), np.flatnonzero(subject.any(axis=0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    away = np.hypot((left + right - width) / 2, (top + bottom - height) / 2) / np.hypot(width, height)
    box = f"from {left / width:.2f}, {top / height:.2f} to {right / width:.2f}, {bottom / height:.2f}"
    return {
        "product_offset": Value(float(away), detail=box),
        "product_fill": Value(float((right - left) * (bottom - top) / (width * height)), detail=box),
        "product_clipped": Value(float(_outline(subject).mean())),
    }


def _outline(mask: Bits) -> Bits:
    """The outermost pixels, once around."""
    return np.concatenate([mask[0], mask[1:-1, -1], mask[-1, ::-1], mask[-2:0:-1, 0]])


def _pieces(around: Bits) -> int:
    """How many separate pieces of the outline are False."""
    return int((around & ~np.roll(around, 1)).sum())


def _reduced(image: RGB) -> RGB:
    import cv2

    scale = _SIDE / max(image.shape[:2])
    if scale >= 1:
        return image
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def _calm(image: RGB) -> RGB:
    """Without grain, edges where they were."""
    import cv2

    return np.asarray(cv2.medianBlur(image, 3), np.uint8)


def _grown(subject: Bits) -> Bits:
    import cv2

    return np.asarray(cv2.dilate(subject.astype(np.uint8), np.ones((9, 9), np.uint8)), np.bool_)


def _none(reason: str, *names: str) -> dict[str, Value]:
    return {f"product_{name}": Value(None, reason) for name in names}
