"""What a board says: frozen dataclasses, best system first. `evalkit.preference.rate` makes them.

This module knows how a board is laid out; it counts and fits nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from evalkit.preference.covariance import Sharing
from evalkit.types import Estimate

Opponents = Literal["alike", "as-sampled"]
OPPONENTS: tuple[Opponents, ...] = get_args(Opponents)
"""Whether each opponent counts alike, or as often as it was met: two questions with two answers."""
Intervals = Literal["two-way", "rater", "case", "votes", "bootstrap"]
INTERVALS: tuple[Intervals, ...] = get_args(Intervals)
"""What votes are taken to share; `bootstrap` is two-way by resampling instead of by formula."""
ESTIMANDS: dict[str, str] = {
    "alike": "each opponent counts alike",
    "as-sampled": "opponents count as often as they were met",
}


@dataclass(frozen=True, slots=True)
class RatingOptions:
    """How votes become a board. `model` names one of `models.MODELS`; `draws` are for rank ranges."""

    model: str = "bradley-terry"
    opponents: Opponents = "alike"
    intervals: Intervals = "two-way"
    level: float = 0.95
    draws: int = 20_000
    resamples: int = 400
    seed: int = 0

    @property
    def sharing(self) -> Sharing:
        return "two-way" if self.intervals == "bootstrap" else self.intervals


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a system may stand: a range of ranks that holds at the board's level, and chances (0 to 1).

    `quasi` is the quasi-standard error in Elo points (two of them make the error of a difference, roughly),
    None where it cannot be given.
    """

    low: int
    high: int
    p_best: float
    p_top: float
    quasi: float | None
    tied_first: bool


@dataclass(frozen=True, slots=True)
class SystemRating:
    """One line of a board. `rating` is on the Elo scale (mean of the board 1000); rates are 0 to 1.

    `standing` is None without a common scale, or without an interval.
    """

    system: str
    rating: Estimate
    win_rate: Estimate
    both_bad: Estimate
    tie_rate: float | None
    n_votes: int
    n_raters: int
    n_cases: int
    standing: Standing | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two systems met in `votes` votes; `won` is the share for `a`, ties half, None where they never met."""

    a: str
    b: str
    votes: int
    won: float | None


@dataclass(frozen=True, slots=True)
class Lead:
    """How far the first is ahead of the second, in Elo points."""

    leader: str
    runner_up: str
    difference: Estimate


@dataclass(frozen=True, slots=True)
class PreferenceBoard:
    """Ratings, best first. Without a common scale `rating.value` is None and the order is by win rate.

    `estimand` says in words what the ratings are about; `method` how they and their intervals were made.
    """

    ratings: tuple[SystemRating, ...]
    pairs: tuple[Pair, ...]
    lead: Lead | None
    n_votes: int
    n_raters: int
    n_cases: int
    tie_rate: float | None
    both_bad_rate: float | None
    caveats: tuple[str, ...]
    options: RatingOptions
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return f"{self.options.model}, {self.estimand}, {self.options.intervals} intervals"

    @property
    def estimand(self) -> str:
        return ESTIMANDS[self.options.opponents]
