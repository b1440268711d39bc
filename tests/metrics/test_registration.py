"""Where an edit lies over its source: known displacements are found, to a few hundredths of a pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.metrics.overlay.geometry import grey
from evalkit.metrics.overlay.registration import (
    IDENTITY,
    after,
    covered,
    displacement,
    matched_corners,
    register,
    rescaled,
    stretch,
    warp,
)

pytestmark = pytest.mark.reference

factors = st.floats(0.8, 1.25)
small = st.floats(-0.1, 0.1)
steps = st.floats(-30, 30)
affine = st.builds(
    lambda a, b, x, c, d, y: np.array([[a, b, x], [c, d, y]]), factors, small, steps, small, factors, steps
)


def drawn(photo, matrix):
    import cv2

    size = photo.shape[1::-1]
    return cv2.warpAffine(photo, matrix, size, flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)


KNOWN = {
    "shift": np.array([[1, 0, 4.3], [0, 1, -3.1]]),
    "zoom in": np.array([[1.05, 0, -6.4], [0, 1.05, -4.8]]),
    "zoom out": np.array([[0.95, 0, 6.4], [0, 0.95, 4.8]]),
    "squeeze": np.array([[1.02, 0, 0.5], [0, 0.99, 1.0]]),
    "turn": np.array([[0.99995, -0.0105, 1.2], [0.0105, 0.99995, -0.8]]),
    "crop": np.array([[1.2, 0, -25.0], [0, 1.2, -10.0]]),
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_map_is_found(photo, centre_mask, name: str):
    """With the edit's region painted over: it has no say."""
    edited = np.where(centre_mask[..., None], 255 - photo[::-1], photo)
    found = register(grey(photo), grey(drawn(edited, KNOWN[name])), centre_mask)
    assert found is not None
    rest = found - KNOWN[name] + IDENTITY
    assert displacement(rest, *photo.shape[:2]) < 0.15


def test_unrelated_pictures_have_no_believable_map(photo):
    noise = np.random.default_rng(3).integers(0, 256, photo.shape[:2], dtype=np.uint8)
    found = register(grey(photo), noise)
    assert found is None or displacement(found, *photo.shape[:2]) > 0


def test_a_flat_picture_falls_back_to_correlation():
    """Too few corners to follow: a soft blob, moved by two pixels."""
    y, x = np.mgrid[:128, :128]
    blob = (200 * np.exp(-((x - 60) ** 2 + (y - 66) ** 2) / 800)).astype(np.uint8)
    moved = (200 * np.exp(-((x - 62) ** 2 + (y - 66) ** 2) / 800)).astype(np.uint8)
    found = register(blob, moved)
    assert found is not None
    x, y = found @ np.array([60, 66, 1])
    assert (x, y) == pytest.approx((62, 66), abs=0.1)


def test_corners_are_matched_between_sizes(photo):
    import cv2

    half = cv2.resize(photo, (128, 96), interpolation=cv2.INTER_AREA)
    found = matched_corners(grey(photo), grey(half))
    assert found is not None
    assert found[:, :2] == pytest.approx(np.eye(2) / 2, abs=0.02)


def test_warping_undoes_a_shift_of_whole_pixels(photo):
    moved = np.roll(photo, (3, 5), (0, 1))
    back, valid = warp(moved, np.array([[1.0, 0, 5], [0, 1, 3]]))
    assert np.array_equal(back[valid][:, 0], photo[valid][:, 0])
    assert valid.sum() == (192 - 3) * (256 - 5)


@given(affine)
def test_rescaling_there_and_back_is_nothing(matrix):
    assert rescaled(rescaled(matrix, 0.25), 4) == pytest.approx(matrix, abs=1e-9)


@given(affine)
def test_a_rescaled_map_moves_the_same_place(matrix):
    """The middle of pixel (x, y) of a picture lies at ((x + 0.5) s - 0.5, ...) of its copy."""
    point = np.array([10.0, 20.0])
    there = matrix[:, :2] @ point + matrix[:, 2]
    small = rescaled(matrix, 0.5)
    moved = small[:, :2] @ ((point + 0.5) / 2 - 0.5) + small[:, 2]
    assert moved == pytest.approx((there + 0.5) / 2 - 0.5, abs=1e-9)


@settings(max_examples=30)
@given(affine, affine)
def test_one_map_after_another(first, second):
    point = np.array([3.0, 4.0])
    step = first[:, :2] @ point + first[:, 2]
    both = after(second, first)
    assert both[:, :2] @ point + both[:, 2] == pytest.approx(second[:, :2] @ step + second[:, 2])


def test_displacement_stretch_and_cover():
    shift = np.array([[1.0, 0, 3], [0, 1, 4]])
    assert displacement(shift, 50, 80) == 5
    assert stretch(np.array([[1.1, 0, 0], [0, 0.9, 0]])) == pytest.approx((0.9, 1.1))
    assert covered(shift, 50, 80).sum() == (50 - 4) * (80 - 3)
    assert covered(IDENTITY, 5, 6).all()
