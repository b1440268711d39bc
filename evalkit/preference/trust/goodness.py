"""Does one number per system describe the votes? Goodness of fit of the Bradley-Terry model, and cycles.

Where it does not fit, a rating depends on whom a system was compared with. Groups of systems without a common
scale are fitted each on its own. This module knows counts and votes; what its numbers mean for a reader is
said in `diagnostics`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components
from scipy.special import betainc, expit, gammaln, xlogy
from scipy.stats import chi2, f

from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import LEFT, RIGHT, Floats, Integers, Ints, Votes

EXACT = 50
"""Votes on a pair up to which the moments of its deviance are summed over every outcome."""
LISTED = 10
"""Worst pairs, or strongest cycles, that are listed."""


@dataclass(frozen=True, slots=True)
class DesignEffects:
    """By how much sharing inflates the variance of what ratings leave unexplained, and of pairs' shares.

    None where that cannot be known: no pair has votes from two clusters, or none to spare. `freedom` is how
    many clusters, beyond the first of each pair, that is known from.
    """

    fit: float | None
    pairs: float | None
    freedom: float = np.inf


INDEPENDENT = DesignEffects(1.0, 1.0)
"""Votes on their own."""


@dataclass(frozen=True, slots=True)
class PairResidual:
    """`a` was chosen in `share` of its votes against `b`, where its rating says `expected`.

    `z` is the difference in standard errors, those of the rating taken off.
    """

    a: str
    b: str
    votes: float
    share: float
    expected: float
    z: float


@dataclass(frozen=True, slots=True)
class GoodnessOfFit:
    """How far votes are from what the ratings say, over all pairs.

    `statistic` is G2 or X2 on `df` degrees of freedom and `dispersion` their quotient. Where the model holds,
    the quotient is on average `design_effect` x `expected`; `expected` is near 1, and differs from it where
    pairs have few votes. `p_value` is for both. `worst` lists the pairs that fit worst. Without enough pairs
    there is a `reason` instead.
    """

    statistic: float | None
    df: int
    dispersion: float | None
    expected: float | None
    p_value: float | None
    design_effect: float
    worst: tuple[PairResidual, ...] = ()
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Cycle:
    """Each of `systems` was preferred to the next, and the last to the first; `shares` of decisive votes."""

    systems: tuple[str, str, str]
    shares: tuple[float, float, float]
    votes: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Cycles:
    """`count` cycles of three whose every edge is supported, the best supported of them listed.

    `edges` of `pairs` have a supported direction, each tested one-sided at `level` / `pairs`.
    """

    count: int
    listed: tuple[Cycle, ...]
    edges: int
    pairs: int
    level: float


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs i < j (C) on one scale: votes, wins of i, what the ratings expect, and leverage (0 to 1)."""

    i: Ints
    j: Ints
    n: Floats
    won: Floats
    p: Floats
    leverage: Floats
    df: int

    @property
    def q(self) -> Floats:
        return 1.0 - self.p


def decisive_fit(tensor: Tensor, effects: DesignEffects = INDEPENDENT) -> GoodnessOfFit:
    """G2 = 2 sum w log(w / (n p)) over the decisive votes of each pair (Agresti 2013, section 11.6).

    Votes that share prompts or raters differ between pairs by more than chance even where the model is right:
    give their `design_effects`, by which statistic and residuals are divided (Rao & Scott 1981, first order;
    the p-value is then of an F distribution, as they are estimates). For pairs with up to 50 votes mean and
    variance of G2 are exact.
    """
    pairs = _fitted_pairs(tensor.beaten)
    if pairs.df < 1:
        return _unknown(effects)
    lost = pairs.n - pairs.won
    with np.errstate(divide="ignore", invalid="ignore"):
        deviance = 2.0 * (
            xlogy(pairs.won, pairs.won / (pairs.n * pairs.p)) + xlogy(lost, lost / (pairs.n * pairs.q))
        )
    mean, variance = _deviance_moments(np.round(pairs.n), pairs.p)
    return _judged(tensor, pairs, 1.0, (float(deviance.sum()), mean, variance), effects)


