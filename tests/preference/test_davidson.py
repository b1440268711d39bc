from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evalkit.errors import InvalidInput
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models import davidson
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE

ANSWERS = (LEFT, RIGHT, TIE, BOTH_BAD)


def random_tensor(seed: int, size: int, most: int = 30) -> Tensor:
    counts = np.random.default_rng(seed).integers(1, most, size=(4, size, size)).astype(float)
    counts[:, np.arange(size), np.arange(size)] = 0.0
    return Tensor(tuple(f"s{i}" for i in range(size)), counts)


def slopes(f: Callable[[np.ndarray], np.ndarray | float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Derivatives by central differences, the parameter last."""
    directions = step * np.eye(x.size)
    return np.stack([(np.asarray(f(x + d)) - np.asarray(f(x - d))) / (2 * step) for d in directions], axis=-1)


def chance(answer: int, d: float, log_nu: float) -> float:
    """The model as in the paper, for one vote."""
    win, lose, tie = np.exp(d / 2), np.exp(-d / 2), np.exp(log_nu)
    return {LEFT: win, RIGHT: lose}.get(answer, tie) / (win + lose + tie)


def test_gradient_and_information_by_finite_differences() -> None:
    tensor = random_tensor(1, 5)
    x = np.random.default_rng(2).normal(size=6)

    def at(x: np.ndarray) -> object:
        return davidson.surface(x, tensor.beaten, tensor.tied)

    here = at(x)
    assert here.gradient == pytest.approx(slopes(lambda x: at(x).value, x), rel=1e-6, abs=1e-6)
    curvature = -slopes(lambda x: at(x).gradient, x)
    assert curvature == pytest.approx(here.H, rel=1e-6, abs=1e-6)


@pytest.mark.parametrize("answer", ANSWERS)
def test_scores_of_a_vote_by_finite_differences(answer: int) -> None:
    theta, log_nu = np.array([0.7, -0.4, 0.1]), -0.6
    by_left, by_nu = davidson.scores(theta, log_nu)
    x = np.append(theta, log_nu)
    for i, j in [(0, 1), (1, 0), (2, 1)]:
        numeric = slopes(lambda x, i=i, j=j: np.log(chance(answer, x[i] - x[j], x[3])), x)
        assert by_left[answer, i, j] == pytest.approx(numeric[i], rel=1e-6)
        assert -by_left[answer, i, j] == pytest.approx(numeric[j], rel=1e-6)
        assert by_nu[answer, i, j] == pytest.approx(numeric[3], rel=1e-6)


def test_chances_and_scores_belong_together() -> None:
    theta, log_nu = np.array([0.7, -0.4]), -0.6
    by_left, by_nu = davidson.scores(theta, log_nu)
    p = [chance(answer, 1.1, log_nu) for answer in (LEFT, RIGHT, TIE)]
    assert sum(p) == pytest.approx(1.0)
    for scores in (by_left, by_nu):
        assert np.dot(p, scores[[LEFT, RIGHT, TIE], 0, 1]) == pytest.approx(0.0, abs=1e-12)


def test_scores_of_all_votes_cancel_at_the_maximum() -> None:
    tensor = random_tensor(3, 4)
    found = davidson.fitted(tensor)
    pulled = tensor.counts * found.left
    assert pulled.sum(axis=(0, 2)) - pulled.sum(axis=(0, 1)) == pytest.approx(np.zeros(4), abs=1e-8)
    assert (tensor.counts * found.others[0]).sum() == pytest.approx(0.0, abs=1e-8)
    assert found.right == pytest.approx(-found.left)


def test_bread_is_the_pseudo_inverse_of_the_information() -> None:
    tensor = random_tensor(5, 4)
    found = davidson.fitted(tensor)
    H = davidson.surface(np.append(found.theta, found.extra), tensor.beaten, tensor.tied).H
    assert found.bread == pytest.approx(np.linalg.pinv(H, rcond=1e-9), abs=1e-10)


def test_order_is_that_of_half_wins_where_all_met_alike() -> None:
    tensor = random_tensor(7, 6)
    met = tensor.games + np.eye(6)
    even = Tensor(tensor.systems, tensor.counts * 100 / met)
    half = bt.fitted(even).theta
    assert np.argsort(davidson.fitted(even).theta).tolist() == np.argsort(half).tolist()


def test_both_bad_is_a_tie() -> None:
    tensor = random_tensor(8, 4)
    merged = tensor.counts.copy()
    merged[TIE] += merged[BOTH_BAD]
    merged[BOTH_BAD] = 0.0
    one, other = davidson.fitted(tensor), davidson.fitted(Tensor(tensor.systems, merged))
    assert one.theta == pytest.approx(other.theta, abs=1e-12)
    assert one.extra == pytest.approx(other.extra, abs=1e-12)


def test_a_weight_of_two_is_every_vote_twice() -> None:
    tensor = random_tensor(9, 4)
    weighted = davidson.fitted(tensor, np.full((4, 4), 2.0))
    doubled = davidson.fitted(Tensor(tensor.systems, 2 * tensor.counts))
    assert weighted.theta == pytest.approx(doubled.theta, abs=1e-12)
    assert weighted.bread == pytest.approx(doubled.bread, abs=1e-12)
    assert weighted.left == pytest.approx(2 * doubled.left, abs=1e-12)
    assert weighted.others == pytest.approx(2 * doubled.others, abs=1e-12)


def test_problems_solved_together_are_problems_solved_alone() -> None:
    tensors = [random_tensor(seed, 4) for seed in range(6)]
    together = davidson.fit(np.stack([t.beaten for t in tensors]), np.stack([t.tied for t in tensors]))
    for k, tensor in enumerate(tensors):
        alone = davidson.fitted(tensor)
        assert together.theta[k] == pytest.approx(alone.theta, abs=1e-10)
        assert together.tie[k] == pytest.approx(alone.extra[0], abs=1e-10)
    assert together.converged.all()


def test_without_ties_nu_cannot_be_estimated() -> None:
    counts = random_tensor(1, 3).counts
    counts[[TIE, BOTH_BAD]] = 0.0
    with pytest.raises(InvalidInput, match="no vote is a tie") as caught:
        davidson.fitted(Tensor(("a", "b", "c"), counts))
    assert "bradley-terry" in caught.value.hint


def test_with_ties_only_nothing_can_be_estimated() -> None:
    counts = random_tensor(1, 3).counts
    counts[[LEFT, RIGHT]] = 0.0
    with pytest.raises(InvalidInput, match="every vote is a tie"):
        davidson.fitted(Tensor(("a", "b", "c"), counts))


def test_no_maximum_is_not_called_one() -> None:
    """C lost every vote; and a cycle of ties and wins that one more abundant tie fits ever better."""
    winless = np.zeros((4, 3, 3))
    winless[LEFT, 0, 1], winless[RIGHT, 0, 1], winless[TIE, 0, 1] = 5, 4, 3
    winless[LEFT, 0, 2] = 6
    cycle = np.zeros((4, 3, 3))
    cycle[TIE, 0, 1], cycle[TIE, 2, 0], cycle[LEFT, 1, 2] = 4, 4, 4
    for counts in (winless, cycle):
        found = davidson.fitted(Tensor(("a", "b", "c"), counts))
        assert not found.converged
        assert np.isfinite(found.theta).all()


def test_hard_counts_converge() -> None:
    counts = np.zeros((4, 4, 4))
    for i in range(3):
        counts[LEFT, i, i + 1], counts[RIGHT, i, i + 1], counts[TIE, i, i + 1] = 1e6, 1, 10 ** (2 * i)
    tensor = Tensor(tuple("abcd"), counts)
    found = davidson.fitted(tensor)
    assert found.converged
    pulled = tensor.counts * found.left
    assert pulled.sum(axis=(0, 2)) - pulled.sum(axis=(0, 1)) == pytest.approx(np.zeros(4), abs=1e-6)
