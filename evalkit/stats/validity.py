"""Does a metric agree with people? Accuracy on pairs of pictures, against chance, people and other metrics.

The unit is a pair of pictures of one prompt. A vote prefers the first (+1), the second (-1) or neither (0);
a metric prefers the one with the better value, and a difference of nothing is half right. A pair on which
anybody preferred one picture is *decided*: its votes share one unit of weight, so a pair that was voted on
often counts no more than another. Accuracy is then the chance that the metric sides with a person drawn at
random about a pair drawn at random. The ceiling asks the same of another person instead of the metric, so
the two can be compared. Why not majorities: docs/validity.md.

This module knows arrays only: no database, no names. Ties are in `ties`, rankings in `rank_agreement`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from evalkit.stats.bootstrap import Resampling
from evalkit.stats.clusters import Floats
from evalkit.stats.twoway import MANY_RATERS, Ints, Observations, Shares, shares
from evalkit.types import Estimate

CHANCE = 0.5
"""What a metric that knows nothing comes to: right as often as wrong, and half right where it ties."""

ENOUGH_PAIRS = 200
"""Decided pairs below which nothing is called validated, however good it looks."""


@dataclass(frozen=True, slots=True)
class Judgements:
    """n votes on P pairs: `pair` is 0 to P - 1, `answer` 1, -1 or 0, `prompt` the cluster of the pair's case.

    A rater votes on a pair at most once.
    """

    pair: Ints
    prompt: Ints
    rater: Ints
    answer: Ints

    @property
    def decided(self) -> Judgements:
        """Only the votes that preferred one picture."""
        kept = self.answer != 0
        return Judgements(self.pair[kept], self.prompt[kept], self.rater[kept], self.answer[kept])

    def observations(self) -> Observations:
        """Votes as evidence: those on one pair share one unit of weight."""
        return Observations(self.prompt, self.rater, 1.0 / np.bincount(self.pair)[self.pair])


@dataclass(frozen=True, slots=True)
class Rival:
    """How an output compares with the best output of another metric, on the pairs both have scored.

    `column` is the rival's number, None without one. `difference` is own accuracy minus the rival's, `p` the
    two-sided p value of its being zero (paired bootstrap).
    """

    column: int | None
    difference: Estimate
    p: float | None


NO_RIVAL = Rival(None, Estimate(None, note="no other metric"), None)


@dataclass(frozen=True, slots=True)
class Agreement:
    """Accuracy of each of O columns on decided pairs, and each one's rival."""

    accuracy: tuple[Estimate, ...]
    rivals: tuple[Rival, ...]


def agreement(
    votes: Judgements, gaps: Floats, families: NDArray[np.int64], resampling: Resampling = Resampling()
) -> Agreement:
    """How often each metric prefers the picture that people prefer.

    `gaps` (P x O) is the value of the first picture minus that of the second, turned so that more is
    better, NaN where a score is missing. `families` (O) numbers the metric that each column belongs to: a
    rival is of another family. `Estimate.n` counts decided pairs that are scored.
    """
    decided = votes.decided
    if not decided.pair.size or not gaps.shape[1]:
        nothing = Estimate(None, note="no decided pairs")
        return Agreement((nothing,) * gaps.shape[1], (NO_RIVAL,) * gaps.shape[1])
    right = _right(gaps, decided)
    seen = decided.observations()
    measured = shares(right, seen, resampling)
    accuracy = measured.estimates(_pairs(right, decided), resampling.level)
    if not measured.two_way:
        accuracy = [_of_few(estimate, seen.raters) for estimate in accuracy]
    return Agreement(tuple(accuracy), _rivals(right, measured, decided, families, resampling))


def ceiling(votes: Judgements, resampling: Resampling = Resampling()) -> Estimate:
    """How often a person agrees with another person on the same pair: what no metric need do better than.

    Each decided vote is held out in turn and compared with every other vote on its pair. None where no pair
    has two decided votes. `Estimate.n` counts the pairs that have.
    """
    decided = votes.decided
    pairs = int(decided.pair.max()) + 1 if decided.pair.size else 0
    first = np.bincount(decided.pair, weights=decided.answer > 0, minlength=pairs)
    cast = np.bincount(decided.pair, minlength=pairs)
    kept = cast[decided.pair] > 1
    if not kept.any():
        return Estimate(None, note="no pair has the votes of two people")
    pair, answer = decided.pair[kept], decided.answer[kept]
    alike = np.where(answer > 0, first[pair], cast[pair] - first[pair]) - 1.0
    agreeing = (alike / (cast[pair] - 1.0))[:, None]
    seen = Observations(decided.prompt[kept], decided.rater[kept], 1.0 / cast[pair])
    measured = shares(agreeing, seen, resampling)
    estimate = measured.estimates(np.array([np.unique(pair).size]), resampling.level)[0]
    return estimate if measured.two_way else _of_few(estimate, seen.raters)


