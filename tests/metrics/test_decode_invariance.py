"""A picture's scores must not depend on how its file stores it: decoding settles that for every metric."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from evalkit.images import decode
from evalkit.metrics.pixels import compare

pytestmark = pytest.mark.reference

SIDEWAYS = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}


def encoded(image: Image.Image, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("orientation", SIDEWAYS)
def test_an_orientation_tag_is_applied(photo, orientation: int):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(photo).transpose(SIDEWAYS[orientation])
    assert np.array_equal(decode(encoded(stored, format="PNG", exif=exif)), photo)


@pytest.mark.parametrize(
    "options", [{"format": "PNG"}, {"format": "BMP"}, {"format": "WEBP", "lossless": True}]
)
def test_lossless_files_are_the_raw_pixels(photo, options: dict):
    assert np.array_equal(decode(encoded(Image.fromarray(photo), **options)), photo)


def test_scores_do_not_depend_on_the_container(photo, noisy, centre_mask):
    image = decode(encoded(Image.fromarray(noisy), format="PNG"))
    assert compare(photo, image, centre_mask) == compare(photo, noisy, centre_mask)
