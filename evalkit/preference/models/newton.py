"""Newton's method on log-likelihoods that are concave and level along "all abilities up by one".

The models hand over value, gradient and information at a point; this module climbs. It knows no votes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.preference.votes import Floats

MAX_STEP = 2.0
TOLERANCE = 1e-10
MAX_ITERATIONS = 50
HALVINGS = 50
SLACK = 1e-10
"""Share of its own size by which rounding may lower a log-likelihood."""
ROUNDING = 2e-14
"""How small a step can get, for each unit of condition: no smaller than rounding of the gradient allows."""
RIDGE = 1e-13
"""Added to the information, relative to its size, so that one without a maximum can be solved as well."""
CONDITION = 1e12
"""Information of the start times variance: beyond this, the likelihood rises for ever in some direction."""


@dataclass(frozen=True, slots=True)
class Surface:
    """Log-likelihood (...), its gradient (..., P) and `H`, minus the second derivatives (..., P, P)."""

    value: Floats
    gradient: Floats
    H: Floats


@dataclass(frozen=True, slots=True)
class Peak:
    """Where the climb ended: `x` (..., P). `converged` (...) is true only at a maximum."""

    x: Floats
    surface: Surface
    converged: NDArray[np.bool_]


def maximum(surface_at: Callable[[Floats], Surface], start: Floats, size: int) -> Peak:
    """Climb from `start` (..., P), whose first `size` numbers are abilities; those end with mean zero.

    Steps are cut to 2 and halved while the log-likelihood falls, so a concave likelihood with a maximum is
    climbed from anywhere. One without a maximum gives a far-away point with `converged` false.
    """
    x, here = start, surface_at(start)
    scale = _largest(here.H)
    moved = np.full(start.shape[:-1], np.inf)
    for _ in range(MAX_ITERATIONS):
        step = newton_step(here.gradient, here.H, size)
        x, here = _climbed(surface_at, x, here, step)
        moved = np.abs(step).max(axis=-1, initial=0.0)
        if np.all(moved <= TOLERANCE):
            break
    x = x.copy()
    x[..., :size] -= x[..., :size].mean(axis=-1, keepdims=True)
    condition = scale * _widest(here.H, size)
    settled = moved <= np.clip(ROUNDING * condition, TOLERANCE, 1e-6)
    return Peak(x, here, settled & (condition < CONDITION))


def newton_step(gradient: Floats, H: Floats, size: int) -> Floats:
    """The step (..., P) to the top of the parabola at this point, each number cut to +-2."""
    shifted, _ = _shifted(H, size)
    step = np.linalg.solve(shifted, gradient[..., None])[..., 0]
    return np.asarray(np.clip(step, -MAX_STEP, MAX_STEP))


def pseudo_inverse(H: Floats, size: int) -> Floats:
    """Pseudo-inverse of `H` (..., P, P), which is level along u = (1, ..., 1, 0, ...): (H + cuu')^-1 - uu'/c.

    One by singular values would have to guess which of them is zero; this one knows.
    """
    shifted, c = _shifted(H, size)
    level = _level(H.shape[-1], size)
    return np.asarray(np.linalg.inv(shifted) - level / c)


def well_conditioned(H: Floats, size: int) -> bool:
    """Whether every direction but the level one carries information, for one H (P, P)."""
    return bool(_largest(H) * _widest(H, size) < CONDITION)


def _largest(H: Floats) -> Floats:
    return np.asarray(np.diagonal(H, axis1=-2, axis2=-1).max(axis=-1, initial=0.0))


def _widest(H: Floats, size: int) -> Floats:
    """The largest variance of a number (...)."""
    return np.asarray(_largest(np.abs(pseudo_inverse(H, size))))


def _climbed(
    surface_at: Callable[[Floats], Surface], x: Floats, here: Surface, step: Floats
) -> tuple[Floats, Surface]:
    share = np.ones((*step.shape[:-1], 1))
    floor = here.value - SLACK * (1.0 + np.abs(here.value))
    for _ in range(HALVINGS):
        there = surface_at(x + share * step)
        lower = ~(there.value >= floor)
        if not lower.any():
            return x + share * step, there
        share = np.where(lower[..., None], 0.5 * share, share)
    share = np.where(lower[..., None], 0.0, share)
    return x + share * step, surface_at(x + share * step)


def _shifted(H: Floats, size: int) -> tuple[Floats, Floats]:
    """H + cuu', which is regular where there is a maximum, and c with two axes of length 1."""
    P = H.shape[-1]
    trace = np.trace(H, axis1=-2, axis2=-1)[..., None, None]
    c = np.maximum(trace / P, 1e-12)
    return H + c * _level(P, size) + RIDGE * c * np.eye(P), c


def _level(P: int, size: int) -> Floats:
    u = np.zeros(P)
    u[:size] = size**-0.5
    return np.outer(u, u)
