from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from evalkit.errors import UnknownName
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models import registry as models
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE

FOUR_TEAMS = np.array([[0, 2, 0, 1], [3, 0, 5, 0], [0, 3, 0, 1], [4, 0, 3, 0]], dtype=float)
"""Worked example of the Wikipedia article "Bradley-Terry model": wins of A, B, C, D over each other."""


def random_wins(seed: int, size: int) -> np.ndarray:
    wins = np.random.default_rng(seed).integers(1, 30, size=(size, size)).astype(float)
    np.fill_diagonal(wins, 0.0)
    return wins


def slopes(f: Callable[[np.ndarray], np.ndarray | float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Derivatives by central differences, the parameter last."""
    directions = step * np.eye(x.size)
    return np.stack([(np.asarray(f(x + d)) - np.asarray(f(x - d))) / (2 * step) for d in directions], axis=-1)


def tensor_of_wins(wins: np.ndarray) -> Tensor:
    counts = np.zeros((4, *wins.shape))
    counts[LEFT] = wins
    return Tensor(tuple(f"s{i}" for i in range(len(wins))), counts)


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
    assert bt.gradient(theta, wins) == pytest.approx(
        slopes(lambda x: bt.log_likelihood(x, wins), theta), rel=1e-6
    )
    assert bt.information(theta, wins) == pytest.approx(
        -slopes(lambda x: bt.gradient(x, wins), theta), rel=1e-6
    )


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


def test_scores_of_a_vote_are_worth_minus_chance() -> None:
    rng = np.random.default_rng(5)
    counts = rng.integers(1, 20, size=(4, 4, 4)).astype(float)
    counts[:, np.arange(4), np.arange(4)] = 0.0
    found = bt.fitted(Tensor(tuple("abcd"), counts))
    chance = 1 / (1 + np.exp(found.theta[None, :] - found.theta[:, None]))
    for answer, worth in ((LEFT, 1.0), (RIGHT, 0.0), (TIE, 0.5), (BOTH_BAD, 0.5)):
        assert found.left[answer] == pytest.approx(worth - chance)
        assert found.right[answer] == pytest.approx(chance - worth)
    pulled = counts * found.left
    assert pulled.sum(axis=(0, 2)) - pulled.sum(axis=(0, 1)) == pytest.approx(np.zeros(4), abs=1e-8)


def test_extreme_counts_converge() -> None:
    rng = np.random.default_rng(6)
    for _ in range(50):
        wins = np.zeros((6, 6))
        for i in range(5):
            wins[i, i + 1], wins[i + 1, i] = 10 ** rng.uniform(0, 4, size=2)
        found = bt.fit(wins)
        assert found.converged.all()
        exact = np.log(np.diag(wins, 1) / np.diag(wins, -1))
        assert -np.diff(found.theta) == pytest.approx(exact, abs=1e-8)


def test_connectivity_tells_what_is_in_the_way() -> None:
    """d beat everyone, e lost to everyone, {f, g} met nobody else, h never voted on."""
    wins = np.zeros((8, 8))
    for i, j in [(0, 1), (1, 2), (2, 0), (3, 0), (3, 1), (1, 4), (3, 4), (5, 6), (6, 5)]:
        wins[i, j] = 2.0
    found = bt.connectivity(wins, list("abcdefgh"))
    assert found.groups == (("a", "b", "c"), ("f", "g"), ("d",), ("e",), ("h",))
    assert found.islands == (("a", "b", "c", "d", "e"), ("f", "g"), ("h",))
    assert found.unbeaten == (("d",),)
    assert found.winless == (("e",),)
    assert not found.one_scale
    assert found.reasons == (
        "Never compared with each other: {a, b, c, d, e}; {f, g}; {h}.",
        "Never beaten by any other: {d}.",
        "Never beat any other: {e}.",
    )
    assert found.groups == bt.parts(wins, list("abcdefgh"))


def test_nothing_is_in_the_way_of_one_scale() -> None:
    found = bt.connectivity(FOUR_TEAMS, list("ABCD"))
    assert found.one_scale
    assert (found.unbeaten, found.winless, found.reasons) == ((), (), ())
    tie = np.array([[0.0, 0.5], [0.5, 0.0]])
    assert bt.connectivity(tie, ["a", "b"]).one_scale


def test_a_prior_gives_an_answer_where_one_never_won() -> None:
    wins = np.array([[0, 5, 6], [4, 0, 7], [0, 0, 0]], dtype=float)
    plain, mode = bt.fitted(tensor_of_wins(wins)), bt.fitted(tensor_of_wins(wins), prior=bt.PRIOR)
    assert not plain.converged
    assert mode.converged
    smoothed = wins + 0.05 * (1 - np.eye(3))
    assert bt.smoothed(wins) == pytest.approx(smoothed)
    assert mode.theta == pytest.approx(bt.fit(smoothed).theta)
    assert mode.theta[2] < mode.theta[:2].min()


def test_a_prior_compares_nobody_whom_nobody_compared() -> None:
    apart = np.kron(np.eye(2), [[0, 1], [1, 0]])
    assert np.array_equal(bt.smoothed(apart) > 0, apart > 0)
    assert not bt.fitted(tensor_of_wins(apart), prior=0.1).converged


def test_models_are_known_by_name() -> None:
    counts = np.full((4, 2, 2), 3.0) * (1 - np.eye(2))
    for name in models.MODELS:
        assert models.model_named(name)(Tensor(("a", "b"), counts), None).model == name
    with pytest.raises(UnknownName, match="davidsn") as caught:
        models.model_named("davidsn")
    assert "davidson" in caught.value.hint


def test_loss_per_vote() -> None:
    """Three outcomes alike cost ln 3 each; half-win Bradley-Terry pays ln 2 whatever the outcome."""
    counts = np.full((4, 2, 2), 3.0) * (1 - np.eye(2))
    counts[BOTH_BAD] = 0.0
    tensor = Tensor(("a", "b"), counts)
    for name, loss in (("bradley-terry", np.log(2)), ("davidson", np.log(3)), ("rao-kupper", np.log(3))):
        assert models.loss_per_vote(models.MODELS[name](tensor, None), tensor) == pytest.approx(loss)
    doubled = np.full((2, 2), 2.0)
    weighted = models.MODELS["davidson"](tensor, doubled)
    assert models.loss_per_vote(weighted, tensor, doubled) == pytest.approx(np.log(3))
