"""The leaderboard: metrics, reliability, money, time and votes per category x system, with intervals."""

from evalkit.leaderboard.assisted import AssistedBoard, AssistedRow, assisted_board
from evalkit.leaderboard.disagreements import Disagreement, disagreements
from evalkit.leaderboard.frames import to_frame, to_records
from evalkit.leaderboard.latency import LatencyRow, Phase, latency_board
from evalkit.leaderboard.metrics import HEADLINES, Behind, BoardRow, Headline, headline, metric_board
from evalkit.leaderboard.money import MoneyRow, Share, money_board
from evalkit.leaderboard.query import newest_run
from evalkit.leaderboard.rankings import (
    Asked,
    Ranking,
    SliceReport,
    check_category,
    questions_of,
    rank,
    rank_slices,
    ranking_of,
    rater_reports,
    studies_named,
)
from evalkit.leaderboard.raters import RaterReport
from evalkit.leaderboard.reliability import ReliabilityRow, reliability_board
from evalkit.leaderboard.validity import ValidityBoard, ValidityRow, validity_board
from evalkit.leaderboard.votes import vote_board, votes_of

__all__ = [
    "HEADLINES",
    "Asked",
    "AssistedBoard",
    "AssistedRow",
    "Behind",
    "BoardRow",
    "Disagreement",
    "Headline",
    "LatencyRow",
    "MoneyRow",
    "Phase",
    "Ranking",
    "RaterReport",
    "ReliabilityRow",
    "Share",
    "SliceReport",
    "ValidityBoard",
    "ValidityRow",
    "assisted_board",
    "check_category",
    "disagreements",
    "headline",
    "latency_board",
    "metric_board",
    "money_board",
    "newest_run",
    "questions_of",
    "rank",
    "rank_slices",
    "ranking_of",
    "rater_reports",
    "reliability_board",
    "studies_named",
    "to_frame",
    "to_records",
    "validity_board",
    "vote_board",
    "votes_of",
]
