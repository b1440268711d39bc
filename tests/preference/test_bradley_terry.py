from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, minimize

from evalkit.preference import bradley_terry as bt

FOUR_TEAMS = np.array([[0, 2, 0, 1], [3, 0, 5, 0], [0, 3, 0, 1], [4, 0, 3, 0]], dtype=float)
"""Worked example of the Wikipedia article "Bradley-Terry model": wins of A, B, C, D over each other."""


def random_wins(seed: int, size: int) -> np.ndarray:
    wins = np.random.default_rng(seed).integers(1, 30, size=(size, size)).astype(float)
    np.fill_diagonal(wins, 0.0)
    return wins


def naive_fit(wins: np.ndarray) -> np.ndarray:
    """A second implementation: a general optimiser on the likelihood written as a double loop."""

    def loss(theta: np.ndarray) -> float:
        pairs = [(i, j) for i in range(len(wins)) for j in range(len(wins)) if i != j]
        return sum(wins[i, j] * np.log1p(np.exp(theta[j] - theta[i])) for i, j in pairs)

    theta = minimize(loss, np.zeros(len(wins)), method="BFGS", options={"gtol": 1e-9}).x
    return theta - theta.mean()


def test_published_example() -> None:
    strength = np.exp(bt.fit(FOUR_TEAMS).theta)
    assert strength == pytest.approx([0.640, 1.043, 0.660, 2.270], abs=5e-4)
    assert np.prod(strength) == pytest.approx(1.0)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(2, 6))
def test_agrees_with_a_naive_twin(seed: int, size: int) -> None:
    wins = random_wins(seed, size)
    found = bt.fit(wins)
    assert found.converged.all()
    assert found.theta == pytest.approx(naive_fit(wins), abs=1e-4)
    assert bt.gradient(found.theta, wins) == pytest.approx(np.zeros(size), abs=1e-7)


def test_gradient_and_information_by_finite_differences() -> None:
    wins = random_wins(4, 5)
    theta = np.random.default_rng(1).normal(size=5)
    numeric = approx_fprime(theta, lambda x: bt.log_likelihood(x, wins), 1e-6)
    assert bt.gradient(theta, wins) == pytest.approx(numeric, abs=1e-3)
    slope = np.array([approx_fprime(theta, lambda x, i=i: bt.gradient(x, wins)[i], 1e-6) for i in range(5)])
    assert bt.information(theta, wins) == pytest.approx(-slope, abs=1e-3)


def test_inverse_information_is_the_pseudo_inverse() -> None:
    wins = random_wins(9, 6)
    theta = bt.fit(wins).theta
    H, inverse = bt.information(theta, wins), bt.inverse_information(theta, wins)
    assert H @ inverse @ H == pytest.approx(H, abs=1e-8)
    assert inverse @ np.ones(6) == pytest.approx(np.zeros(6), abs=1e-10)
    assert inverse == pytest.approx(np.linalg.pinv(H, rcond=1e-8), abs=1e-8)


def test_problems_solved_together_are_problems_solved_alone() -> None:
    many = np.stack([random_wins(seed, 4) for seed in range(7)])
    together = bt.fit(many)
    alone = np.stack([bt.fit(wins).theta for wins in many])
    assert together.theta == pytest.approx(alone, abs=1e-9)
    assert together.converged.all()


def test_order_of_systems_does_not_matter() -> None:
    wins, shuffle = random_wins(2, 5), np.array([3, 0, 4, 1, 2])
    assert bt.fit(wins[np.ix_(shuffle, shuffle)]).theta == pytest.approx(
        bt.fit(wins).theta[shuffle], abs=1e-10
    )


def test_elo_scale() -> None:
    ratings = bt.elo(np.array([np.log(10) / 2, -np.log(10) / 2]))
    assert ratings == pytest.approx([1200.0, 800.0])


def test_parts_name_who_cannot_be_compared() -> None:
    separated = np.array([[0, 1, 2], [1, 0, 2], [0, 0, 0]], dtype=float)
    assert bt.parts(separated, ["a", "b", "c"]) == (("a", "b"), ("c",))
    apart = np.kron(np.eye(2), [[0, 1], [1, 0]])
    assert bt.parts(apart, ["a", "b", "c", "d"]) == (("a", "b"), ("c", "d"))
    assert bt.parts(FOUR_TEAMS, list("ABCD")) == (("A", "B", "C", "D"),)


def test_separated_problem_does_not_converge_and_does_not_crash() -> None:
    found = bt.fit(np.array([[0.0, 5.0], [0.0, 0.0]]))
    assert not found.converged.all()
    assert np.isfinite(found.theta).all()
