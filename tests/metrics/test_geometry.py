"""Edits of another size or shape: which part of the source they show."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.metrics.base import RGB
from evalkit.metrics.overlay.geometry import aspect_error, lay
from evalkit.metrics.overlay.similarity import mse, psnr
from evalkit.studio import distort

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def large() -> RGB:
    """A photograph at its own size, 400 x 600."""
    from skimage import data

    return np.asarray(data.coffee())


def agreement(laid) -> float:
    everything = np.ones(laid.source.shape[:2], np.bool_)
    return psnr(mse(laid.source, laid.image, everything))


def test_the_same_size_is_the_same_arrays(photo, noisy):
    laid = lay(photo, noisy, None)
    assert laid.source is photo
    assert laid.image is noisy
    assert (laid.kind, laid.overlap) == ("same", 1)


@pytest.mark.parametrize(
    ("kind", "change", "overlap"),
    [
        ("resized", lambda a: distort.resized(a, 300, 200), 1.0),
        ("stretched", lambda a: distort.resized(a, 420, 400), 1.0),
        ("cropped", lambda a: distort.cropped(a, 0.2, 0, 0.2, 0), 0.6),
        ("cropped", lambda a: distort.cropped(a, 0.03, 0.02, 0.21, 0), 0.745),
        ("padded", lambda a: distort.padded(a, 0, 100), 1.0),
        ("padded", lambda a: distort.padded(a, 37, 0, 255), 1.0),
        ("moved", lambda a: distort.padded(distort.cropped(a, 0.1, 0, 0.1, 0), 0, 90), 0.8),
    ],
)
def test_the_explanation_is_found(large: RGB, kind: str, change, overlap: float):
    laid = lay(large, change(large), None)
    assert laid is not None
    assert laid.overlap == pytest.approx(overlap, abs=0.02)
    assert laid.source.shape == laid.image.shape
    assert agreement(laid) > 25
    if kind != "moved":
        assert laid.kind == kind


def test_the_mask_goes_along(large: RGB):
    mask = np.zeros(large.shape[:2], np.bool_)
    mask[:, :300] = True
    laid = lay(large, distort.cropped(large, 0.25, 0, 0.25, 0), mask)
    assert laid is not None
    assert laid.inside is not None
    assert laid.inside.shape == laid.source.shape[:2]
    assert laid.inside.mean() == pytest.approx(0.5, abs=0.02)


def test_another_picture_is_not_laid_over(large: RGB, photo: RGB):
    noise = np.random.default_rng(0).integers(0, 256, (500, 300, 3), dtype=np.uint8)
    assert lay(large, noise, None) is None


def test_aspect_error():
    assert aspect_error((100, 150, 3), (200, 300, 3)) == 0
    assert aspect_error((100, 165, 3), (100, 150, 3)) == pytest.approx(0.1)
