"""What choosing pairs for a goal saves, and what it costs. Prints four tables.

    python benchmarks/pairing.py [--worlds N] [--studies N]

1. Ranks: 20 systems, about 22 % ties; mean number of ranks in the ranges of all, and of the true best five.
2. Placing: one new system among 19 known ones; votes until its rating is as well known as the others.
3. Weighting: systems that no single scale describes; how far ratings are from those of evenly spread votes.
4. CPU time to pick a comparison.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from collections.abc import Callable
from itertools import combinations

import numpy as np

from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.pairing import All, Goal, Place, Top, arena_probabilities, pair_probabilities
from evalkit.preference.ranks import RankOptions, rank_ranges
from evalkit.preference.votes import Floats, Ints
from evalkit.study.sampling import Board, Cell, Item, Sampling

SYSTEMS = 20
MARKS = (5_000, 10_000, 15_000, 20_000)
BATCH = 50
"""Votes between two fits."""
FIRST = 4
"""Votes on every pair before a rule begins."""
Rule = Callable[[Floats], Floats]


def evenly(wins: Floats) -> Floats:
    upper = np.triu(np.ones_like(wins), 1)
    return np.asarray(upper / upper.sum())


def aimed(goal: Goal) -> Rule:
    return lambda wins: pair_probabilities(wins, goal)


class World:
    """Davidson's model with 22 % ties: votes on pairs, and what is known from them."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        ability = np.sort(self.rng.normal(0.0, 0.35, SYSTEMS))[::-1]
        self.i, self.j = np.triu_indices(SYSTEMS, 1)
        strength = np.exp(ability)
        tie = 0.6 * np.sqrt(strength[self.i] * strength[self.j])
        answers = np.stack([strength[self.i], strength[self.j], tie], axis=1)
        self.chances = answers / answers.sum(axis=1, keepdims=True)
        self.counts = np.zeros((self.i.size, 3))

    @property
    def wins(self) -> Floats:
        wins = np.zeros((SYSTEMS, SYSTEMS))
        wins[self.i, self.j] = self.counts[:, 0] + self.counts[:, 2] / 2
        wins[self.j, self.i] = self.counts[:, 1] + self.counts[:, 2] / 2
        return wins

    def vote(self, games: Ints) -> None:
        self.counts += self.rng.multinomial(games, self.chances)

    def widths(self) -> tuple[float, float]:
        """Mean number of ranks in a range: of all systems, and of the best five."""
        wins = self.wins
        theta = bt.fit(wins).theta
        p = 1.0 / (1.0 + np.exp(theta[self.j] - theta[self.i]))
        squares = np.zeros((SYSTEMS, SYSTEMS))
        squares[self.i, self.j] = (self.counts * np.stack([1 - p, p, 0.5 - p], axis=1) ** 2).sum(axis=1)
        squares += squares.T
        bread = bt.inverse_information(theta, wins)
        V = bread @ (np.diag(squares.sum(axis=1)) - squares) @ bread
        found = rank_ranges(theta, V, options=RankOptions(draws=4000))
        width = found.high - found.low + 1
        return float(width.mean()), float(width[:5].mean())


def run(rule: Rule, seed: int) -> Floats:
    """Widths (marks, 2) of one world."""
    world, rows = World(seed), []
    world.vote(np.full(world.i.size, FIRST))
    votes = FIRST * world.i.size
    for mark in MARKS:
        while votes < mark:
            chances = rule(world.wins)[world.i, world.j]
            world.vote(world.rng.multinomial(BATCH, chances / chances.sum()))
            votes += BATCH
        rows.append(world.widths())
    return np.array(rows)


def print_widths(worlds: int) -> None:
    rules = {
        "all pairs alike": evenly,
        "LMArena's rule": arena_probabilities,
        "goal: all": aimed(All()),
        "goal: top-5": aimed(Top(5)),
    }
    found = {
        name: np.mean([run(rule, seed) for seed in range(worlds)], axis=0) for name, rule in rules.items()
    }
    print(f"{SYSTEMS} systems, {worlds} worlds: ranks in a range, all / best five\n")
    print("| pairs | " + " | ".join(f"{mark:,} votes" for mark in MARKS) + " |")
    print("| --- |" + " --- |" * len(MARKS))
    for name, table in found.items():
        print(f"| {name} | " + " | ".join(f"{every:.2f} / {five:.2f}" for every, five in table) + " |")
    alike, top = found["all pairs alike"][:, 1], found["goal: top-5"][:, 1]
    for mark, width in zip(MARKS[1:], alike[1:], strict=True):
        needed = math.exp(np.interp(-width, -top, np.log(MARKS)))
        print(f"Best five as after {mark:,} even votes: {needed:,.0f} aimed, {1 - needed / mark:.0%} saved")


