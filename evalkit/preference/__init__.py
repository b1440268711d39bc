"""Votes to ratings. `rate` is the entry; a board says by which method it was made."""

from evalkit.preference.board import Lead, Pair, PreferenceBoard, RatingOptions, Standing, SystemRating
from evalkit.preference.rating import rate
from evalkit.preference.votes import Votes, votes_from_rows

__all__ = [
    "Lead",
    "Pair",
    "PreferenceBoard",
    "RatingOptions",
    "Standing",
    "SystemRating",
    "Votes",
    "rate",
    "votes_from_rows",
]
