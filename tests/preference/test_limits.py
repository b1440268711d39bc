"""What limits a board, in panels where it is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from evalkit.preference import Votes, rate
from evalkit.preference.limits import Limits


def panel(seed: int, raters: int, cases: int, votes: int, taste: float, luck: float) -> Votes:
    rng = np.random.default_rng(seed)
    theta = np.linspace(-0.5, 0.5, 6)
    left = rng.integers(6, size=votes)
    right = (left + rng.integers(1, 6, size=votes)) % 6
    case, rater = rng.integers(cases, size=votes), rng.integers(raters, size=votes)
    worth = theta + luck * rng.normal(size=(cases, 6))[case] + taste * rng.normal(size=(raters, 6))[rater]
    rows = np.arange(votes)
    won = rng.random(votes) < expit(worth[rows, left] - worth[rows, right])
    return Votes(tuple("abcdef"), left, right, np.where(won, 0, 1), case, rater)


def limits(votes: Votes) -> Limits:
    found = rate(votes).limits
    assert found is not None
    assert sum(found.shares.values()) == pytest.approx(1.0)
    return found


def test_few_votes_by_many_on_many_are_limited_by_votes() -> None:
    found = limits(panel(0, 300, 300, 600, 0.0, 0.0))
    assert found.limit == "votes"
    assert found.then == pytest.approx(1 / np.sqrt(1.5), abs=0.05)
    assert "votes (" in found.sentence


def test_many_votes_on_few_prompts_are_limited_by_prompts() -> None:
    found = limits(panel(1, 300, 30, 20_000, 0.0, 1.0))
    assert found.limit == "prompts"
    assert found.endless > 0.85
    assert "half as many more prompts" in found.sentence


def test_many_votes_of_few_raters_are_limited_by_raters() -> None:
    assert limits(panel(2, 30, 300, 20_000, 1.0, 0.0)).limit == "raters"


def test_the_error_is_that_of_differences() -> None:
    votes = panel(3, 60, 60, 4000, 0.5, 0.5)
    board = rate(votes)
    ends = [(line.rating.high - line.rating.low) / 2 for line in board.ratings]
    assert limits(votes).error == pytest.approx(np.mean(ends) / 2.0 * np.sqrt(2), rel=0.15)


def test_nothing_is_said_of_one_rater_or_one_prompt() -> None:
    assert rate(panel(4, 1, 50, 500, 0.0, 0.5)).limits is None
    assert rate(panel(5, 50, 1, 500, 0.0, 0.5)).limits is None


def test_more_prompts_do_what_was_said() -> None:
    """Intervals after half as many prompts more (with votes as dense), against what was foretold."""
    small, large = [], []
    for seed in range(12):
        before = limits(panel(10 + seed, 400, 40, 6000, 0.0, 0.9))
        after = limits(panel(50 + seed, 400, 60, 9000, 0.0, 0.9))
        small.append(before.error * before.then)
        large.append(after.error)
    assert np.mean(large) == pytest.approx(np.mean(small), rel=0.1)
