"""Ratings with their covariance -> ranges of ranks that hold, and the chance of every place.

A system's range leaves out the ranks that the data speak against, at a level that allows for how many
comparisons a rank is made of. This module knows estimates and a covariance; it knows no votes and no names.

Every decision between two systems has to be right at once: the chances of the wrong ones are summed
(`_summed`), or, where the covariance is known well, the largest of them is drawn (`_drawn`), and the smaller
critical value counts. Both step down: what was decided can be wrong in one way only, and what is far from
undecided hardly at all, for which `RESERVED` of the error is put by (Romano, Shaikh & Wolf 2014).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammaln, stdtr, stdtrit

from evalkit.errors import InvalidInput, UsageError
from evalkit.preference.votes import Floats, Ints

Kind = Literal["marginal", "simultaneous"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Whether `level` holds for each system's range, or for all of them at once."""

Flags = NDArray[np.bool_]
Singles = NDArray[np.float32]
BLOCK = 1 << 18
"""Numbers worked on at a time: as many as stay in a processor's cache."""
FEWEST_BEYOND = 20
"""Draws that have to lie beyond a critical value for it to be known well enough."""
RESERVED = 0.02
"""Share of the error that pays for leaving aside what is far from undecided."""
MANY = 200.0
"""Degrees of freedom from which differences may be drawn together; with fewer, V is not known well enough."""
FAR = 6.0
"""Standard errors beyond which no draw brings a comparison back."""
MAX_ITERATIONS = 100
TOLERANCE = 1e-9
FLAT = 1e-10
"""A difference whose variance is below this share of the largest is one that nothing is known of."""


@dataclass(frozen=True, slots=True)
class RankOptions:
    """`level` is the confidence (0 to 1), `draws` how many normal vectors are drawn from `seed`.

    10,000 draws give a level of 95 % to within 0.2 points (one standard error), and chances of places to
    within 0.5. Raises `UsageError` for a level outside 0 to 1, an unknown kind, or too few draws for it.
    """

    level: float = 0.95
    kind: Kind = "marginal"
    draws: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 < self.level < 1.0:
            raise UsageError(f"a level of {self.level:g} is not between 0 and 1", "Use 0.95, for example.")
        if self.kind not in KINDS:
            raise UsageError(f"no such kind of rank range: {self.kind}", f"Use one of {', '.join(KINDS)}.")
        if self.draws * (1.0 - self.level) < FEWEST_BEYOND:
            enough = int(np.ceil(FEWEST_BEYOND / (1.0 - self.level)))
            raise UsageError(
                f"{self.draws} draws are too few for a level of {self.level:g}",
                f"Use draws={enough} or more.",
            )


DEFAULT = RankOptions()


@dataclass(frozen=True, slots=True)
class Ranks:
    """Where K systems stand. Rank 1 is the best.

    `low` and `high` (K) are the best and the worst rank each system may have. `places` (K, K) is the chance
    that system i has rank r + 1 if abilities are normal (Student's t) about their estimates. `critical` (K)
    is how many standard errors a difference from each system had to exceed.
    """

    low: Ints
    high: Ints
    places: Floats
    critical: Floats

    @property
    def best(self) -> Floats:
        """Chance of being the best (K), 0 to 1."""
        return self.top(1)

    def top(self, k: int) -> Floats:
        """Chance of being among the best `k` (K), 0 to 1."""
        return np.asarray(self.places[:, :k].sum(axis=1))

    @property
    def expected(self) -> Floats:
        """Mean rank (K), 1 to K."""
        return np.asarray(self.places @ np.arange(1.0, self.low.size + 1.0))

    @property
    def first(self) -> Flags:
        """The systems tied for first (K): no other is shown to be above them."""
        return np.asarray(self.low == 1)


