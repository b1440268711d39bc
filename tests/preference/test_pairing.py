from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import UsageError
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.pairing import (
    PRIOR,
    All,
    Goal,
    Place,
    Top,
    arena_probabilities,
    gains,
    pair_probabilities,
    urgency,
)

GOALS: list[Goal] = [All(), Top(2), Place(1)]


def some_wins(seed: int, size: int = 6) -> np.ndarray:
    wins = np.random.default_rng(seed).integers(0, 20, size=(size, size)).astype(float)
    np.fill_diagonal(wins, 0.0)
    return wins


def criterion(V: np.ndarray, q: np.ndarray) -> float:
    pairs = [(k, m) for k in range(len(V)) for m in range(k)]
    return sum(q[k, m] * (V[k, k] + V[m, m] - 2 * V[k, m]) for k, m in pairs)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 6), st.sampled_from(GOALS))
def test_a_gain_is_what_the_criterion_loses_by_one_more_vote(seed: int, size: int, goal: Goal) -> None:
    """Against inverting the information anew with the vote added, pair by pair."""
    wins = some_wins(seed, size)
    found = gains(wins, goal)
    smoothed = wins + PRIOR / 2 * ((wins + wins.T) > 0)
    theta = bt.fit(smoothed).theta
    H = bt.information(theta, smoothed)
    q = urgency(theta, np.linalg.pinv(H, rcond=1e-10), goal)
    before = criterion(np.linalg.pinv(H, rcond=1e-10), q)
    for i in range(size):
        for j in range(i):
            e = np.zeros(size)
            e[i], e[j] = 1.0, -1.0
            p = 1 / (1 + np.exp(theta[j] - theta[i]))
            after = criterion(np.linalg.pinv(H + p * (1 - p) * np.outer(e, e), rcond=1e-10), q)
            assert found[i, j] == pytest.approx(before - after, rel=1e-6, abs=1e-12)
            assert found[j, i] == pytest.approx(found[i, j])


@pytest.mark.parametrize("goal", GOALS)
def test_every_allowed_pair_may_come_and_no_other(goal: Goal) -> None:
    allowed = np.zeros((6, 6), dtype=bool)
    for i, j in [(0, 1), (3, 2), (4, 5), (1, 4)]:
        allowed[i, j] = True
    P = pair_probabilities(some_wins(1), goal, allowed, uniform=0.2)
    assert P.sum() == pytest.approx(1.0)
    assert set(zip(*np.nonzero(P), strict=True)) == {(0, 1), (2, 3), (4, 5), (1, 4)}
    assert P[P > 0].min() >= 0.2 / 4
    everything = pair_probabilities(some_wins(1), goal)
    assert (everything[np.triu_indices(6, 1)] >= 0.2 / 15).all()
    assert (np.tril(everything) == 0).all()


def test_a_goal_draws_the_votes_to_its_pairs() -> None:
    theta = np.array([1.2, 1.1, 1.0, -1.0, -1.1, -1.2])
    wins = 60.0 / (1.0 + np.exp(theta[None, :] - theta[:, None]))
    np.fill_diagonal(wins, 0.0)
    top = pair_probabilities(wins, Top(3))
    assert top[:3, :3].sum() > 0.6
    assert top[3:, 3:].sum() < 0.1
    new = pair_probabilities(wins, Place(4))
    assert new[4, :].sum() + new[:, 4].sum() > 0.8
    alike = pair_probabilities(wins, All(), uniform=1.0)
    assert alike[np.triu_indices(6, 1)] == pytest.approx(np.full(15, 1 / 15))


def test_top_minds_pairs_by_how_likely_they_are_among_the_best() -> None:
    theta, V = np.array([2.0, 1.0, -1.0, -2.0]), 0.01 * np.eye(4)
    q = urgency(theta, V + 0.0, Top(1))
    everything = urgency(theta, V, All())
    assert q[0, 1] == pytest.approx(everything[0, 1])
    assert q[2, 3] == pytest.approx(0.0, abs=1e-12)
    assert urgency(theta, V, Top(4)) == pytest.approx(everything)
    assert (q == q.T).all()
    assert (np.diag(q) == 0).all()


