"""Where an edit lies over its source: the affine map between two pictures of the same scene.

Providers move pictures by a pixel, zoom by a percent, squeeze an aspect ratio; pixel differences then
measure the displacement and not the edit. Corners of the source are followed into the edit (pyramidal
Lucas-Kanade), a robust affine map is fitted to them, and the fit is repeated on the warped picture until
what is left is a few hundredths of a pixel. Corners within the region to ignore, and corners that disagree
with the majority, have no say. Where there are too few corners, the enhanced correlation coefficient
(Evangelidis and Psarakis, IEEE PAMI 30(10), 2008) is maximised instead.

It knows two grey pictures and a region. Whether a map is used is for `pairs` to decide.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from evalkit.metrics.base import RGB, Bits

Grey = NDArray[np.uint8]
Floats = NDArray[np.float64]
Affine = Floats
"""2 x 3: a pixel (x, y, 1) of the source in pixels of the edit; the middle of a pixel is a whole number."""

IDENTITY: Affine = np.eye(2, 3)

COARSE = 512
"""Rough positions are found in copies whose long side is at most this."""

MAX_CORNERS = 700
UNMOVED_PX = 0.05
"""Maps that move the corners by less than this are the identity: compression alone does as much."""

_FEWEST = 12
_THINNEST = 32
_WINDOW = (21, 21)
_ROUNDS = 3
_SETTLED_PX = 0.01


def register(source: Grey, image: Grey, ignore: Bits | None = None) -> Affine | None:
    """The map from `source` to `image` (both H x W, of one size); None if none can be found.

    `ignore` is the part of the source that may have changed (H x W, True = look away).
    """
    corners = _corners(source, ignore)
    found = None
    if len(corners) >= _FEWEST:
        for start in _starts(source, image, ignore):
            fitted = _followed(source, image, corners, start)
            if fitted is not None and (found is None or fitted[1] > found[1]):
                found = fitted
            if found is not None and found[1] > 0.6:
                break
    if found is None:
        return _by_correlation(source, image, ignore)
    if displacement(found[0], *source.shape) < UNMOVED_PX:
        return IDENTITY
    return _refined(source, image, corners, found[0])


def warp(image: RGB, matrix: Affine) -> tuple[RGB, Bits]:
    """The edit drawn where its source is (H x W x 3), and where it has pixels to draw (H x W)."""
    import cv2

    height, width = image.shape[:2]
    flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
    drawn = cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(drawn, dtype=np.uint8), covered(matrix, height, width)


def covered(matrix: Affine, height: int, width: int) -> Bits:
    """Pixels of the source's grid (H x W) that lie inside the edit."""
    x, y = np.arange(width), np.arange(height)[:, None]
    across = matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2]
    down = matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2]
    inside = (across > -0.5) & (across < width - 0.5) & (down > -0.5) & (down < height - 0.5)
    return np.asarray(inside, dtype=np.bool_)


def displacement(matrix: Affine, height: int, width: int) -> float:
    """Root mean square distance in pixels by which the four corners of the picture move."""
    corners = np.array([[0, 0, 1], [width - 1, 0, 1], [0, height - 1, 1], [width - 1, height - 1, 1]])
    moved = corners @ matrix.T - corners[:, :2]
    return float(np.sqrt((moved**2).sum(axis=1).mean()))


def stretch(matrix: Affine) -> tuple[float, float]:
    """The smallest and the largest factor by which the map scales a length."""
    values = np.linalg.svd(matrix[:, :2], compute_uv=False)
    return float(values[-1]), float(values[0])


def after(second: Affine, first: Affine) -> Affine:
    """The map that does `first` and then `second`."""
    whole = np.vstack([first, [0, 0, 1]])
    combined: Affine = second @ whole
    return combined


# Corners --------------------------------------------------------------------------------------------------


