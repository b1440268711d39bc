"""The same picture again, however it was encoded; and other pictures, which are not the same."""

from __future__ import annotations

import io
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from evalkit.images import decode
from evalkit.metrics.base import RGB
from evalkit.metrics.fingerprint import (
    BITS,
    NEAR,
    as_text,
    dhash,
    from_text,
    hamming,
    tones,
    tones_as_text,
    tones_from_text,
)

HASHES = st.integers(min_value=0, max_value=2**BITS - 1)


def photograph(name: str) -> RGB:
    image = getattr(data, name)()
    return np.stack([image] * 3, axis=-1) if image.ndim == 2 else image[..., :3]


PHOTOGRAPHS = {
    name: photograph(name)
    for name in ("astronaut", "coffee", "chelsea", "rocket", "camera", "coins", "clock", "brick", "moon")
}


def encoded(image: RGB, kind: str, quality: int) -> RGB:
    file = io.BytesIO()
    Image.fromarray(image).save(file, kind, quality=quality)
    return decode(file.getvalue())


def resized(image: RGB, scale: float) -> RGB:
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


COPIES = {
    "jpeg 50": lambda image: encoded(image, "JPEG", 50),
    "webp 60": lambda image: encoded(image, "WEBP", 60),
    "half": lambda image: resized(image, 0.5),
    "double": lambda image: resized(image, 2),
    "half, jpeg 50": lambda image: encoded(resized(image, 0.5), "JPEG", 50),
}


@pytest.mark.parametrize("copy", COPIES)
def test_a_copy_is_near(copy: str):
    apart = {name: hamming(dhash(image), dhash(COPIES[copy](image))) for name, image in PHOTOGRAPHS.items()}
    assert max(apart.values()) <= NEAR, apart


def test_other_pictures_are_far():
    hashes = {name: dhash(image) for name, image in PHOTOGRAPHS.items()}
    apart = {(a, b): hamming(hashes[a], hashes[b]) for a, b in combinations(hashes, 2)}
    assert min(apart.values()) >= 60, apart


def test_bits_say_where_it_gets_brighter():
    ramp = np.broadcast_to(np.arange(0, 255, 3, dtype=np.uint8)[None, :, None], (40, 85, 3))
    assert dhash(ramp) == 2**BITS - 1
    assert dhash(np.ascontiguousarray(ramp[:, ::-1])) == 0


def test_noise_on_a_plain_background_sets_no_bits():
    noise = np.random.default_rng(0).normal(0, 6, (512, 512, 3))
    assert dhash(np.clip(128 + noise, 0, 255).astype(np.uint8)) == 0


@pytest.mark.parametrize("size", [(1, 1), (1, 900), (900, 1), (2, 2)])
def test_any_picture_has_one(size):
    assert dhash(np.zeros((*size, 3), np.uint8)) == 0


@given(HASHES)
def test_text_and_back(bits: int):
    assert from_text(f"1024 x 1024 px, png; {as_text(bits)}") == bits


def test_text_without_a_hash():
    assert from_text("1024 x 1024 px, png") is None


@given(HASHES, HASHES, HASHES)
def test_the_distance_is_a_metric(a: int, b: int, c: int):
    assert hamming(a, a) == 0
    assert hamming(a, b) == hamming(b, a)
    assert hamming(a, c) <= hamming(a, b) + hamming(b, c)


def test_tones_see_the_colours_that_the_hash_does_not(photo):
    red = photo[..., [1, 0, 2]]
    near, far = (np.frombuffer(tones(picture), np.uint8).astype(int) for picture in (photo, red))
    assert np.abs(near - far).max() > 20
    assert tones_from_text(f"x; {tones_as_text(tones(photo))}") == tones(photo)
    assert tones_from_text("no such thing") is None
