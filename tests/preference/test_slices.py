"""Slices refitted together are the boards of their votes, one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.preference import RatingOptions, Votes, rate
from evalkit.preference.slices import Slices, fit_all, refit
from evalkit.preference.tensor import Tensor

OPTIONS = RatingOptions(draws=400)


def draw(seed: int, n: int, systems: int = 5, slices: int = 4) -> tuple[Votes, np.ndarray]:
    rng = np.random.default_rng(seed)
    left = rng.integers(systems, size=n)
    right = (left + rng.integers(1, systems, size=n)) % systems
    votes = Votes(
        tuple("abcdefgh"[:systems]),
        left,
        right,
        rng.choice(4, size=n, p=[0.45, 0.3, 0.2, 0.05]),
        rng.integers(9, size=n),
        rng.integers(12, size=n),
    )
    return votes, rng.integers(slices, size=n)


def assert_same(slices: Slices, votes: Votes, labels: np.ndarray, options: RatingOptions) -> None:
    for s in range(len(slices.names)):
        board = rate(votes.where(labels == s), options)
        for line in board.ratings:
            i = slices.systems.index(line.system)
            assert slices.votes[s, i] == line.n_votes
            ours = slices.rating[s, i], slices.low[s, i], slices.high[s, i], slices.win_rate[s, i]
            theirs = line.rating.value, line.rating.low, line.rating.high, line.win_rate.value
            expected = [np.nan if value is None else value for value in theirs]
            assert ours == pytest.approx(expected, abs=1e-6, nan_ok=True)


@pytest.mark.parametrize("intervals", ["two-way", "rater", "votes"])
def test_slices_are_the_boards_of_their_votes(intervals: str) -> None:
    votes, labels = draw(0, 900)
    options = RatingOptions(intervals=intervals, draws=400)
    assert_same(refit(votes, labels, list("wxyz"), options), votes, labels, options)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 60))
def test_sparse_slices_too(seed: int, n: int) -> None:
    """Systems that are missing, slices that are empty or not on one scale."""
    votes, labels = draw(seed, n, systems=4, slices=3)
    assert_same(refit(votes, labels, list("xyz"), OPTIONS), votes, labels, OPTIONS)


def test_weights_count() -> None:
    votes, labels = draw(1, 300)
    weight = np.random.default_rng(2).uniform(0.1, 2.0, size=votes.n)
    columns = votes.left, votes.right, votes.answer, votes.case, votes.rater
    weighted = Votes(votes.systems, *columns, weight=weight)
    slices = refit(weighted, labels, list("wxyz"), OPTIONS)
    board = rate(weighted.where(labels == 1), OPTIONS)
    i = slices.systems.index(board.ratings[0].system)
    assert slices.rating[1, i] == pytest.approx(board.ratings[0].rating.value, abs=1e-6)


def test_a_slice_without_a_scale_has_win_rates_only() -> None:
    zero = np.zeros(6, dtype=np.int64)
    votes = Votes(("a", "b"), zero, zero + 1, zero, np.arange(6), np.arange(6))
    slices = refit(votes, zero, ["all"], OPTIONS)
    assert not slices.one_scale[0]
    assert np.isnan(slices.rating).all()
    assert slices.win_rate.tolist() == [[1.0, 0.0]]


def test_counts_alone_give_the_same_ratings() -> None:
    votes, labels = draw(3, 900)
    counts = np.zeros((4, 4, 5, 5))
    np.add.at(counts, (labels, votes.answer, votes.left, votes.right), 1.0)
    theta = fit_all(Tensor(votes.systems, counts))
    slices = refit(votes, labels, list("wxyz"), OPTIONS)
    assert (slices.rating - 1000) / theta == pytest.approx(np.full((4, 5), 400 / np.log(10)))