def _corners(source: Grey, ignore: Bits | None) -> NDArray[np.float32]:
    """N x 2: well-marked places outside `ignore`, spread over the picture."""
    import cv2

    small = _halved(source)
    mask = None if ignore is None else _halved((~ignore).astype(np.uint8) * 255)
    if mask is not None:
        mask = (mask == 255).astype(np.uint8)
    apart = max(4, round(max(small.shape) / 64))
    found = cv2.goodFeaturesToTrack(small, MAX_CORNERS, 0.003, apart, mask=mask, blockSize=5)
    if found is None:
        return np.zeros((0, 2), np.float32)
    factor = source.shape[1] / small.shape[1]
    return np.asarray((found.reshape(-1, 2) + 0.5) * factor - 0.5, dtype=np.float32)


def _halved(picture: Grey) -> Grey:
    import cv2

    if max(picture.shape) <= COARSE:
        return picture
    half = (picture.shape[1] // 2, picture.shape[0] // 2)
    return np.asarray(cv2.resize(picture, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _followed(
    source: Grey, image: Grey, corners: NDArray[np.float32], start: Affine
) -> tuple[Affine, float] | None:
    """The map that most corners agree on, and their share; None if there is none."""
    import cv2

    guess = _moved(start, corners)
    flags = cv2.OPTFLOW_USE_INITIAL_FLOW
    there, seen, _ = cv2.calcOpticalFlowPyrLK(
        source, image, corners, guess.astype(np.float32), winSize=_WINDOW, maxLevel=3, flags=flags
    )
    kept = seen.ravel().astype(np.bool_) & _within(there, image.shape)
    if kept.sum() < _FEWEST:
        return None
    cv2.setRNGSeed(1)
    rough, agree = cv2.estimateAffine2D(
        corners[kept], there[kept], method=cv2.RANSAC, ransacReprojThreshold=1.5, maxIters=500
    )
    if rough is None or int(agree.sum()) < _FEWEST:
        return None
    share = float(agree.sum()) / len(corners)
    return _least_squares(corners[kept], there[kept], np.asarray(rough)), share


def _within(points: NDArray[np.float32], shape: tuple[int, ...]) -> Bits:
    x, y = points[:, 0], points[:, 1]
    return np.asarray((x >= 0) & (y >= 0) & (x <= shape[1] - 1) & (y <= shape[0] - 1), dtype=np.bool_)


def _least_squares(here: NDArray[np.float32], there: NDArray[np.float32], start: Affine) -> Affine:
    """Affine fit with Tukey's biweight: corners further off than a few typical errors count nothing."""
    design = np.column_stack([here, np.ones(len(here))]).astype(np.float64)
    target, matrix = there.astype(np.float64), start
    for _ in range(6):
        errors = np.hypot(*(design @ matrix.T - target).T)
        typical = max(
            1.4826 * float(np.median(errors[errors < 3.0] if (errors < 3.0).any() else errors)), 0.02
        )
        weights = np.clip(1 - (errors / (4.685 * typical)) ** 2, 0, None) ** 2
        if (weights > 0).sum() < _FEWEST:
            return matrix
        root = np.sqrt(weights)[:, None]
        matrix = np.linalg.lstsq(design * root, target * root, rcond=None)[0].T
    return matrix


def _refined(source: Grey, image: Grey, corners: NDArray[np.float32], matrix: Affine) -> Affine:
    """Follow the corners again in the warped picture: what is left is small, and so is the error."""
    import cv2

    height, width = source.shape
    for _ in range(_ROUNDS):
        flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
        drawn = cv2.warpAffine(image, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE)
        rest = _followed(source, np.asarray(drawn), corners, IDENTITY)
        if rest is None:
            break
        matrix = after(matrix, rest[0])
        if displacement(rest[0], height, width) < _SETTLED_PX:
            break
    return matrix


def _moved(matrix: Affine, points: NDArray[np.float32]) -> Floats:
    return points @ matrix[:, :2].T + matrix[:, 2]


# Where to start -------------------------------------------------------------------------------------------


def _starts(source: Grey, image: Grey, ignore: Bits | None) -> Iterator[Affine]:
    """Rough maps, the likeliest first: none, a shift, and whatever matching descriptors say."""
    yield IDENTITY
    shift = _shift(source, image)
    if shift is not None:
        yield shift
    matched = matched_corners(source, image, ignore)
    if matched is not None:
        yield matched


def _shift(source: Grey, image: Grey) -> Affine | None:
    """By phase correlation of whole pictures; None where there is no clear peak."""
    import cv2

    height, width = source.shape
    scale = 256 / max(height, width)
    size = (max(16, round(width * scale)), max(16, round(height * scale)))
    one, other = (
        cv2.resize(p, size, interpolation=cv2.INTER_AREA).astype(np.float32) for p in (source, image)
    )
    (dx, dy), clear = cv2.phaseCorrelate(one, other, cv2.createHanningWindow(size, cv2.CV_32F))
    if clear < 0.05:
        return None
    return np.array([[1, 0, dx * width / size[0]], [0, 1, dy * height / size[1]]])


def matched_corners(source: Grey, image: Grey, ignore: Bits | None = None) -> Affine | None:
    """The map by matching ORB descriptors: finds any crop, zoom or rotation, to a pixel or two.

    The two pictures may have different sizes. Rublee and others, ICCV 2011.
    """
    import cv2

    (one, scale_1), (other, scale_2) = _coarse(source), _coarse(image)
    if min(*one.shape, *other.shape) < _THINNEST:
        return None
    mask = None
    if ignore is not None:
        mask = cv2.resize((~ignore).astype(np.uint8), one.shape[::-1], interpolation=cv2.INTER_NEAREST)
    finder = cv2.ORB.create(1500, fastThreshold=7)
    points_1, words_1 = finder.detectAndCompute(one, mask)
    points_2, words_2 = finder.detectAndCompute(other, None)
    if words_1 is None or words_2 is None or min(len(words_1), len(words_2)) < _FEWEST:
        return None
    matches = cv2.BFMatcher(cv2.NORM_HAMMING, crossCheck=True).match(words_1, words_2)
    if len(matches) < _FEWEST:
        return None
    here = np.array([points_1[m.queryIdx].pt for m in matches])
    there = np.array([points_2[m.trainIdx].pt for m in matches])
    here, there = (here + 0.5) / scale_1 - 0.5, (there + 0.5) / scale_2 - 0.5
    cv2.setRNGSeed(1)
    matrix, agree = cv2.estimateAffine2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=3 / scale_2, maxIters=2000
    )
    return np.asarray(matrix) if matrix is not None and int(agree.sum()) >= _FEWEST else None


def _coarse(picture: Grey) -> tuple[Grey, float]:
    import cv2

    scale = COARSE / max(picture.shape)
    if scale >= 1:
        return picture, 1.0
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), dtype=np.uint8), scale


