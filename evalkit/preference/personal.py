"""Boards of one rater, group or slice, held to everybody's board as far as their own votes are few.

theta_g ~ N(theta, tau^2 C): a group's abilities are everybody's plus a deviation that sums to zero (C = I -
11'/K), of a size that is learned from all groups at once (empirical Bayes; Efron & Morris 1975). So a rater
with five votes is shown everybody's board and one with five hundred their own. This module knows win
matrices (ties as half a win) and no names.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import chi2, norm

from evalkit.errors import InvalidInput
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.trust.goodness import inverse_laplacian
from evalkit.preference.votes import Floats, Ints

SHOWN_FROM = 30
"""Votes from which a board is shown as somebody's own."""
SETTLED = 1e-8
"""Newton's last step, in logits."""
LARGEST = 3.0
"""The largest tau, in logits: with a larger one nearly every vote of a group would go the same way."""
SEED, SIMULATED, BOARDS, ROUNDS = 20240814, 400, 20, 4
"""Of the simulation that learns tau: groups drawn, times each is drawn at most, and corrections of tau."""


@dataclass(frozen=True, slots=True)
class PersonalBoards:
    """G boards of K systems. `theta` (G, K) and `sd` (G, K) are posterior means and deviations, in logits.

    `own` (G) is the part of a board that is the group's own, 0 to 1; the rest is everybody's, `everybody`
    (K). `votes` (G) and `shown` (G) say how many votes and whether they are enough to show. `tau` is how far
    groups differ, in logits of one system (standard deviation).
    """

    theta: Floats
    sd: Floats
    own: Floats
    votes: Floats
    shown: NDArray[np.bool_]
    everybody: Floats
    tau: float
    converged: NDArray[np.bool_]

    @property
    def elo(self) -> Floats:
        """Boards on the Elo scale (G, K), mean 1000."""
        return bt.elo(self.theta)

    def interval(self, level: float = 0.95) -> tuple[Floats, Floats]:
        """Ends of the intervals of `elo`, (G, K) each."""
        reach = float(norm.ppf(0.5 + level / 2.0)) * ELO_PER_LOGIT * self.sd
        return self.elo - reach, self.elo + reach

    def sentence(self, group: int) -> str:
        """How much of this board is the group's own, in words."""
        if not self.shown[group]:
            return f"{self.votes[group]:.0f} votes; a board of your own is shown from {SHOWN_FROM}."
        own = round(100 * float(self.own[group]))
        return f"This board is {own} % yours and {100 - own} % everybody's."


@dataclass(frozen=True, slots=True)
class Heterogeneity:
    """Do slices rank differently? Q on `df` degrees of freedom over all, and for each system (K).

    `p_value` is the chance of a larger Q if all slices share one board; `spread_elo` estimates by how much
    they differ (standard deviation of one system's rating, in Elo). Where a system met nobody in two slices
    its `p_values` is NaN. `reason` says why there is nothing to compare.
    """

    statistic: float | None
    df: int
    p_value: float | None
    spread_elo: float | None
    statistics: Floats
    dfs: Ints
    p_values: Floats
    reason: str | None = None

    def differ(self, level: float = 0.05) -> Ints:
        """Systems whose rating differs between slices, at `level` over all systems (Bonferroni)."""
        return np.flatnonzero(self.p_values <= level / max(int((self.dfs > 0).sum()), 1))


def personal_boards(wins: Floats, tau: float | None = None, design_effect: float = 1.0) -> PersonalBoards:
    """One board for each win matrix of `wins` (G, K, K); `tau` is learned from all unless given.

    The posterior is that of a penalised likelihood around its maximum (Laplace). Its deviation includes that
    everybody's board is itself estimated, and takes a learned tau one standard error larger than it is.
    `design_effect` is the variance of a vote in units of an independent decisive one: below 1 with ties
    (`goodness.vote_variance`), above 1 where votes of a group share prompts. Raises InvalidInput where all
    votes together give no common scale.
    """
    _check(wins, design_effect)
    wins = wins / design_effect
    theta = bt.fit(wins.sum(axis=0)).theta
    square, largest = _learned(theta, wins) if tau is None else (tau**2, tau**2)
    deviation, converged = _deviations(theta, wins, square)
    H = bt.information(theta + deviation, wins)
    votes = wins.sum(axis=(-1, -2)) * design_effect
    return PersonalBoards(
        theta=theta + deviation,
        sd=np.sqrt(np.diagonal(_covariance(theta, wins, H, largest), axis1=-2, axis2=-1)),
        own=_own(_everybodys(H, square)),
        votes=votes,
        shown=votes >= SHOWN_FROM,
        everybody=theta,
        tau=float(np.sqrt(square)),
        converged=converged,
    )


