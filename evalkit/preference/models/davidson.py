"""Davidson's model: wins and ties between K systems -> K abilities and how often people tie.

With d = theta_i - theta_j and D = exp(d/2) + exp(-d/2) + nu: P(i) = exp(d/2) / D, P(tie) = nu / D (Davidson
1970). Ties are likeliest between equals. "Both bad" is a tie. This module knows counts only; whether systems
can be put on one scale is asked of `bradley_terry.connectivity`, before.
"""

from __future__ import annotations

import numpy as np

from evalkit.preference.models.fitted import Fitted
from evalkit.preference.models.newton import Surface
from evalkit.preference.models.ties import Fit, TieModel, fit_ties, ties_fitted
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import BOTH_BAD, TIE, WORTH, Floats


def fit(beaten: Floats, tied: Floats) -> Fit:
    """Maximum likelihood for `beaten` (..., K, K), wins of i over j, and `tied` (..., K, K), symmetric.

    `tie` is ln nu. Leading axes are independent problems, each with at least one vote.
    """
    return fit_ties(MODEL, beaten, tied)


def fitted(tensor: Tensor, weights: Floats | None = None) -> Fitted:
    """Abilities and ln nu of one tensor, as `ties.ties_fitted`, which says what is raised."""
    return ties_fitted(MODEL, tensor, weights)


def surface(x: Floats, beaten: Floats, tied: Floats) -> Surface:
    """Log-likelihood and its slopes at x = (theta, ln nu) (..., K+1).

    The model is an exponential family in x, so the information is that expected as well as that observed.
    """
    theta, log_nu = x[..., :-1], x[..., -1]
    log_win, log_tie = _log_chances(theta, log_nu)
    win, tie = np.exp(log_win), np.exp(log_tie)
    met = beaten + _turned(beaten) + tied
    value = (beaten * log_win).sum(axis=(-2, -1)) + 0.5 * (tied * log_tie).sum(axis=(-2, -1))
    pull = (beaten + 0.5 * tied - met * (win + 0.5 * tie)).sum(axis=-1)
    tie_pull = 0.5 * (tied - met * tie).sum(axis=(-2, -1))
    return Surface(value, np.concatenate([pull, tie_pull[..., None]], axis=-1), _information(win, tie, met))


def scores(theta: Floats, log_nu: float) -> tuple[Floats, Floats]:
    """Derivatives of one vote's log-likelihood by theta[left] and by ln nu.

    Each is (4, K, K): answer, left, right.
    """
    log_win, log_tie = _log_chances(theta, np.asarray(log_nu))
    tie = np.exp(log_tie)
    undecided = np.zeros((4, 1, 1))
    undecided[[TIE, BOTH_BAD]] = 1.0
    return WORTH - (np.exp(log_win) + 0.5 * tie), undecided - tie


def _start(beaten: Floats, tied: Floats) -> Floats:
    """Equal abilities, and the nu that gives equals as many ties as there are."""
    ties, wins = 0.5 * tied.sum(axis=(-2, -1)), beaten.sum(axis=(-2, -1))
    log_nu = np.log(2.0 * np.maximum(ties, 1e-3) / np.maximum(wins, 1e-3))
    return np.concatenate([np.zeros(beaten.shape[:-1]), log_nu[..., None]], axis=-1)


def _log_chances(theta: Floats, log_nu: Floats) -> tuple[Floats, Floats]:
    """ln P(i beats j) and ln P(i and j tie), each (..., K, K)."""
    half = 0.5 * (theta[..., :, None] - theta[..., None, :])
    log_nu = log_nu[..., None, None]
    log_total = np.logaddexp(np.logaddexp(half, -half), log_nu)
    return half - log_total, log_nu - log_total


def _information(win: Floats, tie: Floats, met: Floats) -> Floats:
    lead = win - _turned(win)
    weight = 0.25 * met * (win + _turned(win) - lead**2)
    size = met.shape[-1]
    H = np.empty((*met.shape[:-2], size + 1, size + 1))
    H[..., :size, :size] = weight.sum(axis=-1)[..., None] * np.eye(size) - weight
    H[..., :size, size] = H[..., size, :size] = -0.5 * (met * lead * tie).sum(axis=-1)
    H[..., size, size] = 0.5 * (met * tie * (1.0 - tie)).sum(axis=(-2, -1))
    return H


def _turned(matrix: Floats) -> Floats:
    return np.asarray(np.swapaxes(matrix, -1, -2))


MODEL = TieModel("davidson", "log_nu", surface, scores, _start)
