"""The map of what an edit changed."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.metrics.overlay.changes import LOUDEST, VISIBLE, find_changes, threshold
from evalkit.studio import distort

pytestmark = pytest.mark.reference


def overlap(one, other) -> float:
    return float((one & other).sum() / (one | other).sum())


@pytest.fixture(scope="module")
def edited(photo, centre_mask):
    return np.where(centre_mask[..., None], 255 - photo, photo)


@pytest.mark.parametrize("quality", [None, 95, 80])
def test_it_is_where_the_edit_is(photo, edited, centre_mask, quality: int | None):
    image = edited if quality is None else distort.compressed(edited, quality)
    changes = find_changes(photo, image)
    assert overlap(changes.where, centre_mask) > 0.85
    assert changes.fraction == pytest.approx(centre_mask.mean(), rel=0.2)
    assert changes.strength(centre_mask) > 10


def test_the_same_picture_has_none(photo):
    changes = find_changes(photo, photo)
    assert (changes.fraction, changes.pieces) == (0, 0)
    assert changes.strength(np.ones(photo.shape[:2], np.bool_)) is None


@pytest.mark.parametrize("quality", [92, 70, 50])
def test_compression_is_not_a_change(photo, quality: int):
    assert find_changes(photo, distort.compressed(photo, quality)).fraction < 0.01


def test_only_what_can_be_compared_is_compared(photo, edited, centre_mask):
    changes = find_changes(photo, edited, valid=~centre_mask)
    assert changes.fraction < 0.01
    assert not changes.where[centre_mask].any()


def test_noise_is_measured_where_it_is_quiet(photo, centre_mask):
    """A large change is not taken for the noise of the picture."""
    large = np.ones(photo.shape[:2], np.bool_)
    large[:40] = False
    image = np.where(large[..., None], 255 - photo, photo)
    assert overlap(find_changes(photo, image, quiet=~large).where, large) > 0.9


def test_the_threshold_has_a_floor_and_a_ceiling():
    assert threshold(np.zeros(100, np.float32)) == VISIBLE
    assert threshold(np.zeros(0, np.float32)) == VISIBLE
    assert threshold(np.linspace(0, 60, 1000, dtype=np.float32)) == LOUDEST
    assert VISIBLE < threshold(np.random.default_rng(0).normal(1, 0.4, 5000).astype(np.float32)) < LOUDEST


def test_a_ring_is_filled_and_a_speck_dropped(photo):
    image = photo.copy()
    y, x = np.mgrid[:192, :256]
    ring = (np.hypot(x - 120, y - 90) > 12) & (np.hypot(x - 120, y - 90) < 30)
    image[ring] = (255, 0, 255)
    image[5, 5] = (255, 0, 255)
    changes = find_changes(photo, image)
    assert changes.where[90, 120]
    assert not changes.where[:12, :12].any()
    assert changes.pieces == 1