def rank_ranges(theta: Floats, V: Floats, freedom: float = np.inf, options: RankOptions = DEFAULT) -> Ranks:
    """Rank ranges and chances of places for abilities `theta` (K) with covariance `V` (K, K), any units.

    System i has a rank in [1 + #{j above i}, K - #{j below i}], counting the j whose difference from i is
    beyond a critical value: t_ij = (theta_i - theta_j) / sqrt(V_ii + V_jj - 2 V_ij) against that of all
    comparisons of i ("marginal"), or of all systems ("simultaneous"). Among equals, the range holds every
    rank they share. Ranks from pairwise tests whose critical values step down as comparisons are decided:
    Romano & Wolf (2005); Mogstad, Romano, Shaikh & Wilhelm (2024; R's `csranks`).

    A finite `freedom` (1 or more), where the covariance comes from few clusters, makes every t_ij Student's
    t; below `MANY`, whatever they have in common. A difference without a variance is never told apart.

    Raises `InvalidInput` where the numbers are not finite, the shapes do not fit, or V is no covariance.
    """
    _check(theta, V, freedom)
    Z = _draws(V, freedom, options)
    known = _compared(theta, V, freedom, options)
    critical = _summed(known, freedom, options)
    if freedom >= MANY:
        critical = _drawn(known, Z, critical, options)
    return Ranks(*_counted(known.statistics, critical), _places(theta, Z), critical)


def quick_ranges(
    theta: Floats, V: Floats, freedom: float = np.inf, options: RankOptions = DEFAULT
) -> tuple[Ints, Ints]:
    """Best and worst ranks (K each) without a draw, for a board that changes with every vote.

    As `rank_ranges`, or somewhat wider; the level holds as well.
    """
    _check(theta, V, freedom)
    known = _compared(theta, V, freedom, options)
    return _counted(known.statistics, _summed(known, freedom, options))


def chances_of_places(
    theta: Floats, V: Floats, freedom: float = np.inf, options: RankOptions = DEFAULT
) -> Floats:
    """The chance that system i has rank r + 1 (K, K), as in `Ranks.places`; as exact as there are draws."""
    _check(theta, V, freedom)
    return _places(theta, _draws(V, freedom, options))


def overlap_ranges(lower: Floats, upper: Floats) -> tuple[Ints, Ints]:
    """Ranks by whether intervals (K each) overlap: low = 1 + #{j: lower_j > upper_i}, high the other way.

    `low` is the rank that LMArena shows (FastChat). It carries no level, and is here for comparison.
    """
    above = (lower[None, :] > upper[:, None]).sum(axis=1)
    below = (upper[None, :] < lower[:, None]).sum(axis=1)
    return 1 + above, lower.size - below


@dataclass(frozen=True, slots=True)
class _Comparisons:
    """Standardised differences, one over their standard errors, and how far each is from undecided (K, K)."""

    statistics: Floats
    scale: Floats
    slack: Floats


def _compared(theta: Floats, V: Floats, freedom: float, options: RankOptions) -> _Comparisons:
    """Slack is by how much a difference surely is away from zero, "surely" by Bonferroni at `RESERVED`."""
    scale = _scale(V)
    statistics = (theta[:, None] - theta[None, :]) * scale
    tests = theta.size * (theta.size - 1) if options.kind == "simultaneous" else 2 * (theta.size - 1)
    reach = -stdtrit(freedom, RESERVED * (1.0 - options.level) / max(tests, 1))
    slack = np.where(scale > 0.0, np.maximum(np.abs(statistics) - reach, 0.0), np.inf)
    return _Comparisons(statistics, scale, slack)


def _summed(known: _Comparisons, freedom: float, options: RankOptions) -> Floats:
    """Critical values (K) at which the chances of wrong decisions sum to what is allowed, stepping down."""
    decided = known.slack > 0.0
    while True:
        spent = _spent(known.slack, np.where(decided, 1.0, 2.0), freedom, options)
        critical = np.array(np.broadcast_to(spent, known.scale.shape[:1]))
        found = np.abs(known.statistics) > critical[:, None]
        if not (found & ~decided).any():
            return critical
        decided |= found


