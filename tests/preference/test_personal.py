"""Boards of one rater or slice: against a general optimiser, and against known tastes in simulation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import expit

from evalkit.errors import InvalidInput
from evalkit.preference import personal
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.personal import SHOWN_FROM, PersonalBoards, heterogeneity, personal_boards
from evalkit.preference.tensor import Tensor
from evalkit.preference.trust import goodness


@dataclass(frozen=True)
class World:
    """Groups with known abilities `theta` (G, K), their wins, and how many votes of each pair were ties."""

    theta: np.ndarray
    wins: np.ndarray
    ties: np.ndarray


def world(seed: int, tau: float, groups: int = 60, size: int = 6, votes: int = 60, tie: float = 0.0) -> World:
    """Votes of groups whose abilities differ from everybody's by `tau`; a share near `tie` are ties."""
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=size) * 0.5
    taste = rng.normal(size=(groups, size)) * tau
    mine = theta - theta.mean() + taste - taste.mean(axis=1, keepdims=True)
    wins, ties = np.zeros((groups, size, size)), np.zeros((size, size))
    group = rng.integers(0, groups, groups * votes)
    i = rng.integers(0, size, group.size)
    j = (i + rng.integers(1, size, group.size)) % size
    p = expit(mine[group, i] - mine[group, j])
    even = rng.random(group.size) < 4.0 * tie * p * (1.0 - p)
    won = rng.random(group.size) * (1.0 - 4.0 * tie * p * (1.0 - p)) < p * (1.0 - 2.0 * tie * (1.0 - p))
    worth = np.where(even, 0.5, won)
    np.add.at(wins, (group, i, j), worth)
    np.add.at(wins, (group, j, i), 1.0 - worth)
    np.add.at(ties, (i[even], j[even]), 1.0)
    return World(mine, wins, ties)


def error(theta: np.ndarray, truth: np.ndarray) -> float:
    return float(np.sqrt(((theta - truth) ** 2).mean())) * ELO_PER_LOGIT


def raw(wins: np.ndarray) -> np.ndarray:
    """Each group by itself; a tenth of a vote on each pair keeps every one of them finite."""
    return bt.fit(wins + 0.05 * (1.0 - np.eye(wins.shape[-1]))).theta


def covered(boards: PersonalBoards, truth: np.ndarray) -> float:
    low, high = boards.interval()
    elo = bt.elo(truth)
    return float(((low <= elo) & (elo <= high)).mean())


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([0.1, 0.5, 2.0]))
def test_agrees_with_a_general_optimiser(seed: int, tau: float) -> None:
    wins = world(seed, 0.5, groups=3, size=4, votes=40).wins
    boards = personal_boards(wins, tau)
    assert boards.converged.all()
    for g in range(3):

        def loss(theta: np.ndarray, own: np.ndarray = wins[g]) -> float:
            return float(
                -bt.log_likelihood(theta, own) + ((theta - boards.everybody) ** 2).sum() / (2.0 * tau**2)
            )

        best = minimize(loss, boards.everybody, method="BFGS", tol=1e-9).x
        assert boards.theta[g] == pytest.approx(best, abs=1e-5)
        assert boards.theta[g].sum() == pytest.approx(0.0, abs=1e-9)


def test_between_the_raw_board_and_everybodys() -> None:
    wins = world(1, 0.5).wins
    nothing, all_own = personal_boards(wins, 1e-9), personal_boards(wins, 1e3)
    assert nothing.theta == pytest.approx(np.tile(nothing.everybody, (60, 1)), abs=1e-9)
    assert nothing.own == pytest.approx(np.zeros(60), abs=1e-9)
    assert all_own.own.min() > 0.99
    finite = [g for g in range(60) if len(bt.parts(wins[g], list("abcdef"))) == 1]
    assert all_own.theta[finite] == pytest.approx(bt.fit(wins[finite]).theta, abs=1e-3)


def test_more_votes_are_more_ones_own() -> None:
    wins = world(2, 0.5).wins
    wins[0], wins[1] = 0.0, 20.0 * wins[1]
    boards = personal_boards(wins)
    assert boards.own[0] == pytest.approx(0.0)
    assert boards.theta[0] == pytest.approx(boards.everybody)
    assert boards.own[1] == boards.own.max() > 0.8
    assert boards.sd[1].max() < boards.sd[0].min()
    assert not boards.shown[0]
    assert str(SHOWN_FROM) in boards.sentence(0)
    share = round(100 * boards.own[1])
    assert boards.sentence(1) == f"This board is {share} % yours and {100 - share} % everybody's."


def test_better_than_raw_and_pooled_where_tastes_differ() -> None:
    seen = []
    for seed in range(12):
        truth = world(seed, 0.5)
        boards = personal_boards(truth.wins)
        pooled = np.tile(boards.everybody, (60, 1))
        errors = [error(theta, truth.theta) for theta in (boards.theta, raw(truth.wins), pooled)]
        seen.append((*errors, boards.tau, covered(boards, truth.theta)))
    mine, alone, everybodys, tau, coverage = np.mean(seen, axis=0)
    assert mine < 0.85 * min(alone, everybodys)
    assert tau == pytest.approx(0.5, rel=0.08)
    assert 0.93 < coverage < 0.985


