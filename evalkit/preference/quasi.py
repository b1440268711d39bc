"""Quasi-standard errors: one bar per system, right for every difference between two at once.

An interval of a rating depends on what the scale is anchored to; quasi-standard errors do not, so that bars
can be compared by eye. This module knows a covariance and nothing of where it comes from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import InvalidInput
from evalkit.preference.votes import Floats

MAX_ITERATIONS = 200
TOLERANCE = 1e-7
"""Slope of the sum of squares along ln q at which the minimum is found."""
SHORTEST = 2.0**-40
"""Step size below which there is nothing to be gained."""


@dataclass(frozen=True, slots=True)
class Quasi:
    """`errors` (K) are quasi-standard errors, 0 or more, in the units of the ratings.

    sqrt(errors[i]^2 + errors[j]^2) stands for the standard error of the difference of i and j. `worst` is
    the lowest and the highest relative error of that over all pairs: (-0.02, 0.05) says that it is at most
    2 % too small and 5 % too large. `at_zero` (K) marks systems whose bar had to be cut off at zero.
    """

    errors: Floats
    worst: tuple[float, float]
    at_zero: NDArray[np.bool_]


def quasi_errors(V: Floats) -> Quasi:
    """Quasi-standard errors of K >= 2 ratings with covariance `V` (K, K), in units of the ratings.

    The variances q minimise the sum over pairs of (ln(q_i + q_j) - ln Var(theta_i - theta_j))^2 (Firth &
    de Menezes 2004; R's `qvcalc` is the same but for negative q, which have no standard error and are kept
    at zero here). Projected Gauss-Newton (Bertsekas 1982). Only differences count: adding a constant to
    all ratings, however random, changes nothing.

    Raises `InvalidInput` for fewer than two ratings or a difference without a variance, and where no
    minimum is found.
    """
    variances = _differences(V)
    if V.shape[0] == 2:
        return _quasi(np.full(2, variances[0, 1] / 2.0), variances)
    q = _start(variances)
    for _ in range(MAX_ITERATIONS):
        if _settled(q, variances):
            return _quasi(q, variances)
        q = _stepped(q, variances)
    raise InvalidInput(
        "no quasi-standard errors fit this covariance", "Show the differences between pairs instead."
    )


def objective(q: Floats, variances: Floats) -> float:
    """Sum over pairs of (ln(q_i + q_j) - ln variances_ij)^2, infinite where a pair has no variance left."""
    i, j = np.triu_indices(q.size, 1)
    sums = q[i] + q[j]
    if sums.min() <= 0:
        return np.inf
    return float((np.log(sums / variances[i, j]) ** 2).sum())


def gradient(q: Floats, variances: Floats) -> Floats:
    """d objective / d q (K)."""
    sums, residuals = _residuals(q, variances)
    return np.asarray(2.0 * (residuals / sums).sum(axis=1))


def _settled(q: Floats, variances: Floats) -> bool:
    """Nothing that may move has a slope: what is above zero either way, what is at zero upwards."""
    slope = gradient(q, variances)
    free = np.where(q > 0, np.abs(slope) * q, np.maximum(-slope, 0.0) * q.mean())
    return bool(free.max() <= TOLERANCE)


def _stepped(q: Floats, variances: Floats) -> Floats:
    """Along the Gauss-Newton step of what is free to move, as far as it makes things better."""
    slope = gradient(q, variances)
    free = np.flatnonzero((q > 0) | (slope < 0))
    sums, _ = _residuals(q, variances)
    W = 1.0 / sums**2
    np.fill_diagonal(W, 0.0)
    H = 2.0 * (W + np.diag(W.sum(axis=1)))
    step = np.zeros_like(q)
    step[free] = -_solved(H[np.ix_(free, free)], slope[free])
    now, length = objective(q, variances), 1.0
    while length > SHORTEST:
        there = np.maximum(q + length * step, 0.0)
        if objective(there, variances) < now:
            return np.asarray(there)
        length /= 2.0
    return q


def _solved(H: Floats, slope: Floats) -> Floats:
    try:
        return np.asarray(np.linalg.solve(H, slope))
    except np.linalg.LinAlgError:
        return np.asarray(np.linalg.lstsq(H, slope)[0])


def _residuals(q: Floats, variances: Floats) -> tuple[Floats, Floats]:
    """q_i + q_j, and ln of that over the variance, both (K, K); on the diagonal, ones and zeros."""
    sums = q[:, None] + q[None, :]
    np.fill_diagonal(sums, 1.0)
    return sums, np.log(sums / variances)


def _start(variances: Floats) -> Floats:
    """Least squares on the variances themselves, kept well above zero."""
    size = variances.shape[0]
    off = variances - np.eye(size)
    rows = off.sum(axis=1)
    q = (rows - rows.sum() / (2.0 * (size - 1))) / (size - 2)
    return np.asarray(np.maximum(q, 0.05 * rows.mean() / (size - 1)))


def _differences(V: Floats) -> Floats:
    """Variances of all differences (K, K), with ones on the diagonal."""
    if V.ndim != 2 or V.shape[0] != V.shape[1] or V.shape[0] < 2:
        raise InvalidInput(f"quasi-standard errors need two ratings or more, not a covariance {V.shape}")
    variances = np.diag(V)[:, None] + np.diag(V)[None, :] - V - V.T
    np.fill_diagonal(variances, 1.0)
    if not (np.isfinite(variances).all() and variances.min() > 0):
        raise InvalidInput(
            "the difference of two ratings has no variance, so that no bar is right for it",
            "Collect votes on that pair, or leave one of the two out.",
        )
    return np.asarray(variances)


def _quasi(q: Floats, variances: Floats) -> Quasi:
    i, j = np.triu_indices(q.size, 1)
    relative = np.sqrt((q[i] + q[j]) / variances[i, j]) - 1.0
    return Quasi(np.sqrt(q), (float(relative.min()), float(relative.max())), q <= 0)