def _by_correlation(source: Grey, image: Grey, ignore: Bits | None) -> Affine | None:
    """By maximising the correlation coefficient at quarter, half and full size; None if it diverges."""
    import cv2

    matrix = _shift(source, image)
    matrix = IDENTITY.copy() if matrix is None else matrix
    looked_at = np.full(source.shape, 255, np.uint8) if ignore is None else (~ignore).astype(np.uint8) * 255
    for scale, steps in ((0.25, 100), (0.5, 40), (1.0, 8)):
        if min(source.shape) * scale < 24:
            continue
        size = (round(source.shape[1] * scale), round(source.shape[0] * scale))
        small = [cv2.resize(p, size, interpolation=cv2.INTER_AREA) for p in (source, image)]
        seen = cv2.resize(looked_at, size, interpolation=cv2.INTER_NEAREST)
        criteria = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, steps, 1e-7)
        try:
            _, found = cv2.findTransformECC(
                small[0],
                small[1],
                rescaled(matrix, scale).astype(np.float32),
                cv2.MOTION_AFFINE,
                criteria,
                seen,
                5,
            )
        except cv2.error:
            return None
        matrix = rescaled(np.asarray(found, dtype=np.float64), 1 / scale)
    return matrix


def rescaled(matrix: Affine, scale: float) -> Affine:
    """The same map for two pictures that are both `scale` times as large."""
    half = (scale - 1) / 2
    middle = scale * matrix[:, 2] + half - half * matrix[:, :2].sum(axis=1)
    return np.column_stack([matrix[:, :2], middle])
