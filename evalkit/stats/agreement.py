"""How far raters agree beyond chance: Krippendorff's alpha, Fleiss' and Conger's kappa, Gwet's AC1.

Ratings are rows of (unit, rater, value), so that a thousand raters who each saw a few units cost what they
said and no more. This module knows numbers; what a unit or a value stands for is for the caller. Where
nothing can be said (one rater, no unit rated twice, one answer only) there is no value but a note.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import norm, t

from evalkit.errors import InvalidInput, UsageError
from evalkit.stats.bootstrap import Resampling
from evalkit.stats.clusters import Floats
from evalkit.stats.twoway import Ints
from evalkit.types import Estimate

Scale = Literal["nominal", "ordinal", "interval", "ratio"]
DRAWN = 2_000_000
"""Resamples x kinds of units drawn at once (16 MB)."""
NOTHING = 1e-12


@dataclass(frozen=True, slots=True)
class Ratings:
    """N ratings: `rater` gave `unit` the `value` (finite). Units and raters are any integers from 0 up.

    A rater rates a unit at most once. Raises `InvalidInput` otherwise.
    """

    unit: Ints
    rater: Ints
    value: Floats

    def __post_init__(self) -> None:
        if len({self.unit.size, self.rater.size, self.value.size}) != 1:
            raise InvalidInput("units, raters and values are not of one length")
        if not np.isfinite(self.value).all():
            raise InvalidInput("a rating is not a finite number", "Leave missing ratings out.")
        if np.unique(np.stack([self.unit, self.rater]), axis=1).shape[1] != self.unit.size:
            raise InvalidInput("a rater rated a unit twice", "Keep one rating of each, the first say.")


@dataclass(frozen=True, slots=True)
class Agreement:
    """One coefficient: 1 is perfect agreement, 0 what chance would give.

    `estimate.n` counts units rated at least twice. `error` is the standard error, None where there is no
    formula or nothing to estimate it from. `observed` and `chance` are the agreement seen and expected, as
    shares; None for alpha on other than the nominal scale, where they are none.
    """

    estimate: Estimate
    error: float | None = None
    observed: float | None = None
    chance: float | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """How often each unit got each value (U, Q), the values in order (Q), and the rows behind them."""

    counts: Floats
    values: Floats
    unit: Ints
    rater: Ints
    code: Ints

    @property
    def rated(self) -> Floats:
        return np.asarray(self.counts.sum(axis=1))

    @property
    def paired(self) -> int:
        """Units with two ratings or more."""
        return int((self.rated >= 2).sum())


def ratings_of_table(table: ArrayLike) -> Ratings:
    """Ratings from a table (units, raters) with NaN where nothing was said."""
    values = np.asarray(table, dtype=np.float64)
    if values.ndim != 2:
        raise UsageError("a table of ratings has units as rows and raters as columns")
    unit, rater = np.nonzero(~np.isnan(values))
    return Ratings(unit.astype(np.int64), rater.astype(np.int64), values[unit, rater])


def krippendorff_alpha(
    ratings: Ratings, scale: Scale = "nominal", resampling: Resampling = Resampling()
) -> Agreement:
    """Krippendorff's alpha (2011, "Computing Krippendorff's alpha-reliability"), ratings may be missing.

    1 - observed / expected disagreement among values of units that were rated at least twice; `scale` says
    what a disagreement weighs. The interval resamples units, all of it computed anew, and takes percentiles
    further out as Student's t and sqrt(U/(U-1)) ask (Hesterberg 2015). Meant for few distinct values.
    Raises `UsageError` for an unknown scale, or negative values on a ratio scale.
    """
    if scale not in get_args(Scale):
        raise UsageError(f"there is no {scale!r} scale", "Scales: " + ", ".join(get_args(Scale)) + ".")
    if scale == "ratio" and ratings.value.min(initial=0.0) < 0.0:
        raise UsageError("a ratio scale has no negative values", "Use the interval scale.")
    table = _table(ratings)
    why = _unknowable(table)
    paired = table.counts[table.rated >= 2]
    if why is None and np.count_nonzero(paired.sum(axis=0)) < 2:
        why = "all values of units rated twice are equal"
    if why is not None:
        return Agreement(Estimate(None, n=table.paired, n_clusters=table.paired, note=why))
    kinds, times = np.unique(paired, axis=0, return_counts=True)
    together = _coincidences(kinds)
    observed, expected = _disagreements(np.tensordot(times, together, 1), table.values, scale)
    drawn = [
        _disagreements(np.tensordot(draw, together, 1), table.values, scale)
        for draw in _draws(times, resampling)
    ]
    seen, chance = (np.concatenate(part) for part in zip(*drawn, strict=True))
    alphas = 1.0 - np.divide(seen, chance, out=np.full(seen.size, np.nan), where=chance > NOTHING)
    estimate = _percentiles(float(1.0 - observed / expected), alphas, table.paired, resampling.level)
    if scale != "nominal":
        return Agreement(estimate)
    return Agreement(estimate, observed=float(1.0 - observed), chance=float(1.0 - expected))


def fleiss_kappa(ratings: Ratings, level: float = 0.95) -> Agreement:
    """Fleiss' kappa (1971) for missing ratings, with the standard error of Gwet (2021; R package irrCAC).

    Chance is that two ratings drawn from all raters together are equal. Values are categories.
    """
    table = _table(ratings)
    share = _shares(table)
    per_unit = table.counts @ share / np.maximum(table.rated, 1.0)
    return _corrected(table, float(share @ share), per_unit, level)


def gwet_ac1(ratings: Ratings, level: float = 0.95) -> Agreement:
    """Gwet's AC1 (2008) with its standard error; q categories are those that occur.

    Chance is sum of p (1 - p) / (q - 1): that of agreeing by guessing where a guess is all there is.
    """
    table = _table(ratings)
    share, others = _shares(table), max(table.values.size - 1.0, 1.0)
    per_unit = table.counts @ (1.0 - share) / (others * np.maximum(table.rated, 1.0))
    return _corrected(table, float(share @ (1.0 - share) / others), per_unit, level)


def conger_kappa(ratings: Ratings, level: float = 0.95) -> Agreement:
    """Conger's kappa (1980), Cohen's kappa for many raters, with the standard error of Gwet (2021).

    Chance is that two different raters agree who each keep to their own shares of the categories.
    """
    table = _table(ratings)
    rater, q = table.rater, table.values.size
    raters, units = int(rater.max(initial=-1)) + 1, table.counts.shape[0]
    own = np.bincount(rater * q + table.code, minlength=raters * q).reshape(raters, q).astype(np.float64)
    said = own.sum(axis=1)
    own /= said[:, None]
    pairs = max(raters * (raters - 1.0), 1.0)
    chance = float(((own.sum(axis=0) ** 2) - (own**2).sum(axis=0)).sum() / pairs)
    others = own.sum(axis=0) - own
    typical = (own * others).sum(axis=1)
    pull = units / said[rater] * (others[rater, table.code] - typical[rater])
    per_unit = (np.bincount(table.unit, weights=pull, minlength=units) + typical.sum()) / pairs
    return _corrected(table, chance, per_unit, level)


def _corrected(table: _Table, chance: float, chance_per_unit: Floats, level: float) -> Agreement:
    """(observed - chance) / (1 - chance), its standard error from what each unit adds, and a t interval."""
    why, n = _unknowable(table), table.paired
    if why is not None:
        return Agreement(Estimate(None, n=n, n_clusters=n, note=why))
    rated, units = table.rated, table.counts.shape[0]
    twice = rated >= 2
    agreed = (table.counts * (table.counts - 1.0)).sum(axis=1) / np.maximum(rated * (rated - 1.0), 1.0)
    observed = float(agreed.sum() / n)
    value = (observed - chance) / (1.0 - chance)
    part = units / n * (agreed - chance * twice) / (1.0 - chance)
    part -= 2.0 * (1.0 - value) * (chance_per_unit - chance) / (1.0 - chance)
    error = float(np.sqrt(((part - value) ** 2).sum() / (units * max(units - 1.0, 1.0))))
    if n < 2 or error <= NOTHING:
        note = "one unit rated twice: no interval" if n < 2 else "all units agree alike: no interval"
        return Agreement(
            Estimate(value, n=n, n_clusters=n, n_expected=units, note=note), None, observed, chance
        )
    reach = float(t.ppf(0.5 + level / 2.0, units - 1.0)) * error
    low, high = value - reach, min(value + reach, 1.0)
    return Agreement(Estimate(value, low, high, n, n, units), error, observed, chance)


def _table(ratings: Ratings) -> _Table:
    units, unit = np.unique(ratings.unit, return_inverse=True)
    _, rater = np.unique(ratings.rater, return_inverse=True)
    values, code = np.unique(ratings.value, return_inverse=True)
    cells = np.bincount(unit * values.size + code, minlength=units.size * values.size)
    return _Table(cells.reshape(units.size, values.size).astype(np.float64), values, unit, rater, code)


def _unknowable(table: _Table) -> str | None:
    """Why there is no agreement to speak of; None where there is."""
    if table.rater.max(initial=-1) < 1:
        return "fewer than two raters"
    if not table.paired:
        return "no unit was rated by two raters"
    return "all ratings are equal: nothing could have differed" if table.values.size < 2 else None


def _shares(table: _Table) -> Floats:
    """Share of each value (Q): of each unit's ratings first, then of units."""
    return np.asarray(
        (table.counts / np.maximum(table.rated, 1.0)[:, None]).sum(axis=0) / max(len(table.counts), 1)
    )