def half_win_fit(tensor: Tensor, effects: DesignEffects = INDEPENDENT) -> GoodnessOfFit:
    """X2 = sum n (y - p)^2 / (p q s) over all votes, ties and "both bad" as half a win.

    s is the `vote_variance` of ties.
    """
    pairs = _fitted_pairs(tensor.wins)
    kept = _kept(tensor, pairs)
    if pairs.df < 1 or kept <= 1e-9:
        return _unknown(effects)
    pearson = (pairs.won - pairs.n * pairs.p) ** 2 / (pairs.n * pairs.p * pairs.q * kept)
    variance = 2.0 + _excess_kurtosis(pairs.p, kept) / pairs.n
    return _judged(tensor, pairs, kept, (float(pearson.sum()), np.ones(pairs.n.size), variance), effects)


def vote_variance(tensor: Tensor) -> float:
    """Variance of votes with ties as half a win, in units of decisive votes: 1 - T / (4 sum n p q).

    T counts ties and "both bad", taken to be frequent where p q is large. It is 0 where all are ties, and 1
    without votes.
    """
    return _kept(tensor, _fitted_pairs(tensor.wins))


def design_effects(votes: Votes) -> DesignEffects:
    """How much more results vary than of votes on their own, since votes share cases and raters.

    Mean eigenvalues as of Rao & Scott (1981): the covariance of the pairs' shares with cases (or raters) as
    clusters, in units of that of single votes; for the fit, less what moves ratings rather than the fit. Of
    cases plus of raters minus 1, never below either one or 1. Ties are left out.
    """
    decisive = votes.where((votes.answer == LEFT) | (votes.answer == RIGHT))
    each = [_one_way_effects(decisive, labels) for labels in (decisive.case, decisive.rater)]
    freedom = min(one.freedom for one in each)
    return DesignEffects(_two_way([one.fit for one in each]), _two_way([one.pairs for one in each]), freedom)


def supported_cycles(tensor: Tensor, effects: DesignEffects = INDEPENDENT, level: float = 0.05) -> Cycles:
    """Cycles a > b > c > a in which each preference is beyond chance.

    A pair's direction is supported where its decisive votes reject a coin, one-sided and exact, at `level`
    divided by the number of pairs (Bonferroni); as many votes as the effect on `pairs` says count as one.
    """
    won = tensor.beaten
    n = won + won.T
    pairs = int((np.triu(n) > 0).sum())
    effect = effects.pairs or 1.0
    clear = _chance_of_more(won / effect, n / effect) <= level / max(pairs, 1)
    found = _triangles(clear & (won > won.T))
    margin = np.divide(won - won.T, np.sqrt(n), out=np.zeros_like(won), where=n > 0)
    weakest = [-min(margin[a, b], margin[b, c], margin[c, a]) for a, b, c in found]
    listed = tuple(_cycle(tensor.systems, found[k], won, n) for k in np.argsort(weakest)[:LISTED])
    return Cycles(len(found), listed, int(clear.sum()), pairs, level)


def inverse_laplacian(weights: Floats) -> tuple[Floats, int]:
    """Pseudo-inverse (K, K) and rank of the Laplacian of symmetric pair weights, connected or not.

    By (H + cJ)^-1 - J/c, where J averages over each connected part: no guess at which values are zero.
    """
    parts, labels = connected_components(csr_matrix(weights > 0), directed=False)
    alike = labels[:, None] == labels[None, :]
    J = alike / alike.sum(axis=1)
    H = np.diag(weights.sum(axis=1)) - weights
    total = float(np.trace(H))
    c = total / len(H) if total else 1.0
    return np.linalg.inv(H + c * J) - J / c, len(H) - int(parts)


def _fitted_pairs(wins: Floats) -> _Pairs:
    """All pairs that met within one part of the board, with the ratings of that part."""
    size = len(wins)
    theta, V, together = np.zeros(size), np.zeros((size, size)), np.zeros((size, size), dtype=np.bool_)
    df = 0
    for part in bt.parts(wins, [str(i) for i in range(size)]):
        members = np.array([int(name) for name in part])
        block = np.ix_(members, members)
        theta[members] = bt.fit(wins[block]).theta
        V[block] = bt.inverse_information(theta[members], wins[block])
        together[block] = True
        df -= members.size - 1
    n = np.triu(wins + wins.T, 1)
    i, j = np.nonzero((n > 0) & together)
    p = expit(theta[i] - theta[j])
    leverage = n[i, j] * p * (1.0 - p) * (V[i, i] + V[j, j] - 2.0 * V[i, j])
    return _Pairs(i, j, n[i, j], wins[i, j], p, leverage, df + i.size)


