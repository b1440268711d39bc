"""Which pair of systems to ask about next: what one more vote on each pair would do for a goal.

Wins so far -> the probability with which each pair should come. This module knows neither cases nor raters;
which comparison of a pair comes, and to whom, is for `evalkit.study.sampling`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.csgraph import connected_components
from scipy.special import ndtr

from evalkit.errors import UsageError
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.votes import Floats

UNIFORM = 0.2
"""Share of the votes that is spread over all pairs alike, whatever the goal."""
SHARPNESS = 3.0
"""Pairs come in proportion to this power of what they gain: 1 is timid, and a high one asks the same few."""
PRIOR = 0.5
"""Votes added to each compared pair, half each way, so that a system that won all its votes has a rating."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Top:
    """Know which rank each of the best `k` has."""

    k: int


@dataclass(frozen=True, slots=True)
class Place:
    """Know the rating of one system, by its index."""

    system: int


@dataclass(frozen=True, slots=True)
class All:
    """Know the rank of every system."""


Goal = Top | Place | All


def pair_probabilities(
    wins: Floats, goal: Goal, allowed: Flags | None = None, uniform: float = UNIFORM
) -> Floats:
    """The probability of each pair (K, K) to come next; above the diagonal only, where it sums to 1.

    `wins` (K, K) counts how often i beat j, ties half. `allowed` (K, K) are the pairs that can be asked
    about, each entered either way round; all of them if None. A share `uniform` (0 to 1) is spread over
    the allowed pairs alike, so that each may come; the rest goes by `gains`. While the
    compared pairs do not connect all systems, the least-compared allowed pairs come, each alike.

    Raises `UsageError` where nothing is allowed, the share is no share, or the goal is of other systems.
    """
    pairs = _pairs(wins.shape[0], allowed)
    _check(wins.shape[0], goal, uniform)
    games = wins + wins.T
    if not _connected(games):
        return _alike(pairs & (games <= games[pairs].min()))
    gained = np.where(pairs, gains(wins, goal), 0.0)
    if gained.max() <= 0.0:
        return _alike(pairs)
    favoured = (gained / gained.max()) ** SHARPNESS
    return np.asarray(uniform * _alike(pairs) + (1.0 - uniform) * favoured / favoured.sum())


def gains(wins: Floats, goal: Goal) -> Floats:
    """How much one more vote on each pair would lower the goal's criterion (K, K, symmetric, 0 or more).

    The criterion is the sum over pairs k, l of q_kl Var(theta_k - theta_l); the weights q are those of
    `urgency`. With V the inverse information and w_ij = p(1 - p) the information of a vote on i and j, it
    drops by w_ij (e_i - e_j)' V L_q V (e_i - e_j) / (1 + w_ij Var_ij), L_q the Laplacian of q: a rank-one
    update of V (Sherman & Morrison 1950). The compared pairs have to connect all systems.
    """
    wins = bt.smoothed(wins, PRIOR)
    theta = bt.fit(wins).theta
    V = bt.inverse_information(theta, wins)
    q = urgency(theta, V, goal)
    L = np.diag(q.sum(axis=1)) - q
    chances = 1.0 / (1.0 + np.exp(theta[None, :] - theta[:, None]))
    information = chances * (1.0 - chances)
    drop = information * _of_differences(V @ L @ V) / (1.0 + information * _of_differences(V))
    return np.asarray(np.maximum(drop, 0.0))


def urgency(theta: Floats, V: Floats, goal: Goal) -> Floats:
    """How much a goal minds the variance of each difference (K, K, symmetric, zero on the diagonal).

    `Top` and `All`: the probability that the pair is in the wrong order, over the variance, so that pairs
    that are decided count little; `Top` counts a pair by the probability that one of the two is among
    the best. `Place`: one for the pairs of its system.
    """
    size = theta.size
    if isinstance(goal, Place):
        q = np.zeros((size, size))
        q[goal.system, :] = q[:, goal.system] = 1.0
        q[goal.system, goal.system] = 0.0
        return q
    variance = _of_differences(V) + np.eye(size)
    misordered = ndtr(-np.abs(theta[:, None] - theta[None, :]) / np.sqrt(variance))
    q = (1.0 - np.eye(size)) * misordered / variance
    return np.asarray(q if isinstance(goal, All) else q * _either(_among(theta, V, goal.k)))


def arena_probabilities(wins: Floats, allowed: Flags | None = None) -> Floats:
    """LMArena's rule, for comparison: in proportion to how much a vote narrows the pair's own win rate.

    sqrt(s_a / n_a) - sqrt(s_a / (n_a + 1)), with s_a the variance of a vote on pair a and n_a its votes
    (Chiang et al. 2024, section 5). Pairs never compared come first. Above the diagonal, sums to 1.
    """
    pairs = _pairs(wins.shape[0], allowed)
    games = wins + wins.T
    if games[pairs].min() <= 0:
        return _alike(pairs & (games <= 0))
    n = np.where(pairs, games, 1.0)
    share = np.where(pairs, (wins + 0.5) / (n + 1.0), 0.5)
    spread = np.sqrt(share * (1.0 - share))
    narrowed = np.where(pairs, spread / np.sqrt(n) - spread / np.sqrt(n + 1.0), 0.0)
    return np.asarray(narrowed / narrowed.sum())


def _among(theta: Floats, V: Floats, k: int) -> Floats:
    """About how likely each system is among the best k (K): against the middle between rank k and k + 1."""
    if k >= theta.size:
        return np.ones(theta.size)
    ordered = np.sort(theta)[::-1]
    cut = 0.5 * (ordered[k - 1] + ordered[k])
    return np.asarray(ndtr((theta - cut) / np.sqrt(np.maximum(np.diag(V), 1e-300))))


def _either(chance: Floats) -> Floats:
    return np.asarray(1.0 - (1.0 - chance[:, None]) * (1.0 - chance[None, :]))


def _of_differences(M: Floats) -> Floats:
    """(e_i - e_j)' M (e_i - e_j) for all i, j (K, K)."""
    return np.asarray(np.diag(M)[:, None] + np.diag(M)[None, :] - M - M.T)


def _connected(games: Floats) -> bool:
    return bool(connected_components(games > 0, directed=False, return_labels=False) == 1)


def _alike(pairs: Flags) -> Floats:
    return np.asarray(pairs / pairs.sum())


def _pairs(size: int, allowed: Flags | None) -> Flags:
    upper = np.triu(np.ones((size, size), dtype=np.bool_), 1)
    pairs = upper if allowed is None else upper & (allowed | allowed.T)
    if not pairs.any():
        raise UsageError("there is no pair of systems to ask about", "Name two systems or more.")
    return np.asarray(pairs)


def _check(size: int, goal: Goal, uniform: float) -> None:
    if not 0.0 <= uniform <= 1.0:
        raise UsageError(f"a uniform share of {uniform:g} is not between 0 and 1", "Use 0.2, for example.")
    match goal:
        case Top(k) if not 1 <= k <= size:
            raise UsageError(f"there is no top {k} of {size} systems", f"Use a number from 1 to {size}.")
        case Place(system) if not 0 <= system < size:
            raise UsageError(f"there is no system {system} among {size}", f"Count from 0 to {size - 1}.")
        case _:
            pass
