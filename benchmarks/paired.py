"""How often the intervals of paired differences contain the truth. Prints the tables of docs/refusals.md.

    python benchmarks/paired.py [--prompts 10 20 30 60] [--simulations N]

Where every prompt is asked once, nothing is drawn at random: the chances of everything that can happen are
added up, for ours and for the score interval of Tango (1998). Clusters and replicates are simulated.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, gammaln, logit, xlogy
from scipy.stats import norm

from evalkit.stats.paired import melded_interval, paired_difference

Floats = NDArray[np.float64]
Ends = Mapping[tuple[int, int], tuple[float, float]]
RATES = tuple(np.array([1e-4, 0.5, 1, 2, 3, 5, 8, 10, 15, 20, 25, 30, 40, 50, 60, 70, 80, 90, 95, 99]) / 100)
"""True shares of prompts that are newly refused, and of those newly allowed."""


@dataclass(frozen=True)
class Design:
    """`clusters` of `size` prompts asked `replicates` times. Refusal starts at `rate`, on the logit scale
    with a standard deviation of `spread` between clusters; a share `rise` of the clusters turns to refusing
    nine in ten that were allowed, a third as many the other way."""

    clusters: int
    size: int
    replicates: int
    rate: float
    rise: float
    spread: float


DESIGNS = (
    Design(60, 1, 3, 0.1, 0.1, 0.0),
    Design(60, 1, 3, 0.02, 0.02, 0.0),
    Design(20, 3, 1, 0.1, 0.1, 1.0),
    Design(20, 3, 1, 0.05, 0.05, 1.0),
    Design(20, 3, 3, 0.1, 0.1, 2.0),
    Design(30, 2, 1, 0.03, 0.03, 1.0),
    Design(8, 4, 2, 0.1, 0.2, 1.0),
    Design(5, 4, 1, 0.2, 0.3, 1.0),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--prompts", type=int, nargs="+", default=[10, 20, 30, 60])
    parser.add_argument("--simulations", type=int, default=400)
    asked = parser.parse_args()
    print("| prompts | ours, least | ours, mean | Tango's, least | Tango's, mean |")
    print("| --- | --- | --- | --- | --- |")
    for n in asked.prompts:
        found = [coverage(every(n, ends), n) for ends in (melded_interval, tango)]
        cells = " | ".join(f"{value:.3f}" for held in found for value in (held.min(), held.mean()))
        print(f"| {n} | {cells} |", flush=True)
    for design in DESIGNS:
        print(f"{simulated(design, asked.simulations):.3f}  {design}", flush=True)


def every(n: int, ends: Callable[[int, int, int], tuple[float, float]]) -> Ends:
    """The interval of everything that n pairs can do."""
    moves = ((rose, fell) for rose, fell in itertools.product(range(n + 1), repeat=2) if rose + fell <= n)
    return {(rose, fell): ends(rose, fell, n) for rose, fell in moves}


def coverage(ends: Ends, n: int) -> Floats:
    """The exact coverage for every pair of true rates."""
    rose, fell = (np.array([move[i] for move in ends], dtype=np.float64) for i in (0, 1))
    low, high = (np.array([end[i] for end in ends.values()]) for i in (0, 1))
    ways = gammaln(n + 1) - gammaln(rose + 1) - gammaln(fell + 1) - gammaln(n - rose - fell + 1)
    held = []
    for up, down in itertools.product(RATES, repeat=2):
        stay = 1.0 - up - down
        if stay > -1e-9:
            stays = xlogy(n - rose - fell, max(stay, 0.0))
            chances = np.exp(ways + xlogy(rose, up) + xlogy(fell, down) + stays)
            inside = (low - 1e-6 <= up - down) & (up - down <= high + 1e-6)
            held.append(float(chances[inside].sum()))
    return np.array(held)


def tango(rose: int, fell: int, n: int) -> tuple[float, float]:
    """The score interval of Tango (1998)."""
    return _tango_low(rose, fell, n), -_tango_low(fell, rose, n)


def _tango_low(rose: int, fell: int, n: int) -> float:
    low, high = -1.0, (rose - fell) / n
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(rose, fell, n, middle) > norm.ppf(0.975) else (low, middle)
    return high


def _score(rose: int, fell: int, n: int, difference: float) -> float:
    """How far what was seen is from a true difference, in standard errors under it."""
    b = -rose - fell + (2 * n - rose + fell) * difference
    c = -fell * difference * (1 - difference)
    down = (np.sqrt(max(b * b - 8 * n * c, 0.0)) - b) / (4 * n)
    variance = n * (2 * down + difference * (1 - difference))
    return float((rose - fell - n * difference) / np.sqrt(max(variance, 1e-12)))


def simulated(design: Design, simulations: int) -> float:
    """The share of simulated comparisons whose interval holds the truth."""
    rng, truth = np.random.default_rng(1), _truth(design)
    labels = list(np.arange(design.clusters).repeat(design.size))
    held = 0
    for _ in range(simulations):
        before, after = _rates(design, rng, design.clusters)
        old, new = (
            rng.binomial(design.replicates, rates.repeat(design.size)) / design.replicates
            for rates in (before, after)
        )
        found = paired_difference(old, new, labels).difference
        held += found.low is not None and found.high is not None and found.low <= truth <= found.high
    return held / simulations


def _rates(design: Design, rng: np.random.Generator, clusters: int) -> tuple[Floats, Floats]:
    before = expit(logit(design.rate) + design.spread * rng.normal(size=clusters))
    rises = rng.random(clusters) < design.rise
    falls = rng.random(clusters) < design.rise / 3
    after = np.where(rises, 1 - 0.1 * (1 - before), np.where(falls, 0.1 * before, before))
    return before, after


def _truth(design: Design) -> float:
    before, _ = _rates(design, np.random.default_rng(0), 2_000_000)
    up, down = design.rise, (1 - design.rise) * design.rise / 3
    return float((0.9 * up * (1 - before) - 0.9 * down * before).mean())


if __name__ == "__main__":
    main()
