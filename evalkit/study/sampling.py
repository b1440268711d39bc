"""Which comparison a rater sees next, and on which side each picture is.

Balanced sampling: the (category, pair of systems) that has the fewest votes and open ballots comes next,
and within it the case with the fewest; ties are broken at random. So every pair keeps about the same
number of votes in every category, whenever a study is stopped.

A study with a goal starts like that. Once every (category, pair) has `Sampling.minimum`, pairs are drawn
with the probabilities of `evalkit.preference.pairing`, a share of them uniformly; category and case are
balanced within the pair as before. The probability of each choice is returned and ends up in the vote, which
lets an analysis weight by it.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from evalkit.errors import UnknownName, UsageError
from evalkit.study.sources import CaseKey
from evalkit.study.tickets import Side

if TYPE_CHECKING:
    from evalkit.preference.pairing import Goal
    from evalkit.preference.votes import Floats

SPACING = 5
"""A rater does not get the same case twice within this many ballots, as long as there is another choice."""
BALANCED = "balanced"
GOALS = (BALANCED, "all", "top-K", "new:SYSTEM")
"""How a goal is written: K is a number, SYSTEM one of the study's."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How pairs are chosen.

    `goal` is one of `GOALS`. Before it counts, every (category, pair) gets `minimum` votes; after that a
    share `uniform` (0 to 1) of the votes still goes to all pairs alike. Probabilities are made again after
    every `refit` votes.
    """

    goal: str = BALANCED
    minimum: int = 4
    uniform: float = 0.2
    refit: int = 20


@dataclass(frozen=True, slots=True)
class Cell:
    """What is kept balanced: one pair of systems in one category."""

    category: str
    system_a: str
    system_b: str

    @property
    def pair(self) -> Pair:
        return self.system_a, self.system_b


@dataclass(frozen=True, slots=True)
class Item:
    """A comparison as the sampler sees it."""

    comparison: str
    case: CaseKey
    cell: Cell


@dataclass(frozen=True, slots=True)
class Pick:
    """What a rater sees next: which comparison, which system on the left, and how likely that was.

    `propensity` is the probability of the comparison, given all that was asked and answered before and who
    asks; each side has probability one half beside it. `pair_propensity` is that of its pair of systems,
    whichever case it came with: what votes are weighted by to undo that some pairs were favoured.
    """

    comparison: str
    left: Side
    propensity: float
    pair_propensity: float


@dataclass(frozen=True, slots=True)
class _Choice:
    item: Item
    propensity: float
    pair_propensity: float


@dataclass(slots=True)
class _Rater:
    seen: set[str] = field(default_factory=set)
    recent: deque[CaseKey] = field(default_factory=lambda: deque(maxlen=SPACING))
    shown: Counter[Pair] = field(default_factory=Counter)


class Board:
    """How often every comparison was voted on or is open, in all and by rater. Not thread-safe."""

    def __init__(self, items: Iterable[Item], seed: int, sampling: Sampling = Sampling()) -> None:
        self._items = {item.comparison: item for item in items}
        self._seed = seed
        self._sampling = sampling
        self._load: Counter[str] = Counter()
        self._cells: dict[Cell, list[Item]] = defaultdict(list)
        for item in self._items.values():
            self._cells[item.cell].append(item)
        self._cell_load: Counter[Cell] = Counter(dict.fromkeys(self._cells, 0))
        self._raters: dict[str, _Rater] = defaultdict(_Rater)
        pairs = sorted({cell.pair for cell in self._cells})
        self._aim = _Aim(pairs, sampling) if _can_aim(pairs, sampling.goal) else None

    def take(self, rater: str, comparison: str, outcome: float | None = None) -> None:
        """Count a comparison as given to this rater: issued, or voted on, now or before a restart.

        `outcome` (0 to 1) is what `won` makes of the answers, once there are any; a later one replaces it.
        After a restart, votes have to be told in the order in which they were cast.
        """
        item = self._items.get(comparison)
        if item is None:
            return
        state = self._raters[rater]
        if comparison not in state.seen:
            state.seen.add(comparison)
            state.recent.append(item.case)
            state.shown[item.cell.pair] += 1
            self._count(item, +1)
        if self._aim is not None and outcome is not None:
            self._aim.learn((rater, comparison), item.cell.pair, outcome)

    def forget(self, rater: str, comparison: str) -> None:
        """A vote was taken back: its outcome counts no more, its comparison stays with the rater."""
        if self._aim is not None:
            self._aim.unlearn((rater, comparison))

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
        rng = random.Random(f"{self._seed}/{rater}/{state.shown.total()}")
        choice = self._choose(rng, state, spaced=True) or self._choose(rng, state, spaced=False)
        if choice is None:
            return None
        left = self._left(rater, choice.item.cell)
        self.take(rater, choice.item.comparison)
        return Pick(choice.item.comparison, left, choice.propensity, choice.pair_propensity)

    def _choose(self, rng: random.Random, state: _Rater, *, spaced: bool) -> _Choice | None:
        least = self._open_cells(state, spaced=spaced)
        if not least:
            return None
        if self._aim is not None and self._cell_load[least[0]] >= self._sampling.minimum:
            return self._aimed(rng, self._aim, state, spaced=spaced)
        cell = rng.choice(least)
        of_pair = sum(other.pair == cell.pair for other in least) / len(least)
        items = self._least(self._open_items(cell, state, spaced=spaced))
        return _Choice(rng.choice(items), 1.0 / (len(least) * len(items)), of_pair)

    def _aimed(self, rng: random.Random, aim: _Aim, state: _Rater, *, spaced: bool) -> _Choice:
        """A pair by its probability among those open to this rater; in it, category and case are balanced."""
        usable: dict[Pair, list[Cell]] = defaultdict(list)
        for cell in self._cells:
            if any(self._open_items(cell, state, spaced=spaced)):
                usable[cell.pair].append(cell)
        chances = aim.among(usable)
        pair = rng.choices(list(chances), list(chances.values()))[0]
        load = min(self._cell_load[cell] for cell in usable[pair])
        cells = [cell for cell in usable[pair] if self._cell_load[cell] == load]
        items = self._least(self._open_items(rng.choice(cells), state, spaced=spaced))
        return _Choice(rng.choice(items), chances[pair] / (len(cells) * len(items)), chances[pair])

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
        start = random.Random(f"{self._seed}/{rater}/{cell.pair}").randrange(2)
        return "a" if (start + self._raters[rater].shown[cell.pair]) % 2 == 0 else "b"

    def _count(self, item: Item, step: int) -> None:
        self._load[item.comparison] += step
        self._cell_load[item.cell] += step


class _Aim:
    """How likely each pair should come, for a goal and the votes so far.

    Votes count in batches of `Sampling.refit`, made of the votes that stand, in their order: the same votes
    lead to the same probabilities, whenever a study was opened in between and whatever was taken back.
    numpy and scipy are only loaded here.
    """

    def __init__(self, pairs: Sequence[Pair], sampling: Sampling) -> None:
        import numpy as np

        from evalkit.preference.pairing import pair_probabilities

        systems = sorted({system for pair in pairs for system in pair})
        index = {system: i for i, system in enumerate(systems)}
        self._sampling = sampling
        self._goal = _goal(sampling.goal, systems)
        self._places = {(a, b): (index[a], index[b]) for a, b in pairs}
        self._allowed = np.zeros((len(systems), len(systems)), dtype=np.bool_)
        self._allowed[tuple(zip(*self._places.values(), strict=True))] = True
        self._nothing = np.zeros((len(systems), len(systems)))
        self._votes: dict[tuple[str, str], tuple[Pair, float]] = {}
        self._probabilities: dict[Pair, float] = {}
        self._pair_probabilities = pair_probabilities

    def learn(self, vote: tuple[str, str], pair: Pair, outcome: float) -> None:
        """A ballot was answered: its first system won this share. What it said before counts no more."""
        if self._votes.get(vote) == (pair, outcome):
            return
        self.unlearn(vote)
        self._votes[vote] = pair, outcome
        if len(self._votes) % self._sampling.refit == 0:
            self._probabilities = {}

    def unlearn(self, vote: tuple[str, str]) -> None:
        """An answer was taken back."""
        if self._votes.pop(vote, None) is not None:
            self._probabilities = {}

    def among(self, usable: Iterable[Pair]) -> dict[Pair, float]:
        """Probabilities of these pairs, adding up to 1."""
        weights = {pair: self._all()[pair] for pair in usable}
        total = sum(weights.values())
        if total <= 0.0:
            return dict.fromkeys(weights, 1.0 / len(weights))
        return {pair: weight / total for pair, weight in weights.items()}

    def _all(self) -> Mapping[Pair, float]:
        if not self._probabilities:
            P = self._pair_probabilities(self._wins(), self._goal, self._allowed, self._sampling.uniform)
            self._probabilities = {pair: float(P[min(p), max(p)]) for pair, p in self._places.items()}
        return self._probabilities

    def _wins(self) -> Floats:
        """How often each system beat each other one, in the batches that are full."""
        wins = self._nothing.copy()
        settled = len(self._votes) // self._sampling.refit * self._sampling.refit
        for pair, outcome in islice(self._votes.values(), settled):
            a, b = self._places[pair]
            wins[a, b] += outcome
            wins[b, a] += 1.0 - outcome
        return wins


def _can_aim(pairs: Sequence[Pair], goal: str) -> bool:
    """Whether the goal can be pursued: not if nothing of the system that is to be placed can be shown."""
    placed = goal.partition(":")[2]
    return goal != BALANCED and bool(pairs) and (not placed or any(placed in pair for pair in pairs))


def _goal(goal: str, systems: Sequence[str]) -> Goal:
    """The goal among the systems that can still be shown, which may be fewer than the study has."""
    best = goal.removeprefix("top-")
    return read_goal(f"top-{min(int(best), len(systems) - 1)}" if best.isdecimal() else goal, systems)


def won(answers: Iterable[str], left: Side) -> float | None:
    """The share of a ballot's questions that system a won, ties and "both bad" half; None without answers.

    All questions count alike and a ballot is one vote, however many it asks.
    """
    worth = {"left": 1.0, "right": 0.0, "tie": 0.5, "both_bad": 0.5}
    shares = [worth[answer] for answer in answers if answer in worth]
    if not shares:
        return None
    share = sum(shares) / len(shares)
    return share if left == "a" else 1.0 - share


def check_goal(goal: str, systems: Sequence[str]) -> None:
    """Raise `UnknownName` or `UsageError` for a goal that a study of these systems cannot have."""
    kind, _, rest = goal.partition("-" if goal.startswith("top-") else ":")
    if kind == "new" and rest:
        if rest not in systems:
            raise UnknownName("system", rest, systems)
    elif kind == "top" and rest:
        if not (rest.isdecimal() and 1 <= int(rest) < len(systems)):
            raise UsageError(
                f"{goal!r} is no goal for {len(systems)} systems",
                f"Use top-1 to top-{len(systems) - 1}, or all.",
            )
    elif goal not in (BALANCED, "all"):
        raise UnknownName("goal", goal, GOALS)


def read_goal(goal: str, systems: Sequence[str]) -> Goal:
    """What a written goal asks of these systems; raises what `check_goal` does, and for "balanced"."""
    from evalkit.preference.pairing import All, Place, Top

    check_goal(goal, systems)
    if goal == "all":
        return All()
    if goal.startswith("top-"):
        return Top(int(goal.removeprefix("top-")))
    return Place(list(systems).index(goal.removeprefix("new:")))
