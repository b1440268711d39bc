"""Rankings of several systems as columns of integers, ties included.

This module knows how rankings are written down and which comparisons they contain. It knows no model; who
gave a ranking, and on what, is for the caller to keep beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import InvalidInput
from evalkit.preference.votes import Floats, Ints

NAMED = 5
"""Rows an error message lists."""


@dataclass(frozen=True, slots=True)
class Rankings:
    """N rankings of two or more systems each, or N kinds of rankings with how often each occurs as `weight`.

    `order` (N, M) holds places in `systems`, best first, padded with -1 at the end. `rank` (N, M) numbers the
    ranks beside it and never falls; systems of equal rank are tied. What it says beside padding is not read.
    """

    systems: tuple[str, ...]
    order: Ints
    rank: Ints
    weight: Floats | None = None

    def __post_init__(self) -> None:
        if self.order.ndim != 2 or self.rank.shape != self.order.shape:
            raise InvalidInput("order and rank of the rankings are not two tables of one shape")
        if self.weight is not None and self.weight.shape != (self.n,):
            raise InvalidInput("there is not one weight for each ranking")
        if self.order.max(initial=-1) >= len(self.systems):
            raise InvalidInput("a ranking names a system that is not in the list of systems")
        given, ordered = self.given, np.sort(self.order, axis=1)
        twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
        falls = (self.rank[:, 1:] < self.rank[:, :-1]) & given[:, 1:]
        _refuse(given[:, 1:] & ~given[:, :-1], "has a gap", "Pad with -1 at the end only.")
        _refuse(given.sum(axis=1, keepdims=True) < 2, "has fewer than two systems", "Leave it out.")
        _refuse(twice, "names a system twice", "Name each system once.")
        _refuse(falls, "has ranks that fall", "Order each ranking from best to worst.")
        if self.weight is not None:
            wrong = ~(np.isfinite(self.weight) & (self.weight >= 0))
            _refuse(wrong[:, None], "has a weight that is not a number from 0 up", "Correct it.")

    @property
    def n(self) -> int:
        return int(self.order.shape[0])

    @property
    def given(self) -> NDArray[np.bool_]:
        """Where `order` holds a system (N, M)."""
        return np.asarray(self.order >= 0)

    @property
    def weights(self) -> Floats:
        return np.ones(self.n) if self.weight is None else self.weight

    @property
    def played(self) -> Floats:
        """Rankings each system is in (K), with their weights."""
        weights = np.broadcast_to(self.weights[:, None], self.order.shape)[self.given]
        return np.bincount(self.order[self.given], weights, len(self.systems)).astype(np.float64)

    @property
    def pairs(self) -> tuple[Ints, Ints, Ints, NDArray[np.bool_]]:
        """Each pair of each ranking: which ranking, the system above, the one below, whether they tie."""
        found = [np.zeros((4, 0), dtype=np.int64)]
        for a, b in combinations(range(self.order.shape[1]), 2):
            rows = np.flatnonzero(self.given[:, b])
            tied = self.rank[rows, a] == self.rank[rows, b]
            found.append(np.stack([rows, self.order[rows, a], self.order[rows, b], tied]))
        row, above, below, ties = np.concatenate(found, axis=1)
        return row, above, below, ties.astype(np.bool_)

    @property
    def wins(self) -> Floats:
        """How often i was ranked above j (K, K), half for a tie: what `bradley_terry.connectivity` reads."""
        wins = np.zeros((len(self.systems), len(self.systems)))
        row, above, below, tied = self.pairs
        won = np.where(tied, 0.5, 1.0)
        np.add.at(wins, (above, below), self.weights[row] * won)
        np.add.at(wins, (below, above), self.weights[row] * (1.0 - won))
        return wins


def rankings_from_lists(lists: Iterable[Sequence[str | Sequence[str]]]) -> Rankings:
    """Rankings from lists of names, best first; tied names stand together in an inner list.

    >>> rankings_from_lists([["b", "a", "c"], ["c", ["a", "b"]]]).rank.tolist()
    [[0, 1, 2], [0, 1, 1]]
    """
    ranked = [[[each] if isinstance(each, str) else list(each) for each in ranking] for ranking in lists]
    systems = tuple(sorted({name for ranking in ranked for tied in ranking for name in tied}))
    place = {name: i for i, name in enumerate(systems)}
    width = max((sum(map(len, ranking)) for ranking in ranked), default=0)
    order = np.full((len(ranked), width), -1, dtype=np.int64)
    rank = np.zeros((len(ranked), width), dtype=np.int64)
    for row, ranking in enumerate(ranked):
        flat = [(place[name], number) for number, tied in enumerate(ranking) for name in tied]
        order[row, : len(flat)] = [i for i, _ in flat]
        rank[row, : len(flat)] = [number for _, number in flat]
    return Rankings(systems, order, rank)


def _refuse(wrong: NDArray[np.bool_], what: str, hint: str) -> None:
    rows = np.flatnonzero(wrong.any(axis=1))
    if rows.size:
        named = ", ".join(str(row + 1) for row in rows[:NAMED]) + (", ..." if rows.size > NAMED else "")
        raise InvalidInput(f"a ranking {what}: row {named}", hint)