def heterogeneity(wins: Floats, design_effect: float = 1.0) -> Heterogeneity:
    """Whether the slices of `wins` (S, K, K) share one board: Rao's score test.

    Q = sum_s g_s' H_s^+ g_s with g_s what slice s won beyond what the common board expects: the likelihood
    ratio to second order, but defined where a slice has no ratings of its own. For one system, Q_i = sum_s
    g_si^2 / H_sii. Statistics are divided by `design_effect`. Ties make it a little conservative.
    """
    _check(wins, design_effect)
    wins = wins / design_effect
    theta = bt.fit(wins.sum(axis=0)).theta
    g, H = bt.gradient(theta, wins), bt.information(theta, wins)
    diagonal = np.diagonal(H, axis1=-2, axis2=-1)
    statistics = np.divide(g**2, diagonal, out=np.zeros_like(g), where=diagonal > 0).sum(axis=0)
    dfs = np.maximum((diagonal > 0).sum(axis=0) - 1, 0)
    p_values = np.where(dfs > 0, chi2.sf(statistics, np.maximum(dfs, 1)), np.nan)
    inverses = [inverse_laplacian(np.where(np.eye(theta.size) > 0, 0.0, -one)) for one in H]
    df = sum(rank for _, rank in inverses) - (theta.size - 1)
    if df < 1:
        reason = "no two slices compared the same systems"
        return Heterogeneity(None, 0, None, None, statistics, dfs, p_values, reason)
    Q = float(sum(own @ inverse @ own for own, (inverse, _) in zip(g, inverses, strict=True)))
    spread = float(np.sqrt(_learned(theta, wins)[0])) * ELO_PER_LOGIT
    return Heterogeneity(Q, df, float(chi2.sf(Q, df)), spread, statistics, dfs, p_values)


def _check(wins: Floats, design_effect: float) -> None:
    if wins.ndim != 3 or wins.shape[1] != wins.shape[2] or wins.shape[1] < 2:
        raise InvalidInput(
            "win matrices of shape (groups, systems, systems) are needed, of two systems or more"
        )
    if not design_effect > 0:
        raise InvalidInput("a design effect is above 0")
    if len(bt.parts(wins.sum(axis=0), [str(i) for i in range(wins.shape[1])])) > 1:
        raise InvalidInput(
            "all votes together put the systems on no common scale", "Leave out the systems that are apart."
        )


