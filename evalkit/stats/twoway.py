"""Shares whose pieces of evidence come in two kinds of clusters at once: prompts, and the raters who judged.

A share is sum(w x) / sum(w) over observations; many are computed side by side, one per column. Prompts are
resampled whole, which gives the shape of the uncertainty. Its scale is the standard error for both kinds of
clusters: variance over prompts, plus variance over raters, minus the variance over their cells, which both
contain (Cameron, Gelbach & Miller 2011), and never less than either of the first two. Student's t has the
smaller effective number of clusters, minus one, as degrees of freedom. Coverage by simulation is in
docs/validity.md; `benchmarks/coverage.py` repeats it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

from evalkit.stats.bootstrap import Resampling
from evalkit.stats.bounded import Uncertainty, bounded_interval
from evalkit.stats.clusters import Floats
from evalkit.types import Estimate

Ints = NDArray[np.int64]
MANY_RATERS = 5
"""Fewer cannot stand for all raters there might be: then prompts alone count as clusters."""
CHUNK = 2_000_000
"""Weights that are held at once (16 MB)."""


@dataclass(frozen=True, slots=True)
class Observations:
    """n pieces of evidence: each one's cluster of prompts and rater (as numbers), and its weight."""

    prompt: Ints
    rater: Ints
    weight: Floats

    @property
    def raters(self) -> int:
        return int(np.unique(self.rater).size)


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of O columns with what is known of them.

    `draws` are resamples x O. `freedom` are Student's degrees of freedom, `clusters` the number of prompts.
    `two_way` says whether raters are in `error`.
    """

    value: Floats
    error: Floats
    freedom: Floats
    clusters: Ints
    draws: Floats
    two_way: bool

    def stretched(self) -> Floats:
        """The draws about the share, stretched so that their spread is the two-way standard error."""
        spread = self.draws.std(axis=0)
        factor = np.divide(self.error, spread, out=np.ones_like(spread), where=spread > 0)
        return np.asarray(self.value + (self.draws - self.value) * factor)

    def estimates(
        self, n: Ints, level: float = 0.95, bounds: tuple[float, float] = (0.0, 1.0)
    ) -> list[Estimate]:
        """One estimate per column; `n` counts what is behind each, in whatever unit the caller reports."""
        low, high = self._ends(level)
        return [
            self._estimate(i, int(n[i]), (float(low[i]), float(high[i])), level, bounds)
            for i in range(self.value.size)
        ]

    def _ends(self, level: float) -> tuple[Floats, Floats]:
        upper = 0.5 + level / 2.0
        reach = t.ppf(upper, self.freedom) / norm.ppf(upper)
        low, high = np.quantile(self.stretched(), [1.0 - upper, upper], axis=0)
        return self.value + (low - self.value) * reach, self.value + (high - self.value) * reach

    def _estimate(
        self, i: int, n: int, ends: tuple[float, float], level: float, bounds: tuple[float, float]
    ) -> Estimate:
        value, groups = float(self.value[i]), int(self.clusters[i])
        if groups == 0 or np.isnan(value):
            return Estimate(None, note="nothing to compare")
        if groups < 2:
            return Estimate(value, n=n, n_clusters=groups, n_expected=n, note="one prompt: no interval")
        if self.error[i] <= 1e-12:
            known = Uncertainty(0.0, float(self.freedom[i]) + 1.0)
            ends = bounded_interval(value, known, bounds, level)
        low, high = max(ends[0], bounds[0]), min(ends[1], bounds[1])
        return Estimate(value, low, high, n, groups, n)


def shares(values: Floats, seen: Observations, resampling: Resampling = Resampling()) -> Shares:
    """Shares of every column of `values` (n x O, NaN = missing) over the observations."""
    present = ~np.isnan(values)
    weights = np.where(present, seen.weight[:, None], 0.0)
    weighted = np.where(present, values, 0.0) * weights
    prompts, prompt = _codes(seen.prompt)
    of_prompts, mass = _by_group(prompt, prompts, weighted), _by_group(prompt, prompts, weights)
    total = mass.sum(axis=0)
    value = np.divide(of_prompts.sum(axis=0), total, out=np.full(total.size, np.nan), where=total > 0)
    centred = (weighted - weights * np.nan_to_num(value)) / np.where(total > 0, total, 1.0)
    variance, effective, two_way = _two_way(centred, weights, seen, _effective(mass))
    return Shares(
        value=value,
        error=np.sqrt(variance),
        freedom=np.maximum(effective - 1.0, 1.0),
        clusters=np.asarray((mass > 0).sum(axis=0), dtype=np.int64),
        draws=_drawn(of_prompts, mass, value, resampling),
        two_way=two_way,
    )


def _two_way(
    centred: Floats, weights: Floats, seen: Observations, effective: Floats
) -> tuple[Floats, Floats, bool]:
    """Variance, effective number of clusters, and whether raters are in them."""
    prompts, prompt = _codes(seen.prompt)
    raters, rater = _codes(seen.rater)
    by_prompt = _variance(prompt, prompts, centred)
    if raters < MANY_RATERS:
        return by_prompt, effective, False
    cells, cell = _codes(prompt * raters + rater)
    by_rater = _variance(rater, raters, centred)
    both = by_prompt + by_rater - _variance(cell, cells, centred)
    of_raters = _effective(_by_group(rater, raters, weights))
    return np.maximum(both, np.maximum(by_prompt, by_rater)), np.minimum(effective, of_raters), True


def _codes(labels: Ints) -> tuple[int, Ints]:
    found, codes = np.unique(labels, return_inverse=True)
    return int(found.size), np.asarray(codes, dtype=np.int64)


def _by_group(codes: Ints, groups: int, matrix: Floats) -> Floats:
    """Column sums within groups (groups x O); every group has at least one row."""
    if groups == 0:
        return np.zeros((0, matrix.shape[1]))
    order = np.argsort(codes, kind="stable")
    starts = np.searchsorted(codes[order], np.arange(groups))
    return np.asarray(np.add.reduceat(matrix[order], starts, axis=0))


def _variance(codes: Ints, groups: int, centred: Floats) -> Floats:
    if groups < 2:
        return np.zeros(centred.shape[1])
    return np.asarray((_by_group(codes, groups, centred) ** 2).sum(axis=0) * groups / (groups - 1.0))


def _effective(mass: Floats) -> Floats:
    """Kish's effective number of clusters, by column."""
    squares = (mass**2).sum(axis=0)
    return np.asarray(np.divide(mass.sum(axis=0) ** 2, squares, out=np.ones_like(squares), where=squares > 0))


def _drawn(sums: Floats, mass: Floats, value: Floats, resampling: Resampling) -> Floats:
    """Shares in each resample of prompts; a resample without any observation repeats what was seen."""
    parts = []
    for counts in drawn_counts(sums.shape[0], resampling):
        total = counts @ mass
        parts.append(np.divide(counts @ sums, total, out=np.full_like(total, np.nan), where=total > 0))
    draws = np.concatenate(parts) if parts else np.zeros((0, value.size))
    return np.where(np.isnan(draws), value, draws)


def drawn_counts(groups: int, resampling: Resampling) -> Iterator[Floats]:
    """How often each group is drawn in each resample, a chunk of resamples at a time (rows x groups)."""
    rng = np.random.default_rng(resampling.seed)
    rows = max(1, min(resampling.resamples, CHUNK // max(groups, 1)))
    for start in range(0, resampling.resamples, rows):
        here = min(rows, resampling.resamples - start)
        draws = rng.integers(max(groups, 1), size=(here, groups)) + groups * np.arange(here)[:, None]
        yield np.bincount(draws.ravel(), minlength=here * groups).reshape(here, groups).astype(np.float64)