def test_about_as_good_as_pooled_where_they_do_not() -> None:
    seen = []
    for seed in range(12):
        truth = world(seed, 0.0)
        boards = personal_boards(truth.wins)
        pooled = np.tile(boards.everybody, (60, 1))
        seen.append(
            (error(boards.theta, truth.theta), error(pooled, truth.theta), covered(boards, truth.theta))
        )
    mine, everybodys, coverage = np.mean(seen, axis=0)
    assert mine < everybodys + 4.0
    assert coverage > 0.93


def test_ties_hide_tastes_unless_their_variance_is_given() -> None:
    plain, told = [], []
    for seed in range(8):
        truth = world(seed, 0.4, tie=0.35)
        counts = np.zeros((4, 6, 6))
        counts[0] = truth.wins.sum(axis=0) - 0.5 * (truth.ties + truth.ties.T)
        counts[2] = truth.ties
        factor = goodness.vote_variance(Tensor(tuple("abcdef"), counts))
        assert 0.5 < factor < 0.8
        plain.append(personal_boards(truth.wins).tau)
        told.append(personal_boards(truth.wins, design_effect=factor).tau)
    assert np.mean(told) == pytest.approx(0.4, rel=0.12)
    assert np.mean(plain) < np.mean(told)


def test_one_group_alone_is_everybody() -> None:
    wins = world(4, 0.5, groups=1, votes=300).wins
    boards = personal_boards(wins)
    assert boards.tau == 0.0
    assert boards.theta[0] == pytest.approx(bt.fit(wins[0]).theta, abs=1e-9)
    H = bt.inverse_information(boards.everybody, wins[0])
    assert boards.sd[0] == pytest.approx(np.sqrt(np.diag(H)))


def test_groups_of_opposite_minds_stay_finite() -> None:
    wins = np.zeros((4, 2, 2))
    wins[:2, 0, 1] = wins[2:, 1, 0] = 50.0
    boards = personal_boards(wins)
    assert boards.tau <= 3.0
    assert np.isfinite(boards.theta).all()
    assert np.isfinite(boards.sd).all()
    assert boards.theta[0, 0] > 1.0 > -1.0 > boards.theta[3, 0]


def test_moments_by_simulation() -> None:
    """The expectation of the moment estimate is tau^2 where tau is small."""
    found = []
    for seed in range(60):
        wins = world(seed, 0.15, votes=200).wins
        found.append(personal._moments(bt.fit(wins.sum(axis=0)).theta, wins)[0])
    spread = np.std(found) / np.sqrt(len(found))
    assert np.mean(found) == pytest.approx(0.15**2, abs=3.0 * spread + 0.05 * 0.15**2)


def test_unlike_slices_are_told_from_like_ones() -> None:
    alike = [heterogeneity(world(seed, 0.0, 5, 6, 300).wins).p_value for seed in range(150)]
    assert np.mean(np.array(alike) < 0.05) < 0.10
    assert np.mean(np.array(alike) < 0.5) == pytest.approx(0.5, abs=0.13)
    unlike = heterogeneity(world(1, 0.4, 5, 6, 300).wins)
    assert unlike.p_value is not None
    assert unlike.p_value < 1e-4
    assert unlike.spread_elo is not None
    assert unlike.df == 4 * 5
    assert heterogeneity(world(1, 0.4, 5, 6, 300).wins, design_effect=100.0).p_value == pytest.approx(
        1.0, abs=0.01
    )


def test_the_system_that_differs_is_found() -> None:
    theta = np.zeros((4, 6))
    theta[2, 3] = 1.5
    theta[2] -= theta[2].mean()
    rng = np.random.default_rng(0)
    wins = np.zeros((4, 6, 6))
    for i in range(6):
        for j in range(i):
            wins[:, i, j] = rng.binomial(60, expit(theta[:, i] - theta[:, j]))
            wins[:, j, i] = 60 - wins[:, i, j]
    assert heterogeneity(wins).differ()[0] == 3
    assert heterogeneity(wins).statistics.argmax() == 3


def test_agrees_with_the_likelihood_ratio() -> None:
    wins = world(3, 0.15, 4, 5, 4000).wins
    common = bt.fit(wins.sum(axis=0)).theta
    own = bt.fit(wins).theta
    ratio = 2.0 * sum(
        bt.log_likelihood(own[s], wins[s]) - bt.log_likelihood(common, wins[s]) for s in range(len(wins))
    )
    assert heterogeneity(wins).statistic == pytest.approx(ratio, rel=0.05)


def test_slices_that_share_nothing_cannot_be_compared() -> None:
    wins = np.zeros((2, 3, 3))
    wins[0, 0, 1] = wins[0, 1, 0] = wins[1, 1, 2] = wins[1, 2, 1] = 10.0
    found = heterogeneity(wins)
    assert (found.statistic, found.df) == (None, 0)
    assert found.reason
    assert list(np.isnan(found.p_values)) == [True, False, True]


@pytest.mark.parametrize("call", [personal_boards, heterogeneity])
def test_refuses_what_has_no_board(call) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InvalidInput, match="shape"):
        call(np.zeros((3, 3)))
    with pytest.raises(InvalidInput, match="common scale"):
        call(np.zeros((2, 3, 3)))
    with pytest.raises(InvalidInput, match="design effect"):
        call(np.ones((2, 3, 3)), design_effect=0.0)
