"""Each model beside a naive twin: the likelihood written out vote by vote, and a general optimiser."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models import davidson, rao_kupper, sides
from evalkit.preference.models import plackett_luce as pl
from evalkit.preference.rankings import rankings_from_lists
from evalkit.preference.tensor import Tensor, tensor_of
from evalkit.preference.votes import Votes, votes_from_rows

Row = tuple[str, str, str, str, str]
SYSTEMS = "abcdef"
seeds = st.integers(0, 100_000)
sizes = st.integers(2, 5)


def random_votes(seed: int, size: int, more: int = 6) -> Votes:
    """Every two systems beat each other and tie at least once, so every maximum exists."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for i, j in combinations(SYSTEMS[:size], 2):
        rows += [(i, j, answer, "case", "rater") for answer in ("left", "right", "tie")]
        for answer in rng.choice(["left", "right", "tie", "both_bad"], size=more):
            left, right = (i, j) if rng.random() < 0.5 else (j, i)
            rows.append((left, right, answer, "case", "rater"))
    return votes_from_rows(rows)


def best(log_likelihood: Callable[[np.ndarray], float], start: np.ndarray, size: int) -> np.ndarray:
    """Climb as far as a general optimiser comes, then on with finer differences: Newton with one Hessian."""
    x = minimize(lambda x: -log_likelihood(x), start, method="BFGS", options={"gtol": 1e-4}).x
    inverse = np.linalg.pinv(-_hessian(log_likelihood, x), rcond=1e-5)
    for _ in range(3):
        x = x + inverse @ _slope(log_likelihood, x)
    x[:size] -= x[:size].mean()
    return x


def _slope(f: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-4) -> np.ndarray:
    directions = step * np.eye(x.size)
    near = np.array([f(x + d) - f(x - d) for d in directions])
    far = np.array([f(x + 2 * d) - f(x - 2 * d) for d in directions])
    return (8 * near - far) / (12 * step)


def _hessian(f: Callable[[np.ndarray], float], x: np.ndarray, step: float = 1e-3) -> np.ndarray:
    directions = step * np.eye(x.size)
    return np.array(
        [[f(x + d + e) - f(x + d - e) - f(x - d + e) + f(x - d - e) for e in directions] for d in directions]
    ) / (4 * step**2)


def sigma(z: float) -> float:
    return 1.0 / (1.0 + np.exp(-z))


def rows_of(votes: Votes) -> list[tuple[int, int, int]]:
    return list(zip(votes.left.tolist(), votes.right.tolist(), votes.answer.tolist(), strict=True))


@settings(max_examples=8, deadline=None)
@given(seeds, sizes)
def test_bradley_terry(seed: int, size: int) -> None:
    votes = random_votes(seed, size)
    rows = rows_of(votes)

    def log_likelihood(x: np.ndarray) -> float:
        total = 0.0
        for i, j, answer in rows:
            worth = {0: 1.0, 1: 0.0}.get(answer, 0.5)
            total += worth * np.log(sigma(x[i] - x[j])) + (1 - worth) * np.log(sigma(x[j] - x[i]))
        return total

    found = bt.fitted(tensor_of(votes))
    assert found.converged
    assert found.log_likelihood == pytest.approx(log_likelihood(found.theta))
    assert found.theta == pytest.approx(best(log_likelihood, np.zeros(size), size), abs=1e-6)


@settings(max_examples=8, deadline=None)
@given(seeds, sizes)
def test_davidson(seed: int, size: int) -> None:
    votes = random_votes(seed, size)
    rows = rows_of(votes)

    def log_likelihood(x: np.ndarray) -> float:
        total = 0.0
        for i, j, answer in rows:
            odds = [np.exp(x[i]), np.exp(x[j]), np.exp(x[size] + (x[i] + x[j]) / 2)]
            total += np.log(odds[min(answer, 2)] / sum(odds))
        return total

    found = davidson.fitted(tensor_of(votes))
    twin = best(log_likelihood, np.zeros(size + 1), size)
    assert found.converged
    assert found.log_likelihood == pytest.approx(log_likelihood(np.append(found.theta, found.extra)))
    assert np.append(found.theta, found.extra) == pytest.approx(twin, abs=1e-6)


@settings(max_examples=8, deadline=None)
@given(seeds, sizes)
def test_rao_kupper(seed: int, size: int) -> None:
    votes = random_votes(seed, size)
    rows = rows_of(votes)

    def log_likelihood(x: np.ndarray) -> float:
        total = 0.0
        for i, j, answer in rows:
            left, right = sigma(x[i] - x[j] - x[size]), sigma(x[j] - x[i] - x[size])
            total += np.log([left, right, max(1.0 - left - right, 1e-300)][min(answer, 2)])
        return total

    found = rao_kupper.fitted(tensor_of(votes))
    twin = best(log_likelihood, np.append(np.zeros(size), 0.5), size)
    assert found.converged
    assert found.log_likelihood == pytest.approx(log_likelihood(np.append(found.theta, found.extra)))
    assert np.append(found.theta, found.extra) == pytest.approx(twin, abs=1e-6)