def _spent(slack: Floats, ways: Floats, freedom: float, options: RankOptions) -> Floats:
    """The values c (K) with sum(ways * P(t > c + slack)) = allowed, by Newton's method on a convex sum."""
    allowed = (1.0 - RESERVED) * (1.0 - options.level)
    if options.kind == "simultaneous":
        once = np.triu(np.ones(slack.shape, dtype=np.bool_), 1)
        slack, ways = np.where(once, slack, np.inf).reshape(1, -1), ways.reshape(1, -1)
    undecided = (ways * (slack == 0.0)).sum(axis=1)
    values = np.asarray(-stdtrit(freedom, allowed / np.maximum(undecided, 1.0)))
    for _ in range(MAX_ITERATIONS):
        away = values[:, None] + slack
        over = np.maximum((ways * stdtr(freedom, -away)).sum(axis=1) - allowed, 0.0)
        if over.max() <= TOLERANCE * allowed:
            break
        slope = (ways * _density(away, freedom)).sum(axis=1)
        values = values + over / np.maximum(slope, np.finfo(np.float64).tiny)
    return values


def _density(x: Floats, freedom: float) -> Floats:
    """Of Student's t; scipy.stats has it too, at a hundred times the cost of a call."""
    if np.isinf(freedom):
        return np.asarray(np.exp(-(x**2) / 2.0) / np.sqrt(2.0 * np.pi))
    log = gammaln((freedom + 1.0) / 2.0) - gammaln(freedom / 2.0) - 0.5 * np.log(freedom * np.pi)
    return np.asarray(np.exp(log - (freedom + 1.0) / 2.0 * np.log1p(x**2 / freedom)))


def _drawn(known: _Comparisons, Z: Singles, critical: Floats, options: RankOptions) -> Floats:
    """Critical values (K) from the largest wrong decision in each draw, stepping down from those given."""
    decided = _decided(known.statistics, critical)
    rows = np.arange(critical.size)
    while rows.size:
        critical = critical.copy()
        critical[rows] = np.minimum(critical[rows], _quantiles(known, Z, decided, rows, options))
        found = _decided(known.statistics, critical)
        new = (found & ~decided).any(axis=(0, 2))
        together = options.kind == "simultaneous" and new.any()
        rows = np.arange(critical.size) if together else np.flatnonzero(new)
        decided = found
    return critical


def _counted(statistics: Floats, critical: Floats) -> tuple[Ints, Ints]:
    below, above = _decided(statistics, critical).sum(axis=2)
    return 1 + above, critical.size - below


def _decided(statistics: Floats, critical: Floats) -> Flags:
    """For the range of i (2, K, K): j is below i, and j is above i."""
    return np.stack([statistics > critical[:, None], -statistics > critical[:, None]])


def _quantiles(
    known: _Comparisons, Z: Singles, decided: Flags, rows: Ints, options: RankOptions
) -> NDArray[np.floating]:
    """Critical values of these rows: of each for itself, or one for all."""
    level = options.level + RESERVED * (1.0 - options.level)
    counted = np.isfinite(known.slack) & (known.slack < FAR)
    if options.kind == "marginal":
        return _upper(_largest(known, Z, decided, counted, rows), level)
    once = np.triu(counted)
    return _upper(_largest(known, Z, decided, once, rows).max(axis=0, keepdims=True), level)


def _upper(maxima: Singles, level: float) -> NDArray[np.floating]:
    """The order statistic that is beyond the quantile rather than short of it (rows of maxima -> rows)."""
    draws = maxima.shape[1]
    place = min(int(np.ceil(level * (draws + 1))), draws) - 1
    return np.asarray(np.partition(maxima, place, axis=1)[:, place])


