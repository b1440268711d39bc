"""A board that grows vote by vote is the board of all votes."""

from __future__ import annotations

import numpy as np
import pytest

from evalkit.errors import UsageError
from evalkit.preference import PreferenceBoard, RatingOptions, Votes, live, rate
from evalkit.preference.live import LiveBoard, OneVote

OPTIONS = RatingOptions(draws=2000)


def draw(rng: np.random.Generator, n: int, raters: int = 40, cases: int = 30) -> Votes:
    left = rng.integers(5, size=n)
    right = (left + rng.integers(1, 5, size=n)) % 5
    answer = rng.choice(4, size=n, p=[0.4, 0.35, 0.2, 0.05])
    return Votes(
        tuple("abcde"), left, right, answer, rng.integers(cases, size=n), rng.integers(raters, size=n)
    )


def joined(votes: Votes, new: list[OneVote]) -> Votes:
    columns = [
        np.concatenate([getattr(votes, name), [getattr(vote, name) for vote in new]])
        for name in ("left", "right", "answer", "case", "rater")
    ]
    return Votes(votes.systems, *columns)


def assert_close(ours: PreferenceBoard, theirs: PreferenceBoard, ends: float) -> None:
    assert [line.system for line in ours.ratings] == [line.system for line in theirs.ratings]
    for one, other in zip(ours.ratings, theirs.ratings, strict=True):
        assert one.rating.value == pytest.approx(other.rating.value, abs=1e-6)
        assert one.rating.low == pytest.approx(other.rating.low, abs=ends)
        assert one.rating.high == pytest.approx(other.rating.high, abs=ends)
        assert one.win_rate.value == pytest.approx(other.win_rate.value, abs=1e-12)
        assert one.win_rate.low == pytest.approx(other.win_rate.low, abs=1e-3)
        assert (one.n_votes, one.n_raters, one.n_cases) == (other.n_votes, other.n_raters, other.n_cases)


def test_votes_one_by_one_make_the_board_of_all() -> None:
    rng = np.random.default_rng(0)
    votes = draw(rng, 40_000)
    board = LiveBoard(votes, OPTIONS)
    new = [OneVote(0, 1, 0, int(rng.integers(31)), int(rng.integers(41))) for _ in range(30)]
    for vote in new:
        board.add(vote)
    assert_close(board.board(), rate(joined(votes, new), OPTIONS), ends=0.05)


def test_the_same_rater_on_the_same_case_again_is_one_cluster() -> None:
    votes = draw(np.random.default_rng(1), 20_000, raters=10, cases=10)
    board = LiveBoard(votes, OPTIONS)
    new = [OneVote(2, 3, 1, 4, 7)] * 15
    for vote in new:
        board.add(vote)
    assert_close(board.board(), rate(joined(votes, new), OPTIONS), ends=0.1)


def test_it_measures_anew_before_much_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "STALE", 0.01)
    rng = np.random.default_rng(2)
    votes = draw(rng, 1000)
    board = LiveBoard(votes, OPTIONS)
    new = [OneVote(4, 0, 0, int(rng.integers(30)), int(rng.integers(40))) for _ in range(11)]
    for vote in new:
        board.add(vote)
    assert_close(board.board(), rate(joined(votes, new), OPTIONS), ends=1e-6)


def test_the_vote_that_puts_all_on_one_scale_gives_ratings() -> None:
    sides = np.zeros(5000, dtype=np.int64)
    rows = np.arange(5000)
    votes = Votes(("a", "b"), sides, sides + 1, sides, rows % 30, rows % 40)
    board = LiveBoard(votes, OPTIONS)
    assert board.board().ratings[0].rating.value is None
    board.add(OneVote(0, 1, 1, 0, 0))
    assert_close(board.board(), rate(joined(votes, [OneVote(0, 1, 1, 0, 0)]), OPTIONS), ends=1e-6)


def test_weights_are_refused() -> None:
    one = np.array([0, 1])
    with pytest.raises(UsageError, match="without weights"):
        LiveBoard(Votes(("a", "b"), one, 1 - one, one, one, one, np.ones(2)))
