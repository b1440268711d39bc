"""How often intervals contain the truth, by simulation. Prints the tables of the documentation.

    python benchmarks/coverage.py [means] [boards] [validity] [ranks] [stopping] [assisted] [--share 0.1]

means     means of metrics (docs/statistics.md)
boards    ratings from votes that share raters and prompts (docs/statistics.md)
validity  accuracy of a metric on votes (docs/validity.md)
ranks     rank ranges, of one system and of all (docs/statistics.md)
stopping  how often rules that are asked after every vote find what is not there (docs/planning.md)
assisted  shares of votes that metrics have sharpened (docs/assisted.md)

Each scenario draws data whose truth is known, makes the interval, and counts. The naive intervals beside ours
treat every value, or every vote, as independent.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import assisted
import numpy as np
import ranks
import stopping
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm, t

from evalkit.preference import Votes
from evalkit.preference.clustering import Pull, count_clusters, meats
from evalkit.preference.covariance import SHARINGS, pieces_of
from evalkit.preference.measured import fit_of
from evalkit.preference.models.bradley_terry import fit
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.tensor import tensor_of
from evalkit.stats import cluster_bootstrap_mean
from evalkit.stats.bootstrap import UNBOUNDED, Bounds
from evalkit.stats.twoway import Ints
from evalkit.stats.validity import Judgements, agreement, naive_interval

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, NDArray[np.int64], int], Floats]


@dataclass(frozen=True)
class Scenario:
    """`draw` gives one value per case from its cluster number; `truth` is their mean."""

    name: str
    truth: float
    draw: Draw
    bounds: Bounds = UNBOUNDED


def _normal(rng: np.random.Generator, label: NDArray[np.int64], groups: int) -> Floats:
    return np.asarray(rng.normal(size=groups)[label] + rng.normal(size=label.size))


def _skewed(rng: np.random.Generator, label: NDArray[np.int64], groups: int) -> Floats:
    return np.asarray(rng.gamma(2.0, size=groups)[label] + rng.exponential(size=label.size))


def _heavy(rng: np.random.Generator, label: NDArray[np.int64], groups: int) -> Floats:
    return np.asarray(np.exp(0.7 * rng.normal(size=groups))[label] + rng.exponential(size=label.size))


def _near_ceiling(rng: np.random.Generator, label: NDArray[np.int64], groups: int) -> Floats:
    return np.asarray(rng.beta(4.0, 1.0, size=groups)[label] * rng.beta(8.0, 1.0, size=label.size))


def _right_or_wrong(rate: float) -> Draw:
    def draw(rng: np.random.Generator, label: NDArray[np.int64], groups: int) -> Floats:
        chance = rng.beta(2.0 * rate, 2.0 * (1.0 - rate), size=groups)[label]
        return (rng.random(label.size) < chance).astype(np.float64)

    return draw


SCENARIOS = (
    Scenario("normal", 0.0, _normal),
    Scenario("skewed (gamma + exponential)", 3.0, _skewed),
    Scenario("heavy tail (lognormal + exponential)", float(np.exp(0.245)) + 1.0, _heavy),
    Scenario("0 to 1, near the ceiling", 0.8 * 8 / 9, _near_ceiling, (0.0, 1.0)),
    Scenario("right or wrong, 60 %", 0.6, _right_or_wrong(0.6), (0.0, 1.0)),
    Scenario("right or wrong, 90 %", 0.9, _right_or_wrong(0.9), (0.0, 1.0)),
)


def clusters(rng: np.random.Generator, groups: int) -> NDArray[np.int64]:
    """Cluster numbers of cases, with unequal sizes from 1 to 12 (mean about 2.8)."""
    return np.repeat(np.arange(groups), np.minimum(rng.geometric(0.35, size=groups), 12))


def mean_coverage(scenario: Scenario, groups: int, simulations: int) -> tuple[float, float]:
    """Coverage of the naive t interval and of ours."""
    rng = np.random.default_rng(groups)
    naive = ours = 0
    for _ in range(simulations):
        label = clusters(rng, groups)
        values = scenario.draw(rng, label, groups)
        estimate = cluster_bootstrap_mean(values, label, bounds=scenario.bounds)
        if estimate.low is not None and estimate.high is not None:
            ours += estimate.low <= scenario.truth <= estimate.high
        reach = t.ppf(0.975, values.size - 1) * values.std(ddof=1) / np.sqrt(values.size)
        naive += abs(values.mean() - scenario.truth) <= reach
    return naive / simulations, ours / simulations


@dataclass(frozen=True)
class Panel:
    """A vote study: `taste` and `luck` are standard deviations in logits, of raters and of pictures."""

    name: str
    raters: int
    cases: int
    votes: int
    taste: float
    luck: float


PANELS = (
    Panel("independent votes", 200, 100, 10_000, 0.0, 0.0),
    Panel("raters differ", 200, 100, 10_000, 0.6, 0.0),
    Panel("pictures differ", 200, 100, 10_000, 0.0, 0.8),
    Panel("both differ", 200, 100, 10_000, 0.6, 0.8),
    Panel("both differ, few", 50, 50, 5_000, 0.6, 0.8),
    Panel("both differ, many", 1000, 300, 100_000, 0.6, 0.8),
    Panel("both differ, very few", 15, 20, 1_000, 0.6, 0.8),
)
SYSTEMS = 10
TIES = 0.22


def draw_votes(panel: Panel, rng: np.random.Generator) -> Votes:
    """Votes of a study with equal spacing of the systems."""
    theta = np.linspace(-0.6, 0.6, SYSTEMS)
    left = rng.integers(SYSTEMS, size=panel.votes)
    right = (left + rng.integers(1, SYSTEMS, size=panel.votes)) % SYSTEMS
    case, rater = rng.integers(panel.cases, size=panel.votes), rng.integers(panel.raters, size=panel.votes)
    luck = panel.luck * rng.normal(size=(panel.cases, SYSTEMS))
    taste = panel.taste * rng.normal(size=(panel.raters, SYSTEMS))
    gap = theta[left] - theta[right] + luck[case, left] - luck[case, right]
    gap = gap + taste[rater, left] - taste[rater, right]
    answer = np.where(rng.random(panel.votes) < expit(gap), 0, 1)
    answer = np.where(rng.random(panel.votes) < TIES, 2, answer)
    return Votes(tuple("ABCDEFGHIJ"), left, right, answer, case, rater)


def true_theta(panel: Panel) -> Floats:
    """The abilities that endless votes of such a study would give (ties, tastes and luck shrink them).

    The mean of a logistic function of a normal variable is taken by Gauss-Hermite quadrature.
    """
    theta = np.linspace(-0.6, 0.6, SYSTEMS)
    points, mass = np.polynomial.hermite_e.hermegauss(80)
    spread = np.sqrt(2.0 * (panel.taste**2 + panel.luck**2))
    gap = theta[:, None] - theta[None, :]
    won = (expit(gap[..., None] + spread * points) * mass).sum(axis=-1) / mass.sum()
    wins = (1.0 - TIES) * won + TIES / 2.0
    np.fill_diagonal(wins, 0.0)
    return fit(wins).theta


def board_coverage(panel: Panel, simulations: int) -> tuple[Floats, float, float]:
    """Coverage of ratings by way of sharing; of neighbours' differences and mean error in Elo, two-way."""
    rng, truth = np.random.default_rng(panel.votes + panel.raters), true_theta(panel)
    inside, between, error = np.zeros(len(SHARINGS)), 0.0, 0.0
    for _ in range(simulations):
        votes = draw_votes(panel, rng)
        fitted = fit_of(tensor_of(votes))
        meat = meats(votes, [Pull(fitted.left, fitted.right, fitted.others)])[0]
        pieces = pieces_of(fitted.bread, meat, count_clusters(votes))
        off = fitted.theta - truth
        for i, sharing in enumerate(SHARINGS):
            known = pieces.shared(sharing)
            assert known is not None
            inside[i] += (np.abs(off) <= known.reach() * known.error).mean()
            if sharing == "two-way":
                gaps = [known.reach() * known.difference(k, k + 1) for k in range(SYSTEMS - 1)]
                between += (np.abs(np.diff(off)) <= gaps).mean()
                error += known.error.mean() * ELO_PER_LOGIT
    return inside / simulations, between / simulations, error / simulations


