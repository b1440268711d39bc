from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.special import expit

from evalkit.errors import InvalidInput
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models import rao_kupper
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE


def random_tensor(seed: int, size: int, most: int = 30) -> Tensor:
    counts = np.random.default_rng(seed).integers(1, most, size=(4, size, size)).astype(float)
    counts[:, np.arange(size), np.arange(size)] = 0.0
    return Tensor(tuple(f"s{i}" for i in range(size)), counts)


def slopes(f: Callable[[np.ndarray], np.ndarray | float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Derivatives by central differences, the parameter last."""
    directions = step * np.eye(x.size)
    return np.stack([(np.asarray(f(x + d)) - np.asarray(f(x - d))) / (2 * step) for d in directions], axis=-1)


def chance(answer: int, d: float, eta: float) -> float:
    """The model as in the paper, for one vote."""
    left, right = expit(d - eta), expit(-d - eta)
    return {LEFT: left, RIGHT: right}.get(answer, 1.0 - left - right)


def test_gradient_and_information_by_finite_differences() -> None:
    tensor = random_tensor(1, 5)
    x = np.append(np.random.default_rng(2).normal(size=5), 0.7)

    def at(x: np.ndarray) -> object:
        return rao_kupper.surface(x, tensor.beaten, tensor.tied)

    here = at(x)
    assert here.gradient == pytest.approx(slopes(lambda x: at(x).value, x), rel=1e-6, abs=1e-6)
    curvature = -slopes(lambda x: at(x).gradient, x)
    assert curvature == pytest.approx(here.H, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("answer", [LEFT, RIGHT, TIE, BOTH_BAD])
def test_scores_of_a_vote_by_finite_differences(answer: int) -> None:
    x = np.array([0.7, -0.4, 0.1, 0.5])
    by_left, by_eta = rao_kupper.scores(x[:3], x[3])
    for i, j in [(0, 1), (1, 0), (2, 1)]:
        numeric = slopes(lambda x, i=i, j=j: np.log(chance(answer, x[i] - x[j], x[3])), x)
        assert by_left[answer, i, j] == pytest.approx(numeric[i], rel=1e-6)
        assert -by_left[answer, i, j] == pytest.approx(numeric[j], rel=1e-6)
        assert by_eta[answer, i, j] == pytest.approx(numeric[3], rel=1e-6)


def test_likelihood_is_that_of_the_votes() -> None:
    tensor = random_tensor(4, 3)
    x = np.array([0.3, -0.5, 0.2, 0.4])
    written_out = sum(
        tensor.counts[answer, i, j] * np.log(chance(answer, x[i] - x[j], x[3]))
        for answer in range(4)
        for i in range(3)
        for j in range(3)
        if i != j
    )
    assert rao_kupper.surface(x, tensor.beaten, tensor.tied).value == pytest.approx(written_out, rel=1e-12)


def test_threshold_below_zero_is_out_of_bounds() -> None:
    tensor = random_tensor(4, 3)
    assert rao_kupper.surface(np.array([0.0, 0, 0, -0.1]), tensor.beaten, tensor.tied).value == -np.inf


def test_scores_of_all_votes_cancel_at_the_maximum() -> None:
    tensor = random_tensor(3, 4)
    found = rao_kupper.fitted(tensor)
    pulled = tensor.counts * found.left
    assert pulled.sum(axis=(0, 2)) - pulled.sum(axis=(0, 1)) == pytest.approx(np.zeros(4), abs=1e-8)
    assert (tensor.counts * found.others[0]).sum() == pytest.approx(0.0, abs=1e-8)
    assert found.right == pytest.approx(-found.left)
    assert found.names == ("eta",)


def test_bread_is_the_pseudo_inverse_of_the_information() -> None:
    tensor = random_tensor(5, 4)
    found = rao_kupper.fitted(tensor)
    H = rao_kupper.surface(np.append(found.theta, found.extra), tensor.beaten, tensor.tied).H
    assert found.bread == pytest.approx(np.linalg.pinv(H, rcond=1e-9), abs=1e-10)


def test_few_ties_come_close_to_bradley_terry() -> None:
    tensor = random_tensor(6, 4)
    counts = tensor.counts.copy()
    counts[[TIE, BOTH_BAD]] *= 1e-9
    rare = Tensor(tensor.systems, counts)
    found = rao_kupper.fitted(rare)
    assert found.converged
    assert 0 < found.extra[0] < 1e-7
    assert found.theta == pytest.approx(bt.fitted(rare).theta, abs=1e-6)


def test_a_weight_of_two_is_every_vote_twice() -> None:
    tensor = random_tensor(9, 4)
    weighted = rao_kupper.fitted(tensor, np.full((4, 4), 2.0))
    doubled = rao_kupper.fitted(Tensor(tensor.systems, 2 * tensor.counts))
    assert weighted.bread == pytest.approx(doubled.bread, abs=1e-12)
    assert weighted.left == pytest.approx(2 * doubled.left, abs=1e-12)
    assert weighted.others == pytest.approx(2 * doubled.others, abs=1e-12)


def test_problems_solved_together_are_problems_solved_alone() -> None:
    tensors = [random_tensor(seed, 4) for seed in range(6)]
    together = rao_kupper.fit(np.stack([t.beaten for t in tensors]), np.stack([t.tied for t in tensors]))
    for k, tensor in enumerate(tensors):
        alone = rao_kupper.fitted(tensor)
        assert together.theta[k] == pytest.approx(alone.theta, abs=1e-10)
        assert together.tie[k] == pytest.approx(alone.extra[0], abs=1e-10)
    assert together.converged.all()


@pytest.mark.parametrize(
    ("missing", "message"), [([TIE, BOTH_BAD], "no vote is a tie"), ([LEFT, RIGHT], "every vote is a tie")]
)
def test_what_cannot_be_estimated_is_refused(missing: list[int], message: str) -> None:
    counts = random_tensor(1, 3).counts
    counts[missing] = 0.0
    with pytest.raises(InvalidInput, match=message):
        rao_kupper.fitted(Tensor(("a", "b", "c"), counts))


def test_no_maximum_is_not_called_one() -> None:
    counts = np.zeros((4, 3, 3))
    counts[LEFT, 0, 1], counts[RIGHT, 0, 1], counts[TIE, 0, 1] = 5, 4, 3
    counts[LEFT, 0, 2] = 6
    found = rao_kupper.fitted(Tensor(("a", "b", "c"), counts))
    assert not found.converged
    assert np.isfinite(found.theta).all()
