"""How diagnostics of a board, flip budgets and personal boards do: time, and what they say of known truths.

    python benchmarks/diagnostics.py [--simulations N] [--counts FILE]

FILE is a JSON of pairwise counts with `models`, pairs `X` and answers `Y` (left, right, tie, both bad), as
published with leaderbot for Chatbot Arena; without it the board of 129 systems is drawn.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # small matrices: threads cost more than they bring
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from scipy.special import expit

from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.personal import heterogeneity, personal_boards
from evalkit.preference.tensor import Tensor, tensor_of
from evalkit.preference.trust import goodness
from evalkit.preference.trust.diagnostics import can_you_trust_this
from evalkit.preference.trust.flips import votes_to_add, votes_to_drop
from evalkit.preference.votes import LEFT, RIGHT, TIE, Floats, Votes

BEST_OF = 5


@dataclass(frozen=True)
class Sharing:
    """Votes of a simulated study: each prompt on one pair with luck of its own, or on any pair without."""

    name: str
    votes: int
    prompts: int
    luck: float


SHARINGS = (
    Sharing("nothing shared", 6000, 6000, 0.0),
    Sharing("300 prompts x 20 votes, luck .5", 6000, 300, 0.5),
    Sharing("300 prompts x 20 votes, luck .8", 6000, 300, 0.8),
    Sharing("120 prompts x 40 votes, luck .8", 4800, 120, 0.8),
)

TASTES = ((100, 8, 60, 0.6), (100, 8, 60, 0.3), (100, 8, 60, 0.0), (300, 10, 30, 0.6), (10, 8, 300, 0.2))
"""Groups, systems, votes of each group, tau."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=100)
    parser.add_argument("--counts", type=Path)
    arguments = parser.parse_args()
    large = _read(arguments.counts) if arguments.counts else _large()
    _flips(large)
    _speed(large)
    _sizes(arguments.simulations)
    _personal(arguments.simulations)


def _flips(board: Tensor) -> None:
    print(f"Flip budgets, {board.size} systems, {board.total:,.0f} votes")
    print("  places      drop     ms      add     ms")
    order = [board.systems[i] for i in np.argsort(-bt.fit(board.wins).theta)]
    for high, low in ((0, 1), (3, 4), (0, 9), (0, 40)):
        pair = order[high], order[low]
        drop, add = votes_to_drop(board, *pair), votes_to_add(board, *pair)
        spent = [_milliseconds(partial(search, board, *pair)) for search in (votes_to_drop, votes_to_add)]
        places = f"{high + 1} and {low + 1}"
        print(f"  {places:9} {drop.votes or 0:6,} {spent[0]:6.1f}   {add.votes or 0:6,} {spent[1]:6.1f}")


def _speed(large: Tensor) -> None:
    print("\nEverything about a board, ms")
    for n in (10_000, 100_000):
        votes = _drawn(np.random.default_rng(0), Sharing("", n, 200, 0.3), size=20)
        tensor = tensor_of(votes)
        spent = _milliseconds(partial(can_you_trust_this, tensor, votes))
        counts = _milliseconds(partial(can_you_trust_this, tensor))
        print(f"  20 systems, {n:7,} votes: {spent:6.1f}; from counts alone {counts:6.1f}")
    print(
        f"  {large.size} systems, from counts alone: {_milliseconds(partial(can_you_trust_this, large)):6.1f}"
    )


def _sizes(simulations: int) -> None:
    print("\nGoodness of fit where the model holds: p < .05 should be 5 %")
    for sharing in SHARINGS:
        rng = np.random.default_rng(1)
        plain, known, effects = [], [], []
        for _ in range(simulations):
            votes = _drawn(rng, sharing)
            tensor, shared = tensor_of(votes), goodness.design_effects(votes)
            plain.append((goodness.decisive_fit(tensor).p_value or 0.0) < 0.05)
            known.append((goodness.decisive_fit(tensor, shared).p_value or 0.0) < 0.05)
            effects.append(shared.fit or 1.0)
        print(
            f"  {sharing.name:33} taken as independent {np.mean(plain):4.0%}, "
            f"with design effect ({np.mean(effects):.1f}) {np.mean(known):4.0%}"
        )


