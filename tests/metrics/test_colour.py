from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab

from evalkit.metrics.base import RGB
from evalkit.metrics.overlay.colour import ciede2000, delta_e, quick_ciede2000, srgb_to_lab

pytestmark = pytest.mark.reference

SHARMA = Path(__file__).with_name("data") / "sharma-2005.csv"
colours = st.tuples(*[st.integers(0, 255)] * 3)


def test_the_34_published_pairs():
    """Sharma, Wu, Dalal 2005, table 1: printed to four digits."""
    with SHARMA.open() as file:
        rows = np.array([[float(value) for value in row.values()] for row in csv.DictReader(file)])
    assert rows.shape == (34, 7)
    assert ciede2000(rows[:, :3], rows[:, 3:6]) == pytest.approx(rows[:, 6], abs=1e-4)
    assert ciede2000(rows[:, 3:6], rows[:, :3]) == pytest.approx(rows[:, 6], abs=1e-4)


def test_lab_of_known_colours():
    """White is L 100; pure red under D65 is 53.24, 80.09, 67.20 (CIE 1976)."""
    lab = srgb_to_lab(np.array([[255, 255, 255], [0, 0, 0], [255, 0, 0]], np.uint8))
    assert lab[0] == pytest.approx([100, 0, 0], abs=0.01)
    assert lab[1] == pytest.approx([0, 0, 0], abs=1e-9)
    assert lab[2] == pytest.approx([53.24, 80.09, 67.20], abs=0.02)


def test_agrees_with_skimage_in_both_precisions():
    rng = np.random.default_rng(0)
    first = rng.integers(0, 256, (20_000, 3), dtype=np.uint8)
    second = rng.integers(0, 256, (20_000, 3), dtype=np.uint8)
    reference = deltaE_ciede2000(rgb2lab(first), rgb2lab(second))
    assert srgb_to_lab(first) == pytest.approx(rgb2lab(first), abs=5e-4)
    assert ciede2000(srgb_to_lab(first), srgb_to_lab(second)) == pytest.approx(reference, abs=1e-3)
    quick = delta_e(first, second)
    assert quick.dtype == np.float32
    # On opposite hues the formula itself jumps, so a single pixel may differ; the mean must not.
    assert np.mean(np.abs(quick - reference) > 1e-3) < 1e-3
    assert quick.mean(dtype=np.float64) == pytest.approx(reference.mean(), abs=1e-4)


def test_photo_in_float32_is_the_photo_in_float64(photo: RGB, noisy: RGB):
    first, second = photo.reshape(-1, 3), noisy.reshape(-1, 3)
    exact = ciede2000(srgb_to_lab(first), srgb_to_lab(second))
    assert delta_e(first, second) == pytest.approx(exact, abs=1e-3)


@given(colours, colours)
def test_symmetric_zero_on_itself_and_never_nan(one: tuple[int, ...], other: tuple[int, ...]):
    a, b = np.array([one], np.uint8), np.array([other], np.uint8)
    assert delta_e(a, a)[0] == 0
    forward, backward = float(delta_e(a, b)[0]), float(delta_e(b, a)[0])
    assert forward == pytest.approx(backward, abs=2e-3)
    assert (forward > 0) == (one != other)


def test_the_quick_way_is_the_published_one():
    """In float64, where only the arithmetic differs; opposite hues are where the formula itself jumps."""
    rng = np.random.default_rng(2)
    lab1, lab2 = (rng.uniform((0, -90, -90), (100, 90, 90), (50_000, 3)) for _ in range(2))
    near = np.concatenate([lab1 + rng.normal(0, 2, lab1.shape), lab1 * (1, 0, 0), lab1])
    first, second = np.concatenate([lab1] * 3), near
    assert quick_ciede2000(first, second) == pytest.approx(ciede2000(first, second), abs=1e-6)
    far = np.abs(quick_ciede2000(lab1, lab2) - ciede2000(lab1, lab2))
    assert np.mean(far > 1e-6) < 1e-3
