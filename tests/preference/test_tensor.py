"""Votes as a tensor: the same counts as going through them one by one."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import InvalidInput
from evalkit.preference import Votes
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.tensor import Tensor, tensor_of, win_rates
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE

ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(0, 3), st.integers(0, 4), st.integers(0, 4)),
    max_size=60,
)


def votes_of(rows: list[tuple[int, int, int, int, int]], dtype: type = np.int64) -> Votes:
    table = np.array(rows, dtype=np.int64).reshape(-1, 5)
    left, step, answer, case, rater = (table[:, i].astype(dtype) for i in range(5))
    return Votes(tuple("abcd"), left, ((left + step) % 4).astype(dtype), answer, case, rater)


@given(ROWS)
def test_a_tensor_counts_every_vote_once(rows: list[tuple[int, int, int, int, int]]) -> None:
    votes = votes_of(rows)
    counted = Counter(zip(votes.answer.tolist(), votes.left.tolist(), votes.right.tolist(), strict=True))
    counts = tensor_of(votes).counts
    assert counts.sum() == votes.n
    assert all(counts[cell] == n for cell, n in counted.items())


@given(ROWS)
def test_wins_are_those_of_single_votes(rows: list[tuple[int, int, int, int, int]]) -> None:
    votes = votes_of(rows)
    wins = np.zeros((4, 4))
    for left, right, answer in zip(votes.left, votes.right, votes.answer, strict=True):
        share = {LEFT: 1.0, RIGHT: 0.0}.get(int(answer), 0.5)
        wins[left, right] += share
        wins[right, left] += 1 - share
    tensor = tensor_of(votes)
    assert np.array_equal(tensor.wins, wins)
    assert np.array_equal(tensor.games, wins + wins.T)
    assert np.array_equal(tensor.beaten + tensor.beaten.T + tensor.tied, tensor.games)


@given(ROWS)
def test_small_integers_count_as_well_as_large_ones(rows: list[tuple[int, int, int, int, int]]) -> None:
    assert np.array_equal(tensor_of(votes_of(rows, np.int8)).counts, tensor_of(votes_of(rows)).counts)


@given(ROWS)
def test_grouped_votes_with_weights_are_the_votes(rows: list[tuple[int, int, int, int, int]]) -> None:
    grouped = Counter(rows)
    votes, kinds = votes_of(rows), votes_of(list(grouped))
    weight = np.array(list(grouped.values()), dtype=np.float64)
    counted = Votes(kinds.systems, kinds.left, kinds.right, kinds.answer, kinds.case, kinds.rater, weight)
    assert np.array_equal(tensor_of(counted).counts, tensor_of(votes).counts)


def test_shares_and_both_bad() -> None:
    votes = votes_of([(0, 1, BOTH_BAD, 0, 0), (0, 1, LEFT, 0, 0), (1, 3, TIE, 0, 0), (2, 1, RIGHT, 0, 0)])
    tensor = tensor_of(votes)
    assert tensor.share(TIE) == 0.25
    assert tensor.both_bad.tolist() == pytest.approx([1 / 3, 1 / 3, 0, 0])
    assert Tensor(("a", "b"), np.zeros((4, 2, 2))).share(TIE) is None


def test_win_rates_count_opponents_alike() -> None:
    wins = np.array([[0, 3, 0], [1, 0, 1], [0, 3, 0]], dtype=np.float64)
    assert win_rates(wins).tolist() == pytest.approx([0.75, 0.25, 0.75])


def test_opponents_alike_is_no_weight_at_all_where_pairs_are_few() -> None:
    games = np.array([[0, 10, 400], [10, 0, 50], [400, 50, 0]], dtype=np.float64)
    weights = bt.opponent_uniform(games)
    assert weights[0, 1] == weights[1, 2] == 1.0
    assert weights[0, 2] == 0.125


@pytest.mark.parametrize("weight", [np.nan, np.inf, -1.0])
def test_a_weight_that_is_no_number_names_its_row(weight: float) -> None:
    rows = votes_of([(0, 1, 0, 0, 0), (1, 1, 0, 0, 0)])
    with pytest.raises(InvalidInput, match="row 2"):
        Votes(
            rows.systems, rows.left, rows.right, rows.answer, rows.case, rows.rater, np.array([1.0, weight])
        )


def test_a_pair_of_one_system_names_its_rows() -> None:
    ones = np.zeros(7, dtype=np.int64)
    with pytest.raises(InvalidInput, match=r"row 1, 2, 3, 4, 5, \.\.\."):
        Votes(("a", "b"), ones, ones, ones, ones, ones)