@dataclass(frozen=True)
class Jury:
    """A metric judged by votes. It agrees with a vote where a latent normal variable is above a threshold.

    `by_prompt`, `by_pair` and `by_rater` are the parts of the latent variance that votes on one prompt, votes
    on one pair, and votes of one rater share.
    """

    name: str
    prompts: int
    pairs: int
    votes: int
    raters: int
    accuracy: float
    by_prompt: float = 0.0
    by_pair: float = 0.0
    by_rater: float = 0.0


JURIES = (
    Jury("independent votes", 60, 5, 1, 200, 0.65),
    Jury("prompts differ", 60, 5, 1, 200, 0.65, 0.3),
    Jury("prompts differ, more votes", 60, 10, 1, 200, 0.65, 0.3),
    Jury("prompts differ a lot", 60, 10, 1, 200, 0.65, 0.5),
    Jury("few prompts", 20, 10, 1, 200, 0.65, 0.3),
    Jury("nearly always right", 60, 10, 1, 200, 0.9, 0.3),
    Jury("three votes on a pair", 60, 5, 3, 60, 0.65, 0.2, 0.2),
    Jury("raters differ", 60, 10, 1, 30, 0.65, 0.0, 0.0, 0.1),
    Jury("prompts and raters differ", 60, 10, 2, 20, 0.65, 0.2, 0.1, 0.1),
    Jury("prompts and raters differ, few raters", 60, 10, 2, 6, 0.65, 0.2, 0.1, 0.1),
)


