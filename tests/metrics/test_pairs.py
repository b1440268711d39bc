from __future__ import annotations

import numpy as np
import pytest

from evalkit.images import ImageProblem
from evalkit.metrics.base import Subject
from evalkit.metrics.pairs import Pair, Unusable, erode, pair, resize, resize_mask
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


@pytest.mark.parametrize("size", [(20, 31), (30, 20), (1, 1), (1024, 1024)])
def test_another_shape_is_unaligned(make_subject, size):
    both = pair(make_subject(grey(*size), grey(20, 30)))
    assert isinstance(both, Unusable)
    assert both.reason == "unaligned"
    assert both.size_ratio == pytest.approx(size[0] * size[1] / 600)


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
