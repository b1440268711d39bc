"""Where an edit may change its source, read from the ways in which data sets write it down."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evalkit.images import ImageProblem, read_header, to_pil
from evalkit.suite.importers.base import RGB, Bits, MaskUnfit

Levels = NDArray[np.int16]

WHITE = 250
CHANGED = 16
GREY_SHARE = 0.05


def run_lengths(runs: Sequence[int], height: int, width: int) -> Bits:
    """H x W booleans of `[start, length, start, length, ...]`, counted along the rows; what runs over is cut.

    Raises `MaskUnfit` for what is not pairs of numbers from 0 inside the picture.

    >>> run_lengths([1, 2, 5, 9], 2, 3).astype(int).tolist()
    [[0, 1, 1], [0, 0, 1]]
    """
    size = height * width
    if len(runs) % 2 or any(isinstance(n, bool) or not isinstance(n, int) for n in runs):
        raise MaskUnfit("the mask is not a list of pairs of start and length")
    pairs = np.array([max(-1, min(number, size)) for number in runs], dtype=np.int64).reshape(-1, 2)
    starts, lengths = pairs[:, 0], pairs[:, 1]
    if (starts < 0).any() or (lengths < 0).any() or (starts >= size).any():
        raise MaskUnfit("the mask has runs outside the picture")
    steps = np.zeros(size + 1, dtype=np.int64)
    np.add.at(steps, starts, 1)
    np.add.at(steps, np.minimum(starts + lengths, size), -1)
    return np.asarray(np.cumsum(steps[:-1]) > 0, dtype=np.bool_).reshape(height, width)


def drawn_mask(data: bytes, source: RGB) -> Bits:
    """H x W booleans of a mask that is a picture of the source's size: the part that a person marked.

    Three ways of marking are told apart: a transparent part; white on black; the source itself with a part
    painted white. Of the last, white that touches something painted belongs to it, white of the source does
    not. Raises `MaskUnfit`.
    """
    height, width = source.shape[:2]
    try:
        header, picture = read_header(data), to_pil(data)
    except ImageProblem as problem:
        raise MaskUnfit(f"the mask cannot be read: {problem.reason.replace('_', ' ')}") from problem
    if (header.width, header.height) != (width, height):
        raise MaskUnfit("the mask is not of the source's size")
    clear = _transparent(data)
    if clear is not None and clear.shape == (height, width):
        return clear
    values = np.asarray(picture).astype(np.int16)
    if _is_black_and_white(values):
        return np.asarray(values.mean(axis=2) >= 127.5, dtype=np.bool_)
    return _painted(values, source.astype(np.int16))


def mask_of(runs: object, source: RGB, height: int, width: int) -> Bits:
    """The runs of a record as a mask for `source`. Raises `MaskUnfit`, also for a source of another size."""
    if not isinstance(runs, list):
        raise MaskUnfit("the mask is not a list of pairs of start and length")
    if source.shape[:2] != (height, width):
        raise MaskUnfit("the mask is not of the source's size")
    return run_lengths(runs, height, width)


def _transparent(data: bytes) -> Bits | None:
    with Image.open(io.BytesIO(data)) as image:
        if "A" not in image.getbands() and "transparency" not in image.info:
            return None
        alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    clear = np.asarray(alpha < 128, dtype=np.bool_)
    return clear if clear.any() else None


def _is_black_and_white(values: Levels) -> bool:
    coloured = np.ptp(values, axis=2) > CHANGED
    grey = (values.max(axis=2) > 32) & (values.min(axis=2) < 223)
    return float((coloured | grey).mean()) <= GREY_SHARE


def _painted(values: Levels, source: Levels) -> Bits:
    from scipy import ndimage

    white = values.min(axis=2) >= WHITE
    painted = white & (np.abs(values - source).max(axis=2) > CHANGED)
    parts, count = ndimage.label(white)
    wanted = np.zeros(count + 1, dtype=np.bool_)
    wanted[np.unique(parts[painted])] = True
    wanted[0] = False
    return np.asarray(wanted[parts], dtype=np.bool_)