def _coincidences(kinds: Floats) -> Floats:
    """Pairs of values within each kind of unit (T, Q, Q), each rating counting once in all."""
    pairs = kinds[:, :, None] * kinds[:, None, :] - kinds[:, :, None] * np.eye(kinds.shape[1])
    return np.asarray(pairs / (kinds.sum(axis=1) - 1.0)[:, None, None])


def _disagreements(pairs: Floats, values: Floats, scale: Scale) -> tuple[Floats, Floats]:
    """Observed and expected disagreement of coincidence matrices `pairs` (..., Q, Q)."""
    counts = pairs.sum(axis=-1)
    n = counts.sum(axis=-1)
    weight = _weights(counts, values, scale)
    products = counts[..., :, None] * counts[..., None, :]
    observed = (pairs * weight).sum(axis=(-2, -1)) / n
    return observed, (products * weight).sum(axis=(-2, -1)) / (n * (n - 1.0))


def _weights(counts: Floats, values: Floats, scale: Scale) -> Floats:
    """Squared differences (..., Q, Q); on the ordinal scale they are counts of ratings in between."""
    a, b = values[:, None], values[None, :]
    match scale:
        case "nominal":
            return np.asarray(a != b, dtype=np.float64)
        case "interval":
            return np.asarray((a - b) ** 2)
        case "ratio":
            total = a + b
            return np.asarray(np.divide(a - b, total, out=np.zeros(total.shape), where=total > 0) ** 2)
        case "ordinal":
            middle = np.cumsum(counts, axis=-1) - 0.5 * counts
            return np.asarray((middle[..., :, None] - middle[..., None, :]) ** 2)


