"""Faces for the tests of `identity` and `portrait`: the astronaut, and people of Labeled Faces in the Wild.

Both come with scikit-image; the latter are grey and 25 px wide, enlarged here.
"""

from __future__ import annotations

import functools
import importlib.util
import io

import numpy as np
import pytest
from PIL import Image
from skimage import data

from evalkit.images import decode
from evalkit.metrics.base import RGB

needs_faces = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("dlib", "face_recognition_models")),
    reason="evalkit[face] is not installed",
)

GREY = 120
TILE = 120
MARGIN = 30


def astronaut() -> Image.Image:
    return Image.fromarray(data.astronaut())


def pixels(image: Image.Image) -> RGB:
    return np.asarray(image.convert("RGB"))


def jpeg(image: Image.Image, quality: int) -> RGB:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return decode(file.getvalue())


@functools.cache
def person(number: int) -> RGB:
    """A face of the subset, from 0, 120 x 120 px. 0 to 99 are faces, 100 to 199 show none."""
    face = Image.fromarray(np.rint(data.lfw_subset()[number] * 255).astype(np.uint8))
    return pixels(face.resize((TILE, TILE), Image.Resampling.BICUBIC))


@functools.cache
def astronaut_tile() -> RGB:
    """The astronaut's head, 120 x 120 px."""
    return pixels(astronaut().crop((130, 40, 310, 220)).resize((TILE, TILE), Image.Resampling.LANCZOS))


def group(*tiles: RGB) -> RGB:
    """People side by side on grey."""
    image = np.full((TILE + 2 * MARGIN, (TILE + MARGIN) * len(tiles) + MARGIN, 3), GREY, np.uint8)
    for place, tile in enumerate(tiles):
        left = MARGIN + (TILE + MARGIN) * place
        image[MARGIN : MARGIN + TILE, left : left + TILE] = tile
    return image


def empty(height: int = 400, width: int = 400) -> RGB:
    return np.full((height, width, 3), GREY, np.uint8)
