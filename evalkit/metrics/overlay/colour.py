"""CIE colour: sRGB to L*a*b* (D65, 2 degrees) and the CIEDE2000 difference.

Both keep the precision they are given: float64 for reference values, float32 for pictures, where a
megapixel takes a sixth of a second and stays within 0.001 of float64.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.metrics.base import RGB

Floats = NDArray[np.floating[Any]]

_TO_XYZ = np.array(
    [[0.412453, 0.357580, 0.180423], [0.212671, 0.715160, 0.072169], [0.019334, 0.119193, 0.950227]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
_FROM_CUBE_ROOTS = np.array([[0, 116, 0, -16], [500, -500, 0, 0], [0, 200, -200, 0]], np.float32)
_CHUNK = 16384
_OPPOSITE = 0.02
"""One plus the cosine of the hue difference, below which hues count as opposite: within about 11 degrees."""


def srgb_to_lab(pixels: RGB, dtype: type[np.floating[Any]] = np.float64) -> Floats:
    """N x 3 uint8 sRGB (IEC 61966-2-1) to N x 3 CIE 1976 L*a*b* under D65 for the 2 degree observer."""
    codes = np.arange(256) / 255.0
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4).astype(dtype)
    relative = linear[pixels] @ (_TO_XYZ / _WHITE[:, None]).T.astype(dtype)
    cubic = np.cbrt(relative)
    line = relative * dtype(24389 / 27 / 116) + dtype(16 / 116)
    f = np.where(relative > dtype((6 / 29) ** 3), cubic, line)
    x, y, z = f[:, 0], f[:, 1], f[:, 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)


def ciede2000(lab1: Floats, lab2: Floats) -> Floats:
    """CIEDE2000 of two N x 3 L*a*b* arrays, kL = kC = kH = 1.

    Sharma, Wu, Dalal: The CIEDE2000 Color-Difference Formula, Color Res. Appl. 30(1), 2005, equations 2-22.
    """
    L1, a1, b1 = lab1.T
    L2, a2, b2 = lab2.T
    stretch = 1 + _half_gain((np.hypot(a1, b1) + np.hypot(a2, b2)) / 2)
    a1, a2 = a1 * stretch, a2 * stretch
    C1, C2 = np.hypot(a1, b1), np.hypot(a2, b2)
    dh, mean_hue = _hues(np.arctan2(b1, a1), np.arctan2(b2, a2), C1 * C2 == 0)
    dH = 2 * np.sqrt(C1 * C2) * np.sin(dh / 2)
    return _weighted(L2 - L1, C2 - C1, dH, (L1 + L2) / 2, (C1 + C2) / 2, mean_hue)


def picture_lab(image: RGB) -> NDArray[np.float32]:
    """uint8 sRGB (... x 3) as L*a*b*, float32: within 0.0002 of `srgb_to_lab`, and quick."""
    import cv2

    codes = np.arange(256) / 255.0
    linear = np.where(codes <= 0.04045, codes / 12.92, ((codes + 0.055) / 1.055) ** 2.4).astype(np.float32)
    flat = np.ascontiguousarray(image).reshape(1, -1, 3)
    relative = cv2.transform(cv2.LUT(flat, linear), (_TO_XYZ / _WHITE[:, None]).astype(np.float32))
    line = relative * np.float32(24389 / 27 / 116) + np.float32(16 / 116)
    f = np.where(relative > np.float32((6 / 29) ** 3), cv2.pow(relative, 1 / 3), line)
    return np.asarray(cv2.transform(f, _FROM_CUBE_ROOTS), dtype=np.float32).reshape(image.shape)


def delta_e(source: RGB, image: RGB) -> NDArray[np.float32]:
    """CIEDE2000 of two uint8 sRGB arrays (... x 3), float32 of shape (...); 0 where they are equal.

    In pieces that stay in the processor's cache, and only where something differs if that is little.
    """
    import cv2

    one, other = source.reshape(-1, 3), image.reshape(-1, 3)
    difference = cv2.absdiff(source, image)
    changed = np.flatnonzero(difference[..., 0] | difference[..., 1] | difference[..., 2])
    out = np.zeros(len(one), np.float32)
    if len(changed) > len(one) // 2:
        for start in range(0, len(one), _CHUNK):
            some = slice(start, start + _CHUNK)
            out[some] = quick_ciede2000(picture_lab(one[some]), picture_lab(other[some]))
    else:
        for start in range(0, len(changed), _CHUNK):
            few = changed[start : start + _CHUNK]
            out[few] = quick_ciede2000(picture_lab(one[few]), picture_lab(other[few]))
    return out.reshape(source.shape[:-1])


def quick_ciede2000(lab1: Floats, lab2: Floats) -> Floats:
    """`ciede2000` with one arc tangent instead of two, for pictures.

    With both colours as vectors in the a*b* plane, the hue difference is their cross product over the length
    of their sum, and the mean hue the direction of the sum of their unit vectors. For nearly opposite hues
    that direction is lost in rounding: those few are left to `ciede2000`.
    """
    L1, a1, b1 = (np.ascontiguousarray(column) for column in lab1.T)
    L2, a2, b2 = (np.ascontiguousarray(column) for column in lab2.T)
    tiny = a1.dtype.type(1e-12)
    stretch = 1 + _half_gain((np.sqrt(a1 * a1 + b1 * b1) + np.sqrt(a2 * a2 + b2 * b2)) / 2)
    a1, a2 = a1 * stretch, a2 * stretch
    C1, C2 = np.sqrt(a1 * a1 + b1 * b1), np.sqrt(a2 * a2 + b2 * b2)
    both = C1 * C2
    dot = a1 * a2 + b1 * b2
    half = np.sqrt(np.maximum((both + dot) / 2, tiny))
    dH = np.minimum(2 * np.sqrt(both), np.abs(a1 * b2 - a2 * b1) / half) * np.sign(a1 * b2 - a2 * b1)
    first, second = 1 / np.maximum(C1, tiny), 1 / np.maximum(C2, tiny)
    hue = np.arctan2(b1 * first + b2 * second, a1 * first + a2 * second)
    hue = np.where(hue < 0, hue + a1.dtype.type(2 * np.pi), hue)
    out = _weighted(L2 - L1, C2 - C1, dH, (L1 + L2) / 2, (C1 + C2) / 2, hue)
    opposite = both + dot < _OPPOSITE * both
    if opposite.any():
        out[opposite] = ciede2000(lab1[opposite], lab2[opposite])
    return out


def _half_gain(chroma: Floats) -> Floats:
    """G of equation 4."""
    return 0.5 * (1 - _saturation(chroma))


def _saturation(chroma: Floats) -> Floats:
    """sqrt(C^7 / (C^7 + 25^7)), written so that float32 does not overflow."""
    ratio = chroma / 25
    seventh = ratio * (ratio * ratio) ** 3
    share: Floats = np.sqrt(seventh / (seventh + 1))
    return share


def _hues(h1: Floats, h2: Floats, grey: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Hue difference in (-pi, pi] and mean hue, both in radians (equations 10 and 14).

    Where one colour is grey there is no hue difference, and the mean is the sum: the hue of the other.
    """
    pi = h1.dtype.type(np.pi)
    h1, h2 = np.where(h1 < 0, h1 + 2 * pi, h1), np.where(h2 < 0, h2 + 2 * pi, h2)
    raw = h2 - h1
    turn = np.where(raw > pi, -2 * pi, np.where(raw < -pi, 2 * pi, pi - pi))
    total = h1 + h2
    half_turn = np.where(turn == 0, pi - pi, np.where(total < 2 * pi, pi, -pi))
    mean = np.where(grey, total, total / 2 + half_turn)
    return np.where(grey, pi - pi, raw + turn), mean


