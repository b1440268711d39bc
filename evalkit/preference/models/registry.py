"""The models a board can rate by, by name. Each turns counts into a `Fitted`, so each gets every interval.

This module chooses; it computes nothing but how well a model fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from evalkit.errors import UnknownName
from evalkit.preference.models import bradley_terry, davidson, rao_kupper
from evalkit.preference.models.fitted import Fitted
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import Floats

Model = Callable[[Tensor, Floats | None], Fitted]
"""Fits a tensor; the second argument weights the votes of each pair (K, K), None for 1."""

MODELS: Mapping[str, Model] = MappingProxyType(
    {
        "bradley-terry": bradley_terry.fitted,
        "davidson": davidson.fitted,
        "rao-kupper": rao_kupper.fitted,
    }
)


JOINT = "plackett-luce"
"""The model of a board whose votes and rankings are fitted together; see `joint`."""


def model_named(name: str) -> Model:
    """The model of this name. Raises UnknownName."""
    if name not in MODELS:
        raise UnknownName("model", name, MODELS)
    return MODELS[name]


def loss_per_vote(found: Fitted, tensor: Tensor, weights: Floats | None = None) -> float:
    """Mean negative log-likelihood of a vote, in nats; `tensor` and `weights` as they were fitted.

    Comparable between models of the same outcomes: Davidson and Rao-Kupper tell ties from wins, Bradley-Terry
    tells of half wins only. NaN without votes.
    """
    games = tensor.games if weights is None else tensor.games * weights
    total = float(games.sum()) / 2.0
    return -found.log_likelihood / total if total else float("nan")
