"""The leaderboard: metrics, reliability, money, time and votes per category x system, with intervals."""

from evalkit.leaderboard.disagreements import Disagreement, disagreements
from evalkit.leaderboard.frames import to_frame, to_records
from evalkit.leaderboard.latency import LatencyRow, Phase, latency_board
from evalkit.leaderboard.metrics import HEADLINES, Behind, BoardRow, Headline, headline, metric_board
from evalkit.leaderboard.money import MoneyRow, Share, money_board
from evalkit.leaderboard.query import newest_run
from evalkit.leaderboard.reliability import ReliabilityRow, reliability_board
from evalkit.leaderboard.validity import ValidityBoard, ValidityRow, validity_board
from evalkit.leaderboard.votes import vote_board, votes_of

__all__ = [
    "HEADLINES",
    "Behind",
    "BoardRow",
    "Disagreement",
    "Headline",
    "LatencyRow",
    "MoneyRow",
    "Phase",
    "ReliabilityRow",
    "Share",
    "ValidityBoard",
    "ValidityRow",
    "disagreements",
    "headline",
    "latency_board",
    "metric_board",
    "money_board",
    "newest_run",
    "reliability_board",
    "to_frame",
    "to_records",
    "validity_board",
    "vote_board",
    "votes_of",
]
