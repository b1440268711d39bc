"""Votes as columns of small integers: how everything in `evalkit.preference` reads them.

This module knows how to code names and to count equal votes together. It knows no database and no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import InvalidInput
from evalkit.types import ANSWERS

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

LEFT, RIGHT, TIE, BOTH_BAD = range(4)
"""Codes of the answers, in the order of `types.ANSWERS`."""


@dataclass(frozen=True, slots=True)
class Votes:
    """N votes. `left` and `right` index `systems`; `answer` indexes `ANSWERS`.

    `case` and `rater` number the clusters that votes share: any integers, equal where shared. A vote on
    variants of one prompt carries the number of the prompt.
    """

    systems: tuple[str, ...]
    left: Ints
    right: Ints
    answer: Ints
    case: Ints
    rater: Ints

    def __post_init__(self) -> None:
        columns = (self.left, self.right, self.answer, self.case, self.rater)
        if len({column.size for column in columns}) != 1:
            raise InvalidInput("the columns of the votes are not of one length")
        if self.n and (self._lowest() < 0 or self._highest() >= len(self.systems)):
            raise InvalidInput("a vote names a system that is not in the list of systems")
        if np.any(self.left == self.right):
            raise InvalidInput("a vote compares a system with itself", "Leave identical-picture checks out.")

    @property
    def n(self) -> int:
        return int(self.left.size)

    def compact(self) -> Votes:
        """The same votes with only the systems that occur in them, in the same order."""
        used = np.unique(np.concatenate([self.left, self.right]))
        names = tuple(self.systems[i] for i in used)
        left, right = np.searchsorted(used, self.left), np.searchsorted(used, self.right)
        return Votes(names, left, right, self.answer, self.case, self.rater)

    def _lowest(self) -> int:
        return int(min(self.left.min(), self.right.min()))

    def _highest(self) -> int:
        return int(max(self.left.max(), self.right.max()))


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


def _codes(names: Sequence[str], known: Sequence[str]) -> Ints:
    index = {name: i for i, name in enumerate(known)}
    return np.array([index[name] for name in names], dtype=np.int64)
