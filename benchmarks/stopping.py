"""Stopping rules that are looked at after every vote: false alarms, and the price in votes. Prints tables.

    python benchmarks/stopping.py [--studies N] [--votes N]

Two models of equal worth are compared in simulated studies, and every rule is asked after each vote; a rule
that ever finds a difference has raised a false alarm. Then the models differ, and what counts is how many
votes a rule takes. The tables are in docs/planning.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

from evalkit.preference import Votes
from evalkit.preference.clustering import Pull, count_clusters, meats
from evalkit.preference.covariance import Covariance, pieces_of
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.stopping import PairVerdict, StopRule, board_verdicts
from evalkit.preference.tensor import tensor_of
from evalkit.stats.power import decisive_votes
from evalkit.stats.sequential import (
    GENERAL,
    SMALL,
    USUAL,
    asymptotic_log_e,
    block_process,
    closed_blocks,
    log_e_of_counts,
    tuned_to,
    weaker,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
ALPHA = 0.05
BATCH = 250
"""Studies drawn at once."""
FIRST = 20
"""Votes before the first look of the rules that trust the normal distribution."""


@dataclass(frozen=True)
class Panel:
    """Who votes on what. `taste` and `luck` are standard deviations in logits.

    They are those of one model's worth to one rater, and on one prompt; a difference between two models has
    the square root of two times that.
    """

    name: str
    raters: int
    prompts: int
    taste: float
    luck: float


PANELS = (
    Panel("independent votes", 200, 200, 0.0, 0.0),
    Panel("raters differ", 100, 200, 0.6, 0.0),
    Panel("prompts differ", 200, 100, 0.0, 0.8),
    Panel("both differ", 100, 100, 0.6, 0.8),
    Panel("both differ, small", 30, 40, 0.6, 0.8),
)


@dataclass(frozen=True)
class Drawn:
    """S studies of n votes that decide: `sign` (S, n) is 1 or -1; `rater` and `prompt` (S, n)."""

    sign: Floats
    rater: Ints
    prompt: Ints


def draw(panel: Panel, share: float, studies: int, votes: int, rng: np.random.Generator) -> Drawn:
    """Studies in which one model wins `share` of the votes of all raters and prompts there might be."""
    shape = (studies, votes)
    rater, prompt = rng.integers(panel.raters, size=shape), rng.integers(panel.prompts, size=shape)
    taste = np.sqrt(2.0) * panel.taste * rng.normal(size=(studies, panel.raters))
    luck = np.sqrt(2.0) * panel.luck * rng.normal(size=(studies, panel.prompts))
    gap = np.take_along_axis(taste, rater, 1) + np.take_along_axis(luck, prompt, 1)
    won = rng.random(shape) < expit(gap + centre(panel, share))
    return Drawn(np.where(won, 1.0, -1.0), rater, prompt)


def centre(panel: Panel, share: float) -> float:
    """The gap in logits with which the share over all raters and prompts is `share`."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    spread = np.sqrt(2.0 * (panel.taste**2 + panel.luck**2))
    low, high = 0.0, 10.0 * float(logit(share)) + 1e-9
    for _ in range(60):
        middle = (low + high) / 2.0
        here = float((expit(middle + spread * nodes) * weights).sum() / weights.sum())
        low, high = (middle, high) if here < share else (low, middle)
    return low if share > 0.5 else 0.0


# ------------------------------------------------------------- rules: the vote at which each stops


Rule = Callable[[Drawn], Ints]
NEVER = np.iinfo(np.int64).max


def first_true(crossed: NDArray[np.bool_]) -> Ints:
    """How many votes until the first look (S, n) that crosses; NEVER where none does."""
    return np.where(crossed.any(axis=1), crossed.argmax(axis=1) + 1, NEVER)


def z_test(drawn: Drawn) -> Ints:
    n = np.arange(1, drawn.sign.shape[1] + 1)
    crossed = np.abs(np.cumsum(drawn.sign, axis=1)) / np.sqrt(n) > norm.isf(ALPHA / 2.0)
    return first_true(crossed & (n >= FIRST))


def per_vote(prior: float) -> Rule:
    def rule(drawn: Drawn) -> Ints:
        wins, losses = (np.cumsum(drawn.sign == side, axis=1) for side in (1, -1))
        return first_true(log_e_of_counts(wins, losses, prior) >= -np.log(ALPHA))

    return rule


