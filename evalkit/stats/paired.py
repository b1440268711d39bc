"""Two rates of the same prompts: by how much they differ, how surely, and what could have been seen at all.

The test is exact: the sign test on the pairs that changed (McNemar 1947, in its exact form). With prompts in
clusters, or asked several times, the signs of whole clusters are flipped. The interval is that of Fay &
Lumbard (2021), made to agree with this test: it leaves out zero if and only if the test decides. It melds
the Clopper-Pearson limits of two things: how many pairs change, and how many of those in one direction. This
module knows numbers only; what a refusal is, is for others.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from evalkit.errors import UsageError
from evalkit.stats.bounded import Uncertainty, few_clusters
from evalkit.stats.clusters import ClusterTotals, Floats
from evalkit.types import Estimate

NODES = 2000
"""Quantiles that stand for a beta distribution; limits are then good to about 1e-4."""
STEPS = 48
GRAIN = 2520
"""Differences are whole multiples of 1/2520 for up to ten replicates on each side."""


@dataclass(frozen=True, slots=True)
class PairedDifference:
    """After minus before over `pairs` prompts that both answered.

    `rose` and `fell` count prompts whose rate went up or down. `p_value` is two-sided: the chance of so large
    a difference if changes were as likely in either direction. `decided`: the interval leaves out zero.
    """

    before: float | None
    after: float | None
    difference: Estimate
    p_value: float | None
    pairs: int
    clusters: int
    rose: int
    fell: int

    @property
    def decided(self) -> bool | None:
        low, high = self.difference.low, self.difference.high
        return None if low is None or high is None else low > 0 or high < 0


def paired_difference(
    before: ArrayLike, after: ArrayLike, clusters: Sequence[Hashable], level: float = 0.95
) -> PairedDifference:
    """Compare the rates of n prompts, from 0 to 1 (shares of replicates), `before` and `after`.

    `clusters` are n labels. Where every prompt is a cluster and every rate 0 or 1, the p-value is McNemar's
    exact one and the interval Fay-Lumbard's. Otherwise signs of whole clusters are flipped (exact where both
    sides have the same number of replicates), and the interval is for the number of independent pairs that
    would give the standard error seen, in the manner of Korn & Graubard (1998), and never more than there are
    prompts; where the test does not decide, it is drawn out to zero. No pair, or one cluster, gives no
    interval. Raises `UsageError` for lists of different lengths.
    """
    old, new = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if not old.shape == new.shape == (len(clusters),):
        raise UsageError(
            f"{old.size} rates before, {new.size} after and {len(clusters)} clusters do not belong together",
            "Give one of each for every prompt.",
        )
    if old.size == 0:
        return PairedDifference(None, None, Estimate(None, note="no pair"), None, 0, 0, 0, 0)
    change = new - old
    sums, counts = _by_cluster(change, clusters)
    p = sign_flip_p(sums)
    estimate = _estimate(change, ClusterTotals(sums, counts, -1.0, 1.0), p, level)
    rose, fell = int((change > 0).sum()), int((change < 0).sum())
    return PairedDifference(
        float(old.mean()), float(new.mean()), estimate, p, old.size, int(sums.size), rose, fell
    )


def exact_mcnemar_p(rose: int, fell: int) -> float:
    """Two-sided p of the exact McNemar test: twice the smaller tail of Binomial(rose + fell, 1/2)."""
    from scipy.special import bdtr

    changed = rose + fell
    return min(1.0, 2.0 * float(bdtr(min(rose, fell), changed, 0.5))) if changed else 1.0


def sign_flip_p(sums: ArrayLike) -> float:
    """Two-sided p of the sums of G clusters if each could as well have had the other sign; exact.

    The distribution over all 2^G signs is built by convolution. With sums of 1, 0 and -1 it is
    `exact_mcnemar_p`.
    """
    whole = np.rint(np.asarray(sums, dtype=np.float64) * GRAIN).astype(np.int64)
    steps = np.abs(whole[whole != 0])
    if steps.size == 0:
        return 1.0
    steps, seen = steps // np.gcd.reduce(steps), abs(int(whole.sum() // np.gcd.reduce(steps)))
    chances = np.ones(1)
    for step in steps:
        chances = 0.5 * (np.pad(chances, (0, 2 * step)) + np.pad(chances, (2 * step, 0)))
    middle = int(steps.sum())
    return float(min(1.0, chances[middle + seen :].sum() + chances[: middle - seen + 1].sum()))


def melded_interval(rose: float, fell: float, pairs: float, level: float = 0.95) -> tuple[float, float]:
    """Low and high end for (rose - fell) / pairs, by Fay & Lumbard (2021); counts may be fractions.

    Without any change it is plus and minus the Clopper-Pearson limit of 0 of `pairs`.
    """
    tail = (1.0 - level) / 2.0
    return _melded_low(rose, fell, pairs, tail), -_melded_low(fell, rose, pairs, tail)


@dataclass(frozen=True, slots=True)
class Reach:
    """What `pairs` prompts, each asked once, can show at all.

    `least` is the smallest number of prompts that, all changing in one direction, make the test decide; None
    where even all of them would not do. `detectable` is the true difference that is found with probability
    `power` if no prompt changes in the other direction; with changes in both it takes more.
    """

    pairs: int
    least: int | None
    detectable: float | None
    power: float


def reach(pairs: int, power: float = 0.8, level: float = 0.95) -> Reach:
    """The smallest difference that so many pairs could have shown (exact McNemar, two-sided)."""
    from scipy.special import bdtrc

    least = 1
    while 2.0 * 0.5**least >= 1.0 - level:
        least += 1
    if least > pairs:
        return Reach(pairs, None, None, power)
    found = _crossing(lambda rate: float(bdtrc(least - 1, pairs, rate)), power, (0.0, 1.0))
    return Reach(pairs, least, found, power)


def _by_cluster(change: Floats, clusters: Sequence[Hashable]) -> tuple[Floats, Floats]:
    """Sum and number of the changes of each cluster."""
    numbers = {label: i for i, label in enumerate(dict.fromkeys(clusters))}
    codes = np.array([numbers[label] for label in clusters])
    sums = np.bincount(codes, weights=change).astype(np.float64)
    return sums, np.bincount(codes).astype(np.float64)


def _estimate(change: Floats, totals: ClusterTotals, p: float, level: float) -> Estimate:
    n, mean = change.size, float(change.mean())
    if totals.clusters < 2:
        return Estimate(mean, n=n, n_clusters=1, n_expected=n, note="one cluster: no interval")
    low, high = _ends(change, totals, level)
    if p >= 1.0 - level:
        low, high = min(low, 0.0), max(high, 0.0)
    return Estimate(mean, low, high, n=n, n_clusters=totals.clusters, n_expected=n)


def _ends(change: Floats, totals: ClusterTotals, level: float) -> tuple[float, float]:
    rose, fell = float(np.maximum(change, 0).sum()), float(np.maximum(-change, 0).sum())
    n = float(change.size)
    if totals.clusters == change.size and np.isin(change, (-1.0, 0.0, 1.0)).all():
        return melded_interval(rose, fell, n, level)
    size = _independent_pairs(totals, (rose + fell) / n, level)
    return melded_interval(rose * size / n, fell * size / n, size, level)


def _independent_pairs(totals: ClusterTotals, moved: float, level: float) -> float:
    """How many pairs would give the standard error seen if each stood alone and were asked once."""
    known = Uncertainty(totals.jackknife_error(), totals.effective_clusters)
    spread = moved - totals.mean**2
    if known.error <= 1e-12 or spread <= 1e-12:
        return known.clusters
    return min(spread / known.error**2, float(totals.n)) * few_clusters(known.freedom, level)


def _melded_low(rose: float, fell: float, pairs: float, tail: float) -> float:
    """The `tail` quantile of M (2 B - 1), B and M having the distributions of confidence limits.

    B ~ Beta(rose, fell + 1) is the share of the changed that rose, by its lower limit. M is the share that
    changed: by its lower limit where the product is positive, by its upper one where it is negative.
    """
    from scipy.special import betainc

    if rose <= 0:
        return -_most(rose + fell, pairs, tail)
    fallen = float(betainc(rose, fell + 1.0, 0.5))
    if fallen < tail:
        return _above_zero(rose, fell, pairs, tail)
    return _below_zero(rose, fell, pairs, tail)


def _above_zero(rose: float, fell: float, pairs: float, tail: float) -> float:
    from scipy.special import betainc, betaincinv

    moved, stayed = rose + fell, pairs - rose - fell
    fallen = float(betainc(rose, fell + 1.0, 0.5))
    lean = 2.0 * betaincinv(rose, fell + 1.0, fallen + (1.0 - fallen) * _nodes()) - 1.0

    def chance(t: float) -> float:
        return fallen + (1.0 - fallen) * float(betainc(moved, stayed + 1.0, np.minimum(t / lean, 1.0)).mean())

    return _crossing(chance, tail, (0.0, 1.0))


def _below_zero(rose: float, fell: float, pairs: float, tail: float) -> float:
    from scipy.special import betainc, betaincinv

    moved, stayed = rose + fell, pairs - rose - fell
    fallen = float(betainc(rose, fell + 1.0, 0.5))
    lean = 1.0 - 2.0 * betaincinv(rose, fell + 1.0, fallen * _nodes())

    def chance(t: float) -> float:
        if stayed <= 1e-9:
            return fallen * float((lean >= -t).mean())
        return fallen * float(1.0 - betainc(moved + 1.0, stayed, np.minimum(-t / lean, 1.0)).mean())

    return _crossing(chance, tail, (-1.0, 0.0))


def _most(moved: float, pairs: float, tail: float) -> float:
    """The upper Clopper-Pearson limit of `moved` of `pairs`."""
    from scipy.special import betaincinv

    return float(betaincinv(moved + 1.0, pairs - moved, 1.0 - tail)) if pairs - moved > 1e-9 else 1.0


def _nodes() -> NDArray[np.float64]:
    return (np.arange(NODES) + 0.5) / NODES


def _crossing(rising: Callable[[float], float], level: float, between: tuple[float, float]) -> float:
    """Where a rising function passes `level`."""
    low, high = between
    for _ in range(STEPS):
        middle = (low + high) / 2.0
        low, high = (low, middle) if rising(middle) >= level else (middle, high)
    return (low + high) / 2.0
