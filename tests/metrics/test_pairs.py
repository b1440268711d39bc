from __future__ import annotations

import numpy as np
import pytest

from evalkit.images import ImageProblem
from evalkit.metrics.base import Subject
from evalkit.metrics.overlay.geometry import resize, resize_mask
from evalkit.metrics.overlay.pairs import Pair, Unusable, dilate, erode, pair
from evalkit.types import Case


def grey(height: int, width: int) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def test_equal_sizes_are_left_alone(make_subject):
    source, image, mask = grey(20, 30), grey(20, 30), np.zeros((20, 30), np.bool_)
    both = pair(make_subject(image, source, mask))
    assert isinstance(both, Pair)
    assert both.source is source
    assert both.image is image
    assert both.inside is mask
    assert both.size_ratio == 1


@pytest.mark.parametrize(
    ("size", "grid"), [((40, 60), (20, 30)), ((10, 15), (10, 15)), ((201, 300), (20, 30))]
)
def test_the_smaller_grid_wins(make_subject, size, grid):
    mask = np.zeros((20, 30), np.bool_)
    mask[:10] = True
    both = pair(make_subject(grey(*size), grey(20, 30), mask))
    assert isinstance(both, Pair)
    assert both.image.shape == both.source.shape == (*grid, 3)
    assert both.inside is not None
    assert both.inside.mean() == pytest.approx(0.5)
    assert both.size_ratio == pytest.approx(size[0] * size[1] / 600)


@pytest.mark.parametrize("size", [(60, 200), (200, 60), (1, 300)])
def test_another_picture_of_another_shape_is_unaligned(make_subject, photo, size):
    other = np.random.default_rng(1).integers(0, 256, (*size, 3), dtype=np.uint8)
    both = pair(make_subject(other, photo))
    assert isinstance(both, Unusable)
    assert both.reason == "unaligned"
    assert both.size_ratio == pytest.approx(size[0] * size[1] / photo[..., 0].size)


def test_reasons(make_subject):
    assert pair(make_subject(None, grey(2, 2))) == Unusable("decode_error")
    assert pair(make_subject(grey(2, 2))) == Unusable("no_source")
    assert pair(make_subject(grey(2, 2), grey(2, 2), np.zeros((3, 2), np.bool_))) == Unusable(
        "mask_size", 1.0
    )


def test_a_source_that_cannot_be_read():
    def broken():
        raise ImageProblem("decode_error", "broken")

    subject = Subject("sha", grey(2, 2), None, Case(id="c", prompt="p"), load_source=broken)
    assert pair(subject) == Unusable("source_decode_error")


def test_shrinking_is_antialiased():
    """Black and white lines one pixel wide become grey, not one of the two."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255
    small = resize(stripes, (16, 16))
    assert 100 < small[8, 8, 0] < 155


def test_a_mask_stays_black_and_white():
    mask = np.zeros((64, 64), np.bool_)
    mask[:, 32:] = True
    assert resize_mask(mask, (16, 16)).mean() == 0.5


def test_erosion_takes_a_square_and_spares_the_border():
    region = np.ones((40, 40), np.bool_)
    region[20, 20] = False
    eroded = erode(region, 5)
    assert eroded.sum() == 1600 - 11 * 11
    assert not eroded[15:26, 15:26].any()
    assert eroded[0].all()


def test_dilation_is_erosion_of_the_rest():
    region = np.zeros((40, 40), np.bool_)
    region[10:20, 15:30] = True
    assert np.array_equal(dilate(region, 4), ~erode(~region, 4))


def test_a_pair_is_laid_once_for_all_metrics(make_subject, photo, noisy, centre_mask):
    first = pair(make_subject(noisy, photo, centre_mask))
    assert pair(make_subject(noisy, photo, centre_mask)) is first
    assert pair(make_subject(noisy, photo, ~centre_mask)) is not first
    assert isinstance(first, Pair)
    assert first.registration is first.registration


def test_registration_that_does_not_help_is_not_used(make_subject, photo, noisy, centre_mask):
    both = pair(make_subject(noisy, photo, centre_mask))
    assert isinstance(both, Pair)
    assert not both.registration.moved
    assert both.registered is both.image
    assert both.valid.all()


def test_a_mirrored_picture_is_not_registered(make_subject):
    from skimage import data

    source = np.asarray(data.coffee())
    both = pair(make_subject(np.ascontiguousarray(source[:, ::-1]), source))
    assert isinstance(both, Pair)
    assert not both.registration.moved
