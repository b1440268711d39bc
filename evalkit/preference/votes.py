"""Votes on pairs as columns of integers. Everything in `evalkit.preference` reads them.

This module knows how to code names and how votes are gone through in parts. It knows no database and no
model.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import InvalidInput
from evalkit.types import ANSWERS

Ints = NDArray[np.int64]
Integers = NDArray[np.integer[Any]]
"""A column of any integer type: ten million votes fit into a fraction of what int64 takes."""
Floats = NDArray[np.float64]

LEFT, RIGHT, TIE, BOTH_BAD = range(4)
"""Codes of the answers, in the order of `types.ANSWERS`."""
WORTH = np.array([1.0, 0.0, 0.5, 0.5])[:, None, None]
"""What each answer is worth to the system on the left (4, 1, 1): half a win where nobody is chosen."""
CHUNK = 1 << 18
NAMED = 5
"""Rows an error message lists."""


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of votes: which cell of a (4, K, K) tensor each is in, flattened, and its weight or None."""

    start: int
    cells: Ints
    weight: Floats | None


@dataclass(frozen=True, slots=True)
class Votes:
    """N votes, or N kinds of votes with how often each was given as `weight`.

    `left` and `right` index `systems`; `answer` indexes `ANSWERS`. `case` and `rater` number the clusters
    that votes share: integers from 0, equal where shared. A vote on variants of one prompt carries the number
    of the prompt. `weight` is finite and not negative; None means 1 for each.
    """

    systems: tuple[str, ...]
    left: Integers
    right: Integers
    answer: Integers
    case: Integers
    rater: Integers
    weight: Floats | None = None

    def __post_init__(self) -> None:
        columns = (self.left, self.right, self.answer, self.case, self.rater)
        sizes = {column.size for column in columns} | (
            {self.weight.size} if self.weight is not None else set()
        )
        if len(sizes) != 1:
            raise InvalidInput("the columns of the votes are not of one length")
        if not self.n:
            return
        low, high = min(self.left.min(), self.right.min()), max(self.left.max(), self.right.max())
        if low < 0 or high >= len(self.systems):
            raise InvalidInput("a vote names a system that is not in the list of systems")
        if self.answer.min() < LEFT or self.answer.max() > BOTH_BAD:
            raise InvalidInput("a vote has an answer that is none of " + ", ".join(ANSWERS))
        _refuse(self.left == self.right, "compares a system with itself", "Leave such votes out.")
        if self.weight is not None:
            wrong = ~(np.isfinite(self.weight) & (self.weight >= 0))
            _refuse(wrong, "has a weight that is not a number from 0 up", "Correct it, or leave it out.")

    @property
    def n(self) -> int:
        return int(self.left.size)

    def chunks(self) -> Iterator[Part]:
        """The votes in order, in parts small enough that nothing of their size is held twice."""
        k = len(self.systems)
        for start in range(0, self.n, CHUNK):
            part = slice(start, start + CHUNK)
            cells = (self.answer[part].astype(np.int64) * k + self.left[part]) * k + self.right[part]
            yield Part(start, cells, None if self.weight is None else self.weight[part])

    def compact(self) -> Votes:
        """The same votes with only the systems that occur in them, in the same order."""
        seen = np.bincount(self.left, minlength=len(self.systems)) + np.bincount(
            self.right, minlength=len(self.systems)
        )
        if np.all(seen > 0):
            return self
        used = np.flatnonzero(seen)
        names = tuple(self.systems[i] for i in used)
        place = np.cumsum(seen > 0) - 1
        left, right = place[self.left], place[self.right]
        return Votes(names, left, right, self.answer, self.case, self.rater, self.weight)

    def where(self, keep: NDArray[np.bool_] | Ints) -> Votes:
        """The votes at which `keep` is true, or at the places it names; systems stay as they are."""
        left, right, answer = self.left[keep], self.right[keep], self.answer[keep]
        weight = None if self.weight is None else self.weight[keep]
        return Votes(self.systems, left, right, answer, self.case[keep], self.rater[keep], weight)


def votes_from_rows(rows: Iterable[tuple[str, str, str, str, str]]) -> Votes:
    """Votes from (left system, right system, answer, case, rater) tuples; anything but `ANSWERS` is dropped.

    >>> votes_from_rows([("b", "a", "left", "mug", "r1"), ("a", "b", "skip", "mug", "r1")]).n
    1
    """
    kept = [row for row in rows if row[2] in ANSWERS]
    left, right, answer, case, rater = zip(*kept, strict=True) if kept else ((), (), (), (), ())
    systems = tuple(sorted({*left, *right}))
    return Votes(
        systems,
        _codes(left, systems),
        _codes(right, systems),
        _codes(answer, ANSWERS),
        _codes(case, sorted(set(case))),
        _codes(rater, sorted(set(rater))),
    )


def _refuse(wrong: NDArray[np.bool_], what: str, hint: str) -> None:
    rows = np.flatnonzero(wrong)
    if rows.size:
        named = ", ".join(str(row + 1) for row in rows[:NAMED]) + (", ..." if rows.size > NAMED else "")
        raise InvalidInput(f"a vote {what}: row {named}", hint)


def _codes(names: Sequence[str], known: Sequence[str]) -> Ints:
    index = {name: i for i, name in enumerate(known)}
    return np.array([index[name] for name in names], dtype=np.int64)
