"""Fitting a model of wins and ties: what Davidson's and Rao and Kupper's models have in common.

Each brings its likelihood and how a vote pulls; the climb, the weights and the questions asked first are the
same. Knows counts only; whether systems can be put on one scale is asked of `bradley_terry.connectivity`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import InvalidInput
from evalkit.preference.models.fitted import Fitted
from evalkit.preference.models.newton import Peak, Surface, maximum, pseudo_inverse
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import Floats


@dataclass(frozen=True, slots=True)
class TieModel:
    """A model with one parameter for ties, called `parameter`.

    `surface` gives the log-likelihood at (theta, parameter) (..., K+1) of wins and ties (..., K, K), `scores`
    the derivatives (4, K, K) of one vote's by theta[left] and by the parameter, `start` where to begin.
    """

    name: str
    parameter: str
    surface: Callable[[Floats, Floats, Floats], Surface]
    scores: Callable[[Floats, float], tuple[Floats, Floats]]
    start: Callable[[Floats, Floats], Floats]


@dataclass(frozen=True, slots=True)
class Fit:
    """`theta` (..., K) sums to zero; `tie` (...) is the model's parameter; `converged` (...): a maximum."""

    theta: Floats
    tie: Floats
    converged: NDArray[np.bool_]


def fit_ties(model: TieModel, beaten: Floats, tied: Floats) -> Fit:
    """Maximum likelihood for `beaten` (..., K, K), wins of i over j, and `tied` (..., K, K), symmetric.

    Leading axes are independent problems solved together; each has at least one vote.
    """
    size, peak = beaten.shape[-1], _peak(model, beaten, tied)
    return Fit(peak.x[..., :size], peak.x[..., size], peak.converged)


def ties_fitted(model: TieModel, tensor: Tensor, weights: Floats | None = None) -> Fitted:
    """Abilities and the tie parameter of one tensor. `weights` (K, K, symmetric) weight votes.

    `converged` is false where the likelihood has no maximum. Raises InvalidInput where no vote is a tie, or
    every one: there would be no finite parameter.
    """
    w = np.ones((tensor.size, tensor.size)) if weights is None else weights
    beaten, tied = tensor.beaten * w, tensor.tied * w
    _check(beaten, tied)
    size, peak = tensor.size, _peak(model, beaten, tied)
    left, tie_score = model.scores(peak.x[:size], float(peak.x[size]))
    return Fitted(
        model=model.name,
        theta=peak.x[:size],
        extra=peak.x[size:],
        names=(model.parameter,),
        bread=pseudo_inverse(peak.surface.H, size),
        left=left * w,
        right=-left * w,
        others=(tie_score * w)[None],
        log_likelihood=float(peak.surface.value),
        converged=bool(peak.converged),
    )


def _peak(model: TieModel, beaten: Floats, tied: Floats) -> Peak:
    return maximum(lambda x: model.surface(x, beaten, tied), model.start(beaten, tied), beaten.shape[-1])


def _check(beaten: Floats, tied: Floats) -> None:
    """Raise InvalidInput where how often people tie cannot be estimated."""
    if not tied.any():
        raise InvalidInput(
            "no vote is a tie, so how often people tie cannot be estimated",
            "Use the model bradley-terry: it needs no ties.",
        )
    if not beaten.any():
        raise InvalidInput(
            "every vote is a tie, so nothing tells the systems apart",
            "Collect votes that choose a side; until then all that can be said is that nobody did.",
        )
