"""How many votes it takes to tell two things apart, and what so many votes can tell: plain sums, no data.

A vote decides for one of two, or for neither. Two scales are in use: the share among *decisive* votes, and
the share *on a board*, where a tie is half a win each way, so that ties pull shares towards 1/2. This
module knows shares, Elo points and counts; costs, raters and prompts are for `evalkit.preference.planning`.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from scipy.stats import norm

from evalkit.errors import UsageError

Scale = Literal["decisive", "board"]
SCALES: tuple[Scale, ...] = get_args(Scale)
"""Shares among votes that decide, or of all votes with ties as half wins."""


def decisive_votes(share: float, power: float = 0.8, alpha: float = 0.05) -> float:
    """Votes that decide, after which a two-sided test of 1/2 finds a true `share` with chance `power`.

    ((z(alpha/2) / 2 + z(power) sqrt(p (1 - p))) / (p - 1/2))^2, the normal approximation (as in Fleiss,
    Levin & Paik 2003). Not rounded: 4,903.2 for 0.52. For one look at the end; raises `UsageError`.
    """
    p = _share(share)
    if p == 0.5:
        raise UsageError("no number of votes finds a difference of zero", "Give a share other than 0.5.")
    z, reached = _quantiles(power, alpha)
    return float(((z / 2.0 + reached * np.sqrt(p * (1.0 - p))) / (p - 0.5)) ** 2)


def votes_needed(
    share: float,
    power: float = 0.8,
    alpha: float = 0.05,
    *,
    tie_rate: float = 0.0,
    design_effect: float = 1.0,
) -> int:
    """All votes that have to be cast on one pair, rounded up: `decisive_votes` / (1 - ties) * design effect.

    `share` is that among decisive votes, `tie_rate` the share of votes that decide nothing, `design_effect`
    how many times the variance is that of independent votes (Kish 1965). Raises `UsageError`.
    """
    if not (np.isfinite(design_effect) and design_effect > 0):
        raise UsageError(
            f"a design effect of {design_effect} cannot be", "Give a positive number, such as 2."
        )
    wanted = decisive_votes(share, power, alpha) / (1.0 - _tie_rate(tie_rate)) * design_effect
    return int(np.ceil(wanted - 1e-9))


def smallest_difference(
    votes: float,
    power: float = 0.8,
    alpha: float = 0.05,
    *,
    tie_rate: float = 0.0,
    design_effect: float = 1.0,
) -> float:
    """The share (above 1/2, among decisive votes) that so many cast votes find with chance `power`.

    The inverse of `votes_needed`. With D = votes * (1 - ties) / effect and d = p - 1/2 it solves
    sqrt(D) d = z / 2 + q sqrt(1/4 - d^2). Raises `UsageError` where even a share of 1 would not be found.
    """
    D = votes * (1.0 - _tie_rate(tie_rate)) / design_effect
    z, q = _quantiles(power, alpha)
    root = np.sqrt(max(D, 0.0))
    if not root / 2.0 > z / 2.0:
        raise UsageError(
            f"{votes:g} votes find no difference however large", "Plan for more votes, or for less power."
        )
    inside = max(z**2 * D - (D + q**2) * (z**2 - q**2), 0.0)
    return float(0.5 + (z * root + np.sqrt(inside)) / (2.0 * (D + q**2)))


def power_of(
    votes: float,
    share: float,
    alpha: float = 0.05,
    *,
    tie_rate: float = 0.0,
    design_effect: float = 1.0,
) -> float:
    """The chance that so many cast votes find a true `share`, in the right direction."""
    p = _share(share)
    D = votes * (1.0 - _tie_rate(tie_rate)) / design_effect
    z, _ = _quantiles(0.8, alpha)
    return float(norm.cdf((abs(p - 0.5) * np.sqrt(D) - z / 2.0) / np.sqrt(p * (1.0 - p))))


def elo_of_share(share: float) -> float:
    """Elo points between two of which one wins `share`: 400 log10(p / (1 - p)); 0.55 is 35 points."""
    p = _share(share)
    return float(400.0 * np.log10(p / (1.0 - p)))


def share_of_elo(difference: float) -> float:
    """The share won by the one that is `difference` Elo points ahead: 1 / (1 + 10^(-d / 400))."""
    return float(1.0 / (1.0 + 10.0 ** (-difference / 400.0)))


def board_share(decisive: float, tie_rate: float) -> float:
    """The share on a board, ties half, of one that wins `decisive` of the votes that decide."""
    tied = _tie_rate(tie_rate)
    return tied / 2.0 + (1.0 - tied) * _share(decisive)


def decisive_share(board: float, tie_rate: float) -> float:
    """The share among decisive votes of one that has `board` with ties as half; the inverse of `board_share`.

    Raises `UsageError` where ties leave no room for such a share.
    """
    tied = _tie_rate(tie_rate)
    if abs(board - 0.5) >= (1.0 - tied) / 2.0:
        raise UsageError(
            f"with {100 * tied:g} % ties no system can have {100 * board:.1f} % of the votes, ties as half",
            "Give a smaller difference, or a smaller tie rate.",
        )
    return (board - tied / 2.0) / (1.0 - tied)


def _quantiles(power: float, alpha: float) -> tuple[float, float]:
    if not 0.0 < alpha < 1.0:
        raise UsageError(
            f"alpha {alpha} is not a chance of error", "Give a number between 0 and 1, such as 0.05."
        )
    if not 0.5 <= power < 1.0:
        raise UsageError(
            f"power {power} is not a chance to plan for", "Give a number from 0.5 to below 1, such as 0.8."
        )
    return float(norm.isf(alpha / 2.0)), float(norm.ppf(power))


def _share(share: float) -> float:
    if not 0.0 < share < 1.0:
        raise UsageError(f"a share of {share} is not between 0 and 1", "Give a share such as 0.55.")
    return float(share)


def _tie_rate(rate: float) -> float:
    if not 0.0 <= rate < 1.0:
        raise UsageError(f"a tie rate of {rate} is not from 0 to below 1", "Give a share such as 0.25.")
    return float(rate)
