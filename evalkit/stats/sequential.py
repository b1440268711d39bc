"""Evidence that may be looked at as often as one likes: e-processes, confidence sequences, e-BH.

An e-process is money won by betting against a hypothesis at fair odds: while the hypothesis is true it is
expected not to grow, so it ever reaches 1 / alpha with probability alpha at most (Ville 1939), whenever and
for whatever reason one stops. This module knows signed outcomes, estimates and variances; what a vote, a
rater or a board is, is for others.

What has to be independent, and of what:

* `vote_process` takes votes to be independent of each other. Votes that share a rater or a prompt are not.
* `block_process` takes blocks to be independent of each other, whatever happens inside one: one bet per
  block.
* `asymptotic_reach` and `asymptotic_log_e` take a variance that already knows what is shared, and are right
  in the limit of many clusters; the two others are right at any size.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, lambertw, ndtr, ndtri, roots_jacobi, stdtr, stdtrit

from evalkit.errors import UsageError

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GENERAL = 0.5
"""Beta prior of bets on differences of any size, and on blocks."""
USUAL = 10.0
"""Beta prior of bets on votes: of the three, it stops soonest for true shares from about 0.57 to 0.66."""
SMALL = 50.0
"""Beta prior of bets on small differences: shares below about 0.57."""
BETS = 256
"""Sizes of bet that stand for the prior. Any number is valid; this many lose nothing up to 2,000 blocks."""
STEPS = 60


@dataclass(frozen=True, slots=True)
class EProcess:
    """The evidence after each of n votes as natural logarithms, `log_e` (n)."""

    log_e: Floats

    @property
    def last(self) -> float:
        """What e-BH may use: the logarithm after the last vote; 0 before any."""
        return float(self.log_e[-1]) if self.log_e.size else 0.0

    @property
    def best(self) -> Floats:
        """The largest so far after each vote (n), at least 0; its size is not evidence, its crossing is."""
        return np.maximum.accumulate(np.maximum(self.log_e, 0.0))

    @property
    def p_value(self) -> float:
        """Chance, at most, of so much evidence at any look if the hypothesis is true (Ville)."""
        return float(np.exp(-self.best[-1])) if self.log_e.size else 1.0

    def stop(self, alpha: float = 0.05) -> int | None:
        """After how many votes the evidence first reached 1 / alpha; None if it never did."""
        reached = np.flatnonzero(self.log_e >= -np.log(_alpha(alpha)))
        return int(reached[0]) + 1 if reached.size else None


def log_e_of_counts(wins: ArrayLike, losses: ArrayLike, prior: float = USUAL) -> Floats:
    """Evidence against a share of 1/2: ln of B(a + w, a + l) / B(a, a) * 2^(w + l) with a = `prior`.

    The likelihood ratio of w wins and l losses, mixed over shares by Beta(a, a) (Robbins 1970). Shapes
    broadcast.
    """
    w, losses = np.asarray(wins, dtype=np.float64), np.asarray(losses, dtype=np.float64)
    a = _positive(prior, "the prior")
    return np.asarray(betaln(a + w, a + losses) - betaln(a, a) + (w + losses) * np.log(2.0))


def vote_process(outcomes: ArrayLike, prior: float = USUAL) -> EProcess:
    """One bet per vote. `outcomes` (n) in the order of the votes: 1 won, -1 lost, 0 neither (no bet).

    An e-process against "each deciding vote is won with chance 1/2, whatever came before". Votes that share
    raters or prompts break that: then use `block_process`. Raises `UsageError` for other outcomes.
    """
    signs = _signs(outcomes)
    return EProcess(log_e_of_counts(np.cumsum(signs > 0), np.cumsum(signs < 0), prior))


@dataclass(frozen=True, slots=True)
class Blocks:
    """B blocks in the order in which they closed: net share won `net` (B) from -1 to 1, and the vote `at` (B)
    with which each closed. `votes` is how many votes there are in all, of closed and open blocks.
    """

    net: Floats
    at: Ints
    votes: int


def closed_blocks(outcomes: ArrayLike, labels: ArrayLike, size: int) -> Blocks:
    """Votes of one label make one block, which closes with its vote number `size`; later ones are left out.

    `outcomes` (n) as for `vote_process`, `labels` (n) integers: the rater, the prompt, or whatever votes
    share. A block counts once, when it is full: evidence that looked inside blocks could stop on a good
    beginning, and a second block of the same rater would know his taste from the first. Raises
    `UsageError`.
    """
    signs, label = _signs(outcomes), np.asarray(labels)
    if label.shape != signs.shape:
        raise UsageError(f"{signs.size} votes and {label.size} labels do not belong together")
    if size < 1:
        raise UsageError(f"a block of {size} votes cannot be", "Give 1 or more.")
    _, code = np.unique(label, return_inverse=True)
    place = _place_within(code)
    used = place < size
    sums = np.bincount(code[used], weights=signs[used], minlength=int(code.max(initial=-1)) + 1)
    at = np.flatnonzero(place == size - 1)
    return Blocks(np.asarray(sums[code[at]] / size), at, int(signs.size))


def block_process(blocks: Blocks, prior: float = GENERAL) -> EProcess:
    """One bet per block: the mean over sizes of bet b of prod(1 + b * net), seen after every vote.

    An e-process against "the expected net share of each block is 0, whatever the blocks before were"
    (betting on bounded means, Waudby-Smith & Ramdas 2024). Sizes of bet are mixed by the Beta(a, a) prior on
    (1 + b) / 2, so that blocks of one vote give `vote_process`; a mixture loses little against the best fixed
    bet (Cover 1991), and needs no variance learnt on the way.
    """
    bets, log_weight = _bets(prior)
    log_capital = np.cumsum(np.log1p(np.outer(blocks.net, bets)), axis=0)
    # The sum over nodes is the mixture itself, not its approximation: any positive weights make a fair bet.
    after = np.logaddexp.reduce(log_capital + log_weight, axis=1)
    known = np.searchsorted(blocks.at, np.arange(blocks.votes), side="right")
    return EProcess(np.concatenate([[0.0], after])[known])


def weaker(first: EProcess, second: EProcess) -> EProcess:
    """The smaller of two after each vote: an e-process wherever at least one of the two is."""
    return EProcess(np.minimum(first.log_e, second.log_e))


def share_sequence(
    wins: ArrayLike, losses: ArrayLike, alpha: float = 0.05, prior: float = USUAL
) -> tuple[Floats, Floats]:
    """Ends of the share won: it is inside at every look with probability 1 - alpha. Shapes broadcast.

    All shares p against which the mixed likelihood ratio B(a + w, a + l) / B(a, a) / (p^w (1 - p)^l) is
    below 1 / alpha (Robbins 1970; Howard, Ramdas, McAuliffe & Sekhon 2021). For independent votes.
    """
    w, losses = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (wins, losses)))
    a = _positive(prior, "the prior")
    least = betaln(a + w, a + losses) - betaln(a, a) + np.log(_alpha(alpha))
    n = np.maximum(w + losses, 1e-300)
    middle = np.where(w + losses > 0, w / n, 0.5)
    low = _end(np.zeros_like(middle), middle, w, losses, least)
    return np.where(w > 0, low, 0.0), np.where(
        losses > 0, _end(np.ones_like(middle), middle, w, losses, least), 1.0
    )


# ------------------------------------------------------------- many clusters: the normal limit


def tuned_to(difference: float, alpha: float = 0.05) -> float:
    """The `rho` with which a confidence sequence leaves out zero soonest when the estimate is `difference`.

    The reach at variance V is least for rho^2 = x V with x = -W(-alpha^2 / e) - 1, W the lower branch of
    Lambert's function, and is then sqrt(V (x + 1)). At alpha 0.05 rho is 0.944 times the difference. To be
    chosen before the first look.
    """
    x = _best_ratio(alpha)
    return float(_positive(difference, "the difference") * np.sqrt(x / (x + 1.0)))


def tuned_at(variance: float, alpha: float = 0.05) -> float:
    """The `rho` with which a confidence sequence is narrowest once the variance is `variance`."""
    return float(np.sqrt(_best_ratio(alpha) * _positive(variance, "the variance")))


def asymptotic_reach(
    variance: ArrayLike, rho: float, alpha: float = 0.05, freedom: ArrayLike = np.inf
) -> Floats:
    """Half width of a confidence sequence about an estimate with this `variance` (any shape).

    sqrt(V) * sqrt((x + 1) / x * ln((x + 1) / alpha^2)) with x = rho^2 / V: the normal mixture of Robbins
    (1970) in the limit of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas (2024), whose n * rho^2 (of unit
    variance) is this x. It asks that estimates at different looks are related as those of a growing sample
    are: Cov(early, late) = Var(late), which holds for votes in random order however they are clustered.
    `freedom` are Student's degrees of freedom of V: the reach is then as many standard errors as are as
    unlikely under t as these are under the normal distribution.
    """
    V = np.asarray(variance, dtype=np.float64)
    x = _positive(rho, "rho") ** 2 / np.maximum(V, 1e-300)
    errors = np.sqrt((x + 1.0) / x * np.log((x + 1.0) / _alpha(alpha) ** 2))
    return np.asarray(np.sqrt(np.maximum(V, 0.0)) * _like_t(errors, freedom))


def asymptotic_log_e(
    difference: ArrayLike, variance: ArrayLike, rho: float, freedom: ArrayLike = np.inf
) -> Floats:
    """Evidence against a difference of zero, ln of (x + 1)^(-1/2) exp(x z^2 / (2 (x + 1))), any shape.

    x = rho^2 / V and z the difference in standard errors, made normal from t. It is above -ln(alpha)
    exactly when `asymptotic_reach` leaves out zero, and zero where the variance is infinite.
    """
    V = np.asarray(variance, dtype=np.float64)
    x = _positive(rho, "rho") ** 2 / np.maximum(V, 1e-300)
    z = np.abs(np.asarray(difference, dtype=np.float64)) / np.sqrt(np.maximum(V, 1e-300))
    return np.asarray(0.5 * (x / (x + 1.0) * _normal_like(z, freedom) ** 2 - np.log1p(x)))


def e_bh(log_e: ArrayLike, alpha: float = 0.05) -> NDArray[np.bool_]:
    """Which of m hypotheses to reject so that at most a share alpha of the rejected are true, in expectation.

    The k largest e-values, for the largest k of which the smallest is at least m / (alpha k): e-BH (Wang &
    Ramdas 2022). It holds under any dependence, so for all pairs of one board. `log_e` are natural logarithms
    of e-values at one look: not of the largest so far, which are no e-values.
    """
    values = np.asarray(log_e, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    ranks = np.arange(1, values.size + 1)
    enough = np.flatnonzero(values[order] + np.log(ranks) >= np.log(max(values.size, 1) / _alpha(alpha)))
    rejected = np.zeros(values.size, dtype=np.bool_)
    rejected[order[: int(enough[-1]) + 1 if enough.size else 0]] = True
    return rejected


@cache
def _bets(prior: float) -> tuple[Floats, Floats]:
    """Sizes of bet in (-1, 1) and the logarithms of their weights, which sum to one: Gauss-Jacobi nodes."""
    a = _positive(prior, "the prior")
    nodes, weights = roots_jacobi(BETS, a - 1.0, a - 1.0)
    # Far out the weights of a narrow prior underflow; such bets are not made.
    made = weights > 0
    return nodes[made], np.asarray(np.log(weights[made]) - np.log(weights[made].sum()))


def _place_within(code: Ints) -> Ints:
    """Which vote of its label each one is, from 0."""
    order = np.argsort(code, kind="stable")
    counts = np.bincount(code) if code.size else np.zeros(0, dtype=np.int64)
    starts = np.cumsum(counts) - counts
    place = np.empty(code.size, dtype=np.int64)
    place[order] = np.arange(code.size) - np.repeat(starts, counts)
    return place


def _end(outer: Floats, inner: Floats, w: Floats, losses: Floats, least: Floats) -> Floats:
    """Where the log-likelihood comes down to `least` between the best share and one end, by bisection."""
    for _ in range(STEPS):
        middle = (outer + inner) / 2.0
        with np.errstate(divide="ignore", invalid="ignore"):
            here = np.where(w > 0, w * np.log(middle), 0.0) + np.where(
                losses > 0, losses * np.log1p(-middle), 0.0
            )
        outer, inner = np.where(here < least, middle, outer), np.where(here < least, inner, middle)
    return np.asarray(outer)


def _best_ratio(alpha: float) -> float:
    return float(-lambertw(-(_alpha(alpha) ** 2) / np.e, -1).real - 1.0)


def _normal_like(z: Floats, freedom: ArrayLike) -> Floats:
    """Standard normal values as unlikely as `z` (0 or more) is under t; at most 37, where floats end."""
    known = np.asarray(freedom, dtype=np.float64)
    tail = stdtr(np.where(np.isinf(known), 1.0, known), -z)
    return np.where(np.isinf(known), z, np.minimum(-ndtri(np.maximum(tail, 1e-300)), z))


def _like_t(z: Floats, freedom: ArrayLike) -> Floats:
    """Values as unlikely under t as `z` (0 or more) is under the standard normal distribution."""
    known = np.asarray(freedom, dtype=np.float64)
    wide = -stdtrit(np.where(np.isinf(known), 1.0, known), np.maximum(ndtr(-z), 1e-300))
    return np.where(np.isinf(known), z, np.maximum(wide, z))


def _signs(outcomes: ArrayLike) -> Floats:
    signs = np.asarray(outcomes, dtype=np.float64)
    if signs.ndim != 1 or not np.isin(signs, (-1.0, 0.0, 1.0)).all():
        raise UsageError(
            "an outcome is none of 1, 0 and -1", "Give 1 for a vote won, -1 for one lost, 0 for a tie."
        )
    return signs


def _alpha(alpha: float) -> float:
    if not 0.0 < alpha < 1.0:
        raise UsageError(
            f"alpha {alpha} is not a chance of error", "Give a number between 0 and 1, such as 0.05."
        )
    return alpha


def _positive(value: Any, what: str) -> float:
    if not (np.isfinite(value) and value > 0):
        raise UsageError(f"{what} is {value}", "Give a positive number.")
    return float(value)
