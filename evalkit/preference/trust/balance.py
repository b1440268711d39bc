"""How the votes came about: who met whom, on which side, with what answers, and what that does to ratings.

Each function measures one thing; whether it is alarming is said in `diagnostics`. This module knows counts
and votes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh
from scipy.special import expit
from scipy.stats import norm, t

from evalkit.errors import InvalidInput
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models import sides
from evalkit.preference.tensor import Tensor, tensor_of
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE, Floats, Ints, Votes
from evalkit.types import Estimate

FEW_VOTES = 30
"""Votes below which a system's rating says little."""
TOP = 5
"""Places of a board whose order is watched."""


@dataclass(frozen=True, slots=True)
class Answers:
    """Shares of all votes by answer, and for each system the share "both bad" of its own, worst first."""

    votes: float
    decisive: float
    tie: float
    both_bad: float
    by_system: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class SideEffect:
    """By how much being on the left helps, in logits: above 0, the left is chosen more often than it earns.

    `single` takes each vote on its own, `by_rater` lets the votes of a rater share a habit (None without two
    raters). `left_share` is the plain share of decisive votes for the left; `adjusted` what it would be
    between equals.
    """

    single: Estimate
    by_rater: Estimate | None
    left_share: float | None
    adjusted: float | None


@dataclass(frozen=True, slots=True)
class Shift:
    """How far ratings move, in Elo, under other weights of the same votes.

    `largest` is that of `system`, `median` over all; `order` tells whether the first five keep their order,
    `first` whether the first stays. `effective_votes` is what the weighted votes are worth (Kish 1965).
    Without a common scale there is a `reason` instead.
    """

    largest: float | None
    median: float | None
    system: str | None
    first_stays: bool | None
    top_stays: bool | None
    effective_votes: float | None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Connections:
    """What holds the board together.

    `parts` can be rated on one scale each; `unbeaten` never lost a decisive vote and `winless` never won one.
    `thin` have fewer votes than `FEW_VOTES`, `one_opponent` met a single other system. `cut` is the group
    that the fewest votes, `cut_votes`, tie to the rest: the weakest of all single systems and of all cuts
    along the Fiedler vector. `connectivity` is the second smallest eigenvalue of the Laplacian of votes.
    """

    parts: tuple[tuple[str, ...], ...]
    unbeaten: tuple[str, ...]
    winless: tuple[str, ...]
    thin: tuple[str, ...]
    one_opponent: tuple[str, ...]
    cut: tuple[str, ...]
    cut_votes: float
    connectivity: float


def answers(tensor: Tensor) -> Answers | None:
    """How votes were answered; None without votes."""
    if not tensor.total:
        return None
    tie, bad = tensor.share(TIE) or 0.0, tensor.share(BOTH_BAD) or 0.0
    rates = tensor.both_bad
    order = [i for i in np.argsort(-np.nan_to_num(rates, nan=-1.0), kind="stable") if tensor.played[i] > 0]
    by_system = tuple((tensor.systems[i], float(rates[i])) for i in order)
    return Answers(tensor.total, 1.0 - tie - bad, tie, bad, by_system)


def side_effect(tensor: Tensor, votes: Votes | None = None, level: float = 0.95) -> SideEffect:
    """The gamma of logit P(left is chosen) = theta_left - theta_right + gamma, over decisive votes.

    Davidson & Beaver (1977) without ties, on the largest group of systems that decisive votes put on one
    scale (`sides`); the variance is the sandwich's, of single votes and, where `votes` are given, of raters
    (Liang & Zeger 1986; Student's t with one less than there are raters).
    """
    n = float(tensor.counts[LEFT].sum() + tensor.counts[RIGHT].sum())
    left_share = float(tensor.counts[LEFT].sum() / n) if n else None
    found = _side_fit(tensor)
    if found is None:
        nothing = Estimate(None, n=int(n), note="decisive votes do not tell sides from systems")
        return SideEffect(nothing, None, left_share, None)
    error = float(np.sqrt((tensor.counts[: RIGHT + 1] * found.influence**2).sum()))
    reach = float(norm.ppf(0.5 + level / 2.0)) * error
    single = Estimate(found.gamma, found.gamma - reach, found.gamma + reach, int(n), int(n))
    by_rater = None if votes is None else _by_rater(found, votes, level)
    return SideEffect(single, by_rater, left_share, float(expit(found.gamma)))


def opponent_shift(tensor: Tensor) -> Shift:
    """As sampled, against every opponent weighing alike (`bradley_terry.opponent_uniform`)."""
    weights = bt.opponent_uniform(tensor.games)
    worth = float((np.triu(tensor.games) * weights).sum())
    squares = float((np.triu(tensor.games) * weights**2).sum())
    return _shift(tensor, tensor.wins * weights, worth**2 / squares if squares else 0.0)


def propensity_shift(votes: Votes, weights: Floats) -> Shift:
    """As sampled, against each vote weighing `weights` (N): 1 / the chance its pair had to be shown.

    Raises InvalidInput for weights that are not as many as votes, or not finite and above 0.
    """
    if weights.shape != (votes.n,) or not np.all(np.isfinite(weights) & (weights > 0)):
        raise InvalidInput(
            "a weight of every vote is needed, finite and above 0",
            "Give 1 / the logged chance of each vote's pair, in the order of the votes.",
        )
    own = np.ones(votes.n) if votes.weight is None else votes.weight
    weighted = own * weights
    squares = float((weighted**2).sum())
    worth = float(weighted.sum()) ** 2 / squares if squares else 0.0
    return _shift(tensor_of(votes), tensor_of(replace(votes, weight=weighted)).wins, worth)