@pytest.mark.parametrize("goal", GOALS)
def test_without_votes_all_pairs_are_alike(goal: Goal) -> None:
    upper = np.triu_indices(4, 1)
    assert pair_probabilities(np.zeros((4, 4)), goal)[upper] == pytest.approx(np.full(6, 1 / 6))


def test_while_systems_are_not_connected_the_least_compared_pairs_come() -> None:
    wins = np.zeros((4, 4))
    wins[0, 1] = wins[3, 2] = 3.0
    P = pair_probabilities(wins, Top(1))
    assert P[0, 1] == P[2, 3] == 0.0
    assert P[np.triu_indices(4, 1)].max() == pytest.approx(0.25)
    only = np.zeros((4, 4), dtype=bool)
    only[0, 1] = only[1, 2] = True
    assert pair_probabilities(wins, Top(1), only)[1, 2] == 1.0


def test_a_system_that_won_every_vote_is_no_obstacle() -> None:
    wins = np.array([[0.0, 5.0, 5.0], [0.0, 0.0, 3.0], [0.0, 2.0, 0.0]])
    P = pair_probabilities(wins, All())
    assert np.isfinite(P).all()
    assert P.sum() == pytest.approx(1.0)


def test_order_of_systems_does_not_matter() -> None:
    wins, order = some_wins(3), np.array([4, 2, 0, 5, 1, 3])
    plain, other = pair_probabilities(wins, Top(2)), pair_probabilities(wins[np.ix_(order, order)], Top(2))
    symmetric = plain + plain.T
    assert other + other.T == pytest.approx(symmetric[np.ix_(order, order)])


def test_a_new_system_is_placed_with_a_fraction_of_the_votes() -> None:
    """Twelve systems with many votes and one with a few: how many it takes to halve its standard error."""
    size, few = 12, 2.0
    theta = np.linspace(-0.5, 0.5, size)
    chances = 1.0 / (1.0 + np.exp(theta[None, :] - theta[:, None]))
    games = np.full((size, size), 100.0)
    games[0, :] = games[:, 0] = few
    np.fill_diagonal(games, 0.0)

    def needed(goal: Goal, uniform: float) -> int:
        met, votes = games.copy(), 0
        start = bt.inverse_information(theta, met * chances)[0, 0]
        while bt.inverse_information(theta, met * chances)[0, 0] > start / 4.0:
            P = pair_probabilities(met * chances, goal, uniform=uniform)
            met += 5 * (P + P.T)
            votes += 5
        return votes

    assert needed(Place(0), 0.2) * 4.5 < needed(Place(0), 1.0)


def test_lmarenas_rule() -> None:
    wins = np.array([[0.0, 9.0, 2.0], [1.0, 0.0, 2.0], [2.0, 2.0, 0.0]])
    P = arena_probabilities(wins)
    assert P.sum() == pytest.approx(1.0)
    share = 2.5 / 5.0
    narrowed = np.sqrt(share * (1 - share)) * (1 / np.sqrt(4) - 1 / np.sqrt(5))
    other = np.sqrt(9.5 / 11 * 1.5 / 11) * (1 / np.sqrt(10) - 1 / np.sqrt(11))
    assert P[0, 2] / P[0, 1] == pytest.approx(narrowed / other)
    wins[2, :] = wins[:, 2] = 0.0
    assert arena_probabilities(wins).tolist() == [[0.0, 0.0, 0.5], [0.0, 0.0, 0.5], [0.0, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("goal", "allowed", "uniform"),
    [
        (Top(0), None, 0.2),
        (Top(7), None, 0.2),
        (Place(6), None, 0.2),
        (All(), None, 1.5),
        (All(), np.zeros((6, 6), dtype=bool), 0.2),
    ],
)
def test_goals_that_cannot_be_are_refused(goal: Goal, allowed: np.ndarray | None, uniform: float) -> None:
    with pytest.raises(UsageError) as error:
        pair_probabilities(some_wins(0), goal, allowed, uniform)
    assert error.value.hint