def _personal(simulations: int) -> None:
    print("\nPersonal boards: error in Elo of raw, everybody's and personal; whether slices are told apart")
    for groups, size, n, tau in TASTES:
        rng = np.random.default_rng(2)
        rows = [_one_world(rng, groups, size, n, tau) for _ in range(max(simulations // 4, 1))]
        raw, pooled, mine, found, coverage, differ, spent = np.mean(rows, axis=0)
        print(
            f"  {groups:4} groups x {n:3} votes, {size:2} systems, tau {tau:.1f}: "
            f"raw {raw:5.0f}, pooled {pooled:5.0f}, personal {mine:5.0f}; "
            f"tau {found:.2f}, coverage {coverage:.1%}, p < .05 {differ:4.0%}; {spent:4.0f} ms"
        )


def _one_world(rng: np.random.Generator, groups: int, size: int, n: int, tau: float) -> tuple[float, ...]:
    theta = rng.normal(size=size) * 0.5
    taste = rng.normal(size=(groups, size)) * tau
    truth = theta - theta.mean() + taste - taste.mean(axis=1, keepdims=True)
    i = rng.integers(0, size, (groups, n))
    j = (i + rng.integers(1, size, (groups, n))) % size
    rows = np.arange(groups)[:, None]
    won = rng.random((groups, n)) < expit(truth[rows, i] - truth[rows, j])
    wins = np.zeros((groups, size, size))
    np.add.at(wins, (rows, np.where(won, i, j), np.where(won, j, i)), 1.0)
    start = time.perf_counter()
    boards = personal_boards(wins)
    spent = 1e3 * (time.perf_counter() - start)
    low, high = boards.interval()
    inside = (low <= bt.elo(truth)) & (bt.elo(truth) <= high)
    raw = bt.fit(wins + 0.05 * (1.0 - np.eye(size))).theta
    compared = (raw, boards.everybody, boards.theta)
    errors = [float(np.sqrt(((one - truth) ** 2).mean())) * ELO_PER_LOGIT for one in compared]
    differ = (heterogeneity(wins).p_value or 0.0) < 0.05
    return (*errors, boards.tau, float(inside.mean()), float(differ), spent)


def _drawn(rng: np.random.Generator, sharing: Sharing, size: int = 8) -> Votes:
    theta = rng.normal(size=size) * 0.5
    case, rater = rng.integers(0, sharing.prompts, sharing.votes), rng.integers(0, 100, sharing.votes)
    first = rng.integers(0, size, sharing.prompts)
    second = (first + rng.integers(1, size, sharing.prompts)) % size
    swap = rng.random(case.size) < 0.5
    left, right = np.where(swap, second[case], first[case]), np.where(swap, first[case], second[case])
    luck = rng.normal(size=(sharing.prompts, size)) * sharing.luck
    lead = theta[left] - theta[right] + luck[case, left] - luck[case, right]
    answer = np.where(rng.random(case.size) < expit(lead), LEFT, RIGHT)
    answer = np.where(rng.random(case.size) < 0.2, TIE, answer)
    return Votes(tuple(f"s{k:02}" for k in range(size)), left, right, answer, case, rater)


def _large(size: int = 129, votes: int = 1_500_000) -> Tensor:
    rng = np.random.default_rng(3)
    theta = rng.normal(size=size) * 0.7
    share = rng.lognormal(sigma=1.0, size=(size, size)) * (1.0 - np.eye(size))
    games = rng.poisson(votes * share / share.sum())
    counts = np.zeros((4, size, size))
    counts[TIE] = rng.binomial(games, 0.3)
    counts[LEFT] = rng.binomial(games - counts[TIE].astype(np.int64), expit(theta[:, None] - theta[None, :]))
    counts[RIGHT] = games - counts[TIE] - counts[LEFT]
    return Tensor(tuple(f"s{k:03}" for k in range(size)), counts)


def _read(path: Path) -> Tensor:
    data = json.loads(path.read_text(encoding="utf-8"))
    pairs, answers = np.array(data["X"]), np.array(data["Y"], dtype=np.float64)
    counts: Floats = np.zeros((4, len(data["models"]), len(data["models"])))
    for answer in range(4):
        np.add.at(counts[answer], (pairs[:, 0], pairs[:, 1]), answers[:, answer])
    return Tensor(tuple(data["models"]), counts)


def _milliseconds(call: Callable[[], object]) -> float:
    spent = []
    for _ in range(BEST_OF):
        start = time.perf_counter()
        call()
        spent.append(time.perf_counter() - start)
    return 1e3 * min(spent)


if __name__ == "__main__":
    main()
