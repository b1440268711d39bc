"""Accuracy that counts ties: a metric says "no difference" where its values are closer than some epsilon.

Each vote is one of three answers (first, second, neither) and so is the metric's. Epsilon is chosen by
cross-validation over prompts: for each fold, the one that agrees best with the votes on all other prompts
(Deutsch, Foster & Freitag 2023 choose it on the test data itself, which flatters a metric). What guessing
achieves is part of the result: where people often see no difference, "always a tie" is right that often.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalkit.stats.bootstrap import Resampling
from evalkit.stats.clusters import Floats
from evalkit.stats.twoway import Ints, shares
from evalkit.stats.validity import Judgements
from evalkit.types import Estimate

FOLDS = 5


@dataclass(frozen=True, slots=True)
class TieAware:
    """Per column: accuracy on held-out prompts and the epsilon that all prompts together would choose.

    `null` is what the better of two guesses achieves: always a tie, or a coin that never says tie.
    """

    accuracy: tuple[Estimate, ...]
    epsilon: tuple[float | None, ...]
    null: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class _Answers:
    """Per pair: shares of its votes for the first, the second and neither, and the fold of its prompt."""

    first: Floats
    second: Floats
    neither: Floats
    fold: Ints
    folds: int


def tie_aware(votes: Judgements, gaps: Floats, resampling: Resampling = Resampling()) -> TieAware:
    """Three-way accuracy of each column of `gaps` (P x O, see `validity.agreement`) on all votes."""
    columns = gaps.shape[1]
    if not votes.pair.size:
        return TieAware((Estimate(None, note="no votes"),) * columns, (None,) * columns, (None,) * columns)
    answers = _answers(votes, gaps.shape[0], resampling.seed)
    made = [_told(gaps[:, i], answers) for i in range(columns)]
    told = np.column_stack([told for told, _ in made]) if made else np.zeros((gaps.shape[0], 0))
    right = np.where(np.isnan(told[votes.pair]), np.nan, told[votes.pair] == votes.answer[:, None])
    measured = shares(right, votes.observations(), resampling)
    pairs = (~np.isnan(told)).sum(axis=0)
    return TieAware(
        accuracy=tuple(measured.estimates(pairs, resampling.level)),
        epsilon=tuple(epsilon for _, epsilon in made),
        null=tuple(_null(answers, ~np.isnan(gaps[:, i])) for i in range(columns)),
    )


def _answers(votes: Judgements, pairs: int, seed: int) -> _Answers:
    cast = np.bincount(votes.pair, minlength=pairs)
    counted = [np.bincount(votes.pair, weights=votes.answer == a, minlength=pairs) for a in (1, -1, 0)]
    first, second, neither = (c / np.maximum(cast, 1) for c in counted)
    prompts, code = np.unique(votes.prompt, return_inverse=True)
    folds = min(FOLDS, prompts.size)
    fold_of = np.random.default_rng(seed).permutation(prompts.size) % folds
    fold = np.zeros(pairs, dtype=np.int64)
    fold[votes.pair] = fold_of[code]
    return _Answers(first, second, neither, fold, folds)


def _told(gap: Floats, answers: _Answers) -> tuple[Floats, float | None]:
    """What the column says of each pair (+1, -1, 0; NaN unscored), by the epsilon of the other folds."""
    scored = np.flatnonzero(~np.isnan(gap))
    told = np.full(gap.size, np.nan)
    if not scored.size:
        return told, None
    size = np.abs(gap[scored])
    order = np.argsort(size, kind="stable")
    kept = scored[order]
    gains = _gains(gap[kept], kept, answers)
    last = np.concatenate([np.diff(size[order]) > 0, [True]])
    totals = np.cumsum(gains.sum(axis=1))
    thresholds = np.empty(answers.folds)
    for fold in range(answers.folds):
        others = totals - np.cumsum(gains[:, fold])
        thresholds[fold] = _best(others, size[order], last)
    closer = np.abs(gap[scored]) <= thresholds[answers.fold[scored]]
    told[scored] = np.where(closer, 0.0, np.sign(gap[scored]))
    return told, _best(totals, size[order], last)


def _gains(gap: Floats, pairs: Ints, answers: _Answers) -> Floats:
    """What calling each pair a tie gains over taking the metric's side (pairs x folds)."""
    side = np.where(gap > 0, answers.first[pairs], answers.second[pairs])
    gain = np.where(gap == 0, 0.0, answers.neither[pairs] - side)
    gains = np.zeros((pairs.size, answers.folds))
    gains[np.arange(pairs.size), answers.fold[pairs]] = gain
    return gains


def _best(totals: Floats, sizes: Floats, last: Ints) -> float:
    """The epsilon with the highest total gain; 0 where calling anything a tie gains nothing."""
    usable = np.where(last, totals, -np.inf)
    at = int(np.argmax(usable))
    return float(sizes[at]) if usable[at] > 0 else 0.0


def _null(answers: _Answers, scored: Ints) -> float | None:
    voted = scored & (answers.first + answers.second + answers.neither > 0)
    if not voted.any():
        return None
    ties = float(answers.neither[voted].mean())
    return max(ties, (1.0 - ties) / 2.0)
