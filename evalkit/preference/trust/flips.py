"""The flip budget: how few votes decide which of two systems is ahead.

Votes are dropped from, or added to, the cells whose votes move the gap between the two most (an influence
function, refitted as votes go), until the lower one passes the higher. A count that is small beside the votes
of one rater, or of one day, says that the order rests on them (after Broderick, Giordano & Meager 2020 and
Huang et al., arXiv 2508.11847). This module knows a tensor and the Bradley-Terry model with ties as half a
win; whether the count is alarming is for others to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.special import expit

from evalkit.errors import InvalidInput, UnknownName
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import Floats, Ints

PRIOR = 1e-8
"""Votes added to each compared pair, half each way: so that every subset of the votes has a board."""
PASSED = 1e-7
"""Logits by which the lower one has to be ahead; a draw is not a pass."""
SETTLED = 1e-5
"""Newton's step at which it stops; its error is then of the order of the square."""
BLOCK = 1 / 3
"""Share of the remaining gap that votes of one cell may close before everything is fitted again."""
ROUNDS = 200
CAREFUL = 24
"""Budgets up to this many votes are searched for one vote at a time as well."""


@dataclass(frozen=True, slots=True)
class Cell:
    """`votes` votes that chose `winner` over `loser`; with `tie`, votes that chose neither of the two."""

    winner: str
    loser: str
    votes: int
    tie: bool = False


@dataclass(frozen=True, slots=True)
class Flip:
    """The fewest votes found that, dropped or added, put `challenger` ahead of `leader`.

    `share` is of all votes of the board; `cells` says which votes, most first. All three are empty, with
    `reason`, where no such votes were found. The search is greedy: fewer votes may do, more never need to.
    """

    leader: str
    challenger: str
    votes: int | None
    share: float | None
    cells: tuple[Cell, ...]
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class _Kinds:
    """M kinds of votes: `worth` 1 where i was chosen over j, 1/2 where neither was; and how many each."""

    i: Ints
    j: Ints
    worth: Floats
    votes: Floats

    def wins(self, votes: Floats, size: int) -> Floats:
        """The (size, size) win matrix of this many votes of each kind."""
        won = np.bincount(self.i * size + self.j, self.worth * votes, size * size)
        lost = np.bincount(self.j * size + self.i, (1.0 - self.worth) * votes, size * size)
        return np.asarray((won + lost).reshape(size, size))


@dataclass(frozen=True, slots=True)
class _Duel:
    """Two systems on a board: `base` is its prior, `theta` its abilities with all votes."""

    a: int
    b: int
    base: Floats
    theta: Floats


@dataclass(frozen=True, slots=True)
class _State:
    """A refitted board: how far a is ahead of b, and the derivative of that by each system's score."""

    theta: Floats
    gap: float
    pull: Floats

    @property
    def passed(self) -> bool:
        return self.gap < -PASSED

    def influence(self, kinds: _Kinds) -> Floats:
        """How much the gap grows with one more vote of each kind: (e_a - e_b)' H+ (e_i - e_j)(y - p)."""
        expected = expit(self.theta[kinds.i] - self.theta[kinds.j])
        return np.asarray((self.pull[kinds.i] - self.pull[kinds.j]) * (kinds.worth - expected))


def votes_to_drop(tensor: Tensor, first: str | None = None, second: str | None = None) -> Flip:
    """The fewest votes without which the lower rated of two systems is ahead.

    The two are the first and second of the board unless named; `tensor` is one of whole votes, unweighted.
    Raises InvalidInput where there is no common scale or votes carry weights, UnknownName for a name.
    """
    duel = _duel(tensor, first, second)
    kinds = _given(tensor)
    found = _trimmed(_most_influential(kinds, duel), kinds, duel)
    if found is None or found.sum() <= CAREFUL:
        found = _fewer(found, _one_by_one(kinds, duel))
    return _flip(tensor, duel, kinds, found)


