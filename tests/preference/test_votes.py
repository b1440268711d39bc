from __future__ import annotations

import numpy as np
import pytest

from evalkit.errors import InvalidInput
from evalkit.preference import Votes, votes_from_rows
from evalkit.preference.resampling import drawn_clusters, drawn_votes
from evalkit.preference.tensor import tensor_of, win_rates
from evalkit.preference.votes import Ints


def ints(*values: int) -> Ints:
    return np.array(values, dtype=np.int64)


def small() -> Votes:
    return Votes(
        ("a", "b", "c"),
        ints(0, 1, 0, 2),
        ints(1, 0, 2, 0),
        ints(0, 1, 2, 3),
        ints(0, 0, 1, 1),
        ints(0, 1, 0, 1),
    )


def test_rows_are_coded_and_other_answers_dropped() -> None:
    votes = votes_from_rows([("b", "a", "left", "mug", "r1"), ("a", "b", "skip", "mug", "r1")])
    assert (votes.systems, votes.left.tolist(), votes.right.tolist(), votes.n) == (("a", "b"), [1], [0], 1)


@pytest.mark.parametrize(
    ("left", "right", "case"),
    [(ints(0), ints(0), ints(0)), (ints(0), ints(5), ints(0)), (ints(0), ints(1), ints(0, 1))],
)
def test_impossible_votes_are_refused(left: Ints, right: Ints, case: Ints) -> None:
    with pytest.raises(InvalidInput):
        Votes(("a", "b"), left, right, ints(0), case, ints(0))


def test_wins_by_hand() -> None:
    tensor = tensor_of(small())
    assert tensor.wins.tolist() == [[0, 2, 1], [0, 0, 0], [1, 0, 0]]
    assert tensor.played.tolist() == [4, 2, 2]
    assert tensor.both_bad.tolist() == [0.25, 0.0, 0.5]


def test_win_rates_leave_out_opponents_never_met() -> None:
    rates = win_rates(np.array([[0.0, 3.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    assert rates[:2].tolist() == [0.75, 0.25]
    assert np.isnan(rates[2])


def test_resampling_draws_clusters_whole() -> None:
    votes = small()
    counts = drawn_clusters(votes, votes.case, 200, np.random.default_rng(0))
    assert counts.shape == (200, 4, 3, 3)
    assert set(counts.sum(axis=(1, 2, 3))) == {4.0}
    cells = [(int(votes.answer[v]), int(votes.left[v]), int(votes.right[v])) for v in range(4)]
    for first, second in ((0, 1), (2, 3)):
        assert (counts[:, *cells[first]] == counts[:, *cells[second]]).all()


def test_resampling_votes_keeps_their_number() -> None:
    counts = drawn_votes(tensor_of(small()), 50, np.random.default_rng(0))
    assert set(counts.sum(axis=(1, 2, 3))) == {4.0}
    assert len({tuple(row.ravel()) for row in counts}) > 5