def connections(tensor: Tensor) -> Connections:
    """Who holds on to whom, for a board of at least one system."""
    games, beaten, names = tensor.games, tensor.beaten, tensor.systems
    played = games.sum(axis=1)
    cut, cut_votes, connectivity = _weakest_cut(games)
    return Connections(
        parts=bt.parts(tensor.wins, names),
        unbeaten=_named(names, (played > 0) & (beaten.sum(axis=0) == 0) & (beaten.sum(axis=1) > 0)),
        winless=_named(names, (played > 0) & (beaten.sum(axis=1) == 0) & (beaten.sum(axis=0) > 0)),
        thin=_named(names, played < FEW_VOTES),
        one_opponent=_named(names, (games > 0).sum(axis=1) == 1) if len(names) > 2 else (),
        cut=tuple(names[i] for i in cut),
        cut_votes=cut_votes,
        connectivity=connectivity,
    )


@dataclass(frozen=True, slots=True)
class _SideFit:
    """`influence` (2, K, K): what one more vote for the left, or the right, of a pair adds to gamma."""

    gamma: float
    influence: Floats


def _side_fit(tensor: Tensor) -> _SideFit | None:
    """On the largest group with a common scale; None where the likelihood has no maximum even there."""
    counts = tensor.counts.copy()
    counts[[TIE, BOTH_BAD]] = 0.0
    decisive = Tensor(tensor.systems, counts)
    groups = bt.parts(decisive.beaten, tensor.systems)
    if not groups or len(groups[0]) < 2:
        return None
    members = np.array([tensor.systems.index(name) for name in groups[0]])
    try:
        found = sides.fitted(decisive.only(members))
    except InvalidInput:
        return None
    if not found.converged:
        return None
    row = found.bread[-1]
    reach = row[:-1, None] * found.left + row[None, :-1] * found.right + row[-1] * found.others[0]
    influence = np.zeros((2, tensor.size, tensor.size))
    influence[:, members[:, None], members[None, :]] = reach[: RIGHT + 1]
    return _SideFit(float(found.extra[0]), influence)


def _by_rater(found: _SideFit, votes: Votes, level: float) -> Estimate | None:
    k = len(votes.systems)
    table = np.zeros((4, k, k))
    table[LEFT], table[RIGHT] = found.influence
    sums = np.zeros(int(votes.rater.max(initial=-1)) + 1)
    decided = np.zeros(sums.size)
    for part in votes.chunks():
        rater = votes.rater[part.start : part.start + part.cells.size]
        pull = table.ravel()[part.cells] * (1.0 if part.weight is None else part.weight)
        sums += np.bincount(rater, pull, sums.size)
        decided += np.bincount(rater, part.cells < 2 * k * k, sums.size)
    raters = int((decided > 0).sum())
    if raters < 2:
        return None
    error = float(np.sqrt((sums**2).sum() * raters / (raters - 1.0)))
    reach = float(t.ppf(0.5 + level / 2.0, raters - 1)) * error
    return Estimate(found.gamma, found.gamma - reach, found.gamma + reach, int(decided.sum()), raters)


def _shift(tensor: Tensor, wins: Floats, worth: float) -> Shift:
    if tensor.size < 2 or len(bt.parts(tensor.wins, tensor.systems)) > 1:
        return Shift(None, None, None, None, None, None, "no common scale, so no ratings to compare")
    before, after = bt.elo(bt.fit(tensor.wins).theta), bt.elo(bt.fit(wins).theta)
    moved = np.abs(after - before)
    old, new = (np.argsort(-elo, kind="stable")[:TOP] for elo in (before, after))
    return Shift(
        largest=float(moved.max()),
        median=float(np.median(moved)),
        system=tensor.systems[int(moved.argmax())],
        first_stays=bool(old[0] == new[0]),
        top_stays=bool(np.array_equal(old, new)),
        effective_votes=worth,
    )


def _weakest_cut(games: Floats) -> tuple[Ints, float, float]:
    """Members of the smaller side, votes across, and the algebraic connectivity (Fiedler 1973)."""
    size = len(games)
    degree = games.sum(axis=1)
    lonely = int(degree.argmin())
    if size < 2:
        return np.array([lonely]), 0.0, 0.0
    values, vectors = eigh(np.diag(degree) - games, subset_by_index=[1, 1])
    order = np.argsort(vectors[:, 0], kind="stable")
    sorted_games = games[np.ix_(order, order)]
    across = np.cumsum(sorted_games.sum(axis=1) - 2.0 * np.tril(sorted_games).sum(axis=1))[:-1]
    best = int(across.argmin())
    if degree[lonely] <= across[best]:
        return np.array([lonely]), float(degree[lonely]), max(float(values[0]), 0.0)
    smaller = min(order[: best + 1], order[best + 1 :], key=lambda side: (side.size, side.min()))
    return np.sort(smaller), float(across[best]), max(float(values[0]), 0.0)


def _named(names: tuple[str, ...], which: NDArray[np.bool_]) -> tuple[str, ...]:
    return tuple(names[i] for i in np.flatnonzero(which))
