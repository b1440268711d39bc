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
from scipy.sparse import csr_matrix

from evalkit.errors import InvalidInput
from evalkit.preference.votes import Floats, Integers, Ints, Votes
from evalkit.stats.clusters import kish

BLOCK = 1 << 16
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
    return Clusters(by_rater.size, by_case.size, kish(by_rater), kish(by_case))


def meats(votes: Votes, pulls: Sequence[Pull]) -> list[Meat]:
    """What clusters pull, for each of several sets of numbers, in one pass over the votes."""
    return [sums.meat() for sums in gather(votes, pulls)]


def gather(votes: Votes, pulls: Sequence[Pull], packed: PackedVotes | None = None) -> list[Sums]:
    """What each cluster pulls, for each of several sets of numbers, in one pass over the votes.

    `packed` are the same votes, where they have been packed already.
    """
    k = len(votes.systems)
    squared = np.zeros(4 * k * k)
    for part in votes.chunks():
        weight = None if part.weight is None else part.weight**2
        squared += np.bincount(part.cells, weights=weight, minlength=squared.size)
    raters, cases = (int(labels.max(initial=-1)) + 1 for labels in (votes.rater, votes.case))
    sums = [Sums(pull, raters, cases, squared.reshape(4, k, k)) for pull in pulls]
    for block in (packed or PackedVotes.of(votes)).blocks():
        for one in sums:
            one.add(block)
    return sums


@dataclass(frozen=True, slots=True)
class _Block:
    """Votes of whole raters-on-a-case: the cell of each and its group; for each group, its rater and case.

    `left` and `right` are where in a (groups, K) table a vote's two systems are.
    """

    cells: Ints
    weight: Floats | None
    group: Ints
    left: Ints
    right: Ints
    rater: Ints
    case: Ints


class Sums:
    """What each rater (R, P) and each case (C, P) pulls in all, and the squares of what both at once pull."""

    def __init__(self, pull: Pull, raters: int, cases: int, squared: Floats) -> None:
        self.pull = pull
        P = pull.size
        self._values = pull.left.ravel(), pull.right.ravel()
        self.rater, self.case = np.zeros((raters, P)), np.zeros((cases, P))
        self.both, self.single = np.zeros((P, P)), pull.single(squared)

    def add(self, block: _Block) -> None:
        U = self._pulled(block)
        self.both += U.T @ U
        _add_rows(self.rater, block.rater, U)
        _add_rows(self.case, block.case, U)

    def add_vote(self, cell: int, rater: int, case: int, together: Ints) -> None:
        """Add one vote in `cell`; `together` are the cells of earlier votes of this rater on this case."""
        self.rater, self.case = _with_row(self.rater, rater), _with_row(self.case, case)
        s, earlier = self._vote(np.array([cell])), self._vote(together)
        self.single += np.outer(s, s)
        self.both += np.outer(s, s) + np.outer(s, earlier) + np.outer(earlier, s)
        self.rater[rater] += s
        self.case[case] += s

    def meat(self) -> Meat:
        return Meat(self.single, self.rater.T @ self.rater, self.case.T @ self.case, self.both)

    def _vote(self, cells: Ints) -> Floats:
        """What votes in these cells pull together (P)."""
        nobody = np.zeros(1, dtype=np.int64)
        alone = _block(cells, None, np.zeros(cells.size, dtype=np.int64), (nobody, nobody), self.pull.systems)
        return np.asarray(self._pulled(alone)[0])

    def _pulled(self, block: _Block) -> Floats:
        """What each group of a block pulls (G, P)."""
        k, groups = self.pull.systems, block.rater.size
        U = np.zeros(groups * k)
        for places, values in zip((block.left, block.right), self._values, strict=True):
            pulled = _weighted(values[block.cells], block.weight)
            U += np.bincount(places, weights=pulled, minlength=U.size)
        columns: list[Floats] = [U.reshape(groups, k)]
        for other in self.pull.others:
            pulled = _weighted(other.ravel()[block.cells], block.weight)
            of_groups = np.bincount(block.group, weights=pulled, minlength=groups)
            columns.append(of_groups.astype(np.float64)[:, None])
        return np.hstack(columns) if len(columns) > 1 else columns[0]