def _largest(known: _Comparisons, Z: Singles, decided: Flags, counted: Flags, rows: Ints) -> Singles:
    """The largest wrong decision of each row in each draw (rows, draws), in standard errors, 0 if none."""
    largest = np.zeros((rows.size, Z.shape[1]), dtype=np.float32)
    plans = [_plan(known, decided, counted, i) for i in rows]
    step = max(BLOCK // Z.shape[0], 256)
    for start in range(0, Z.shape[1], step):
        block = Z[:, start : start + step]
        for row, i, plan in zip(largest, rows, plans, strict=True):
            if plan.others.size:
                W = block[i] - block[plan.others]
                W *= plan.factors
                np.abs(W[: plan.either], out=W[: plan.either])
                W[plan.either :] -= plan.slack
                np.maximum(np.max(W, axis=0), 0.0, out=row[start : start + step])
    return largest


@dataclass(frozen=True, slots=True)
class _Plan:
    """The n systems that one is compared with, the first `either` of them both ways.

    `factors` (n, 1) standardise, with the sign of the decision that would be wrong; `slack` is of the rest.
    """

    others: Ints
    either: int
    factors: Singles
    slack: Singles


def _plan(known: _Comparisons, decided: Flags, counted: Flags, i: int) -> _Plan:
    below, above = decided[:, i]
    either = np.flatnonzero(counted[i] & ~(below | above))
    single = np.flatnonzero(counted[i] & (below | above))
    others = np.concatenate([either, single])
    factors = np.where(below[others], -1.0, 1.0) * known.scale[i, others]
    slack = known.slack[i, single].astype(np.float32)
    return _Plan(others, either.size, factors.astype(np.float32)[:, None], slack[:, None])


def _draws(V: Floats, freedom: float, options: RankOptions) -> Singles:
    """Deviations of abilities (K, draws). Directions without variance get a trace, so that equals share."""
    rng = np.random.default_rng(options.seed)
    spread, axes = np.linalg.eigh(0.5 * (V + V.T))
    floor = FLAT * spread[-1] if spread[-1] > 0 else 1.0
    root = (axes * np.sqrt(np.maximum(spread, floor))).astype(np.float32)
    Z = root @ rng.standard_normal((V.shape[0], options.draws), dtype=np.float32)
    if np.isfinite(freedom):
        Z *= np.sqrt(freedom / rng.chisquare(freedom, options.draws)).astype(np.float32)
    return np.asarray(Z)


def _places(theta: Floats, Z: Singles) -> Floats:
    """How often each system has each place. Sorting numbers that carry their index is faster than argsort."""
    size, draws = Z.shape
    values = np.ascontiguousarray(Z.T) + theta.astype(np.float32)
    bits = size.bit_length()
    fine = 2.0 ** (61 - bits) / max(float(np.abs(values).max()), np.finfo(np.float64).tiny)
    keys = ((-values * fine).astype(np.int64) << bits) | np.arange(size)
    keys.sort(axis=1)
    cells = (keys & ((1 << bits) - 1)) * size + np.arange(size)
    return np.asarray(np.bincount(cells.ravel(), minlength=size * size).reshape(size, size) / draws)


def _scale(V: Floats) -> Floats:
    """One over the standard error of each difference (K, K); zero where there is no variance."""
    variance = np.diag(V)[:, None] + np.diag(V)[None, :] - V - V.T
    known = variance > FLAT * max(float(variance.max(initial=0.0)), np.finfo(np.float64).tiny)
    return np.where(known, 1.0 / np.sqrt(np.where(known, variance, 1.0)), 0.0)


def _check(theta: Floats, V: Floats, freedom: float) -> None:
    if theta.ndim != 1 or theta.size == 0 or V.shape != (theta.size, theta.size):
        raise InvalidInput(f"ratings of shape {theta.shape} with a covariance of shape {V.shape}")
    if not (np.isfinite(theta).all() and np.isfinite(V).all()):
        raise InvalidInput(
            "a rating or its covariance is not a number", "Leave out systems that could not be rated."
        )
    if np.diag(V).min() < 0 or not np.allclose(V, V.T, rtol=1e-6, atol=1e-9 * np.abs(V).max()):
        raise InvalidInput("the covariance of the ratings is not symmetric, or has a negative variance")
    if not freedom >= 1.0:
        raise InvalidInput(f"{freedom:g} degrees of freedom are too few", "Two clusters at least are needed.")
