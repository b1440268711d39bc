"""How often shares that metrics have sharpened contain the truth, and how much shorter they are.

    python benchmarks/assisted.py [--simulations 1000] [--only NAME]

Each row simulates studies with a known truth: every prompt has its luck with every system (sd 0.8 logits),
every rater a taste (sd 0.6). A metric knows the luck with correlation `knows`. Prints how often the 95 %
interval of plain, assisted and *used* shares contains the truth, win rates and pairs of systems apart, and
the width of assisted intervals against plain ones beside sqrt(1 - rho^2 x unvoted).
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from scipy.special import expit

from evalkit.preference.assisted import Assisted, assisted_shares
from evalkit.preference.predictor import Labels, Population

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
TIES = 0.2


@dataclass(frozen=True)
class Study:
    """`share` of the comparisons is voted on, `votes` times each; or of the prompts, where `whole` is true.

    `knows` is the correlation of the metric with a prompt's luck, `bias` its preference for system 0 in
    standard deviations, `noise` how many useless metrics there are beside it. `unequal` asks likely upsets
    more often, with propensities known; `pictures` of each system are scored, the first is voted on.
    """

    name: str
    prompts: int = 100
    raters: int = 40
    systems: int = 4
    share: float = 0.25
    votes: int = 1
    knows: float = 0.6
    luck: float = 0.8
    taste: float = 0.6
    bias: float = 0.0
    noise: int = 0
    whole: bool = False
    unequal: bool = False
    pictures: int = 1


STUDIES = (
    *(Study(f"metric knows {k}", knows=k) for k in (0.0, 0.3, 0.6, 0.8)),
    *(Study(f"{n} prompts", prompts=n, share=s) for n, s in ((20, 0.9), (40, 0.5), (200, 0.25), (300, 0.5))),
    Study("40 prompts, useless metric", prompts=40, share=0.5, knows=0.0),
    Study("40 prompts, good metric", prompts=40, share=0.5, knows=0.8),
    Study("40 prompts, 20 useless metrics", prompts=40, share=0.5, knows=0.0, noise=20),
    Study("20 useless metrics beside", noise=20),
    Study("biased for one system", knows=0.8, bias=3.0),
    Study("biased and useless", knows=0.0, bias=3.0),
    Study("unequal chances", knows=0.8, unequal=True),
    Study("unequal chances, biased", knows=0.6, bias=3.0, unequal=True),
    Study("votes on 40 of 300 prompts", prompts=300, share=0.1334, whole=True),
    Study("votes on 25 of 300 prompts", prompts=300, share=0.0834, whole=True, knows=0.8),
    Study("the same, five votes each", prompts=300, share=0.1334, whole=True, votes=5, knows=0.8),
    Study("clear differences", luck=4.0, knows=0.9, share=0.1334, whole=True, prompts=300),
    Study("clear differences, scattered", luck=4.0, knows=0.9),
    Study("clear differences, 20 prompts", luck=4.0, knows=0.9, share=0.0667, whole=True, prompts=300),
    Study("clear differences, 5 raters", luck=4.0, knows=0.9, raters=5),
    Study("clear differences, unequal", luck=4.0, knows=0.9, unequal=True),
    Study("ten raters", raters=10),
    Study("six raters", raters=6, knows=0.8),
    Study("eight systems", systems=8, prompts=150, share=0.2),
    Study("one-sided pairs", systems=2, prompts=120, share=0.4, luck=0.8, knows=0.8),
    Study("four pictures of each", pictures=4, knows=0.8, share=0.5),
)


def drawn(study: Study, rng: np.random.Generator) -> tuple[Population, Labels]:
    """One study: its comparisons with metric gaps, and its votes."""
    shape = (study.prompts, study.systems, study.pictures)
    luck = rng.normal(size=shape)
    known = study.knows * luck + np.sqrt(1.0 - study.knows**2) * rng.normal(size=shape)
    known += skill(study)[:, None]
    known[:, 0] += study.bias
    scores = np.concatenate([known[..., None], rng.normal(size=(*shape, study.noise))], axis=-1)
    i, j = np.array(list(combinations(range(study.systems), 2))).T
    prompt, pair, picture = (a.ravel() for a in np.indices((study.prompts, i.size, study.pictures)))
    first, second = i[pair], j[pair]
    gaps = scores[prompt, first, picture] - scores[prompt, second, picture]
    mass = np.full(prompt.size, 1.0 / study.pictures)
    names = tuple(f"s{n}" for n in range(study.systems))
    population = Population(names, first, second, prompt, gaps, mass)
    chosen, weight = _chosen(study, rng, np.flatnonzero(picture == 0), prompt, gaps[:, 0])
    return population, _votes(study, rng, population, np.repeat(chosen, study.votes), luck[..., 0], weight)


def _chosen(
    study: Study, rng: np.random.Generator, askable: Ints, prompt: Ints, gap: Floats
) -> tuple[Ints, Floats]:
    """Comparisons that are voted on, and 1 / propensity of each."""
    if study.whole:
        count = round(study.share * study.prompts)
        kept = np.isin(prompt[askable], rng.permutation(study.prompts)[:count])
        return askable[kept], np.ones(int(kept.sum()))
    if not study.unequal:
        chosen = rng.permutation(askable)[: round(study.share * askable.size)]
        return chosen, np.ones(chosen.size)
    chance = np.exp(-1.0 * gap[askable] / gap.std())
    chance = np.clip(study.share * chance / chance.mean(), 0.05, 1.0)
    asked = rng.random(askable.size) < chance
    return askable[asked], 1.0 / chance[asked]


def _votes(
    study: Study, rng: np.random.Generator, population: Population, places: Ints, luck: Floats, weight: Floats
) -> Labels:
    first, second, prompt = (c[places] for c in (population.first, population.second, population.prompt))
    rater = rng.integers(study.raters, size=places.size)
    taste = study.taste * rng.normal(size=(study.raters, study.systems))
    better = skill(study) + study.luck * luck[prompt] + taste[rater]
    rows = np.arange(places.size)
    won = rng.random(places.size) < expit(better[rows, first] - better[rows, second])
    outcome = np.where(rng.random(places.size) < TIES, 0.5, won.astype(np.float64))
    return Labels(places, outcome, rater, np.repeat(weight, study.votes))


def skill(study: Study) -> Floats:
    return np.linspace(0.5, -0.5, study.systems) * (3.0 if study.name.startswith("one-sided") else 1.0)


def truth(study: Study) -> tuple[Floats, Floats]:
    """Win rates (K) and shares (P) that endless votes on endless prompts by endless raters would give."""
    nodes, weights = hermegauss(61)
    spread = np.sqrt(2.0 * (study.luck**2 + study.taste**2))
    gap = skill(study)[:, None] - skill(study)[None, :]
    share = (expit(gap[..., None] + spread * nodes) * weights).sum(axis=-1) / weights.sum()
    share = TIES / 2.0 + (1.0 - TIES) * share
    off = ~np.eye(study.systems, dtype=bool)
    pairs = np.array([share[i, j] for i, j in combinations(range(study.systems), 2)])
    return (share * off).sum(axis=1) / (study.systems - 1), pairs


@dataclass
class Tally:
    """Sums over simulated shares of one kind."""

    n: int = 0
    plain: int = 0
    assisted: int = 0
    tried: int = 0
    used: int = 0
    chosen: int = 0
    ratio: float = 0.0
    formula: float = 0.0
    rho: float = 0.0

    def add(self, found: Assisted, true: float) -> None:
        self.n += 1
        self.plain += _holds(found.plain, true)
        self.used += _holds(found.estimate, true)
        self.chosen += found.used == "assisted"
        if found.ratio is None:
            return
        self.tried += 1
        self.assisted += _holds(found.assisted, true)
        self.ratio += _width(found.assisted) / _width(found.plain)
        self.formula += float(np.sqrt(1.0 - (found.rho or 0.0) ** 2 * (found.unvoted or 0.0)))
        self.rho += found.rho or 0.0

    def line(self) -> str:
        tried = max(self.tried, 1)
        cells = (self.plain / self.n, self.assisted / tried, self.used / self.n, self.chosen / self.n)
        more = (self.rho / tried, self.ratio / tried, self.formula / tried)
        return " | ".join(f"{x:.3f}" for x in (*cells, *more))


def _holds(estimate: object, true: float) -> bool:
    low, high = getattr(estimate, "low", None), getattr(estimate, "high", None)
    return low is not None and high is not None and low <= true <= high


def _width(estimate: object) -> float:
    return float(getattr(estimate, "high", 0.0)) - float(getattr(estimate, "low", 0.0))


def simulated(study: Study, simulations: int, seed: int = 1) -> tuple[Tally, Tally]:
    """Tallies of win rates and of pairs."""
    rng, (rates, shares) = np.random.default_rng(seed), truth(study)
    of_systems, of_pairs = Tally(), Tally()
    for _ in range(simulations):
        found = assisted_shares(*drawn(study, rng))
        for line, true in zip(found.by_system, rates, strict=True):
            of_systems.add(line, float(true))
        for line, true in zip(found.by_pair, shares, strict=True):
            of_pairs.add(line, float(true))
    return of_systems, of_pairs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=1000)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    print_coverage(arguments.simulations, arguments.only)


def print_coverage(simulations: int, only: str = "") -> None:
    """Coverage and width, of win rates and of pairs."""
    print(f"{simulations} studies per row: coverage of plain, assisted, used\n")
    print("| study | of | plain | assisted | used | is assisted | rho | width | formula |")
    print("| --- |" + " --- |" * 8)
    for study in STUDIES:
        if only in study.name:
            for kind, tally in zip(("systems", "pairs"), simulated(study, simulations), strict=True):
                print(f"| {study.name} | {kind} | {tally.line()} |", flush=True)


if __name__ == "__main__":
    main()