def votes_to_add(tensor: Tensor, first: str | None = None, second: str | None = None) -> Flip:
    """The fewest votes, between any two systems, with which the lower rated of two systems is ahead.

    Takes and raises what `votes_to_drop` does.
    """
    duel = _duel(tensor, first, second)
    wins = duel.base + tensor.wins
    kinds = _possible(tensor.size)
    added, theta = np.zeros(kinds.i.size), duel.theta
    for _ in range(ROUNDS):
        state = _refit(wins, theta, duel)
        if state.passed:
            return _flip(tensor, duel, kinds, added)
        theta = state.theta
        closes = -state.influence(kinds)
        best = int(closes.argmax())
        block = _block(state.gap, closes[best])
        added[best] += block
        wins[kinds.i[best], kinds.j[best]] += block
    return _flip(tensor, duel, kinds, None)


def _duel(tensor: Tensor, first: str | None, second: str | None) -> _Duel:
    if not np.array_equal(tensor.counts, np.round(tensor.counts)):
        raise InvalidInput("a flip budget counts whole votes, and these carry weights", "Count them without.")
    if tensor.size < 2:
        raise InvalidInput("a flip budget needs two systems")
    if len(bt.parts(tensor.wins, tensor.systems)) > 1:
        raise InvalidInput(
            "no common scale, so nobody is ahead of anybody", "Collect votes that connect all."
        )
    theta = bt.fit(tensor.wins).theta
    order = [int(i) for i in np.argsort(-theta, kind="stable")]
    places = [_place(tensor, name, order[k]) for k, name in enumerate((first, second))]
    if places[0] == places[1]:
        raise InvalidInput("a flip budget is about two different systems")
    a, b = sorted(places, key=lambda place: -theta[place])
    return _Duel(a, b, np.where(tensor.games > 0, PRIOR / 2.0, 0.0), theta)


def _place(tensor: Tensor, name: str | None, otherwise: int) -> int:
    if name is None:
        return otherwise
    if name not in tensor.systems:
        raise UnknownName("system", name, tensor.systems)
    return tensor.systems.index(name)


def _given(tensor: Tensor) -> _Kinds:
    """The kinds of votes there are."""
    beaten, tied = tensor.beaten, np.triu(tensor.tied)
    won, even = np.nonzero(beaten), np.nonzero(tied)
    worth = np.repeat([1.0, 0.5], [won[0].size, even[0].size])
    i, j = np.concatenate([won[0], even[0]]), np.concatenate([won[1], even[1]])
    return _Kinds(i, j, worth, np.concatenate([beaten[won], tied[even]]))


def _possible(size: int) -> _Kinds:
    """Every vote that could be added; a tie would always move less than a win."""
    i, j = np.nonzero(~np.eye(size, dtype=np.bool_))
    return _Kinds(i, j, np.ones(i.size), np.full(i.size, np.inf))


def _refit(wins: Floats, theta: Floats, duel: _Duel) -> _State:
    """Newton from `theta`; its last factor of the information gives the influences too."""
    games = wins + wins.T
    won = wins.sum(axis=1)
    contrast = np.zeros(won.size)
    contrast[duel.a], contrast[duel.b] = 1.0, -1.0
    for _ in range(bt.MAX_ITERATIONS):
        expected = games * expit(theta[:, None] - theta[None, :])
        factor = cho_factor(
            _regular(expected * (1.0 - expected / np.maximum(games, PRIOR))), check_finite=False
        )
        step = np.clip(
            cho_solve(factor, won - expected.sum(axis=1), check_finite=False), -bt.MAX_STEP, bt.MAX_STEP
        )
        theta = theta + step
        if np.abs(step).max() <= SETTLED:
            break
    pull = cho_solve(factor, contrast, check_finite=False)
    return _State(theta, float(theta[duel.a] - theta[duel.b]), pull)


def _regular(weights: Floats) -> Floats:
    """The Laplacian of pair weights plus cJ, which is regular and gives the same contrasts."""
    H = -weights
    H[np.diag_indices_from(H)] += weights.sum(axis=1)
    return np.asarray(H + np.trace(H) / len(H) ** 2)


def _remaining(kinds: _Kinds, dropped: Floats, theta: Floats, duel: _Duel) -> _State:
    return _refit(duel.base + kinds.wins(kinds.votes - dropped, theta.size), theta, duel)