def draw_judgements(jury: Jury, rng: np.random.Generator) -> tuple[Judgements, Floats]:
    """Votes, and the gaps of one metric whose true accuracy is `jury.accuracy`."""
    pairs = jury.prompts * jury.pairs
    pair = np.repeat(np.arange(pairs), jury.votes)
    prompt = pair // jury.pairs
    rater = _raters(jury, rng, pairs)
    own = 1.0 - jury.by_prompt - jury.by_pair - jury.by_rater
    latent = norm.ppf(jury.accuracy) + np.sqrt(own) * rng.normal(size=pair.size)
    latent += np.sqrt(jury.by_prompt) * rng.normal(size=jury.prompts)[prompt]
    latent += np.sqrt(jury.by_pair) * rng.normal(size=pairs)[pair]
    latent += np.sqrt(jury.by_rater) * rng.normal(size=jury.raters)[rater]
    side = rng.choice([-1.0, 1.0], size=pairs)
    answer = np.where(latent > 0, side[pair], -side[pair]).astype(np.int64)
    return Judgements(pair, prompt, rater, answer), side[:, None]


def _raters(jury: Jury, rng: np.random.Generator, pairs: int) -> Ints:
    """Different raters on each pair."""
    start = rng.integers(jury.raters, size=(pairs, 1))
    step = rng.integers(1, jury.raters // jury.votes + 1, size=(pairs, 1))
    return np.asarray((start + step * np.arange(jury.votes)) % jury.raters).ravel()


def validity_coverage(jury: Jury, simulations: int) -> tuple[float, float, float]:
    """Coverage of the naive binomial interval, of one that knows prompts only, and of ours."""
    rng, truth = np.random.default_rng(jury.prompts + jury.raters), jury.accuracy
    inside = np.zeros(3)
    for _ in range(simulations):
        votes, gaps = draw_judgements(jury, rng)
        alone = Judgements(votes.pair, votes.prompt, np.zeros_like(votes.rater), votes.answer)
        ours, prompts = (agreement(v, gaps, np.zeros(1, dtype=np.int64)).accuracy[0] for v in (votes, alone))
        ends = [naive_interval(ours.value or 0.0, votes.pair.size)]
        ends += [(e.low or 0.0, e.high or 1.0) for e in (prompts, ours)]
        inside += [low <= truth <= high for low, high in ends]
    naive, by_prompt, two_way = (inside / simulations).tolist()
    return naive, by_prompt, two_way


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="*", default=list(TABLES), metavar="|".join(TABLES))
    parser.add_argument("--share", type=float, default=1.0, help="of the simulations, for a quick look")
    arguments = parser.parse_args()
    for name in arguments.what:
        table, simulations = TABLES[name]
        table(max(round(simulations * arguments.share), 2))


def print_means(simulations: int) -> None:
    """Means of metrics."""
    print(f"Means, {simulations} simulations per cell: naive t / ours\n")
    sizes = (4, 8, 12, 30, 100)
    print("| data | " + " | ".join(f"{groups} clusters" for groups in sizes) + " |")
    print("| --- |" + " --- |" * len(sizes))
    for scenario in SCENARIOS:
        cells = [mean_coverage(scenario, groups, simulations) for groups in sizes]
        print(f"| {scenario.name} | " + " | ".join(f"{a:.3f} / {b:.3f}" for a, b in cells) + " |", flush=True)


def print_boards(simulations: int) -> None:
    """Ratings, by what votes are taken to share."""
    print(f"\nRatings of {SYSTEMS} systems, {simulations} studies per row\n")
    columns = ["single votes", "raters", "cases", "two-way", "two-way, neighbours", "two-way error, Elo"]
    print("| study | raters | cases | votes | " + " | ".join(columns) + " |")
    print("| --- |" + " --- |" * (3 + len(columns)))
    for panel in PANELS:
        inside, between, error = board_coverage(panel, simulations)
        by = dict(zip(SHARINGS, inside, strict=True))
        facts = f"{panel.name} | {panel.raters} | {panel.cases} | {panel.votes:,}"
        shown = " | ".join(f"{by[s]:.3f}" for s in ("votes", "rater", "case", "two-way"))
        print(f"| {facts} | {shown} | {between:.3f} | {error:.1f} |", flush=True)


def print_validity(simulations: int) -> None:
    """The table of docs/validity.md."""
    print(f"\nAccuracy of a metric, {simulations} studies per row\n")
    print("| study | prompts | pairs each | votes each | raters | naive | prompts only | ours |")
    print("| --- |" + " --- |" * 7)
    for jury in JURIES:
        naive, by_prompt, ours = validity_coverage(jury, simulations)
        facts = f"{jury.name} | {jury.prompts} | {jury.pairs} | {jury.votes} | {jury.raters}"
        print(f"| {facts} | {naive:.3f} | {by_prompt:.3f} | {ours:.3f} |", flush=True)


TABLES: dict[str, tuple[Callable[[int], None], int]] = {
    "means": (print_means, 2000),
    "boards": (print_boards, 1000),
    "validity": (print_validity, 1000),
    "ranks": (lambda boards: ranks.print_coverage(boards, 20, 20_000), 500),
    "stopping": (lambda studies: stopping.print_false_alarms(studies, 5000), 2000),
    "assisted": (assisted.print_coverage, 300),
}

if __name__ == "__main__":
    main()