def _draws(times: Ints, resampling: Resampling) -> list[Floats]:
    """Resamples of units, as how often each kind is drawn: units of one kind cannot be told apart."""
    rng, units = np.random.default_rng(resampling.seed), int(times.sum())
    rows = max(1, DRAWN // times.size)
    sizes = [min(rows, resampling.resamples - start) for start in range(0, resampling.resamples, rows)]
    return [rng.multinomial(units, times / units, size=size).astype(np.float64) for size in sizes]


def _percentiles(value: float, drawn: Floats, units: int, level: float) -> Estimate:
    """Where a resample has no alpha, it could be anything: it counts as lowest below and as 1 above."""
    if units < 2:
        return Estimate(value, n=units, n_clusters=units, n_expected=units, note="one unit: no interval")
    tail = float(norm.cdf(-t.ppf(0.5 + level / 2.0, units - 1.0) * np.sqrt(units / (units - 1.0))))
    low = float(np.quantile(np.where(np.isnan(drawn), -np.inf, drawn), tail, method="lower"))
    high = float(np.quantile(np.where(np.isnan(drawn), 1.0, drawn), 1.0 - tail, method="higher"))
    if not np.isfinite(low) or high - low <= NOTHING:
        note = "too few units that differ: no interval"
        return Estimate(value, n=units, n_clusters=units, n_expected=units, note=note)
    return Estimate(value, low, high, units, units, units)
