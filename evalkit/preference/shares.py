"""Shares read off a tensor, with how each vote pulls on them: win rate against the field, and "both bad".

Shares need no model and no common scale, so a board has them even where it can have no ratings.
"""

from __future__ import annotations

import numpy as np

from evalkit.preference.clustering import Pull
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import BOTH_BAD, WORTH, Floats


def win_rate_pull(tensor: Tensor) -> Pull:
    """How votes pull on `tensor.win_rates` (K)."""
    wins = tensor.wins
    games = wins + wins.T
    met = games > 0
    share = np.divide(wins, games, out=np.zeros_like(wins), where=met)
    worth = 1.0 / np.maximum(met.sum(axis=1), 1)
    per_vote = np.divide(worth[:, None], games, out=np.zeros_like(wins), where=met)
    gained = WORTH - share
    return Pull(gained * per_vote, -gained * per_vote.T, _nothing(tensor))


def both_bad_pull(tensor: Tensor) -> Pull:
    """How votes pull on `tensor.both_bad` (K)."""
    said = np.zeros((4, 1, 1))
    said[BOTH_BAD] = 1.0
    played = np.maximum(tensor.played, 1e-300)
    rate = np.nan_to_num(tensor.both_bad)
    left = (said - rate[:, None]) / played[:, None]
    right = (said - rate[None, :]) / played[None, :]
    shape = tensor.counts.shape
    return Pull(np.broadcast_to(left, shape), np.broadcast_to(right, shape), _nothing(tensor))


def _nothing(tensor: Tensor) -> Floats:
    return np.zeros((0, *tensor.counts.shape))
