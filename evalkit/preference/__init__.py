"""Votes to ratings. `rate` is the entry, `LiveBoard` the same vote by vote; a board says how it was made."""

from evalkit.preference.board import Lead, Pair, PreferenceBoard, RatingOptions, Standing, SystemRating
from evalkit.preference.live import LiveBoard, OneVote
from evalkit.preference.rating import rate
from evalkit.preference.votes import Votes, votes_from_rows

__all__ = [
    "Lead",
    "LiveBoard",
    "OneVote",
    "Pair",
    "PreferenceBoard",
    "RatingOptions",
    "Standing",
    "SystemRating",
    "Votes",
    "rate",
    "votes_from_rows",
]
