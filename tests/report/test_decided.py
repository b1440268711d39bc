"""Bars that are compared by eye never claim more than a test of the pair."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, t

from evalkit.preference import PreferenceBoard, RatingOptions, Standing, SystemRating
from evalkit.report.decided import comparison_bars, decided, tied_for_first
from evalkit.types import Estimate

errors_of = st.lists(st.floats(0.1, 200.0), min_size=2, max_size=8)


def board(errors: list[float | None], clusters: int = 0, level: float = 0.95) -> PreferenceBoard:
    lines = tuple(
        SystemRating(
            f"s{i}",
            Estimate(1000.0 - 10 * i, 900.0, 1100.0, n=50, n_clusters=clusters),
            Estimate(0.5),
            Estimate(0.0),
            0.0,
            50,
            5,
            5,
            Standing(1, len(errors), 1, len(errors), 0.5, 0.5, error, tied_first=i < 2),
        )
        for i, error in enumerate(errors)
    )
    return PreferenceBoard(lines, (), None, 100, 5, 5, 0.0, 0.0, (), RatingOptions(level=level))


def halves(made: PreferenceBoard) -> np.ndarray:
    bars = comparison_bars(made)
    return np.array([(bar.high or 0.0) - (bar.low or 0.0) for bar in bars.values()]) / 2


@given(errors_of)
def test_bars_that_do_not_overlap_are_two_systems_that_differ(errors: list[float]) -> None:
    half, q = halves(board(list(errors))), np.array(errors)
    i, j = np.triu_indices(len(errors), 1)
    slack = (half[i] + half[j]) / (norm.ppf(0.975) * np.hypot(q[i], q[j]))
    assert slack.min() == pytest.approx(1.0)


def test_equal_errors_take_bars_of_1_39_standard_errors() -> None:
    # Goldstein & Healy (1995), table 1: 1.39 for two means with equal errors at the 5 % level.
    assert halves(board([10.0, 10.0, 10.0])) == pytest.approx(13.9, abs=0.05)


def test_few_clusters_and_another_level_take_other_bars() -> None:
    expected = t.ppf(0.95, 11) / np.sqrt(2) * 10.0
    assert halves(board([10.0, 10.0], clusters=12, level=0.9)) == pytest.approx(expected)


def test_there_are_no_bars_where_an_error_is_missing() -> None:
    assert comparison_bars(board([10.0, None, 10.0])) == {}
    assert comparison_bars(board([10.0])) == {}
    assert comparison_bars(board([10.0, 0.0, 10.0])) == {}
    assert comparison_bars(board([])) == {}


def test_first_are_those_that_none_is_above() -> None:
    made = board([10.0, 10.0, 10.0])
    assert tied_for_first(made) == ("s0", "s1")
    without = replace(made, ratings=tuple(replace(line, standing=None) for line in made.ratings))
    assert tied_for_first(without) == ()


def test_nothing_is_said_of_pairs_where_nothing_is_known() -> None:
    assert decided(board([10.0, 10.0])) is None
