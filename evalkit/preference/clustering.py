"""How votes that share a rater or a case pull together: the middle part of every clustered interval.

A vote pulls on a few numbers: on those of the systems on its left and on its right, and on some that belong
to the board. What all votes of a rater (of a case, of both) pull is added up before it is squared (Liang &
Zeger 1986). Votes are sorted by rater and case once and gone through in blocks, so memory does not
grow with their number beyond one integer each. This module knows no model and no names.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix

from evalkit.errors import InvalidInput
from evalkit.preference.votes import Floats, Integers, Ints, Votes

BLOCK = 1 << 18
"""Votes whose clusters are added up at once (their sums stay in the processor's cache)."""


@dataclass(frozen=True, slots=True)
class Pull:
    """Derivatives of P = K + Q numbers' criterion by one vote of each kind [answer, left, right].

    `left` and `right` (4, K, K) act on the numbers of the system on that side; `others` (Q, 4, K, K) on
    further numbers.
    """

    left: Floats
    right: Floats
    others: Floats

    @property
    def systems(self) -> int:
        return int(self.left.shape[-1])

    @property
    def size(self) -> int:
        return self.systems + int(self.others.shape[0])

    def single(self, squared_weights: Floats) -> Floats:
        """Sum of squares (P, P) over single votes, of which there are `squared_weights` (4, K, K)."""
        P, k = self.size, self.systems
        M = np.zeros((P, P))
        n = squared_weights
        M[:k, :k] = (n * self.left * self.right).sum(axis=0)
        M[:k, :k] += M[:k, :k].T.copy()
        M[np.arange(k), np.arange(k)] += (n * self.left**2).sum(axis=(0, 2)) + (n * self.right**2).sum(
            axis=(0, 1)
        )
        for q, other in enumerate(self.others):
            cross = (n * self.left * other).sum(axis=(0, 2)) + (n * self.right * other).sum(axis=(0, 1))
            M[k + q, :k] = M[:k, k + q] = cross
            M[k + q, k:] = (n * other * self.others).sum(axis=(1, 2, 3))
        return M


@dataclass(frozen=True, slots=True)
class Meat:
    """Sums of squares (P, P) of what clusters pull: a cluster is a vote, a rater, a case, or both at once."""

    single: Floats
    rater: Floats
    case: Floats
    both: Floats


@dataclass(frozen=True, slots=True)
class Clusters:
    """How many clusters votes come from, and how many of equal size would be worth as much (Kish 1965)."""

    raters: int
    cases: int
    effective_raters: float
    effective_cases: float


def count_clusters(votes: Votes) -> Clusters:
    """Raters and cases behind the votes; weights count."""
    by_rater, by_case = (_sizes(labels, votes) for labels in (votes.rater, votes.case))
    return Clusters(by_rater.size, by_case.size, _effective(by_rater), _effective(by_case))


def meats(votes: Votes, pulls: Sequence[Pull]) -> list[Meat]:
    """What clusters pull, for each of several sets of numbers, in one pass over the votes."""
    k = len(votes.systems)
    squared = np.zeros(4 * k * k)
    for part in votes.chunks():
        weight = None if part.weight is None else part.weight**2
        squared += np.bincount(part.cells, weights=weight, minlength=squared.size)
    sums = [
        _Sums(pull, int(votes.rater.max(initial=-1)) + 1, int(votes.case.max(initial=-1)) + 1)
        for pull in pulls
    ]
    for block in _blocks(votes):
        for one in sums:
            one.add(block)
    return [one.meat(squared.reshape(4, k, k)) for one in sums]


@dataclass(frozen=True, slots=True)
class _Block:
    """Votes of whole raters-on-a-case: their cells, and for each group its number, rater and case."""

    cells: Ints
    weight: Floats | None
    group: Ints
    rater: Ints
    case: Ints


class _Sums:
    """Running totals of what raters, cases and both pull."""

    def __init__(self, pull: Pull, raters: int, cases: int) -> None:
        self._pull = pull
        k, P = pull.systems, pull.size
        place = np.arange(4 * k * k)
        self._left, self._right = place // k % k, place % k
        self._values = pull.left.ravel(), pull.right.ravel()
        self._rater, self._case = np.zeros((raters, P)), np.zeros((cases, P))
        self._both = np.zeros((P, P))

    def add(self, block: _Block) -> None:
        U = self._pulled(block)
        self._both += U.T @ U
        groups = np.arange(len(U) + 1)
        ones = np.ones(len(U))
        for totals, label in ((self._rater, block.rater), (self._case, block.case)):
            # A sparse product adds rows up many times faster than np.add.at.
            totals += csr_matrix((ones, label, groups), (len(U), len(totals))).T @ U

    def meat(self, squared: Floats) -> Meat:
        single = self._pull.single(squared)
        return Meat(single, self._rater.T @ self._rater, self._case.T @ self._case, self._both)

    def _pulled(self, block: _Block) -> Floats:
        k, groups = self._pull.systems, block.rater.size
        U = np.zeros(groups * k)
        for side, values in zip((self._left, self._right), self._values, strict=True):
            pulled = _weighted(values[block.cells], block.weight)
            U += np.bincount(block.group * k + side[block.cells], weights=pulled, minlength=U.size)
        columns: list[Floats] = [U.reshape(groups, k)]
        for other in self._pull.others:
            pulled = _weighted(other.ravel()[block.cells], block.weight)
            of_groups = np.bincount(block.group, weights=pulled, minlength=groups)
            columns.append(of_groups.astype(np.float64)[:, None])
        return np.hstack(columns) if len(columns) > 1 else columns[0]


def _blocks(votes: Votes) -> Iterator[_Block]:
    """The votes, sorted by rater and case, in blocks that cut no rater-on-a-case in two."""
    if not votes.n:
        return
    key, order, layout = _sorted_keys(votes)
    start = 0
    while start < key.size:
        end = min(start + BLOCK, key.size)
        if end < key.size:
            end = int(np.searchsorted(key, ((key[end - 1] >> layout.cell_bits) + 1) << layout.cell_bits))
        yield _block(key[start:end], None if order is None else votes.weight_at(order[start:end]), layout)
        start = end


@dataclass(frozen=True, slots=True)
class _Layout:
    """How rater, case and cell lie in one integer, from the highest bits to the lowest."""

    cell_bits: int
    case_bits: int


def _sorted_keys(votes: Votes) -> tuple[Ints, Ints | None, _Layout]:
    """Rater, case and cell of each vote packed into an integer, sorted; and the order, if weights need it."""
    cell_bits = max(4 * len(votes.systems) ** 2 - 1, 1).bit_length()
    case_bits = max(int(votes.case.max()), 1).bit_length()
    if cell_bits + case_bits + max(int(votes.rater.max()), 1).bit_length() > 63:
        raise InvalidInput(
            "the numbers of raters and cases are too large to be counted together",
            "Number them from 0 without gaps.",
        )
    key = np.empty(votes.n, dtype=np.int64)
    for part in votes.chunks():
        place = slice(part.start, part.start + part.cells.size)
        rater = votes.rater[place].astype(np.int64) << case_bits
        key[place] = ((rater + votes.case[place]) << cell_bits) + part.cells
    layout = _Layout(cell_bits, case_bits)
    if votes.weight is None:
        key.sort()
        return key, None, layout
    order = np.argsort(key, kind="stable")
    return key[order], order, layout


def _block(key: Ints, weight: Floats | None, layout: _Layout) -> _Block:
    label = key >> layout.cell_bits
    first = np.empty(label.size, dtype=np.bool_)
    first[0] = True
    np.not_equal(label[1:], label[:-1], out=first[1:])
    named = label[first]
    return _Block(
        cells=key & ((1 << layout.cell_bits) - 1),
        weight=weight,
        group=np.cumsum(first) - 1,
        rater=named >> layout.case_bits,
        case=named & ((1 << layout.case_bits) - 1),
    )


def _weighted(values: Floats, weight: Floats | None) -> Floats:
    return values if weight is None else values * weight


def _sizes(labels: Integers, votes: Votes) -> Floats:
    sizes = np.bincount(labels, weights=votes.weight).astype(np.float64)
    return np.asarray(sizes[sizes > 0])


def _effective(sizes: NDArray[np.float64]) -> float:
    return float(sizes.sum() ** 2 / (sizes**2).sum()) if sizes.size else 0.0
