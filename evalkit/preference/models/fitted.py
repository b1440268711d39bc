"""What a model of votes came to, in a form that does not depend on the model.

Intervals, ranks and diagnostics read this: the abilities, the pseudo-inverse of the information, and how each
kind of vote pulls on each number (its score). So every model gets every kind of interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evalkit.preference.votes import Floats

ELO_PER_LOGIT = 400.0 / float(np.log(10.0))


@dataclass(frozen=True, slots=True)
class Fitted:
    """Maximum likelihood of one model on one tensor of K systems; Q further parameters beside abilities.

    `theta` (K) are abilities in logits, summing to zero. `extra` (Q) are named by `names` ("log_nu", say).
    `bread` (K+Q, K+Q) is the pseudo-inverse of the information (minus the Hessian), abilities first.
    `left` and `right` (4, K, K) are the derivatives of the log-likelihood of one vote [o, i, j] (answer o, i
    left, j right) by theta[i] and theta[j]; `others` (Q, 4, K, K) those by the further parameters. Where
    compared pairs are weighted, likelihood, bread and scores all are.
    """

    model: str
    theta: Floats
    extra: Floats
    names: tuple[str, ...]
    bread: Floats
    left: Floats
    right: Floats
    others: Floats
    log_likelihood: float
    converged: bool

    @property
    def elo(self) -> Floats:
        """Abilities on the Elo scale (K): mean 1000, 400 points for odds of ten to one."""
        return np.asarray(1000.0 + ELO_PER_LOGIT * (self.theta - self.theta.mean()))
