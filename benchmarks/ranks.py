"""How often rank ranges hold the true rank, how wide they are, and what they cost. Prints three tables.

    python benchmarks/ranks.py [--boards N] [--systems K] [--votes N]

Votes of the first table are drawn by Davidson's model with about 22 % ties and rated with ties as half a
win. The second is the hardest case: systems that are all equal, known from few clusters. Widths count ranks.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.ranks import RankOptions, overlap_ranges, quick_ranges, rank_ranges
from evalkit.preference.votes import Floats, Ints

SPREAD = 0.35
"""Standard deviation of abilities, in logits."""
NU = 0.6
"""Davidson's tie parameter."""


@dataclass(frozen=True)
class World:
    """True ranks, and ratings with their covariance as estimated from votes."""

    true: Ints
    theta: Floats
    V: Floats


def draw_world(rng: np.random.Generator, systems: int, votes: int) -> World:
    """Votes on pairs met unequally often; the covariance is the sandwich of independent votes."""
    ability = rng.normal(0.0, SPREAD, systems)
    i, j = np.triu_indices(systems, 1)
    games = rng.multinomial(votes, rng.dirichlet(np.full(i.size, 4.0)))
    strength = np.exp(ability)
    tie = NU * np.sqrt(strength[i] * strength[j])
    total = strength[i] + strength[j] + tie
    counts = rng.multinomial(games, np.stack([strength[i], strength[j], tie], axis=1) / total[:, None])
    wins = np.zeros((systems, systems))
    wins[i, j], wins[j, i] = counts[:, 0] + counts[:, 2] / 2, counts[:, 1] + counts[:, 2] / 2
    theta = bt.fit(wins).theta
    p = 1.0 / (1.0 + np.exp(theta[j] - theta[i]))
    squares = np.zeros((systems, systems))
    squares[i, j] = counts[:, 0] * (1 - p) ** 2 + counts[:, 1] * p**2 + counts[:, 2] * (0.5 - p) ** 2
    squares += squares.T
    bread = bt.inverse_information(theta, wins)
    true = 1 + (ability[None, :] > ability[:, None]).sum(axis=1)
    return World(true, theta, bread @ (np.diag(squares.sum(axis=1)) - squares) @ bread)


def uncorrected(theta: Floats, V: Floats) -> tuple[Ints, Ints]:
    """Each pair tested on its own at 5 %."""
    error = np.sqrt(np.diag(V)[:, None] + np.diag(V) - 2 * V + np.eye(theta.size))
    apart = (theta[:, None] - theta[None, :]) / error > norm.isf(0.025)
    return 1 + apart.sum(axis=0), theta.size - apart.sum(axis=1)


def ranges_by_rule(world: World) -> dict[str, tuple[Ints, Ints]]:
    """Lowest and highest ranks of one board by each rule."""
    reach = norm.isf(0.025) * np.sqrt(np.diag(world.V))
    one = rank_ranges(world.theta, world.V)
    every = rank_ranges(world.theta, world.V, options=RankOptions(kind="simultaneous"))
    return {
        "each system (default)": (one.low, one.high),
        "all at once": (every.low, every.high),
        "each system, without draws": quick_ranges(world.theta, world.V),
        "overlap of intervals (LMArena)": overlap_ranges(world.theta - reach, world.theta + reach),
        "pairs, uncorrected": uncorrected(world.theta, world.V),
    }


def print_coverage(boards: int, systems: int, votes: int) -> None:
    """Share of ranks held, of boards on which all are, and mean number of ranks in a range."""
    rng = np.random.default_rng(1)
    held: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(boards):
        world = draw_world(rng, systems, votes)
        for rule, (low, high) in ranges_by_rule(world).items():
            inside = (low <= world.true) & (world.true <= high)
            row = float(inside.mean()), float(inside.all()), float((high - low + 1).mean())
            held.setdefault(rule, []).append(row)
    print(f"{systems} systems, {votes:,} votes, {boards} boards\n")
    print("| rule | a system's rank | all ranks of a board | ranks in a range |\n| --- | --- | --- | --- |")
    for rule, rows in held.items():
        each, all_, width = np.mean(np.array(rows, dtype=np.float64), axis=0)
        print(f"| {rule} | {each:.3f} | {all_:.3f} | {width:.2f} |", flush=True)


def print_few_clusters(boards: int) -> None:
    """Eight equal systems, each cluster a noisy rating of all: how often ranges hold all ranks, 1 to 8."""
    rng, systems = np.random.default_rng(2), 8
    print("\n| clusters | each: normal | each: Student | all at once: normal | all at once: Student |")
    print("| --- |" + " --- |" * 4)
    for clusters in (6, 12, 24, 60, 201):
        held = np.zeros(4)
        for _ in range(boards):
            ratings = rng.normal(size=(clusters, systems))
            theta, V = ratings.mean(axis=0), np.cov(ratings, rowvar=False) / clusters
            held += [share for options in _KINDS for share in _held(theta, V, clusters, options)]
        print(f"| {clusters} | " + " | ".join(f"{share:.3f}" for share in held / boards) + " |", flush=True)


_KINDS = (RankOptions(draws=4000), RankOptions(kind="simultaneous", draws=4000))


def _held(theta: Floats, V: Floats, clusters: int, options: RankOptions) -> list[float]:
    held = []
    for freedom in (np.inf, clusters - 1.0):
        found = rank_ranges(theta, V, freedom, options)
        inside = (found.low == 1) & (found.high == theta.size)
        held.append(float(inside.mean() if options.kind == "marginal" else inside.all()))
    return held


def print_costs() -> None:
    """CPU milliseconds, best of five; the last column is a first call."""
    print("\nCPU milliseconds\n\n| systems | each system | all at once | each system, without draws |")
    print("| --- | --- | --- | --- |")
    for systems, votes in ((10, 3000), (20, 20_000), (50, 100_000), (129, 1_000_000)):
        world = draw_world(np.random.default_rng(3), systems, votes)
        options = RankOptions(), RankOptions(kind="simultaneous")
        costs = [_milliseconds(world, each) for each in options]
        start = time.thread_time()
        quick_ranges(world.theta, world.V)
        again = (time.thread_time() - start) * 1000
        print(f"| {systems} | {costs[0]:.0f} | {costs[1]:.0f} | {again:.2f} |", flush=True)


def _milliseconds(world: World, options: RankOptions) -> float:
    taken = []
    for _ in range(5):
        start = time.thread_time()
        rank_ranges(world.theta, world.V, options=options)
        taken.append(time.thread_time() - start)
    return 1000 * min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--boards", type=int, default=500)
    parser.add_argument("--systems", type=int, default=20)
    parser.add_argument("--votes", type=int, default=20_000)
    arguments = parser.parse_args()
    print_coverage(arguments.boards, arguments.systems, arguments.votes)
    print_few_clusters(arguments.boards)
    print_costs()


if __name__ == "__main__":
    main()
