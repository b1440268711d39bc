"""Rao and Kupper's model: wins and ties between K systems -> K abilities and a threshold of telling apart.

With d = theta_i - theta_j and s the logistic function: P(i) = s(d - eta), P(j) = s(-d - eta), and a tie is
the rest, so eta > 0 is the lead below which people tie (Rao & Kupper 1967). "Both bad" is a tie. This module
knows counts only; whether systems can be put on one scale is asked of `bradley_terry.connectivity`, before.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from evalkit.preference.models.fitted import Fitted
from evalkit.preference.models.newton import Surface
from evalkit.preference.models.ties import Fit, TieModel, fit_ties, ties_fitted
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import LEFT, RIGHT, Floats


def fit(beaten: Floats, tied: Floats) -> Fit:
    """Maximum likelihood for `beaten` (..., K, K), wins of i over j, and `tied` (..., K, K), symmetric.

    `tie` is eta. Leading axes are independent problems, each with at least one vote.
    """
    return fit_ties(MODEL, beaten, tied)


def fitted(tensor: Tensor, weights: Floats | None = None) -> Fitted:
    """Abilities and eta of one tensor, as `ties.ties_fitted`, which says what is raised."""
    return ties_fitted(MODEL, tensor, weights)


def surface(x: Floats, beaten: Floats, tied: Floats) -> Surface:
    """Log-likelihood and its slopes at x = (theta, eta) (..., K+1); minus infinity where eta is not positive.

    P(tie) = (exp(2 eta) - 1) P(i) P(j), so the log-likelihood is concave in theta and eta together.
    """
    theta, given = x[..., :-1], x[..., -1]
    eta = np.where(given > 0.0, given, 1.0)
    lead = theta[..., :, None] - theta[..., None, :] - eta[..., None, None]
    beyond = expit(-lead)
    ties, counted = 0.5 * tied.sum(axis=(-2, -1)), beaten + tied
    value = (ties * (2.0 * eta + np.log(-np.expm1(-2.0 * eta)))) - (counted * np.logaddexp(0.0, -lead)).sum(
        axis=(-2, -1)
    )
    missed = counted * beyond
    pull = missed.sum(axis=-1) - missed.sum(axis=-2)
    eta_pull = _tie_slope(eta) * ties - missed.sum(axis=(-2, -1))
    gradient = np.concatenate([pull, eta_pull[..., None]], axis=-1)
    value = np.where(given > 0.0, value, -np.inf)
    return Surface(value, gradient, _information(missed * (1.0 - beyond), ties / np.sinh(eta) ** 2))


def scores(theta: Floats, eta: float) -> tuple[Floats, Floats]:
    """Derivatives of one vote's log-likelihood by theta[left] and by eta.

    Each is (4, K, K): answer, left, right.
    """
    lead = theta[:, None] - theta[None, :]
    not_left, not_right = expit(eta - lead), expit(eta + lead)
    by_theta = np.broadcast_to(not_left - not_right, (4, *lead.shape)).copy()
    by_eta = np.broadcast_to(_tie_slope(np.asarray(eta)) - not_left - not_right, (4, *lead.shape)).copy()
    by_theta[LEFT], by_theta[RIGHT] = not_left, -not_right
    by_eta[LEFT], by_eta[RIGHT] = -not_left, -not_right
    return by_theta, by_eta


def _start(beaten: Floats, tied: Floats) -> Floats:
    """Equal abilities, and the eta that gives equals as many ties as there are."""
    ties, wins = 0.5 * tied.sum(axis=(-2, -1)), beaten.sum(axis=(-2, -1))
    share = np.clip(ties / (ties + wins), 1e-3, 1.0 - 1e-3)
    eta = 2.0 * np.arctanh(share)
    return np.concatenate([np.zeros(beaten.shape[:-1]), eta[..., None]], axis=-1)


def _tie_slope(eta: Floats) -> Floats:
    """Derivative of ln(exp(2 eta) - 1)."""
    return np.asarray(-2.0 / np.expm1(-2.0 * eta))


def _information(spread: Floats, curve: Floats) -> Floats:
    """From P(1 - P) of each win or tie (..., K, K) and the curvature that ties add for eta (...)."""
    weight = spread + np.swapaxes(spread, -1, -2)
    size = weight.shape[-1]
    H = np.empty((*weight.shape[:-2], size + 1, size + 1))
    H[..., :size, :size] = weight.sum(axis=-1)[..., None] * np.eye(size) - weight
    H[..., :size, size] = H[..., size, :size] = spread.sum(axis=-2) - spread.sum(axis=-1)
    H[..., size, size] = spread.sum(axis=(-2, -1)) + curve
    return H


MODEL = TieModel("rao-kupper", "eta", surface, scores, _start)
