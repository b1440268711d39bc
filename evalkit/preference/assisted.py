"""Win shares from votes, sharpened by what metrics say of the pictures nobody voted on.

Votes are few and unbiased; metrics are everywhere and may be wrong. The predictions f of `predictor` are
averaged over all comparisons, and their mean error on the voted ones is taken off:

    share = mean over votes of y + lambda (mean over all of f - mean over votes of f)

so a metric that is wrong costs width at most, never truth (prediction-powered inference: Angelopoulos, Bates,
Fannjiang, Jordan & Zrnic 2023; lambda: Angelopoulos, Duchi & Zrnic 2023, "PPI++"; folds: Zrnic & Candes
2024). Votes share prompts and raters, predictions share prompts; the variance knows both kinds of clusters
(Cameron, Gelbach & Miller 2011). This module knows arrays only: no database, no metric by name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from evalkit.errors import InvalidInput
from evalkit.preference.predictor import Labels, Population, predicted
from evalkit.preference.votes import Floats, Ints
from evalkit.stats.bounded import Uncertainty, bounded_interval
from evalkit.stats.twoway import MANY_RATERS
from evalkit.types import Estimate

FEWEST_PROMPTS = 20
"""Prompts with votes below which nothing is assisted."""
NO_VOTES = "no votes"
NO_REST = "every comparison has a vote: there is nothing for metrics to add"
ALIKE = "the votes, or the predictions, are all the same"
OUTSIDE = "the assisted share is outside of 0 to 1"
NOT_SHORTER = "the metrics say too little about these votes to shorten the interval"


@dataclass(frozen=True, slots=True)
class Assisted:
    """One share: with votes alone, with metrics, and which of the two to show.

    Estimates are 0 to 1; `Estimate.n` counts votes, `n_clusters` prompts with votes. `used` is "plain" with
    a `reason` wherever metrics do not help or must not be trusted to. `ratio` is the variance assisted /
    plain. `weight` is lambda, 0 to 1. `rho` is the correlation of votes with predictions within pairs of
    systems, `unvoted` the share of the comparisons that have no vote.
    """

    plain: Estimate
    assisted: Estimate
    used: Literal["assisted", "plain"]
    reason: str
    ratio: float | None = None
    weight: float | None = None
    rho: float | None = None
    unvoted: float | None = None

    @property
    def estimate(self) -> Estimate:
        """The one to show."""
        return self.assisted if self.used == "assisted" else self.plain

    @property
    def extra_votes(self) -> float | None:
        """What metrics are worth: 0.23 is as good as 23 % more votes, on as many more prompts and raters."""
        return 1.0 / self.ratio - 1.0 if self.ratio else None


@dataclass(frozen=True, slots=True)
class AssistedShares:
    """Win rates against the field, in the order of `systems`, and shares of the first of each of `pairs`.

    The field are the opponents met in votes, each counting alike. `pairs` are places in `systems`, the lower
    one first: those with votes.
    """

    systems: tuple[str, ...]
    by_system: tuple[Assisted, ...]
    pairs: tuple[tuple[int, int], ...]
    by_pair: tuple[Assisted, ...]


def assisted_shares(
    population: Population, labels: Labels, *, level: float = 0.95, seed: int = 0, refuse: str = ""
) -> AssistedShares:
    """Shares of votes won, per system and per pair of systems, over all comparisons of the population.

    The voted comparisons have to be a random sample of it within each pair of systems, by chances that
    `Labels.weight` knows; `refuse` is the reason where they are not, and then nothing is assisted. Prompts
    and raters are taken as samples of prompts and raters like them. The same seed gives the same folds.
    Raises `InvalidInput`.
    """
    places = labels.comparison
    if places.size and not 0 <= places.min() <= places.max() < population.first.size:
        raise InvalidInput("a vote is on a comparison that is not in the population")
    k = len(population.systems)
    if not places.size:
        return AssistedShares(population.systems, (_unvoted(),) * k, (), ())
    frame = _frame(population, labels)
    measured = _measured(frame, predicted(population, labels, seed))
    found = [_judged(measured, q, level, refuse) for q in range(k + len(frame.pairs))]
    return AssistedShares(population.systems, tuple(found[:k]), frame.pairs, tuple(found[k:]))


@dataclass(frozen=True)
class _Frame:
    """Comparisons of pairs that have votes, turned so that the system with the lower number comes first.

    `kept` says which of the population's comparisons these are. `pair` is the place of each one's pair in
    `pairs`; `mass` sums to 1 in each pair, and so does `weight` over votes.
    """

    systems: int
    pairs: tuple[tuple[int, int], ...]
    kept: NDArray[np.bool_]
    turned: NDArray[np.bool_]
    pair: Ints
    prompt: Ints
    mass: Floats
    vote: Ints
    outcome: Floats
    rater: Ints
    weight: Floats

    @cached_property
    def of_vote(self) -> Ints:
        """The pair of each vote."""
        return np.asarray(self.pair[self.vote])

    @cached_property
    def contrasts(self) -> csr_array:
        """What is estimated, (P, K + P): each system's mean over its opponents, then each pair by itself.

        The share of the second of a pair is 1 minus that of the first, hence minus signs: see `offsets`.
        """
        low, high = np.array(self.pairs, dtype=np.int64).T
        met = np.maximum(np.bincount(np.concatenate([low, high]), minlength=self.systems), 1)
        place = np.arange(low.size)
        values = np.concatenate([1.0 / met[low], -1.0 / met[high], np.ones(low.size)])
        columns = np.concatenate([low, high, self.systems + place])
        return csr_array((values, (np.tile(place, 3), columns)), shape=(low.size, self.systems + low.size))

    @cached_property
    def offsets(self) -> Floats:
        return np.asarray(-self.contrasts.minimum(0.0).sum(axis=0)).ravel()

    def over_votes(self, values: Floats) -> Floats:
        """Weighted means (P) over the votes of each pair."""
        return _sums(self.of_vote, self.weight * values, len(self.pairs))

    def over_all(self, values: Floats) -> Floats:
        """Means (P) over the comparisons of each pair."""
        return _sums(self.pair, self.mass * values, len(self.pairs))


@dataclass(frozen=True, slots=True)
class _Form:
    """Variance by contrast over one kind of clusters, for any lambda: yy + 2 lambda yf + lambda^2 ff.

    y is the plain share, f its correction. `seen` and `effective` are numbers of clusters with votes.
    """

    yy: Floats
    yf: Floats
    ff: Floats
    seen: Ints
    effective: Floats

    def at(self, weight: Floats) -> Floats:
        return np.asarray(self.yy + 2.0 * weight * self.yf + weight**2 * self.ff)


@dataclass(frozen=True, slots=True)
class _Measured:
    """Everything by contrast (K + P). Of the prompts behind an assisted share one is spent on lambda."""

    plain: Floats
    assisted: Floats
    variance: Floats
    assisted_variance: Floats
    freedom: Floats
    assisted_freedom: Floats
    weight: Floats
    rho: Floats
    unvoted: Floats
    votes: Ints
    prompts: Ints
    raters: Ints


def _frame(population: Population, labels: Labels) -> _Frame:
    k = len(population.systems)
    low, high = (np.asarray(f(population.first, population.second)) for f in (np.minimum, np.maximum))
    code = low.astype(np.int64) * k + high
    pairs = np.unique(code[labels.comparison])
    kept, turned = np.isin(code, pairs), np.asarray(population.first > population.second)
    pair, vote = np.searchsorted(pairs, code[kept]), (np.cumsum(kept) - 1)[labels.comparison]
    mass = np.ones(code.size) if population.mass is None else population.mass
    weight = np.ones(vote.size) if labels.weight is None else labels.weight
    return _Frame(
        systems=k,
        pairs=tuple((int(c) // k, int(c) % k) for c in pairs),
        kept=kept,
        turned=turned[kept],
        pair=pair,
        prompt=np.unique(population.prompt[kept], return_inverse=True)[1],
        mass=mass[kept] / _sums(pair, mass[kept], pairs.size)[pair],
        vote=vote,
        outcome=np.where(turned[labels.comparison], 1.0 - labels.outcome, labels.outcome),
        rater=np.unique(labels.rater, return_inverse=True)[1],
        weight=weight / _sums(pair[vote], weight, pairs.size)[pair[vote]],
    )


def _measured(frame: _Frame, chances: Floats) -> _Measured:
    f = np.where(frame.turned, 1.0 - chances[frame.kept], chances[frame.kept])
    A = frame.contrasts
    won, foretold, everywhere = (
        frame.over_votes(frame.outcome),
        frame.over_votes(f[frame.vote]),
        frame.over_all(f),
    )
    y, g = frame.outcome - won[frame.of_vote], f[frame.vote] - foretold[frame.of_vote]
    rest = frame.mass * (f - everywhere[frame.pair])
    prompts, raters, cells = _forms(frame, y, g, rest)
    weight = np.clip(_ratio(-prompts.yf, prompts.ff), 0.0, 1.0)
    plain = won @ A + frame.offsets
    zero, groups = np.zeros_like(weight), np.maximum(prompts.seen, 3)
    voted = np.bincount(frame.vote, minlength=f.size) > 0
    size = abs(A)
    return _Measured(
        plain=plain,
        assisted=plain + weight * ((everywhere - foretold) @ A),
        variance=_two_way(prompts, raters, cells, zero),
        assisted_variance=_two_way(prompts, raters, cells, weight) * (groups - 1.0) / (groups - 2.0),
        freedom=_freedom(prompts, raters, spent=1.0),
        assisted_freedom=_freedom(prompts, raters, spent=2.0),
        weight=weight,
        rho=_correlation(*(frame.over_votes(x) @ size for x in (y * g, y * y, g * g))),
        unvoted=frame.over_all(np.where(voted, 0.0, 1.0)) @ size,
        votes=np.rint(_sums(frame.of_vote, np.ones(y.size), len(frame.pairs)) @ (size > 0)).astype(np.int64),
        prompts=prompts.seen,
        raters=raters.seen,
    )


def _forms(frame: _Frame, y: Floats, g: Floats, rest: Floats) -> tuple[_Form, _Form, _Form]:
    """Variance over prompts, over raters and over cells of both.

    Predictions for all comparisons belong to prompts and to no rater: they are in the first only.
    """
    prompt = frame.prompt[frame.vote]
    cell = np.unique(prompt * (int(frame.rater.max()) + 1) + frame.rater, return_inverse=True)[1]
    prompts = int(frame.prompt.max()) + 1
    everywhere = csr_array((rest, (frame.prompt, frame.pair)), shape=(prompts, len(frame.pairs)))
    raters, cells = (
        _form(frame, cluster, (y, g), csr_array((int(cluster.max()) + 1, len(frame.pairs))))
        for cluster in (frame.rater, cell)
    )
    return _form(frame, prompt, (y, g), everywhere), raters, cells


def _form(frame: _Frame, cluster: Ints, off: tuple[Floats, Floats], everywhere: csr_array) -> _Form:
    """Sums of squares of cluster totals, times C / (C - 1) for C clusters with votes."""
    y, g, mass = (
        csr_array((frame.weight * x, (cluster, frame.of_vote)), shape=everywhere.shape)
        for x in (*off, np.ones(cluster.size))
    )
    Y, F, M = y @ frame.contrasts, (everywhere - g) @ frame.contrasts, mass @ abs(frame.contrasts)
    seen = (M > 0).sum(axis=0).astype(np.int64)
    factor = seen / np.maximum(seen - 1.0, 1.0)
    yy, yf, ff = (factor * _products(a, b) for a, b in ((Y, Y), (Y, F), (F, F)))
    return _Form(yy, yf, ff, seen, _ratio(M.sum(axis=0) ** 2, _products(M, M)))


def _two_way(prompts: _Form, raters: _Form, cells: _Form, weight: Floats) -> Floats:
    """Prompts + raters - cells, never less than either of these two; prompts alone where raters are few."""
    by_prompt, by_rater = prompts.at(weight), raters.at(weight)
    both = np.maximum(by_prompt + by_rater - cells.at(weight), np.maximum(by_prompt, by_rater))
    return np.where(raters.seen < MANY_RATERS, by_prompt, both)


def _freedom(prompts: _Form, raters: _Form, spent: float) -> Floats:
    of_raters = np.where(raters.seen < MANY_RATERS, np.inf, raters.effective - 1.0)
    return np.minimum(prompts.effective - spent, of_raters)


def _judged(m: _Measured, q: int, level: float, refuse: str) -> Assisted:
    if not m.votes[q]:
        return _unvoted()
    plain = _estimate(m, q, (m.plain[q], m.variance[q], m.freedom[q]), level)
    reason = refuse or _impossible(m, q)
    if reason:
        return Assisted(plain, Estimate(None, note=reason), "plain", reason, unvoted=float(m.unvoted[q]))
    assisted = _estimate(m, q, (m.assisted[q], m.assisted_variance[q], m.assisted_freedom[q]), level)
    reason = "" if _length(assisted) < _length(plain) else NOT_SHORTER
    return Assisted(
        plain,
        assisted,
        "plain" if reason else "assisted",
        reason,
        ratio=float(m.assisted_variance[q] / m.variance[q]),
        weight=float(m.weight[q]),
        rho=float(m.rho[q]),
        unvoted=float(m.unvoted[q]),
    )


def _impossible(m: _Measured, q: int) -> str:
    """Why a share cannot be assisted at all; empty if it can."""
    if m.prompts[q] < FEWEST_PROMPTS:
        return f"{m.prompts[q]} prompts with votes, {FEWEST_PROMPTS} are needed"
    if m.raters[q] < MANY_RATERS:
        return f"{m.raters[q]} raters, {MANY_RATERS} are needed"
    if m.unvoted[q] <= 1e-12:
        return NO_REST
    if m.variance[q] <= 1e-24 or m.assisted_variance[q] <= 1e-24:
        return ALIKE
    return "" if 0.0 < m.assisted[q] < 1.0 else OUTSIDE


def _estimate(m: _Measured, q: int, known: tuple[float, float, float], level: float) -> Estimate:
    value, variance, freedom = (float(x) for x in known)
    votes, prompts = int(m.votes[q]), int(m.prompts[q])
    if prompts < 2:
        return Estimate(value, n=votes, n_clusters=prompts, n_expected=votes, note="one prompt: no interval")
    few = m.raters[q] < MANY_RATERS
    note = "few raters: the interval knows of prompts only, not of how people differ" if few else None
    low, high = bounded_interval(value, Uncertainty(variance**0.5, freedom + 1.0), (0.0, 1.0), level)
    return Estimate(value, low, high, votes, prompts, votes, note)


def _length(estimate: Estimate) -> float:
    return np.inf if estimate.low is None or estimate.high is None else estimate.high - estimate.low


def _unvoted() -> Assisted:
    nothing = Estimate(None, note=NO_VOTES)
    return Assisted(nothing, nothing, "plain", NO_VOTES)


def _sums(codes: Ints, values: Floats, groups: int) -> Floats:
    return np.bincount(codes, weights=values, minlength=groups).astype(np.float64)


def _products(a: csr_array, b: csr_array) -> Floats:
    """Sums down the columns of a x b, element by element."""
    return np.asarray(a.multiply(b).sum(axis=0)).ravel()


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.asarray(np.divide(above, below, out=np.zeros_like(above), where=below > 0))


def _correlation(yg: Floats, yy: Floats, gg: Floats) -> Floats:
    return _ratio(yg, np.sqrt(yy * gg))
