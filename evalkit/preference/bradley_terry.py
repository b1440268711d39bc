"""The Bradley-Terry model: wins between K systems -> K abilities, by Newton's method.

P(i beats j) = 1 / (1 + exp(theta_j - theta_i)) (Bradley & Terry 1952); ties and "both bad" are half a win
each way. This module knows win matrices only. It refuses nothing: whether abilities exist at all is asked
of `parts`, before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from evalkit.preference.fitted import ELO_PER_LOGIT, Fitted
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import LEFT, RIGHT, Floats

MAX_STEP = 2.0
TOLERANCE = 1e-10
MAX_ITERATIONS = 50
FLOOR = 50.0
"""Votes on a pair up to which each counts fully when opponents are weighted alike."""


@dataclass(frozen=True, slots=True)
class Fit:
    """`theta` (..., K) sums to zero over the systems; `converged` (...) tells whether Newton settled."""

    theta: Floats
    converged: NDArray[np.bool_]


def fit(wins: Floats, start: Floats | None = None) -> Fit:
    """Maximum likelihood for `wins` (..., K, K), where wins[i, j] is how often i beat j.

    Leading axes are independent problems solved together. Where the likelihood has no maximum (see
    `parts`), the answer is a far-away point with `converged` false.
    """
    theta = np.zeros(wins.shape[:-1]) if start is None else np.broadcast_to(start, wins.shape[:-1]).copy()
    moved = np.full(wins.shape[:-2], np.inf)
    for _ in range(MAX_ITERATIONS):
        step = _newton_step(theta, wins)
        theta = theta + step
        moved = np.abs(step).max(axis=-1)
        if np.all(moved <= TOLERANCE):
            break
    return Fit(theta - theta.mean(axis=-1, keepdims=True), moved <= TOLERANCE)


def fitted(tensor: Tensor, weights: Floats | None = None) -> Fitted:
    """The abilities of one tensor, with what intervals need. `weights` (K, K, symmetric) weight the votes.

    A tie and a "both bad" are half a win each way. Raises nothing where abilities do not exist: ask `parts`.
    """
    w = np.ones((tensor.size, tensor.size)) if weights is None else weights
    wins = tensor.wins * w
    found = fit(wins)
    pull = _half_wins()[:, None, None] - _chances(found.theta)
    return Fitted(
        model="bradley-terry",
        theta=found.theta,
        extra=np.zeros(0),
        names=(),
        bread=inverse_information(found.theta, wins),
        left=pull * w,
        right=-pull * w,
        others=np.zeros((0, 4, tensor.size, tensor.size)),
        log_likelihood=log_likelihood(found.theta, wins),
        converged=bool(found.converged),
    )


def opponent_uniform(games: Floats, floor: float = FLOOR) -> Floats:
    """Weights (..., K, K) under which every opponent met counts alike, however often it was met.

    1 / max(games, `floor`), times the floor: pairs with fewer votes than the floor are not blown up, so a
    board where no pair has more is the same as one without weights. As in arena-rank's reweighting.
    """
    return np.asarray(floor / np.maximum(games, floor))


def log_likelihood(theta: Floats, wins: Floats) -> float:
    """Sum of wins[i, j] * log P(i beats j)."""
    return float(-(wins * np.logaddexp(0.0, theta[None, :] - theta[:, None])).sum())


def gradient(theta: Floats, wins: Floats) -> Floats:
    """d log-likelihood / d theta, (..., K): wins had minus wins expected."""
    games = wins + np.swapaxes(wins, -1, -2)
    return np.asarray(wins.sum(axis=-1) - (games * _chances(theta)).sum(axis=-1))


def information(theta: Floats, wins: Floats) -> Floats:
    """Minus the Hessian, (..., K, K): a graph Laplacian, singular along (1, ..., 1)."""
    games = wins + np.swapaxes(wins, -1, -2)
    chances = _chances(theta)
    weights = games * chances * (1.0 - chances)
    diagonal = weights.sum(axis=-1)[..., None] * np.eye(wins.shape[-1])
    return np.asarray(diagonal - weights)


def inverse_information(theta: Floats, wins: Floats) -> Floats:
    """Pseudo-inverse of `information`, by (H + cJ)^-1 - J/c with J = 11'/K and c = tr(H)/K.

    A pseudo-inverse by singular values would have to guess which of them is zero; this one knows.
    """
    shifted, c = _shifted(information(theta, wins))
    return np.asarray(np.linalg.inv(shifted) - 1.0 / (c * wins.shape[-1]))


def parts(wins: Floats, systems: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of systems that can be put on one scale: the strongly connected parts of "has beaten".

    One part means that the maximum likelihood exists (Ford 1957). More than one means that some group never
    beat, or was never compared with, the rest. Largest first, then by name.
    """
    _, labels = connected_components(csr_matrix(wins > 0), directed=True, connection="strong")
    groups: dict[int, list[str]] = {}
    for label, system in zip(labels, systems, strict=True):
        groups.setdefault(int(label), []).append(system)
    return tuple(sorted((tuple(sorted(g)) for g in groups.values()), key=lambda g: (-len(g), g)))


def elo(theta: Floats) -> Floats:
    """Abilities on the Elo scale: mean 1000, 400 points for odds of ten to one."""
    return np.asarray(1000.0 + ELO_PER_LOGIT * (theta - theta.mean(axis=-1, keepdims=True)))


def _newton_step(theta: Floats, wins: Floats) -> Floats:
    shifted, _ = _shifted(information(theta, wins))
    step = np.linalg.solve(shifted, gradient(theta, wins)[..., None])[..., 0]
    return np.asarray(np.clip(step, -MAX_STEP, MAX_STEP))


def _shifted(H: Floats) -> tuple[Floats, Floats]:
    """H + cJ, which is regular where H is a connected Laplacian, and c, with two axes of length 1.

    The floor keeps it regular where H has vanished: a separated problem far out.
    """
    size = H.shape[-1]
    trace = np.trace(H, axis1=-2, axis2=-1)[..., None, None]
    c = np.maximum(trace / size, 1e-12)
    return H + c / size + 1e-12 * c * np.eye(size), c


def _half_wins() -> Floats:
    """What each answer is worth to the system on the left (4)."""
    worth = np.full(4, 0.5)
    worth[LEFT], worth[RIGHT] = 1.0, 0.0
    return worth


def _chances(theta: Floats) -> Floats:
    """P(i beats j), (..., K, K)."""
    return np.asarray(expit(theta[..., :, None] - theta[..., None, :]))