def verdict(accuracy: Estimate, null: float = CHANCE, enough: int = ENOUGH_PAIRS) -> str:
    """Why an accuracy does not count as validated, in words; empty if it does.

    Validated means that the interval lies above `null` and that `enough` decided pairs are behind it.
    """
    if accuracy.value is None:
        return accuracy.note or "nothing to compare"
    if accuracy.n < enough:
        return f"{accuracy.n} decided {'pair' if accuracy.n == 1 else 'pairs'}, {enough} are needed"
    if accuracy.low is None or accuracy.high is None:
        return accuracy.note or "no interval"
    if accuracy.high < null:
        return "people prefer the opposite: the interval is below chance"
    return "" if accuracy.low > null else "interval includes chance"


def naive_interval(accuracy: float, votes: int, reach: float = 1.959964) -> tuple[float, float]:
    """The binomial interval that treats every vote as independent: for comparison only, it is too narrow."""
    half = reach * float(np.sqrt(accuracy * (1.0 - accuracy) / votes))
    return accuracy - half, accuracy + half


def _right(gaps: Floats, votes: Judgements) -> Floats:
    """1 where a column sides with a vote, 0 where it opposes it, 0.5 where it sees no difference (n x O)."""
    return np.asarray(0.5 + 0.5 * np.sign(gaps)[votes.pair] * votes.answer[:, None])


def _pairs(values: Floats, votes: Judgements) -> Ints:
    """How many pairs each column has a value on."""
    order = np.argsort(votes.pair, kind="stable")
    first = np.concatenate([[True], np.diff(votes.pair[order]) > 0])
    return np.asarray((~np.isnan(values[order[first]])).sum(axis=0), dtype=np.int64)


def _of_few(estimate: Estimate, raters: int) -> Estimate:
    """Fewer raters than can be resampled: what is said holds for them alone."""
    if estimate.low is None:
        return estimate
    who = "one rater" if raters == 1 else f"{raters} raters"
    return replace(estimate, note=f"{who}: the interval knows of prompts only, not of how people differ")


def _rivals(
    right: Floats, measured: Shares, votes: Judgements, families: Ints, resampling: Resampling
) -> tuple[Rival, ...]:
    """Every column against the most accurate column of another family."""
    chosen = [_best_other(measured.value, families, i) for i in range(right.shape[1])]
    have = [i for i, other in enumerate(chosen) if other is not None]
    if not have:
        return tuple(NO_RIVAL for _ in chosen)
    others = [other for other in chosen if other is not None]
    gaps = right[:, have] - right[:, others]
    compared = shares(gaps, votes.observations(), resampling)
    estimates = compared.estimates(_pairs(gaps, votes), resampling.level, (-1.0, 1.0))
    p_values = _two_sided(compared)
    found = {
        i: Rival(other, estimate, None if estimate.low is None else p)
        for i, other, estimate, p in zip(have, others, estimates, p_values, strict=True)
    }
    return tuple(found.get(i, NO_RIVAL) for i in range(right.shape[1]))


def _best_other(value: Floats, families: Ints, column: int) -> int | None:
    ranked = np.where((families == families[column]) | np.isnan(value), -np.inf, value)
    best = int(np.argmax(ranked))
    return best if np.isfinite(ranked[best]) and not np.isnan(value[column]) else None


def _two_sided(compared: Shares) -> list[float]:
    """The smaller share of resamples on one side of zero, at the scale of the intervals; twice that.

    Where none is on that side, the distance from zero in standard errors stands for it.
    """
    draws = compared.stretched()
    beyond = np.minimum((draws <= 0).sum(axis=0), (draws >= 0).sum(axis=0))
    away = norm.isf(np.minimum((beyond + 1.0) / (draws.shape[0] + 1.0), 0.5))
    errors = np.divide(np.abs(compared.value), compared.error, out=away.copy(), where=compared.error > 0)
    z = np.where(beyond == 0, np.maximum(away, errors), away)
    return [float(p) for p in 2.0 * t.sf(z, compared.freedom)]


__all__ = [
    "CHANCE",
    "ENOUGH_PAIRS",
    "MANY_RATERS",
    "Agreement",
    "Judgements",
    "Rival",
    "agreement",
    "ceiling",
    "naive_interval",
    "verdict",
]
