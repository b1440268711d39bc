"""Subjects and pictures for the metric tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from evalkit.ids import sha256
from evalkit.metrics.base import RGB, Bits, Subject
from evalkit.types import Case


@pytest.fixture(scope="session")
def make_subject() -> Callable[..., Subject]:
    """`make_subject(image, source=..., mask=..., **case fields)`, digests filled in."""

    def make(image: RGB | None, source: RGB | None = None, mask: Bits | None = None, **case: Any) -> Subject:
        return Subject(
            image_sha="" if image is None else sha256(image.tobytes() + bytes(str(image.shape), "ascii")),
            image=image,
            image_problem=None if image is not None else "decode_error",
            case=Case(**{"id": "c1", "prompt": "a red cup", **case}),
            source_sha=None if source is None else sha256(source.tobytes()),
            mask_sha=None if mask is None else sha256(mask.tobytes()),
            load_source=lambda: source,
            load_mask=lambda: mask,
        )

    return make


@pytest.fixture(scope="session")
def photo() -> RGB:
    """A photograph, 192 x 256 x 3."""
    from PIL import Image
    from skimage import data

    return np.asarray(Image.fromarray(data.coffee()).resize((256, 192), Image.Resampling.LANCZOS))


@pytest.fixture(scope="session")
def noisy(photo: RGB) -> RGB:
    """The photograph with a little seeded noise."""
    noise = np.random.default_rng(7).integers(-12, 13, photo.shape)
    return np.clip(photo.astype(int) + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def centre_mask(photo: RGB) -> Bits:
    """An edit region of 60 x 80 px in the middle of the photograph."""
    mask = np.zeros(photo.shape[:2], np.bool_)
    mask[66:126, 88:168] = True
    return mask