def print_placing() -> None:
    """Expected information, so no noise: known pairs have `games` votes each, the new system none."""
    theta = np.random.default_rng(5).normal(0.0, 0.35, SYSTEMS)
    chances = 1.0 / (1.0 + np.exp(theta[None, :] - theta[:, None]))
    print("\n| votes on each known pair | all pairs alike | goal: new:SYSTEM | ratio |")
    print("| --- | --- | --- | --- |")
    for games in (20, 50, 100):
        met = np.full((SYSTEMS, SYSTEMS), float(games))
        np.fill_diagonal(met, 0.0)
        wanted = bt.inverse_information(theta, met * chances)[0, 0]
        met[0, :] = met[:, 0] = 0.0
        met[0, 1] = met[1, 0] = 1.0
        even, goal = (_placed(met, chances, theta, wanted, rule) for rule in (evenly, aimed(Place(0))))
        print(f"| {games} | {even:,} | {goal:,} | {even / goal:.1f} |")


def _placed(met: Floats, chances: Floats, theta: Floats, wanted: float, rule: Rule) -> int:
    met, votes = met.copy(), 0
    while bt.inverse_information(theta, met * chances)[0, 0] > wanted:
        P = rule(met * chances)
        met += 10 * (P + P.T)
        votes += 10
    return votes


def comparisons(systems: tuple[str, ...], cases: int, categories: int) -> dict[str, Item]:
    found = (
        Item(f"{number}/{a}/{b}", ("s", str(number)), Cell(f"c{number % categories}", a, b))
        for number in range(cases)
        for a, b in combinations(systems, 2)
    )
    return {item.comparison: item for item in found}


def print_weighting(studies: int) -> None:
    """Six systems, some pairs of which go against the scale; goal top-2, 3,000 votes through the sampler."""
    names = tuple("abcdef")
    rng = np.random.default_rng(8)
    gap = np.subtract.outer(*(2 * [rng.normal(0.0, 0.4, len(names))])) + _antisymmetric(rng, len(names))
    chances = 1.0 / (1.0 + np.exp(-gap))
    np.fill_diagonal(chances, 0.0)
    truth = bt.fit(chances).theta
    plain, weighted = np.array([_study(names, chances, seed) for seed in range(studies)]).swapaxes(0, 1)
    print("\n| votes weighted by | largest bias of a rating (Elo) | standard error of that |")
    print("| --- | --- | --- |")
    for name, ratings in (("nothing", plain), ("1 / probability of their pair", weighted)):
        off = ELO_PER_LOGIT * (ratings.mean(axis=0) - truth)
        worst = int(np.abs(off).argmax())
        error = ELO_PER_LOGIT * ratings[:, worst].std(ddof=1) / math.sqrt(studies)
        print(f"| {name} | {abs(off[worst]):.1f} | {error:.1f} |")


def _antisymmetric(rng: np.random.Generator, size: int) -> Floats:
    A = np.triu(rng.normal(0.0, 0.6, (size, size)), 1)
    return np.asarray(A - A.T)


def _study(names: tuple[str, ...], chances: Floats, seed: int) -> tuple[Floats, Floats]:
    everything = comparisons(names, 60, 2)
    board, rng = Board(everything.values(), seed, Sampling(goal="top-2", refit=50)), random.Random(seed)
    wins, weighted = np.zeros_like(chances), np.zeros_like(chances)
    for step in range(3000):
        pick = board.pick(f"r{step % 100}")
        assert pick is not None
        a, b = (names.index(name) for name in everything[pick.comparison].cell.pair)
        outcome = float(rng.random() < chances[a, b])
        board.take(f"r{step % 100}", pick.comparison, outcome)
        for table, weight in ((wins, 1.0), (weighted, 1.0 / pick.pair_propensity)):
            table[a, b] += weight * outcome
            table[b, a] += weight * (1.0 - outcome)
    return bt.fit(wins).theta, bt.fit(weighted).theta


def print_times(systems: int = 10, cases: int = 200, votes: int = 4000) -> None:
    names = tuple(f"s{number}" for number in range(systems))
    everything = comparisons(names, cases, 4)
    print(f"\n{systems} systems, {cases} cases: CPU milliseconds to pick, fits included\n")
    print("| goal | median | 95th percentile | longest |\n| --- | --- | --- | --- |")
    for goal in ("balanced", "all", "top-5", "new:s3"):
        board, rng, taken = Board(everything.values(), 0, Sampling(goal=goal)), random.Random(0), []
        for step in range(votes):
            start = time.thread_time()
            pick = board.pick(f"r{step % 40}")
            taken.append(1000 * (time.thread_time() - start))
            assert pick is not None
            board.take(f"r{step % 40}", pick.comparison, float(rng.random() < 0.5))
        median, late = np.percentile(taken, (50, 95))
        print(f"| {goal} | {median:.2f} | {late:.2f} | {max(taken):.1f} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--studies", type=int, default=60)
    arguments = parser.parse_args()
    print_widths(arguments.worlds)
    print_placing()
    print_weighting(arguments.studies)
    print_times()


if __name__ == "__main__":
    main()