def _most_influential(kinds: _Kinds, duel: _Duel) -> Floats:
    """Votes to drop (M), by a sequence of linear programs.

    At each fit the cheapest votes that close the gap, to first order, are those of the kinds with the largest
    influence; they are chosen anew until they no longer change.
    """
    dropped, theta = np.zeros(kinds.i.size), duel.theta
    for _ in range(bt.MAX_ITERATIONS):
        state = _remaining(kinds, dropped, theta, duel)
        theta = state.theta
        influence = state.influence(kinds)
        chosen = _cheapest(influence, kinds.votes, state.gap + PASSED + float(influence @ dropped))
        if np.abs(chosen - dropped).sum() < 1.0:
            return chosen
        dropped = chosen
    return dropped


def _cheapest(influence: Floats, votes: Floats, needed: float) -> Floats:
    """The fewest whole votes whose influences add up to what is needed; all useful ones if none do."""
    order = np.argsort(-influence, kind="stable")
    order = order[influence[order] > 0.0]
    before = np.concatenate([[0.0], np.cumsum(influence[order] * votes[order])[:-1]])
    wanted = np.ceil(np.maximum(needed - before, 0.0) / influence[order])
    chosen = np.zeros(influence.size)
    chosen[order] = np.minimum(wanted, votes[order])
    return chosen


def _trimmed(dropped: Floats, kinds: _Kinds, duel: _Duel) -> Floats | None:
    """Exactly as many as are needed: more of the best kind while not passed, fewer of the worst while so."""
    state = _remaining(kinds, dropped, duel.theta, duel)
    for _ in range(ROUNDS):
        if state.passed:
            break
        more = _one_more(dropped, kinds, state)
        if more is None:
            return None
        dropped = more
        state = _remaining(kinds, dropped, state.theta, duel)
    while state.passed:
        fewer = dropped.copy()
        fewer[np.where(dropped > 0, state.influence(kinds), np.inf).argmin()] -= 1.0
        state = _remaining(kinds, fewer, state.theta, duel)
        if not state.passed:
            return dropped
        dropped = fewer
    return None


def _one_more(dropped: Floats, kinds: _Kinds, state: _State) -> Floats | None:
    influence = np.where(dropped < kinds.votes, state.influence(kinds), -np.inf)
    best = int(influence.argmax())
    if influence[best] <= 0.0:
        return None
    more = dropped.copy()
    more[best] += 1.0
    return more


def _one_by_one(kinds: _Kinds, duel: _Duel) -> Floats | None:
    """Votes to drop (M), each the most influential of those left; None if `CAREFUL` are not enough."""
    dropped, theta = np.zeros(kinds.i.size), duel.theta
    for _ in range(CAREFUL + 1):
        state = _remaining(kinds, dropped, theta, duel)
        if state.passed:
            return dropped
        more = _one_more(dropped, kinds, state)
        if more is None:
            return None
        dropped, theta = more, state.theta
    return None


def _fewer(one: Floats | None, other: Floats | None) -> Floats | None:
    found = [votes for votes in (one, other) if votes is not None]
    return min(found, key=lambda votes: float(votes.sum())) if found else None


def _block(gap: float, closes: float) -> float:
    return float(np.ceil(BLOCK * (max(gap, 0.0) + PASSED) / closes))


def _flip(tensor: Tensor, duel: _Duel, kinds: _Kinds, votes: Floats | None) -> Flip:
    leader, challenger = tensor.systems[duel.a], tensor.systems[duel.b]
    if votes is None:
        return Flip(leader, challenger, None, None, (), "no votes were found that change the order")
    used = np.flatnonzero(votes)
    used = used[np.argsort(-votes[used], kind="stable")]
    names = tensor.systems
    cells = tuple(
        Cell(names[kinds.i[k]], names[kinds.j[k]], int(votes[k]), bool(kinds.worth[k] < 1.0)) for k in used
    )
    total = int(votes.sum())
    return Flip(leader, challenger, total, total / tensor.total, cells)
