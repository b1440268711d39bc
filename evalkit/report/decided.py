"""What a board of votes decides: who may be first, which pairs need no more votes, what the eye may compare.

Reads boards only. What is said of it, and how it looks, is for the sections.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalkit.preference import PreferenceBoard
from evalkit.preference.stopping import PairVerdict
from evalkit.stats.bounded import student
from evalkit.types import Estimate


@dataclass(frozen=True, slots=True)
class Decided:
    """Of `pairs` pairs those that need no more votes; `few`: too few raters or prompts to stop on."""

    done: tuple[PairVerdict, ...]
    pairs: int
    few: bool


def tied_for_first(board: PreferenceBoard) -> tuple[str, ...]:
    """The systems that none is shown to be better than, best first; empty without ranks."""
    return tuple(line.system for line in board.ratings if line.standing and line.standing.tied_first)


def decided(board: PreferenceBoard) -> Decided | None:
    """Which pairs are decided, however often one looks; None where that is not known."""
    verdicts = board.verdicts
    if not verdicts:
        return None
    done = tuple(verdict for verdict in verdicts if verdict.decided)
    return Decided(done, len(verdicts), all(verdict.outcome == "too few" for verdict in verdicts))


def comparison_bars(board: PreferenceBoard) -> dict[str, Estimate]:
    """Intervals to compare by eye: systems whose bars do not overlap differ, at the board's level for a pair.

    A bar is a multiple of the quasi-standard error (Firth & de Menezes 2004) to either side. Goldstein &
    Healy (1995) choose the multiple so that overlap and test agree on average over pairs; here they agree for
    the pair that takes the longest bars, so that bars never tell apart what a test of the pair does not.
    Empty where some system has no quasi-standard error, or one that was cut off at zero: errors of single
    systems do not add up to those of differences then.
    """
    errors = [line.standing.quasi if line.standing else None for line in board.ratings]
    known = np.array([error for error in errors if error is not None])
    if len(known) < max(2, len(errors)) or known.min() <= 0.0:
        return {}
    clusters = board.ratings[0].rating.n_clusters
    reach = student(0.5 + board.options.level / 2.0, clusters - 1.0 if clusters else np.inf)
    half = reach * _longest(known) * known
    return {
        line.system: Estimate(line.rating.value, line.rating.value - length, line.rating.value + length)
        for line, length in zip(board.ratings, half.tolist(), strict=True)
        if line.rating.value is not None
    }


def _longest(errors: np.ndarray) -> float:
    """The largest sqrt(a^2 + b^2) / (a + b) of two errors: 1 / sqrt(2) where all are equal, else up to 1."""
    i, j = np.triu_indices(errors.size, 1)
    a, b = errors[i], errors[j]
    return float((np.hypot(a, b) / (a + b)).max())
