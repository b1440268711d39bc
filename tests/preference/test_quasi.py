from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, minimize

from evalkit.errors import InvalidInput
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models import davidson
from evalkit.preference.quasi import gradient, objective, quasi_errors
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import LEFT, RIGHT, TIE

PUDDING = Path(__file__).parent / "tables" / "pudding.csv"


def covariance(seed: int, size: int, alike: float = 0.3) -> np.ndarray:
    """A random covariance; the larger `alike`, the nearer it is to that of equally known ratings."""
    A = np.random.default_rng(seed).normal(size=(size, size))
    return A @ A.T + alike * size * np.eye(size)


def of_differences(V: np.ndarray) -> np.ndarray:
    variance = np.diag(V)[:, None] + np.diag(V)[None, :] - 2.0 * V
    np.fill_diagonal(variance, 1.0)
    return variance


def naive(V: np.ndarray) -> float:
    """The least sum of squares a general optimiser finds over quasi-standard errors, as a double loop."""

    def loss(log_errors: np.ndarray) -> float:
        q = np.exp(2.0 * log_errors)
        return sum(
            np.log((q[i] + q[j]) / (V[i, i] + V[j, j] - 2.0 * V[i, j])) ** 2
            for i in range(len(V))
            for j in range(i)
        )

    starts = [0.5 * np.log(np.diag(V)), 0.5 * np.log(np.full(len(V), of_differences(V).mean() / 2.0))]
    bounds = [(-8.0, 8.0)] * len(V)
    return min(minimize(loss, start, method="L-BFGS-B", bounds=bounds).fun for start in starts)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 6), st.sampled_from([0.0, 0.3]))
def test_no_general_optimiser_finds_a_better_fit(seed: int, size: int, alike: float) -> None:
    V = covariance(seed, size, alike)
    found = quasi_errors(V)
    assert objective(found.errors**2, of_differences(V)) <= naive(V) + 1e-6


def test_independent_ratings_have_their_own_errors() -> None:
    errors = np.array([0.1, 0.2, 0.05, 0.4])
    found = quasi_errors(np.diag(errors**2))
    assert found.errors == pytest.approx(errors)
    assert found.worst == pytest.approx((0.0, 0.0), abs=1e-6)
    assert not found.at_zero.any()


def test_an_anchor_changes_nothing() -> None:
    """Ratings relative to one system have that system's variance in all of them."""
    V = covariance(3, 5)
    to_first = np.eye(5) - np.outer(np.ones(5), np.eye(5)[0])
    assert quasi_errors(to_first @ V @ to_first.T).errors == pytest.approx(quasi_errors(V).errors)


def test_two_ratings_share_their_difference() -> None:
    V = np.array([[0.04, 0.01], [0.01, 0.09]])
    found = quasi_errors(V)
    assert (found.errors**2).sum() == pytest.approx(0.11)
    assert found.worst == pytest.approx((0.0, 0.0), abs=1e-12)


def test_three_ratings_fit_exactly() -> None:
    """Three differences, three unknowns: q_1 = (Var_12 + Var_13 - Var_23) / 2."""
    V = covariance(8, 3, alike=2.0)
    D = of_differences(V)
    q = D[[0, 0, 0], [1, 1, 2]] + D[[0, 1, 1], [2, 2, 2]] - D[[1, 0, 0], [2, 2, 1]]
    q /= 2.0
    assert q.min() > 0
    assert quasi_errors(V).errors == pytest.approx(np.sqrt(q))


def test_a_negative_quasi_variance_is_cut_off_and_said_so() -> None:
    """The first difference varies less than the other two together allow for: q_1 would be negative."""
    D = np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 3.0], [1.0, 3.0, 0.0]])
    J = np.eye(3) - 1.0 / 3.0
    V = -0.5 * J @ D @ J
    assert np.linalg.eigvalsh(V).min() > -1e-12
    found = quasi_errors(V)
    assert found.at_zero.tolist() == [True, False, False]
    assert found.errors[0] == 0.0
    low, high = found.worst
    assert low < -0.05
    assert high > 0.05
    told = np.sqrt(found.errors[1] ** 2 + found.errors[2] ** 2) / np.sqrt(3.0) - 1.0
    assert told == pytest.approx(low)


def test_the_worst_error_is_that_over_all_pairs() -> None:
    V = covariance(5, 6)
    found = quasi_errors(V)
    ratios = [
        np.hypot(found.errors[i], found.errors[j]) / np.sqrt(V[i, i] + V[j, j] - 2 * V[i, j]) - 1.0
        for i in range(6)
        for j in range(i)
    ]
    assert found.worst == pytest.approx((min(ratios), max(ratios)))


def test_ratings_of_votes_are_approximated_closely() -> None:
    """The published claim for such models: errors of a few percent (Firth & de Menezes 2004)."""
    rng = np.random.default_rng(2)
    wins = rng.integers(5, 60, size=(12, 12)).astype(float)
    np.fill_diagonal(wins, 0.0)
    found = quasi_errors(bt.inverse_information(bt.fit(wins).theta, wins))
    assert -0.05 < found.worst[0] < 0.0 < found.worst[1] < 0.05


def test_published_quasi_standard_errors() -> None:
    """Davidson (1970), example 2, as R's qvcalc gives them in the vignette of PlackettLuce."""
    counts = np.zeros((4, 6, 6))
    with PUDDING.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            i, j = int(row["a"]) - 1, int(row["b"]) - 1
            for answer, column in ((LEFT, "a_wins"), (RIGHT, "b_wins"), (TIE, "ties")):
                counts[answer, i, j] = float(row[column])
    found = quasi_errors(davidson.fitted(Tensor(tuple("123456"), counts)).bread[:6, :6])
    assert found.errors == pytest.approx([0.1329, 0.1327, 0.1396, 0.1330, 0.1399, 0.1392], abs=1e-4)


def test_the_gradient_is_that_of_the_objective() -> None:
    D = of_differences(covariance(1, 6))
    q = np.random.default_rng(0).uniform(0.5, 3.0, 6)
    numeric = approx_fprime(q, lambda x: objective(x, D), 1e-7)
    assert gradient(q, D) == pytest.approx(numeric, rel=1e-5)
    central = np.array([
        (objective(q + 1e-5 * e, D) - objective(q - 1e-5 * e, D)) / 2e-5 for e in np.eye(6)
    ])  # fmt: skip
    assert gradient(q, D) == pytest.approx(central, rel=1e-6)


@pytest.mark.parametrize(
    "V",
    [np.ones((1, 1)), np.ones((2, 3)), np.ones((3, 3)), np.full((3, 3), np.nan)],
    ids=["one rating", "not square", "no variance", "not a number"],
)
def test_what_has_no_bars_is_refused(V: np.ndarray) -> None:
    with pytest.raises(InvalidInput):
        quasi_errors(V)
