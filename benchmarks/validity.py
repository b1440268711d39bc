"""What it costs to compare metrics with votes: 50 outputs, 4 categories, 100,000 votes, 2,000 resamples.

    python benchmarks/validity.py [--votes N] [--outputs N]

Votes are on pairs of nine systems on 300 prompts per category, by 50 raters; 2 % of the scores are missing.
The times are those of one process, in CPU seconds and by the clock.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from evalkit.stats.rank_agreement import Met, rank_agreement
from evalkit.stats.ties import tie_aware
from evalkit.stats.validity import Judgements, agreement, ceiling

CATEGORIES, PROMPTS, SYSTEMS, RATERS = 4, 300, 9, 50
Category = tuple[Judgements, NDArray[np.float64], Met]


def category(rng: np.random.Generator, votes: int, outputs: int) -> Category:
    """One category's votes, the differences its metrics see, and which systems met."""
    prompt = rng.integers(PROMPTS, size=votes)
    sides = np.sort(np.argsort(rng.random((votes, SYSTEMS)), axis=1)[:, :2], axis=1)
    codes, pair = np.unique(prompt * 100 + sides[:, 0] * 10 + sides[:, 1], return_inverse=True)
    gaps = rng.normal(size=(codes.size, outputs))
    answer = np.where(rng.random(votes) < 0.3, np.sign(gaps[pair, 0]), rng.choice([-1, 0, 1], size=votes))
    gaps[rng.random(gaps.shape) < 0.02] = np.nan
    judged = Judgements(pair, prompt, rng.integers(RATERS, size=votes), answer.astype(np.int64))
    return judged, gaps, Met(codes // 10 % 10, codes % 10, SYSTEMS)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--votes", type=int, default=100_000)
    parser.add_argument("--outputs", type=int, default=50)
    arguments = parser.parse_args()
    rng = np.random.default_rng(0)
    parts = [category(rng, arguments.votes // CATEGORIES, arguments.outputs) for _ in range(CATEGORIES)]
    families = np.arange(arguments.outputs) // 5
    steps: dict[str, Callable[[Category], object]] = {
        "accuracy, intervals, best other metric": lambda part: agreement(part[0], part[1], families),
        "accuracy with ties, cross-validated": lambda part: tie_aware(part[0], part[1]),
        "order of systems": lambda part: rank_agreement(*part),
        "human ceiling": lambda part: ceiling(part[0]),
    }
    print("| step | CPU seconds | seconds |\n| --- | --- | --- |")
    total = np.zeros(2)
    for name, step in steps.items():
        started = np.array([time.process_time(), time.perf_counter()])
        for part in parts:
            step(part)
        spent = np.array([time.process_time(), time.perf_counter()]) - started
        total += spent
        print(f"| {name} | {spent[0]:.2f} | {spent[1]:.2f} |")
    print(f"| all | {total[0]:.2f} | {total[1]:.2f} |")


if __name__ == "__main__":
    main()