@settings(max_examples=8, deadline=None)
@given(seeds, st.integers(3, 5))
def test_sides(seed: int, size: int) -> None:
    votes = random_votes(seed, size)
    rows = rows_of(votes)

    def log_likelihood(x: np.ndarray) -> float:
        total = 0.0
        for i, j, answer in rows:
            worth, lead = {0: 1.0, 1: 0.0}.get(answer, 0.5), x[i] - x[j] + x[size]
            total += worth * np.log(sigma(lead)) + (1 - worth) * np.log(sigma(-lead))
        return total

    found = sides.fitted(tensor_of(votes))
    twin = best(log_likelihood, np.zeros(size + 1), size)
    assert found.converged
    assert np.append(found.theta, found.extra) == pytest.approx(twin, abs=1e-6)


def random_rankings(seed: int, size: int, tied: bool) -> list[list[list[int]]]:
    """Rankings of groups of systems. A ring of pairs both ways round connects everything."""
    rng = np.random.default_rng(seed)
    lists = [[[i], [(i + 1) % size]] for i in range(size)] + [[[(i + 1) % size], [i]] for i in range(size)]
    for _ in range(6):
        order = rng.permutation(size)[: rng.integers(2, size + 1)].tolist()
        groups = [[order[0]]]
        for each in order[1:]:
            if tied and rng.random() < 0.3 and len(groups[-1]) < 3:
                groups[-1].append(each)
            else:
                groups.append([each])
        lists.append(groups)
    return lists


@settings(max_examples=5, deadline=None)
@given(seeds, st.integers(3, 4), st.booleans())
def test_plackett_luce(seed: int, size: int, tied: bool) -> None:
    """With votes on pairs beside the rankings."""
    lists, votes = random_rankings(seed, size, tied), random_votes(seed, size, more=1)
    pairs = tensor_of(votes)
    if not tied:
        pairs = Tensor(pairs.systems, pairs.counts * (np.arange(4) < 2)[:, None, None])
    voted = [
        [[[i], [j]], [[j], [i]], [[i, j]], [[i, j]]][answer]
        for i, j, answer in rows_of(votes)
        if tied or answer < 2
    ]
    ties_ranked = any(len(group) > 1 for groups in lists for group in groups)
    orders = sorted({len(group) for groups in (*lists, *voted) for group in groups} - {1})

    def log_likelihood(x: np.ndarray) -> float:
        delta = {1: 0.0, **dict(zip(orders, x[size:], strict=True))}
        return sum(_of_ranking(groups, x, delta if ties_ranked else {1: 0.0}) for groups in lists) + sum(
            _of_ranking(groups, x, delta) for groups in voted
        )

    names = [[[SYSTEMS[i] for i in group] for group in groups] for groups in lists]
    found = pl.fitted(rankings_from_lists(names), pairs).fitted
    twin = best(log_likelihood, np.zeros(size + len(orders)), size)
    assert found.converged
    assert found.names == tuple(f"log_delta_{k}" for k in orders)
    assert found.log_likelihood == pytest.approx(log_likelihood(np.append(found.theta, found.extra)))
    assert np.append(found.theta, found.extra) == pytest.approx(twin, abs=1e-6)


def _of_ranking(groups: list[list[int]], x: np.ndarray, log_delta: dict[int, float]) -> float:
    total, rest = 0.0, [each for group in groups for each in group]
    for group in groups:
        if len(rest) < 2:
            break
        logits = {
            frozenset(members): log_delta[k] + np.mean(x[list(members)])
            for k in log_delta
            for members in combinations(rest, k)
        }
        total += logits[frozenset(group)] - np.log(sum(np.exp(list(logits.values()))))
        rest = [each for each in rest if each not in group]
    return total


def has_maximum(tensor: Tensor) -> bool:
    """By linear programming: no direction in which no vote gets less likely, however far one goes.

    Along (theta, t), t the tie parameter on the scale of abilities, a win of i needs theta_i - theta_j >= t
    and a tie |theta_i - theta_j| <= t: the same for Davidson and for Rao-Kupper, given that there is a tie.
    """
    K, needs = tensor.size, []
    for i in range(K):
        for j in range(K):
            ahead = np.zeros(K + 1)
            ahead[[i, j, K]] = 1.0, -1.0, -1.0
            if tensor.beaten[i, j]:
                needs.append(ahead)
            if tensor.tied[i, j]:
                needs.append(-ahead)
    centred = np.append(np.ones(K), 0.0)[None]
    for goal in (*np.eye(K + 1), *-np.eye(K + 1)):
        found = linprog(-goal, -np.array(needs), np.zeros(len(needs)), centred, [0.0], bounds=(-1, 1))
        if -found.fun > 1e-6:
            return False
    return True


def sparse_tensor(seed: int) -> Tensor:
    rng = np.random.default_rng(seed)
    K = int(rng.integers(2, 5))
    counts = np.zeros((4, K, K))
    for _ in range(int(rng.integers(2, 4 * K))):
        i, j = rng.choice(K, size=2, replace=False)
        counts[rng.choice([0, 0, 1, 2]), i, j] += rng.integers(1, 9)
    counts[2, 0, 1] += 1
    counts[0, 1, 0] += 1
    return Tensor(tuple(SYSTEMS[:K]), counts)


def test_converged_says_whether_there_is_a_maximum() -> None:
    known = []
    for seed in range(30):
        tensor = sparse_tensor(seed)
        known.append(has_maximum(tensor))
        assert davidson.fitted(tensor).converged == known[-1], seed
        assert rao_kupper.fitted(tensor).converged == known[-1], seed
    assert 5 < sum(known) < 28