def _kept(tensor: Tensor, pairs: _Pairs) -> float:
    spread = float((pairs.n * pairs.p * pairs.q).sum())
    ties = float(np.triu(tensor.tied)[pairs.i, pairs.j].sum())
    return max(1.0 - ties / (4.0 * spread), 0.0) if spread else 1.0


def _judged(
    tensor: Tensor, pairs: _Pairs, kept: float, sums: tuple[float, Floats, Floats], effects: DesignEffects
) -> GoodnessOfFit:
    """`sums`: the statistic, and mean and variance of what each pair adds to it where the model holds."""
    statistic, mean, variance = sums
    share = pairs.df / pairs.n.size
    middle, spread = float(mean.sum()) * share, float(variance.sum()) * share
    effect = effects.fit or 1.0
    tail = _tail(statistic / (effect * middle), 2.0 * middle**2 / spread, effects.freedom)
    return GoodnessOfFit(
        statistic=statistic,
        df=pairs.df,
        dispersion=statistic / pairs.df,
        expected=middle / pairs.df,
        p_value=tail,
        design_effect=effect,
        worst=_worst(tensor.systems, pairs, kept * effect),
    )


def _tail(ratio: float, df: float, freedom: float) -> float:
    """P(a mean square on `df`, over one on `freedom`, is larger)."""
    return float(chi2.sf(ratio * df, df) if np.isinf(freedom) else f.sf(ratio, df, freedom))


def _unknown(effects: DesignEffects) -> GoodnessOfFit:
    reason = "no more pairs were compared than ratings need, so nothing is left to check them with"
    return GoodnessOfFit(None, 0, None, None, None, effects.fit or 1.0, (), reason)


def _worst(systems: tuple[str, ...], pairs: _Pairs, inflation: float) -> tuple[PairResidual, ...]:
    free = pairs.leverage < 1.0 - 1e-6
    variance = pairs.n * pairs.p * pairs.q * (1.0 - pairs.leverage) * inflation
    z = np.zeros(pairs.n.size)
    z[free] = ((pairs.won - pairs.n * pairs.p)[free]) / np.sqrt(variance[free])
    return tuple(
        PairResidual(
            systems[pairs.i[k]],
            systems[pairs.j[k]],
            float(pairs.n[k]),
            float(pairs.won[k] / pairs.n[k]),
            float(pairs.p[k]),
            float(z[k]),
        )
        for k in np.argsort(-np.abs(z), kind="stable")[:LISTED]
    )


def _deviance_moments(n: Floats, p: Floats) -> tuple[Floats, Floats]:
    """Mean and variance of the deviance of n coin throws: exact up to `EXACT`, Bartlett's factor beyond."""
    mean = 1.0 + (1.0 / (p * (1.0 - p)) - 1.0) / (6.0 * np.maximum(n, 1.0))
    variance = 2.0 * mean**2
    few = n <= EXACT
    mean[few], variance[few] = _summed_moments(n[few][:, None], p[few][:, None])
    return mean, variance


def _summed_moments(n: Floats, p: Floats) -> tuple[Floats, Floats]:
    k = np.minimum(np.arange(EXACT + 1.0), n)
    possible = np.arange(EXACT + 1.0) <= n
    log_chance = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1) + k * np.log(p) + (n - k) * np.log1p(-p)
    chance = np.where(possible, np.exp(log_chance), 0.0)
    one = np.maximum(n, 1.0)
    deviance = 2.0 * (xlogy(k, k / (one * p)) + xlogy(n - k, (n - k) / (one * (1.0 - p))))
    mean = (chance * deviance).sum(axis=1)
    return mean, (chance * deviance**2).sum(axis=1) - mean**2


def _excess_kurtosis(p: Floats, kept: float) -> Floats:
    """Of one vote worth 1, 1/2 or 0 with mean p and variance p q x `kept`."""
    q = 1.0 - p
    tie = np.minimum(4.0 * p * q * (1.0 - kept), 2.0 * np.minimum(p, q))
    fourth = (p - tie / 2.0) * q**4 + (q - tie / 2.0) * p**4 + tie * (0.5 - p) ** 4
    return np.asarray(fourth / (p * q * kept) ** 2 - 3.0)