@dataclass(frozen=True, slots=True)
class PackedVotes:
    """Votes as sorted integers: the rater in the highest bits, then the case, then the cell of the tensor.

    `weight` is in the order of the integers, None where votes carry none.
    """

    key: Ints
    weight: Floats | None
    systems: int
    cell_bits: int
    case_bits: int

    @classmethod
    def of(cls, votes: Votes) -> PackedVotes:
        """Pack votes. Raises `InvalidInput` where numbers of raters and cases do not fit into 63 bits."""
        cell_bits = max(4 * len(votes.systems) ** 2 - 1, 1).bit_length()
        case_bits, rater_bits = (int(c.max(initial=1)).bit_length() for c in (votes.case, votes.rater))
        if cell_bits + case_bits + rater_bits > 63:
            raise InvalidInput(
                "the numbers of raters and cases are too large to be counted together",
                "Number them from 0 without gaps.",
            )
        key = np.empty(votes.n, dtype=np.int64)
        for part in votes.chunks():
            place = slice(part.start, part.start + part.cells.size)
            rater = votes.rater[place].astype(np.int64) << case_bits
            key[place] = ((rater + votes.case[place]) << cell_bits) + part.cells
        if votes.weight is None:
            key.sort()
            return cls(key, None, len(votes.systems), cell_bits, case_bits)
        order = np.argsort(key, kind="stable")
        return cls(key[order], votes.weight[order], len(votes.systems), cell_bits, case_bits)

    def blocks(self) -> Iterator[_Block]:
        """The votes in blocks that cut no rater-on-a-case in two."""
        start = 0
        while start < self.key.size:
            end = min(start + BLOCK, self.key.size)
            if end < self.key.size:
                last = self.key[end - 1] >> self.cell_bits
                end = int(np.searchsorted(self.key, (last + 1) << self.cell_bits))
            yield self._block(start, end)
            start = end

    def cells_of(self, rater: int, case: int) -> Ints:
        """Cells of the votes of one rater on one case."""
        label = (rater << self.case_bits) + case
        start, end = np.searchsorted(self.key, [label << self.cell_bits, (label + 1) << self.cell_bits])
        fits = case >> self.case_bits == 0
        return np.asarray(self.key[start : end if fits else start] & ((1 << self.cell_bits) - 1))

    def _block(self, start: int, end: int) -> _Block:
        key = self.key[start:end]
        label = key >> self.cell_bits
        first = np.empty(label.size, dtype=np.bool_)
        first[0] = True
        np.not_equal(label[1:], label[:-1], out=first[1:])
        named = label[first]
        clusters = named >> self.case_bits, named & ((1 << self.case_bits) - 1)
        weight = None if self.weight is None else self.weight[start:end]
        cells = key & ((1 << self.cell_bits) - 1)
        return _block(cells, weight, np.cumsum(first) - 1, clusters, self.systems)


def _block(cells: Ints, weight: Floats | None, group: Ints, clusters: tuple[Ints, Ints], k: int) -> _Block:
    cell = np.arange(4 * k * k)
    left, right = (group * k + side[cells] for side in (cell // k % k, cell % k))
    return _Block(cells, weight, group, left, right, *clusters)


def _with_row(totals: Floats, label: int) -> Floats:
    """The totals, with one more row of zeros if that is the label's."""
    return np.vstack([totals, np.zeros((1, totals.shape[1]))]) if label == len(totals) else totals


def _add_rows(totals: Floats, label: Ints, U: Floats) -> None:
    """Add row g of U to row label[g] of the totals; many times faster than np.add.at."""
    if len(U) > len(totals):
        totals += csr_matrix((np.ones(len(U)), label, np.arange(len(U) + 1)), (len(U), len(totals))).T @ U
    else:
        P = totals.shape[1]
        places = (label[:, None] * P + np.arange(P)).ravel()
        totals += np.bincount(places, weights=U.ravel(), minlength=totals.size).reshape(totals.shape)


def _weighted(values: Floats, weight: Floats | None) -> Floats:
    return values if weight is None else values * weight


def _sizes(labels: Integers, votes: Votes) -> Floats:
    sizes = np.bincount(labels, weights=votes.weight).astype(np.float64)
    return np.asarray(sizes[sizes > 0])
