"""Do people favour the picture on the left? Bradley-Terry with one number more, the log odds of being left.

P(left wins | i left, j right) = s(theta_i - theta_j + gamma), s the logistic function; ties and "both bad"
are half a win each way. The same number is the home advantage of a league (Agresti 2002, section 10.6). This
module fits it; whether it matters is for who reads its interval.
"""

from __future__ import annotations

import numpy as np
from scipy.special import expit

from evalkit.errors import InvalidInput
from evalkit.preference.models.fitted import Fitted
from evalkit.preference.models.newton import Surface, maximum, pseudo_inverse, well_conditioned
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import WORTH, Floats


def fitted(tensor: Tensor, weights: Floats | None = None) -> Fitted:
    """Abilities, and `extra` = (gamma,) named "left". `weights` (K, K, symmetric) weight the votes.

    `converged` is false where the likelihood has no maximum. Raises InvalidInput where sides cannot be told
    from abilities: with two systems that were always shown the same way round, say.
    """
    w = np.ones((tensor.size, tensor.size)) if weights is None else weights
    won, met = _worth(tensor.counts) * w, tensor.counts.sum(axis=-3) * w
    size = tensor.size
    _check(met)
    peak = maximum(lambda x: surface(x, won, met), np.zeros(size + 1), size)
    pull = (WORTH - _chances(peak.x)) * w
    return Fitted(
        model="bradley-terry-sides",
        theta=peak.x[:size],
        extra=peak.x[size:],
        names=("left",),
        bread=pseudo_inverse(peak.surface.H, size),
        left=pull,
        right=-pull,
        others=pull[None],
        log_likelihood=float(peak.surface.value),
        converged=bool(peak.converged),
    )


def surface(x: Floats, won: Floats, met: Floats) -> Surface:
    """Log-likelihood and its slopes at x = (theta, gamma) (K+1).

    `won` and `met` (K, K) are wins of the left system, ties half, and votes, with i left and j right.
    """
    theta, gamma = x[:-1], x[-1]
    lead = theta[:, None] - theta[None, :] + gamma
    value = -(won * np.logaddexp(0.0, -lead) + (met - won) * np.logaddexp(0.0, lead)).sum()
    chance = expit(lead)
    rest = won - met * chance
    gradient = np.append(rest.sum(axis=1) - rest.sum(axis=0), rest.sum())
    return Surface(np.asarray(value), gradient, _information(met * chance * (1.0 - chance)))


def _check(met: Floats) -> None:
    size, H = met.shape[-1], _information(met)
    if well_conditioned(H[:size, :size], size) and not well_conditioned(H, size):
        raise InvalidInput(
            "sides cannot be told from abilities: each system was always on one side of the same others",
            "Show each pair both ways round; a study does so by itself.",
        )


def _information(spread: Floats) -> Floats:
    weight = spread + spread.T
    size = spread.shape[-1]
    H = np.empty((size + 1, size + 1))
    H[:size, :size] = np.diag(weight.sum(axis=-1)) - weight
    H[:size, size] = H[size, :size] = spread.sum(axis=1) - spread.sum(axis=0)
    H[size, size] = spread.sum()
    return H


def _chances(x: Floats) -> Floats:
    """P(left wins), (K, K), with i left and j right."""
    return np.asarray(expit(x[:-1, None] - x[None, :-1] + x[-1]))


def _worth(counts: Floats) -> Floats:
    return np.asarray((WORTH * counts).sum(axis=-3))
