"""How much an edit changed what it should have kept, from pixel values alone: no weights, no torch.

Every number but `changed_in` and `size_ratio` looks only outside the edit region, and divides by the
number of pixels there. Definitions, sources and reasons for NULL: docs/metrics.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evalkit.metrics.base import RGB, Bits, Metric, Need, Output, Subject
from evalkit.metrics.colour import delta_e
from evalkit.metrics.pairs import Unusable, erode, pair
from evalkit.types import Value

PSNR_CAP = 100.0
"""dB given to an untouched outside. A NULL would read as a failure to score the best possible result."""

_WINDOW = 5
_SIGMA = 1.5
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_NEEDS: frozenset[Need] = frozenset({"source", "mask"})


class Pixels(Metric):
    """PSNR, SSIM, CIEDE2000 and MSE outside the mask; mean CIEDE2000 inside it."""

    name = "pixels"
    version = "1"
    summary = "Outside the mask: PSNR, SSIM, colour difference"
    outputs = (
        Output("psnr_out", "PSNR outside the mask", "higher", "dB", 0, PSNR_CAP, _NEEDS),
        Output("ssim_out", "SSIM outside the mask", "higher", "", -1, 1, _NEEDS, headline=True),
        Output("de00_out", "Colour difference outside the mask (mean)", "lower", "ΔE00", 0, None, _NEEDS),
        Output("de00_p95_out", "Colour difference outside the mask (p95)", "lower", "ΔE00", 0, None, _NEEDS),
        Output("mse_out", "MSE outside the mask", "lower", "", 0, 65025, _NEEDS),
        Output("changed_in", "Colour difference inside the mask (mean)", "neither", "ΔE00", 0, None, _NEEDS),
        Output(
            "size_ratio", "Pixels delivered per source pixel", "neither", "", 0, None, frozenset({"source"})
        ),
    )

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject; a picture that cannot be compared gets reasons, never numbers."""
        return [self._score(subject) for subject in subjects]

    def _score(self, subject: Subject) -> Mapping[str, Value]:
        both = pair(subject)
        if isinstance(both, Unusable):
            size = Value(both.size_ratio, both.reason if both.size_ratio is None else None)
            return {**self.missing(both.reason), "size_ratio": size}
        size = Value(both.size_ratio)
        if both.inside is None:
            return {**self.missing("no_mask"), "size_ratio": size}
        return {**compare(both.source, both.image, both.inside), "size_ratio": size}


def compare(source: RGB, image: RGB, inside: Bits) -> dict[str, Value]:
    """Every output but `size_ratio` for two pictures on one grid."""
    outside = ~inside
    squared = mse(source, image, outside)
    similarity = ssim(source, image, outside)
    return {
        "psnr_out": _or(psnr(squared), "no_outside"),
        "ssim_out": _or(similarity, "no_outside" if squared is None else "thin_outside"),
        "mse_out": _or(squared, "no_outside"),
        **_colour(source, image, inside),
    }


def mse(source: RGB, image: RGB, region: Bits) -> float | None:
    """Mean squared difference of 8-bit values over the pixels and channels of `region`, 0 to 65025."""
    count = int(region.sum())
    if not count:
        return None
    difference = source[region].astype(np.int32) - image[region]
    return float(np.einsum("ij,ij->", difference, difference, dtype=np.int64)) / (3 * count)


def psnr(squared: float | None) -> float | None:
    """10 log10(255^2 / MSE) in dB, at most `PSNR_CAP`."""
    if squared is None:
        return None
    return min(PSNR_CAP, 10 * float(np.log10(255**2 / squared))) if squared else PSNR_CAP


def ssim(source: RGB, image: RGB, region: Bits) -> float | None:
    """Mean of the SSIM map where the whole 11 x 11 window lies in `region`, -1 to 1; None if nowhere.

    Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13(4), 2004: Gaussian window of sigma 1.5, K1 = 0.01,
    K2 = 0.03, L = 255, population covariance, per RGB channel and then averaged. The map is that of the
    whole pictures: blanking the edit first would make its edge part of the score.
    """
    if min(region.shape) <= 2 * _WINDOW:
        return None
    valid = erode(region, _WINDOW)[_WINDOW:-_WINDOW, _WINDOW:-_WINDOW]
    if not valid.any():
        return None
    channels = [float(_ssim_map(source[..., c], image[..., c])[valid].mean()) for c in range(3)]
    return sum(channels) / 3


def _ssim_map(x: NDArray[np.uint8], y: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Of one channel, without the 5 px border where the window would leave the picture."""
    fx, fy = x.astype(np.float64), y.astype(np.float64)
    mx, my = _blur(fx), _blur(fy)
    vxy = _blur(fx * fy) - mx * my
    sum_of_variances = _blur(fx * fx + fy * fy) - mx * mx - my * my
    numerator = (2 * mx * my + _C1) * (2 * vxy + _C2)
    return numerator / ((mx * mx + my * my + _C1) * (sum_of_variances + _C2))


def _blur(channel: NDArray[np.float64]) -> NDArray[np.float64]:
    import cv2

    blurred = cv2.GaussianBlur(channel, (2 * _WINDOW + 1, 2 * _WINDOW + 1), _SIGMA)
    return np.asarray(blurred)[_WINDOW:-_WINDOW, _WINDOW:-_WINDOW]


def _colour(source: RGB, image: RGB, inside: Bits) -> dict[str, Value]:
    difference = delta_e(source.reshape(-1, 3), image.reshape(-1, 3)).reshape(inside.shape)
    kept, edited = difference[~inside], difference[inside]
    p95 = float(np.percentile(kept, 95)) if kept.size else None
    return {
        "de00_out": _or(_mean(kept), "no_outside"),
        "de00_p95_out": _or(p95, "no_outside"),
        "changed_in": _or(_mean(edited), "no_inside"),
    }


def _mean(values: NDArray[np.float32]) -> float | None:
    return float(values.mean(dtype=np.float64)) if values.size else None


def _or(value: float | None, reason: str) -> Value:
    return Value(value, None if value is not None else reason)
