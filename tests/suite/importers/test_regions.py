"""Run lengths as masks, against decoding pixel by pixel."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.suite.importers.base import MaskUnfit
from evalkit.suite.importers.regions import mask_of, run_lengths


def naive(runs: list[int], height: int, width: int) -> np.ndarray:
    flat = [False] * (height * width)
    for start, length in zip(runs[::2], runs[1::2], strict=True):
        for at in range(start, min(start + length, height * width)):
            flat[at] = True
    return np.array(flat).reshape(height, width)


@st.composite
def run_lists(draw: st.DrawFn) -> tuple[list[int], int, int]:
    height, width = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    pairs = draw(st.lists(st.tuples(st.integers(0, height * width - 1), st.integers(0, 200)), max_size=12))
    return [number for pair in pairs for number in pair], height, width


@given(run_lists())
@settings(deadline=None, derandomize=True)
def test_run_lengths_agree_with_decoding_pixel_by_pixel(case: tuple[list[int], int, int]) -> None:
    runs, height, width = case
    assert (run_lengths(runs, height, width) == naive(runs, height, width)).all()


@pytest.mark.parametrize(
    "runs", [[1], [-1, 2], [1, -2], [6, 1], ["1", 2], [1.0, 2], [True, 2], [-(10**30), 1]]
)
def test_what_is_no_run_is_refused(runs: list[object]) -> None:
    with pytest.raises(MaskUnfit):
        run_lengths(runs, 2, 3)  # type: ignore[arg-type]


@pytest.mark.parametrize("runs", ["0 5", None, {"0": 5}, 7])
def test_a_mask_that_is_no_list_is_refused(runs: object) -> None:
    with pytest.raises(MaskUnfit):
        mask_of(runs, np.zeros((2, 3, 3), np.uint8), 2, 3)


def test_a_mask_of_another_size_is_refused() -> None:
    with pytest.raises(MaskUnfit, match="size"):
        mask_of([0, 1], np.zeros((3, 3, 3), np.uint8), 2, 3)


def test_a_length_beyond_all_bounds_is_cut() -> None:
    assert run_lengths([4, 10**30], 2, 3).tolist() == [[False, False, False], [False, True, True]]