def per_block(by: str, size: int) -> Rule:
    """Blocks of a rater's or a prompt's first `size` votes, or the weaker of both."""

    def one(sign: Floats, rater: Ints, prompt: Ints) -> int:
        labels = {"rater": [rater], "prompt": [prompt], "weaker": [rater, prompt]}[by]
        found = [block_process(closed_blocks(sign, label, size), GENERAL) for label in labels]
        return (found[0] if len(found) == 1 else weaker(*found)).stop(ALPHA) or NEVER

    return lambda drawn: np.array(
        [one(*study) for study in zip(drawn.sign, drawn.rater, drawn.prompt, strict=True)]
    )


class Sums:
    """Running sums over the clusters of S studies, and the variance of a mean they imply."""

    def __init__(self, studies: int, groups: int) -> None:
        self._row = np.arange(studies)
        self._sum, self._count = np.zeros((studies, groups)), np.zeros((studies, groups))
        self._squares, self._cross, self._groups, self.mass = (np.zeros(studies) for _ in range(4))

    def add(self, label: Ints, sign: Floats) -> None:
        s, c = self._sum[self._row, label], self._count[self._row, label]
        self._squares += 2.0 * s * sign + sign**2
        self._cross += s + c * sign + sign
        self.mass += 2.0 * c + 1.0
        self._groups += c == 0
        self._sum[self._row, label] += sign
        self._count[self._row, label] += 1.0

    def variance(self, mean: Floats, n: int, grown: bool = True) -> Floats:
        factor = self._groups / np.maximum(self._groups - 1.0, 1.0) if grown else 1.0
        return np.asarray(factor * (self._squares - 2 * mean * self._cross + mean**2 * self.mass) / n**2)


def two_way(expected: float, few: float = 20.0) -> Rule:
    """The confidence sequence on the two-way variance, first looked at with `few` effective clusters each."""
    rho = tuned_to(expected, ALPHA)

    def rule(drawn: Drawn) -> Ints:
        studies, votes = drawn.sign.shape
        raters, prompts = int(drawn.rater.max()) + 1, int(drawn.prompt.max()) + 1
        sums = [Sums(studies, groups) for groups in (raters, prompts, raters * prompts)]
        cell = drawn.rater * prompts + drawn.prompt
        total, stopped = np.zeros(studies), np.full(studies, NEVER)
        for i in range(votes):
            total += drawn.sign[:, i]
            for one, label in zip(sums, (drawn.rater, drawn.prompt, cell), strict=True):
                one.add(label[:, i], drawn.sign[:, i])
            n = i + 1
            mean = total / n
            by_rater, by_prompt = (one.variance(mean, n) for one in sums[:2])
            V = by_rater + by_prompt - sums[2].variance(mean, n, grown=False)
            V = np.maximum.reduce([V, by_rater, by_prompt])
            clusters = n**2 / np.maximum(sums[0].mass, sums[1].mass)
            found = asymptotic_log_e(mean, V, rho, np.maximum(clusters - 1.0, 1.0)) >= -np.log(ALPHA)
            stopped = np.where(found & (clusters >= few) & (stopped == NEVER), n, stopped)
        return stopped

    return rule


# ------------------------------------------------------------- tables


RULES: dict[str, Rule] = {
    "z test": z_test,
    "e, Beta(1/2, 1/2)": per_vote(GENERAL),
    "e, Beta(10, 10)": per_vote(USUAL),
    "e, Beta(50, 50)": per_vote(SMALL),
    "rater blocks of 5": per_block("rater", 5),
    "prompt blocks of 5": per_block("prompt", 5),
    "weaker of 5": per_block("weaker", 5),
    "rater blocks of 20": per_block("rater", 20),
    "prompt blocks of 20": per_block("prompt", 20),
    "weaker of 20": per_block("weaker", 20),
    "two-way sequence": two_way(0.2),
}


