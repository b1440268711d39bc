"""How an honest rater may differ from the crowd, and how likely a rater's votes are when that is allowed for.

A rater answers by Davidson's model (1970): P(i) : P(j) : P(neither) = e^(d/2) : e^(-d/2) : nu, with d the
difference of the abilities *as this rater sees them*. A rater's abilities and log nu are those of the crowd
plus normal deviations: a taste for each system and a habit of calling ties. The deviations are integrated
out by Laplace's method, for all raters at once. This module knows no classes of raters and flags nobody.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalkit.preference.raters.meetings import Meetings, summed
from evalkit.preference.votes import Floats

MAX_STEP = 2.0
TOLERANCE = 1e-7
MAX_ITERATIONS = 40
ATTENUATION = 16.0 * np.sqrt(3.0) / (15.0 * np.pi)
"""A logistic curve averaged over a normal shift is nearly a flatter one (Zeger, Liang & Albert 1988)."""


@dataclass(frozen=True, slots=True)
class Prior:
    """What is known of R raters before they vote: normal, around `centre` (R, K+1) or (K+1).

    K abilities in logits and log nu; `precision` (R, K+1, K+1) or (K+1, K+1) is the inverse covariance.
    """

    centre: Floats
    precision: Floats


@dataclass(frozen=True, slots=True)
class Integrated:
    """`log_likelihood` (R) of all a rater's answers with the deviations integrated out.

    `deviation` (R, K+1) is the most plausible one, `information` (R, K+1, K+1) what is known of it, prior
    included.
    """

    log_likelihood: Floats
    deviation: Floats
    information: Floats

    @property
    def covariance(self) -> Floats:
        """How far deviations may be from the most plausible ones (R, K+1, K+1)."""
        return np.asarray(np.linalg.inv(self.information))


@dataclass(frozen=True, slots=True)
class _Chances:
    """Of each entry: the difference in ability, the three chances, the log of what they were divided by."""

    difference: Floats
    first: Floats
    second: Floats
    neither: Floats
    log_sum: Floats


def integrated(meetings: Meetings, prior: Prior, start: Floats | None = None, steps: int = 0) -> Integrated:
    """Laplace's method for each of R raters: Newton to the mode, then a normal integral around it.

    `steps` above 0 takes just so many steps from `start` (R, K+1), for callers that come back; 0 goes on
    until nothing moves. The information is that of the last point but one: the same once nothing moves.
    """
    P = prior.precision
    deviation = np.zeros((meetings.raters, meetings.systems + 1)) if start is None else start
    for _ in range(steps or MAX_ITERATIONS):
        gradient, H = derivatives(meetings, prior.centre + deviation)
        A = H + P
        pull = gradient - _times(P, deviation)
        step = np.clip(np.linalg.solve(A, pull[..., None])[..., 0], -MAX_STEP, MAX_STEP)
        deviation = deviation + step
        if np.abs(step).max(initial=0.0) <= TOLERANCE:
            break
    penalty = 0.5 * (deviation * _times(P, deviation)).sum(axis=1)
    volume = 0.5 * (np.linalg.slogdet(A)[1] - np.linalg.slogdet(P)[1])
    answers = log_likelihood(meetings, prior.centre + deviation)
    return Integrated(answers - penalty - volume, deviation, A)


def log_likelihood(meetings: Meetings, x: Floats) -> Floats:
    """Log-likelihood (R) of each rater's answers for abilities and log nu `x` (R, K+1) or (K+1)."""
    x = np.broadcast_to(x, (meetings.raters, meetings.systems + 1))
    found = _chances(meetings, x)
    half = 0.5 * (meetings.won - meetings.lost)
    said = half * found.difference + meetings.tied * x[meetings.rater, -1] - _met(meetings) * found.log_sum
    return meetings.per_rater(said)


def derivatives(meetings: Meetings, x: Floats) -> tuple[Floats, Floats]:
    """Gradient (R, K+1) and minus the Hessian (R, K+1, K+1) of `log_likelihood` at `x` (R, K+1) or (K+1)."""
    x = np.broadcast_to(x, (meetings.raters, meetings.systems + 1))
    found, met = _chances(meetings, x), _met(meetings)
    mean = 0.5 * (found.first - found.second)
    spread = met * (0.25 * (found.first + found.second) - mean**2)
    mixed, ties = -met * found.neither * mean, met * found.neither
    lead = 0.5 * (meetings.won - meetings.lost) - met * mean
    gradient = _signed(meetings, lead)
    gradient[:, -1] = meetings.per_rater(meetings.tied - ties)
    H = _laplacian(meetings, spread)
    H[:, :, -1] = H[:, -1, :] = _signed(meetings, mixed)
    H[:, -1, -1] = meetings.per_rater(ties * (1.0 - found.neither))
    return gradient, H


def conditional(theta: Floats, taste: float) -> Floats:
    """Abilities for a rater without a taste, from those of a crowd with tastes of this standard deviation.

    Averaging over tastes flattens the curve; this undoes it.
    """
    return np.asarray(theta * np.sqrt(1.0 + 2.0 * (ATTENUATION * taste) ** 2))


def _chances(meetings: Meetings, x: Floats) -> _Chances:
    d = x[meetings.rater, meetings.first] - x[meetings.rater, meetings.second]
    up, nu = np.exp(0.5 * d), np.exp(x[:, -1])[meetings.rater]
    total = up + 1.0 / up + nu
    return _Chances(d, up / total, 1.0 / (up * total), nu / total, np.log(total))


def _met(meetings: Meetings) -> Floats:
    return np.asarray(meetings.won + meetings.lost + meetings.tied)


def _signed(meetings: Meetings, values: Floats) -> Floats:
    """Sums of `values` (E) per rater and system, plus for the first of a pair and minus for the second."""
    size = meetings.systems + 1
    total = summed(meetings.rater * size + meetings.first, values, meetings.raters * size)
    total -= summed(meetings.rater * size + meetings.second, values, meetings.raters * size)
    return total.reshape(meetings.raters, size)


def _laplacian(meetings: Meetings, values: Floats) -> Floats:
    """A graph Laplacian per rater with `values` (E) as weights, in a matrix one larger."""
    size = meetings.systems + 1
    H = np.zeros((meetings.raters, size, size))
    H[meetings.rater, meetings.first, meetings.second] = -values
    H[meetings.rater, meetings.second, meetings.first] = -values
    k = np.arange(size)
    H[:, k, k] = -H.sum(axis=2)
    return H


def _times(P: Floats, vectors: Floats) -> Floats:
    return np.asarray((P @ vectors[..., None])[..., 0])
