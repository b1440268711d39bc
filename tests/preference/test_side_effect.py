from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit

from evalkit.errors import InvalidInput
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models import sides
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import LEFT, RIGHT, TIE


def random_tensor(seed: int, size: int) -> Tensor:
    counts = np.random.default_rng(seed).integers(1, 30, size=(4, size, size)).astype(float)
    counts[:, np.arange(size), np.arange(size)] = 0.0
    return Tensor(tuple(f"s{i}" for i in range(size)), counts)


def slopes(f: Callable[[np.ndarray], np.ndarray | float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Derivatives by central differences, the parameter last."""
    directions = step * np.eye(x.size)
    return np.stack([(np.asarray(f(x + d)) - np.asarray(f(x - d))) / (2 * step) for d in directions], axis=-1)


def test_gradient_and_information_by_finite_differences() -> None:
    rng = np.random.default_rng(1)
    met = rng.integers(1, 40, size=(5, 5)).astype(float)
    np.fill_diagonal(met, 0.0)
    won, x = met * rng.random((5, 5)), rng.normal(size=6)

    def at(x: np.ndarray) -> object:
        return sides.surface(x, won, met)

    assert at(x).gradient == pytest.approx(slopes(lambda x: at(x).value, x), rel=1e-6, abs=1e-6)
    curvature = -slopes(lambda x: at(x).gradient, x)
    assert curvature == pytest.approx(at(x).H, rel=1e-6, abs=1e-6)


def test_scores_are_worth_minus_chance_and_cancel() -> None:
    tensor = random_tensor(2, 4)
    found = sides.fitted(tensor)
    chance = expit(found.theta[:, None] - found.theta[None, :] + found.extra[0])
    assert found.left[LEFT] == pytest.approx(1.0 - chance)
    assert found.left[RIGHT] == pytest.approx(-chance)
    assert found.left[TIE] == pytest.approx(0.5 - chance)
    assert found.others[0] == pytest.approx(found.left)
    pulled = tensor.counts * found.left
    assert pulled.sum(axis=(0, 2)) - pulled.sum(axis=(0, 1)) == pytest.approx(np.zeros(4), abs=1e-8)
    assert pulled.sum() == pytest.approx(0.0, abs=1e-8)


def test_a_known_side_effect_is_found_within_its_error() -> None:
    rng = np.random.default_rng(3)
    theta, gamma, size = np.array([0.6, 0.1, -0.2, -0.5]), 0.4, 4
    met = np.full((size, size), 2000)
    np.fill_diagonal(met, 0)
    won = rng.binomial(met, expit(theta[:, None] - theta[None, :] + gamma))
    counts = np.zeros((4, size, size))
    counts[LEFT], counts[RIGHT] = won, met - won
    found = sides.fitted(Tensor(tuple("abcd"), counts))
    error = np.sqrt(found.bread[size, size])
    assert found.names == ("left",)
    assert error == pytest.approx(1 / np.sqrt((met * 0.23).sum()), rel=0.1)
    assert abs(found.extra[0] - gamma) < 3 * error
    assert found.theta == pytest.approx(theta - theta.mean(), abs=0.1)


def test_without_an_effect_abilities_are_those_of_bradley_terry() -> None:
    tensor = random_tensor(4, 5)
    mirrored = tensor.counts.copy()
    mirrored[LEFT] += tensor.counts[RIGHT].T
    mirrored[RIGHT] += tensor.counts[LEFT].T
    mirrored[TIE] += tensor.counts[TIE].T
    mirrored[3] += tensor.counts[3].T
    even = Tensor(tensor.systems, mirrored)
    found = sides.fitted(even)
    assert found.extra[0] == pytest.approx(0.0, abs=1e-12)
    assert found.theta == pytest.approx(bt.fitted(even).theta, abs=1e-10)


def test_swapping_sides_turns_the_effect_round() -> None:
    tensor = random_tensor(5, 4)
    turned = np.swapaxes(tensor.counts, 1, 2)[[RIGHT, LEFT, 2, 3]]
    one, other = sides.fitted(tensor), sides.fitted(Tensor(tensor.systems, turned))
    assert other.extra[0] == pytest.approx(-one.extra[0], abs=1e-10)
    assert other.theta == pytest.approx(one.theta, abs=1e-10)


def test_a_weight_of_two_is_every_vote_twice() -> None:
    tensor = random_tensor(6, 3)
    weighted = sides.fitted(tensor, np.full((3, 3), 2.0))
    doubled = sides.fitted(Tensor(tensor.systems, 2 * tensor.counts))
    assert weighted.bread == pytest.approx(doubled.bread, abs=1e-12)
    assert weighted.log_likelihood == pytest.approx(doubled.log_likelihood)
    assert weighted.left == pytest.approx(2 * doubled.left, abs=1e-12)


def test_sides_that_cannot_be_told_from_abilities_are_refused() -> None:
    counts = np.zeros((4, 3, 3))
    counts[LEFT, 0, 1], counts[RIGHT, 0, 1], counts[LEFT, 1, 2], counts[RIGHT, 1, 2] = 5, 4, 3, 6
    with pytest.raises(InvalidInput, match="cannot be told from abilities"):
        sides.fitted(Tensor(("a", "b", "c"), counts))
    counts[LEFT, 2, 0], counts[RIGHT, 2, 0] = 2, 2
    assert sides.fitted(Tensor(("a", "b", "c"), counts)).converged


def test_always_left_has_no_maximum() -> None:
    counts = np.zeros((4, 2, 2))
    counts[LEFT, 0, 1], counts[LEFT, 1, 0] = 5, 4
    assert not sides.fitted(Tensor(("a", "b"), counts)).converged