def _two_way(effects: list[float | None]) -> float | None:
    known = [effect for effect in effects if effect is not None]
    return max(sum(known) - (len(known) - 1.0), *known, 1.0) if known else None


def _one_way_effects(votes: Votes, labels: Integers) -> DesignEffects:
    """tr((I - P) D) / df and tr D / pairs: D the clusters' covariance of standardised pair sums.

    P is the part of it that ratings explain.
    """
    k = len(votes.systems)
    low, high = np.minimum(votes.left, votes.right), np.maximum(votes.left, votes.right)
    pair = low.astype(np.int64) * k + high
    weight = np.ones(votes.n) if votes.weight is None else votes.weight
    won = ((votes.answer == LEFT) == (votes.left < votes.right)).astype(np.float64)
    n = np.bincount(pair, weight, k * k).astype(np.float64)
    share = np.divide(np.bincount(pair, weight * won, k * k), n, out=np.zeros(k * k), where=n > 0)
    shape = (int(labels.max(initial=0)) + 1, k * k)
    sums = csr_matrix((weight * (won - share[pair]), (labels, pair)), shape)
    clusters = np.bincount(sums.indices, minlength=k * k).astype(np.float64)
    spread = np.where(clusters > 1, n * share * (1.0 - share), 0.0)
    pairs, df, bread = _freedom(spread.reshape(k, k))
    usable = np.where(spread > 0, _centring(clusters, n), 0.0)
    sums.data *= usable[sums.indices]
    by_system = (sums @ _incidence(k)).toarray()
    beyond = float((sums.data**2 / np.maximum(spread, 1e-300)[sums.indices]).sum())
    explained = float(((by_system @ bread) * by_system).sum())
    if not pairs:
        return DesignEffects(None, None)
    freedom = float((clusters[spread > 0] - 1.0).sum())
    return DesignEffects((beyond - explained) / df if df else None, beyond / pairs, freedom)


def _freedom(spread: Floats) -> tuple[int, int, Floats]:
    """Pairs, those that ratings leave unexplained, and the pseudo-inverse of the ratings' information."""
    if not spread.size:
        return 0, 0, spread
    bread, rank = inverse_laplacian(spread + spread.T)
    pairs = int((spread > 0).sum())
    return pairs, pairs - rank, bread


def _incidence(k: int) -> csr_matrix:
    """(k * k, k): 1 for the first system of a pair, -1 for the second."""
    pair = np.arange(k * k)
    ones = np.ones(k * k)
    rows, columns = np.concatenate([pair, pair]), np.concatenate([pair // k, pair % k])
    return csr_matrix((np.concatenate([ones, -ones]), (rows, columns)), (k * k, k))


def _centring(clusters: Floats, n: Floats) -> Floats:
    """What makes up for residuals being from the pair's own share, over the same for single votes."""
    some = clusters > 1
    factor = np.zeros(n.size)
    factor[some] = clusters[some] / (clusters[some] - 1.0) * (1.0 - 1.0 / np.maximum(n[some], 2.0))
    return np.sqrt(factor)


def _chance_of_more(won: Floats, n: Floats) -> Floats:
    """P(at least `won` of `n` fair throws), for fractions too; 1 where nothing was won."""
    some = won > 0
    chance = np.ones_like(won)
    chance[some] = betainc(won[some], (n - won)[some] + 1.0, 0.5)
    return chance


def _triangles(beats: np.ndarray) -> list[tuple[int, int, int]]:
    """All a -> b -> c -> a, each once, starting at its lowest number."""
    found: list[tuple[int, int, int]] = []
    for a in range(len(beats)):
        later = np.arange(len(beats)) > a
        b, c = np.nonzero((beats[a] & later)[:, None] & beats & (beats[:, a] & later)[None, :])
        found.extend((a, int(x), int(y)) for x, y in zip(b, c, strict=True))
    return found


def _cycle(systems: tuple[str, ...], at: tuple[int, int, int], won: Floats, n: Floats) -> Cycle:
    a, b, c = at
    edges = ((a, b), (b, c), (c, a))
    shares = tuple(float(won[edge] / n[edge]) for edge in edges)
    votes = tuple(float(n[edge]) for edge in edges)
    return Cycle(
        (systems[a], systems[b], systems[c]),
        (shares[0], shares[1], shares[2]),
        (votes[0], votes[1], votes[2]),
    )