def stops(panel: Panel, share: float, studies: int, votes: int) -> dict[str, Ints]:
    """When each rule stops in each of many studies."""
    rng = np.random.default_rng(1)
    found: dict[str, list[Ints]] = {name: [] for name in RULES}
    for _ in range(max(studies // BATCH, 1)):
        drawn = draw(panel, share, min(BATCH, studies), votes, rng)
        for name, rule in RULES.items():
            found[name].append(rule(drawn))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def print_false_alarms(studies: int, votes: int) -> None:
    """How often each rule finds a difference that is not there."""
    print(f"Found although equal, by vote {votes:,}, a look after every vote, {studies:,} studies per row\n")
    print("| study | raters | prompts | " + " | ".join(RULES) + " |")
    print("| --- |" + " --- |" * (len(RULES) + 2))
    for panel in PANELS:
        found = stops(panel, 0.5, studies, votes)
        cells = [f"{(at < NEVER).mean():.3f}" for at in found.values()]
        print(f"| {panel.name} | {panel.raters} | {panel.prompts} | " + " | ".join(cells) + " |", flush=True)


def print_price(studies: int, votes: int) -> None:
    """Votes until each rule stops (mean, where it has not by the end: all), and how often it has by then."""
    print(f"\nVotes until found (mean; at most {votes:,}) and share found, {studies:,} studies per row\n")
    print("| study | won | fixed 80 % | fixed 90 % | " + " | ".join(RULES) + " |")
    print("| --- |" + " --- |" * (len(RULES) + 3))
    for panel in PANELS:
        for share in (0.55, 0.6):
            fixed = [f"{decisive_votes(share, power):,.0f}" for power in (0.8, 0.9)]
            found = stops(panel, share, studies, votes).values()
            cells = [f"{np.minimum(at, votes).mean():,.0f} ({(at < NEVER).mean():.2f})" for at in found]
            print(f"| {panel.name} | {share:.0%} | " + " | ".join(fixed + cells) + " |", flush=True)


# ------------------------------------------------------------- a board of several models


def draw_board(panel: Panel, theta: Floats, votes: int, rng: np.random.Generator) -> Votes:
    """Votes on all pairs alike, a fifth of them ties, in random order."""
    k = theta.size
    left = rng.integers(k, size=votes)
    right = (left + rng.integers(1, k, size=votes)) % k
    case, rater = rng.integers(panel.prompts, size=votes), rng.integers(panel.raters, size=votes)
    worth = theta + panel.luck * rng.normal(size=(panel.prompts, k))[case]
    worth = worth + panel.taste * rng.normal(size=(panel.raters, k))[rater]
    gap = worth[np.arange(votes), left] - worth[np.arange(votes), right]
    answer = np.where(rng.random(votes) < expit(gap), 0, 1)
    answer = np.where(rng.random(votes) < 0.2, 2, answer)
    return Votes(tuple("abcdefgh"[:k]), left, right, answer, case, rater)


def look(votes: Votes, rule: StopRule) -> tuple[tuple[PairVerdict, ...], bool, bool]:
    """Verdicts, and whether any two differ by two-way intervals, and by those of single votes."""
    tensor = tensor_of(votes)
    fit = bt.fitted(tensor)
    (meat,) = meats(votes, [Pull(fit.left, fit.right, fit.others)])
    pieces = pieces_of(fit.bread, meat, count_clusters(votes))
    known, alone = pieces.shared("two-way"), pieces.shared("votes")
    if known is None or alone is None:
        return (), False, False
    verdicts = board_verdicts(votes.systems, fit.theta, known.V, known.freedom, rule)
    return verdicts, differs(fit.theta, known), differs(fit.theta, alone)


def differs(theta: Floats, known: Covariance) -> bool:
    """Whether the interval of any difference leaves out zero."""
    V = known.V
    variance = np.diag(V)[:, None] + np.diag(V)[None, :] - 2.0 * V
    gap = np.abs(theta[:, None] - theta[None, :])
    return bool((gap > known.reach() * np.sqrt(np.maximum(variance, 0.0)) + 1e-9).any())


def print_board(studies: int, votes: int, every: int = 100) -> None:
    """How often four equal models are called different at some look."""
    print(f"\nFour equal models, a look every {every} votes up to {votes:,}, {studies:,} studies per row\n")
    print(
        "| study | raters | prompts | intervals of single votes | two-way intervals | e-BH | one sequence |"
    )
    print("| --- |" + " --- |" * 6)
    for panel in PANELS:
        rng, wrong = np.random.default_rng(2), np.zeros(4)
        for _ in range(studies):
            whole = draw_board(panel, np.zeros(4), votes, rng)
            seen = np.zeros(4, dtype=np.bool_)
            for n in range(every, votes + 1, every):
                verdicts, two_way_differ, votes_differ = look(whole.where(np.arange(votes) < n), StopRule())
                first = next((v for v in verdicts if {v.a, v.b} == {"a", "b"}), None)
                out = first is not None and first.outcome != "too few" and (first.difference.low or 0.0) > 0
                seen |= [votes_differ, two_way_differ, any(v.decided for v in verdicts), out]
            wrong += seen
        cells = " | ".join(f"{share:.3f}" for share in wrong / studies)
        print(f"| {panel.name} | {panel.raters} | {panel.prompts} | {cells} |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    parser.add_argument("--votes", type=int, default=5000)
    arguments = parser.parse_args()
    print_false_alarms(arguments.studies, arguments.votes)
    print_price(max(arguments.studies // 4, BATCH), arguments.votes)
    print_board(max(arguments.studies // 5, 20), arguments.votes)


if __name__ == "__main__":
    main()
