"""Mean squared error, PSNR and SSIM of two pictures, over a region of them.

Both divide by what lies in the region and by nothing else. It knows pixels; which region counts is for the
metrics to say.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evalkit.metrics.base import RGB, Bits

PSNR_CAP = 100.0
"""dB given to an untouched region. A NULL would read as a failure to score the best possible result."""

WINDOW = 5
"""Half of SSIM's window: a pixel's value depends on what is so far from it."""

_SIGMA = 1.5
_MIDDLE = np.float32(128)
_STRIP = 48
"""Rows at a time: what is worked on stays in the processor's cache, which is three times as quick."""

_C1, _C2 = np.float32((0.01 * 255) ** 2), np.float32((0.03 * 255) ** 2)

Floats = NDArray[np.float32]


def mse(source: RGB, image: RGB, region: Bits) -> float | None:
    """Mean squared difference of 8-bit values over the pixels and channels of `region`, 0 to 65025."""
    import cv2

    count = int(np.count_nonzero(region))
    if not count:
        return None
    mask = np.ascontiguousarray(region).view(np.uint8)
    return float(cv2.norm(source, image, cv2.NORM_L2SQR, mask)) / (3 * count)


def psnr(squared: float | None) -> float | None:
    """10 log10(255^2 / MSE) in dB, at most `PSNR_CAP`."""
    if squared is None:
        return None
    return min(PSNR_CAP, 10 * float(np.log10(255**2 / squared))) if squared else PSNR_CAP


def ssim(source: RGB, image: RGB, region: Bits) -> float | None:
    """Mean of the SSIM map where the whole 11 x 11 window lies in `region`, -1 to 1; None if nowhere."""
    if min(source.shape[:2]) <= 2 * WINDOW:
        return None
    return mean_ssim(ssim_map(source, image), region)


def ssim_map(source: RGB, image: RGB) -> Floats:
    """(H - 10) x (W - 10) float32: SSIM per pixel, mean of the RGB channels, without the 5 px border.

    Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 13(4), 2004: Gaussian window of sigma 1.5, K1 = 0.01,
    K2 = 0.03, L = 255, population covariance. The map is that of the whole pictures: blanking the edit first
    would make its edge part of the score.
    """
    height, width = source.shape[0] - 2 * WINDOW, source.shape[1] - 2 * WINDOW
    out = np.empty((height, width), np.float32)
    for top in range(0, height, _STRIP):
        rows = slice(top, top + _STRIP + 2 * WINDOW)
        out[top : top + _STRIP] = _ssim_of_strip(source[rows], image[rows])
    return out


def _ssim_of_strip(source: RGB, image: RGB) -> Floats:
    """Variances do not depend on the 128 that is subtracted, and are so exact enough in float32."""
    import cv2

    x, y = source.astype(np.float32) - _MIDDLE, image.astype(np.float32) - _MIDDLE
    mx, my = _blur(x), _blur(y)
    covariance = _blur(x * y) - mx * my
    variances = _blur(x * x + y * y) - mx * mx - my * my
    mx, my = mx + _MIDDLE, my + _MIDDLE
    numerator = (2 * mx * my + _C1) * (2 * covariance + _C2)
    values = numerator / ((mx * mx + my * my + _C1) * (variances + _C2))
    return np.asarray(cv2.transform(values, np.full((1, 3), 1 / 3, np.float32)))


def mean_ssim(values: Floats | None, region: Bits) -> float | None:
    """The mean of a map of `ssim_map` where the whole window lies in `region`; None if nowhere."""
    import cv2

    if values is None:
        return None
    square = np.ones((2 * WINDOW + 1, 2 * WINDOW + 1), np.uint8)
    whole = cv2.erode(region.astype(np.uint8), square)[WINDOW:-WINDOW, WINDOW:-WINDOW].astype(np.bool_)
    return min(1.0, float(values[whole].mean(dtype=np.float64))) if whole.any() else None


def _blur(picture: Floats) -> Floats:
    import cv2

    blurred = cv2.GaussianBlur(picture, (2 * WINDOW + 1, 2 * WINDOW + 1), _SIGMA)
    return np.asarray(blurred)[WINDOW:-WINDOW, WINDOW:-WINDOW]
