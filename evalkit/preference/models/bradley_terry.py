"""The Bradley-Terry model: wins between K systems -> K abilities, by Newton's method.

P(i beats j) = 1 / (1 + exp(theta_j - theta_i)) (Bradley & Terry 1952); ties and "both bad" are half a win
each way. This module knows win matrices only. It refuses nothing: whether abilities exist at all is asked
of `parts` or `connectivity`, before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import expit

from evalkit.preference.models.fitted import ELO_PER_LOGIT, Fitted
from evalkit.preference.models.newton import MAX_ITERATIONS as MAX_ITERATIONS
from evalkit.preference.models.newton import MAX_STEP as MAX_STEP
from evalkit.preference.models.newton import TOLERANCE, newton_step, pseudo_inverse
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import WORTH, Floats, Ints

FLOOR = 50.0
"""Votes on a pair up to which each counts fully when opponents are weighted alike."""
PRIOR = 0.1
"""Votes that `smoothed` adds to each compared pair, half each way."""


@dataclass(frozen=True, slots=True)
class Fit:
    """`theta` (..., K) sums to zero over the systems; `converged` (...) tells whether Newton settled."""

    theta: Floats
    converged: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Connectivity:
    """Which systems can be put on one scale, and why others cannot. Groups are sorted, largest first.

    `groups` are the strongly connected parts of "has beaten": with one group, abilities exist (Ford 1957).
    `islands` are the weakly connected parts: systems of different islands were never compared. `unbeaten` are
    the groups that won every vote against the rest of their island; `winless` those that lost every one.
    """

    groups: tuple[tuple[str, ...], ...]
    islands: tuple[tuple[str, ...], ...]
    unbeaten: tuple[tuple[str, ...], ...]
    winless: tuple[tuple[str, ...], ...]

    @property
    def one_scale(self) -> bool:
        return len(self.groups) <= 1

    @property
    def reasons(self) -> tuple[str, ...]:
        """What is in the way, a sentence each; empty where nothing is."""
        said = []
        if len(self.islands) > 1:
            said.append("Never compared with each other: " + "; ".join(map(_named, self.islands)) + ".")
        said += [f"Never beaten by any other: {_named(group)}." for group in self.unbeaten]
        said += [f"Never beat any other: {_named(group)}." for group in self.winless]
        return tuple(said)


def fit(wins: Floats, start: Floats | None = None) -> Fit:
    """Maximum likelihood for `wins` (..., K, K), where wins[i, j] is how often i beat j.

    Leading axes are independent problems solved together. Where the likelihood has no maximum (see
    `parts`), the answer is a far-away point with `converged` false.
    """
    theta = np.zeros(wins.shape[:-1]) if start is None else np.broadcast_to(start, wins.shape[:-1]).copy()
    moved = np.full(wins.shape[:-2], np.inf)
    for _ in range(MAX_ITERATIONS):
        step = newton_step(gradient(theta, wins), information(theta, wins), wins.shape[-1])
        theta = theta + step
        moved = np.abs(step).max(axis=-1)
        if np.all(moved <= TOLERANCE):
            break
    return Fit(theta - theta.mean(axis=-1, keepdims=True), moved <= TOLERANCE)


def fitted(
    tensor: Tensor, weights: Floats | None = None, start: Floats | None = None, prior: float = 0.0
) -> Fitted:
    """The abilities of one tensor, with what intervals need. `weights` (K, K, symmetric) weight the votes.

    A tie and a "both bad" are half a win each way. `start` (K) is where Newton begins. `prior` above 0 gives
    the posterior mode under `smoothed`, which also exists where a system never won or never lost. Raises
    nothing where abilities do not exist: `converged` is false then, and `connectivity` tells why.
    """
    w = np.ones((tensor.size, tensor.size)) if weights is None else weights
    wins = smoothed(tensor.wins * w, prior)
    found = fit(wins, start)
    pull = WORTH - _chances(found.theta)
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
        converged=bool(found.converged and one_scale(wins)),
    )


def smoothed(wins: Floats, prior: float = PRIOR) -> Floats:
    """`wins` (..., K, K) and half of `prior` votes each way on every pair that met.

    The mode of a posterior whose prior says "about even" of each compared pair. Pairs that never met get
    nothing: votes nobody gave would tie systems together that nobody compared.
    """
    met = wins + np.swapaxes(wins, -1, -2) > 0
    return np.asarray(wins + np.where(met, 0.5 * prior, 0.0))


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
    """Pseudo-inverse of `information`, (..., K, K)."""
    return pseudo_inverse(information(theta, wins), wins.shape[-1])


def one_scale(wins: Floats) -> NDArray[np.bool_]:
    """Whether abilities exist (...), of `wins` (..., K, K): every system reached from every other by wins.

    The same question as whether `parts` is one, by powers of the matrix, for many at once.
    """
    k = wins.shape[-1]
    reached = ((wins > 0) | np.eye(k, dtype=np.bool_)).astype(np.float32)
    for _ in range(max(k - 1, 1).bit_length()):
        reached = (reached @ reached > 0).astype(np.float32)
    return np.asarray(reached.min(axis=(-2, -1), initial=1.0) > 0)


def parts(wins: Floats, systems: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """Groups of systems that can be put on one scale: the strongly connected parts of "has beaten".

    One part means that the maximum likelihood exists (Ford 1957). More than one means that some group never
    beat, or was never compared with, the rest; `connectivity` tells which. Largest first, then by name.
    """
    return _sorted_groups(_labels(wins, "strong"), systems)


def connectivity(wins: Floats, systems: Sequence[str]) -> Connectivity:
    """Who can be put on one scale with whom, and who stands apart, from `wins` (K, K), ties half each way."""
    labels = _labels(wins, "strong")
    across = (wins > 0) & (labels[:, None] != labels[None, :])
    winning, losing = np.unique(labels[across.any(axis=1)]), np.unique(labels[across.any(axis=0)])
    return Connectivity(
        groups=_sorted_groups(labels, systems),
        islands=_sorted_groups(_labels(wins, "weak"), systems),
        unbeaten=_sorted_groups(labels, systems, np.setdiff1d(winning, losing)),
        winless=_sorted_groups(labels, systems, np.setdiff1d(losing, winning)),
    )


def elo(theta: Floats) -> Floats:
    """Abilities on the Elo scale: mean 1000, 400 points for odds of ten to one."""
    return np.asarray(1000.0 + ELO_PER_LOGIT * (theta - theta.mean(axis=-1, keepdims=True)))


def _labels(wins: Floats, connection: str) -> Ints:
    """The number of the connected part each system is in (K)."""
    _, labels = connected_components(csr_matrix(wins > 0), directed=True, connection=connection)
    return np.asarray(labels, dtype=np.int64)


def _sorted_groups(
    labels: Ints, systems: Sequence[str], wanted: Ints | None = None
) -> tuple[tuple[str, ...], ...]:
    numbers = np.unique(labels) if wanted is None else wanted
    groups = [
        tuple(sorted(systems[i] for i in np.flatnonzero(labels == number).tolist())) for number in numbers
    ]
    return tuple(sorted(groups, key=lambda group: (-len(group), group)))


def _named(group: tuple[str, ...]) -> str:
    return "{" + ", ".join(group) + "}"


def _chances(theta: Floats) -> Floats:
    """P(i beats j), (..., K, K)."""
    return np.asarray(expit(theta[..., :, None] - theta[..., None, :]))
