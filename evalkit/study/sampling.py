"""Which comparison a rater sees next, and on which side each picture is.

Balanced sampling: the (category, pair of systems) that has the fewest votes and open ballots comes next,
and within it the case with the fewest; ties are broken at random. So every pair keeps about the same
number of votes in every category, whenever a study is stopped. The probability of each choice is returned
and ends up in the vote, which lets an analysis weight by it.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from evalkit.study.sources import CaseKey
from evalkit.study.tickets import Side

SPACING = 5
"""A rater does not get the same case twice within this many ballots, as long as there is another choice."""


@dataclass(frozen=True, slots=True)
class Cell:
    """What is kept balanced: one pair of systems in one category."""

    category: str
    system_a: str
    system_b: str


@dataclass(frozen=True, slots=True)
class Item:
    """A comparison as the sampler sees it."""

    comparison: str
    case: CaseKey
    cell: Cell


@dataclass(frozen=True, slots=True)
class Pick:
    """What a rater sees next: which comparison, which system on the left, and how likely that was.

    `propensity` is the probability of the comparison; each side has probability one half beside it.
    """

    comparison: str
    left: Side
    propensity: float


@dataclass(slots=True)
class _Rater:
    seen: set[str] = field(default_factory=set)
    recent: deque[CaseKey] = field(default_factory=lambda: deque(maxlen=SPACING))
    shown: Counter[tuple[str, str]] = field(default_factory=Counter)
    picks: int = 0


class Board:
    """How often every comparison was voted on or is open, in all and by rater. Not thread-safe."""

    def __init__(self, items: Iterable[Item], seed: int) -> None:
        self._items = {item.comparison: item for item in items}
        self._seed = seed
        self._load: Counter[str] = Counter()
        self._cells: dict[Cell, list[Item]] = defaultdict(list)
        for item in self._items.values():
            self._cells[item.cell].append(item)
        self._cell_load: Counter[Cell] = Counter(dict.fromkeys(self._cells, 0))
        self._raters: dict[str, _Rater] = defaultdict(_Rater)

    def take(self, rater: str, comparison: str) -> None:
        """Count a comparison as given to this rater: issued, or voted on before a restart."""
        item = self._items.get(comparison)
        state = self._raters[rater]
        if item is None or comparison in state.seen:
            return
        state.seen.add(comparison)
        state.recent.append(item.case)
        state.shown[item.cell.system_a, item.cell.system_b] += 1
        self._count(item, +1)

    def give_back(self, rater: str, comparison: str) -> None:
        """An issued comparison was not voted on in time: anybody may get it again."""
        state = self._raters[rater]
        if comparison in state.seen:
            state.seen.remove(comparison)
            self._count(self._items[comparison], -1)

    def remaining(self, rater: str) -> int:
        """How many comparisons this rater has not been given yet."""
        return len(self._items) - len(self._raters[rater].seen)

    def pick(self, rater: str) -> Pick | None:
        """Choose and take the next comparison of this rater; None if there is none left."""
        state = self._raters[rater]
        rng = random.Random(f"{self._seed}/{rater}/{state.picks}")
        spaced = True
        cells = self._open_cells(state, spaced=spaced)
        if not cells:
            spaced = False
            cells = self._open_cells(state, spaced=spaced)
        if not cells:
            return None
        items = self._least(self._open_items(rng.choice(cells), state, spaced=spaced))
        item = rng.choice(items)
        left = self._left(rater, item.cell)
        state.picks += 1
        self.take(rater, item.comparison)
        return Pick(item.comparison, left, 1.0 / (len(cells) * len(items)))

    def _open_cells(self, state: _Rater, *, spaced: bool) -> list[Cell]:
        """The least-loaded cells that have anything for this rater."""
        for cells in self._cells_by_load():
            usable = [cell for cell in cells if any(self._open_items(cell, state, spaced=spaced))]
            if usable:
                return usable
        return []

    def _cells_by_load(self) -> list[list[Cell]]:
        by_load: dict[int, list[Cell]] = defaultdict(list)
        for cell, load in self._cell_load.items():
            by_load[load].append(cell)
        return [by_load[load] for load in sorted(by_load)]

    def _open_items(self, cell: Cell, state: _Rater, *, spaced: bool) -> Iterator[Item]:
        for item in self._cells[cell]:
            if item.comparison not in state.seen and not (spaced and item.case in state.recent):
                yield item

    def _least(self, items: Iterable[Item]) -> list[Item]:
        choices = list(items)
        least = min(self._load[item.comparison] for item in choices)
        return [item for item in choices if self._load[item.comparison] == least]

    def _left(self, rater: str, cell: Cell) -> Side:
        """Sides alternate for each rater and pair, from a random start."""
        pair = cell.system_a, cell.system_b
        start = random.Random(f"{self._seed}/{rater}/{pair}").randrange(2)
        return "a" if (start + self._raters[rater].shown[pair]) % 2 == 0 else "b"

    def _count(self, item: Item, step: int) -> None:
        self._load[item.comparison] += step
        self._cell_load[item.cell] += step
