"""The leaderboard: metrics, reliability and votes per category x system, each with its interval."""

from evalkit.leaderboard.frames import to_frame, to_records
from evalkit.leaderboard.metrics import HEADLINES, Behind, BoardRow, Headline, headline, metric_board
from evalkit.leaderboard.query import newest_run
from evalkit.leaderboard.reliability import ReliabilityRow, reliability_board
from evalkit.leaderboard.votes import vote_board, votes_of

__all__ = [
    "HEADLINES",
    "Behind",
    "BoardRow",
    "Headline",
    "ReliabilityRow",
    "headline",
    "metric_board",
    "newest_run",
    "reliability_board",
    "to_frame",
    "to_records",
    "vote_board",
    "votes_of",
]