def _learned(theta: Floats, wins: Floats) -> tuple[float, float]:
    """tau^2, and tau^2 a standard error larger, by simulated moments (McFadden 1989).

    The moments below hold for small tau. What they come to for a larger one is found by simulating groups
    with the same games, and tau^2 is moved until that is what was observed.
    """
    observed, error = (float(number) for number in _moments(theta, wins))
    square = max(observed, 0.0)
    if square == 0.0:
        return 0.0, max(observed + error, 0.0)
    rng = np.random.default_rng(SEED)
    boards = min(-(-SIMULATED // len(wins)), BOARDS)
    tastes = rng.normal(size=(boards, *wins.shape[:-1]))
    tastes -= tastes.mean(axis=-1, keepdims=True)
    luck = rng.normal(size=(boards, *wins.shape))
    for _ in range(ROUNDS):
        drawn = _drawn(theta, wins, np.sqrt(square) * tastes, luck)
        seen = float(_moments(bt.fit(drawn.sum(axis=-3), theta).theta, drawn)[0].mean())
        square = min(square * min(observed / max(seen, 1e-12), 2.0), LARGEST**2)
    return square, square * (1.0 + error / observed)


def _moments(theta: Floats, wins: Floats) -> tuple[Floats, Floats]:
    """tau^2 (...) by the method of moments, and its standard error over groups; `wins` is (..., G, K, K).

    For g_g = u_g - H_g H^+ sum u with Cov u_g = H_g + tau^2 H_g^2, E sum |g_g|^2 is linear in tau^2. It is
    the locally best statistic at tau = 0, and asks no group to have ratings of its own.
    """
    at = theta[..., None, :]
    g, H = bt.gradient(at, wins), bt.information(at, wins)
    squares = H @ H
    HB = H @ bt.inverse_information(theta, wins.sum(axis=-3))[..., None, :, :]
    chance = np.trace(H, axis1=-2, axis2=-1) - (HB * H).sum(axis=(-1, -2))
    taste = (
        np.trace(squares, axis1=-2, axis2=-1)
        - 2.0 * (squares * np.swapaxes(HB, -1, -2)).sum(axis=(-1, -2))
        + ((HB @ squares.sum(axis=-3, keepdims=True)) * HB).sum(axis=(-1, -2))
    )
    beyond, total = (g**2).sum(axis=-1) - chance, taste.sum(axis=-1)
    # With one group nothing is left of either but rounding.
    known = total > 1e-9 * np.trace(squares, axis1=-2, axis2=-1).sum(axis=-1)
    total = np.where(known, total, 1.0)
    square = np.where(known, beyond.sum(axis=-1) / total, 0.0)
    error = np.sqrt(((beyond - square[..., None] * taste) ** 2).sum(axis=-1)) / total
    return square, np.where(known, error, 0.0)


def _drawn(theta: Floats, wins: Floats, deviation: Floats, luck: Floats) -> Floats:
    """Wins (..., G, K, K) of groups with these deviations in the same games; `luck` is standard normal.

    Normal rather than binomial: the moments read variances only, and games may be fractions.
    """
    games = wins + np.swapaxes(wins, -1, -2)
    at = theta + deviation
    chance = expit(at[..., :, None] - at[..., None, :])
    won = np.triu(games * chance + np.sqrt(games * chance * (1.0 - chance)) * luck, 1)
    return np.asarray(won + np.swapaxes(np.triu(games, 1) - won, -1, -2))


def _deviations(theta: Floats, wins: Floats, square: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Maximum of log-likelihood - |deviation|^2 / (2 tau^2) for each group, by Newton's method.

    Written so that tau = 0 needs no case of its own: (1 + tau^2 H) step = tau^2 g - deviation.
    """
    deviation, moved = np.zeros(wins.shape[:-1]), np.full(len(wins), np.inf)
    eye = np.eye(theta.size)
    for _ in range(bt.MAX_ITERATIONS):
        at = theta + deviation
        slope = square * bt.gradient(at, wins) - deviation
        step = np.linalg.solve(eye + square * bt.information(at, wins), slope[..., None])[..., 0]
        step = np.clip(step, -bt.MAX_STEP, bt.MAX_STEP)
        deviation = deviation + step
        moved = np.abs(step).max(axis=-1)
        if np.all(moved <= SETTLED):
            break
    return deviation, moved <= SETTLED


def _everybodys(H: Floats, square: float) -> Floats:
    """(1 + tau^2 H)^-1 (G, K, K): what everybody's board contributes to each group's."""
    return np.asarray(np.linalg.inv(np.eye(H.shape[-1]) + square * H))


def _covariance(theta: Floats, wins: Floats, H: Floats, square: float) -> Floats:
    """Posterior covariance (G, K, K), plus what the covariance of everybody's board adds to it.

    That one is H^+ (H + tau^2 sum H_g^2) H^+, since groups differ.
    """
    B = _everybodys(H, square)
    bread = bt.inverse_information(theta, wins.sum(axis=0))
    apart = bt.information(theta, wins)
    pooled = bread + square * bread @ (apart @ apart).sum(axis=0) @ bread
    return np.asarray(square * (B - 1.0 / theta.size) + B @ pooled @ np.swapaxes(B, -1, -2))


def _own(everybodys: Floats) -> Floats:
    """1 - tr (1 + tau^2 H)^-1 over the K - 1 numbers of a board: the share that own votes determine (G)."""
    size = everybodys.shape[-1]
    return np.asarray(1.0 - (np.trace(everybodys, axis1=-2, axis2=-1) - 1.0) / (size - 1))
