"""How far raters can be told apart by their votes, and what that is worth. Prints the tables of the docs.

    python benchmarks/raters.py [--simulations N] [--only ratings|anomalies|alpha|speed]

* ratings: error in Elo of the plain fit, of ours, and of an oracle that knows who is honest, where 40 % of
  300 raters are not (25 % click at random, 5 % left, 5 % right, 5 % are adversarial), of 12,000 votes;
* anomalies: how many honest raters are flagged, and how many of each kind of cheat;
* alpha: how often the interval of Krippendorff's alpha contains the truth;
* speed: seconds for 2,000 raters, 20 systems and a million votes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.raters.anomalies import anomalies
from evalkit.preference.raters.consistency import side_bias
from evalkit.preference.raters.meetings import meetings_of
from evalkit.preference.raters.reliability import UNCLEAR, reliability
from evalkit.preference.tensor import tensor_of
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE, Votes
from evalkit.stats.agreement import gwet_ac1, krippendorff_alpha, ratings_of_table

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
HONEST, RANDOM, LEFTIST, RIGHTIST, ADVERSARIAL, BOOSTER = range(6)
NAMES = ("honest", "random", "left", "right", "adversarial", "booster")
NU = 0.7
"""Ties between equals come at NU / (2 + NU): 26 %."""


@dataclass(frozen=True)
class World:
    """`systems` with abilities of standard deviation `spread` (logits); honest raters' tastes and tie habits
    have standard deviations `taste` and `habit`."""

    systems: int
    spread: float
    taste: float = 0.0
    habit: float = 0.0


RATINGS = tuple(
    World(systems, spread, taste, habit)
    for systems in (10, 20)
    for taste, habit in ((0.0, 0.0), (0.6, 0.8))
    for spread in (1.4, 1.0, 0.5)
)
ANOMALIES = (
    World(10, 1.0, 0.6, 0.8),
    World(20, 1.0, 0.6, 0.8),
    World(10, 0.5, 0.6, 0.8),
    World(10, 1.0, 0.0, 0.8),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--simulations", type=int, default=40)
    parser.add_argument("--only", choices=["ratings", "anomalies", "alpha", "speed"])
    asked = parser.parse_args()
    if asked.only in (None, "ratings"):
        heads = ("systems", "spread", "taste", "habit", "plain", "ours", "oracle", "ours / oracle")
        print("| " + " | ".join((*heads, "honest called bad", "bad named", "unclear")) + " |")
        print("|" + " --- |" * 11)
        for world in RATINGS:
            print(ratings_row(world, asked.simulations), flush=True)
    if asked.only in (None, "anomalies"):
        print("| systems | spread | taste | crowd | votes each | " + " | ".join(NAMES) + " |")
        print("|" + " --- |" * (5 + len(NAMES)))
        for world in ANOMALIES:
            for votes in (100, 200):
                for bad in (0.1, 0.4):
                    print(anomalies_row(world, votes, bad), flush=True)
    if asked.only in (None, "alpha"):
        print("| units | raters | alpha's interval holds it | that of AC1 |")
        print("| --- | --- | --- | --- |")
        for units, raters in ((12, 4), (30, 3), (100, 3)):
            print(coverage_row(units, raters, 10 * asked.simulations), flush=True)
    if asked.only in (None, "speed"):
        speed()


def simulated(world: World, kinds: Ints, rater: Ints, seed: int) -> tuple[Votes, Floats]:
    """One vote for each entry of `rater`, and the abilities."""
    rng = np.random.default_rng(seed)
    k, n, kind = world.systems, rater.size, kinds[rater]
    theta = world.spread * rng.normal(size=k)
    left = rng.integers(0, k, n)
    right = (left + rng.integers(1, k, n)) % k
    own = theta + world.taste * rng.normal(size=(kinds.size, k))
    d = np.where(kind == ADVERSARIAL, -1.0, 1.0) * (own[rater, left] - own[rater, right])
    nu = NU * np.exp(world.habit * rng.normal(size=kinds.size))[rater]
    u = rng.random(n) * (np.exp(d / 2) + np.exp(-d / 2) + nu)
    neither = np.where(rng.random(n) < 0.3, BOTH_BAD, TIE)
    answer = np.where(u < np.exp(d / 2), LEFT, np.where(u < np.exp(d / 2) + np.exp(-d / 2), RIGHT, neither))
    careless = rng.integers(0, 4, n)
    answer = np.where(kind == RANDOM, careless, answer)
    boosted = rng.integers(0, k, kinds.size)[rater]
    to_left = (kind == LEFTIST) | ((kind == BOOSTER) & (left == boosted))
    to_right = (kind == RIGHTIST) | ((kind == BOOSTER) & (right == boosted))
    slip = rng.random(n) < 0.04
    answer = np.where(to_left | to_right, np.where(slip, careless, np.where(to_left, LEFT, RIGHT)), answer)
    names = tuple(f"s{i}" for i in range(k))
    return Votes(names, left, right, answer, np.zeros(n, dtype=np.int64), rater), theta


def half_win_truth(world: World, theta: Floats) -> Floats:
    """What the half-win model comes to with endless votes of honest raters."""
    rng = np.random.default_rng(0)
    wins = np.zeros((theta.size, theta.size))
    for _ in range(1000 if world.taste or world.habit else 1):
        own = theta + world.taste * rng.normal(size=theta.size)
        nu = NU * np.exp(world.habit * rng.normal())
        up = np.exp((own[:, None] - own[None, :]) / 2)
        wins += (up + nu / 2) / (up + 1 / up + nu)
    np.fill_diagonal(wins, 0.0)
    return bt.fit(wins).theta


def ratings_row(world: World, simulations: int) -> str:
    kinds = np.repeat(np.arange(5), [180, 75, 15, 15, 15])
    errors, shares = [], []
    for seed in range(simulations):
        rng = np.random.default_rng([seed, 1])
        rater = np.concatenate([np.arange(300), rng.integers(0, 300, 11_700)])
        votes, theta = simulated(world, kinds, rater, seed)
        found, truth = reliability(votes), half_win_truth(world, theta)
        oracle = bt.fit(tensor_of(votes.where(kinds[rater] == HONEST)).wins).theta
        fits = (found.everyone.theta, found.trusted.theta, oracle)
        errors.append([ELO_PER_LOGIT * np.sqrt(np.mean((fit - truth) ** 2)) for fit in fits])
        named = np.array(found.named)
        bad = ~np.isin(named, (NAMES[HONEST], UNCLEAR))
        shares.append([bad[kinds == HONEST].mean(), bad[kinds != HONEST].mean(), (named == UNCLEAR).mean()])
    plain, ours, best = np.mean(errors, axis=0)
    called = " | ".join(f"{100 * share:.1f} %" for share in np.mean(shares, axis=0))
    head = f"| {world.systems} | {world.spread} | {world.taste} | {world.habit} "
    return head + f"| {plain:.1f} | {ours:.2f} | {best:.2f} | {ours / best:.3f} | {called} |"


def anomalies_row(world: World, each: int, bad: float) -> str:
    """Shares flagged at e >= 100, over 5 boards of 500 honest raters and cheats of every kind."""
    cheats = round(500 * bad / (1 - bad) / 5)
    kinds = np.concatenate([np.zeros(500, dtype=np.int64), np.arange(1, 6).repeat(cheats)])
    found = []
    for seed in range(5):
        votes, _ = simulated(world, kinds, np.arange(kinds.size).repeat(each), seed)
        trust = reliability(votes).honest if bad > 0.2 else None
        flagged = anomalies(votes, trust=trust).log_e >= np.log(100)
        found.append([flagged[kinds == kind].mean() for kind in range(6)])
    shares = " | ".join(f"{100 * share:.2f} %" for share in np.mean(found, axis=0))
    crowd = f"{bad:.0%} bad" + (", weighted by trust" if bad > 0.2 else "")
    return f"| {world.systems} | {world.spread} | {world.taste} | {crowd} | {each} | {shares} |"


def coverage_row(units: int, raters: int, simulations: int) -> str:
    rng = np.random.default_rng(0)

    def table(n: int) -> Floats:
        truth = rng.integers(0, 3, (n, 1))
        found = np.where(rng.random((n, raters)) < 0.75, truth, rng.integers(0, 3, (n, raters))).astype(
            np.float64
        )
        found[rng.random((n, raters)) < 0.2] = np.nan
        return found

    large = ratings_of_table(table(200_000))
    truths = [krippendorff_alpha(large).estimate.value or 0.0, gwet_ac1(large).estimate.value or 0.0]
    held = np.zeros((simulations, 2))
    for i in range(simulations):
        ratings = ratings_of_table(table(units))
        for j, found in enumerate((krippendorff_alpha(ratings).estimate, gwet_ac1(ratings).estimate)):
            held[i, j] = found.low is None or found.high is None or found.low <= truths[j] <= found.high
    return f"| {units} | {raters} | {held[:, 0].mean():.3f} | {held[:, 1].mean():.3f} |"


def speed() -> None:
    rng = np.random.default_rng(0)
    kinds = rng.choice(6, size=2000, p=[0.8, 0.1, 0.02, 0.02, 0.03, 0.03])
    votes, _ = simulated(World(20, 0.7, 0.6, 0.8), kinds, rng.integers(0, 2000, 1_000_000), 0)
    tasks: dict[str, Callable[[Votes], object]] = {
        "counts per rater and pair": meetings_of,
        "latent classes": reliability,
        "e-values": anomalies,
        "side bias": side_bias,
    }
    for name, task in tasks.items():
        wall, cpu = time.perf_counter(), time.process_time()
        task(votes)
        print(
            f"{name}: {time.perf_counter() - wall:.2f} s, {time.process_time() - cpu:.2f} s of CPU",
            flush=True,
        )


if __name__ == "__main__":
    main()