def _weighted(dL: Floats, dC: Floats, dH: Floats, L: Floats, C: Floats, h: Floats) -> Floats:
    """Equations 15-22: weights at the mean colour, and the rotation of blues."""
    T = _hue_weight(h)
    squared = (L - 50) ** 2
    by_L = dL / (1 + 0.015 * squared / np.sqrt(20 + squared))
    by_C = dC / (1 + 0.045 * C)
    by_H = dH / (1 + 0.015 * C * T)
    bump = math.radians(60) * np.exp(-(((np.degrees(h) - 275) / 25) ** 2))
    rotation = -2 * _saturation(C) * np.sin(bump)
    squares = by_L**2 + by_C**2 + by_H**2 + rotation * by_C * by_H
    difference: Floats = np.sqrt(np.maximum(squares, 0))
    return difference


def _hue_weight(h: Floats) -> Floats:
    """T of equation 15. Multiple angles come from one sine and one cosine, which halves the cost."""
    c, s = np.cos(h), np.sin(h)
    c2, s2 = c * c - s * s, 2 * s * c
    c3, s3 = c2 * c - s2 * s, s2 * c + c2 * s
    c4, s4 = c2 * c2 - s2 * s2, 2 * s2 * c2
    first: Floats = 1 - 0.17 * _turned(c, s, -30) + 0.24 * c2
    second: Floats = 0.32 * _turned(c3, s3, 6) - 0.20 * _turned(c4, s4, -63)
    return first + second


def _turned(c: Floats, s: Floats, degrees: float) -> Floats:
    """cos(angle + degrees) from the cosine and sine of the angle."""
    by = math.radians(degrees)
    return c * math.cos(by) - s * math.sin(by)
