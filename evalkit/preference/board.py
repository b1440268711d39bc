"""What a board says: frozen dataclasses, best system first. `evalkit.preference.rate` makes them.

This module knows how a board is laid out; it counts and fits nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from evalkit.errors import UnknownName, UsageError
from evalkit.preference.covariance import Sharing
from evalkit.preference.limits import Limits
from evalkit.preference.models.registry import JOINT, model_named
from evalkit.preference.stopping import PairVerdict
from evalkit.types import Estimate

Opponents = Literal["alike", "as-sampled"]
OPPONENTS: tuple[Opponents, ...] = get_args(Opponents)
"""Whether each opponent counts alike, or as often as it was met: two questions with two answers."""
Intervals = Literal["two-way", "rater", "case", "votes", "bootstrap"]
INTERVALS: tuple[Intervals, ...] = get_args(Intervals)
"""What votes are taken to share; `bootstrap` is two-way by resampling instead of by formula."""
SHARED: dict[str, str] = {
    "two-way": "votes of one rater, and votes on one prompt, are not independent",
    "rater": "votes of one rater are not independent; votes on one prompt are taken to be",
    "case": "votes on one prompt are not independent; votes of one rater are taken to be",
    "votes": "every vote is taken to be independent of all others",
    "bootstrap": "raters and prompts resampled",
}
ESTIMANDS: dict[str, str] = {
    "alike": "each opponent counts alike",
    "as-sampled": "opponents count as often as they were met",
}


@dataclass(frozen=True, slots=True)
class RatingOptions:
    """How votes become a board.

    `model` names one of `registry.MODELS`; `draws` are for rank ranges and chances; `top` is the k of the
    chance of being among the best k. Raises `UsageError` and `UnknownName` for what cannot be.
    """

    model: str = "bradley-terry"
    opponents: Opponents = "alike"
    intervals: Intervals = "two-way"
    level: float = 0.95
    top: int = 3
    draws: int = 10_000
    resamples: int = 400
    seed: int = 0

    def __post_init__(self) -> None:
        for value, what, known in (
            (self.opponents, "way to weight opponents", OPPONENTS),
            (self.intervals, "kind of interval", INTERVALS),
        ):
            if value not in known:
                raise UnknownName(what, value, known)
        if self.model != JOINT:
            model_named(self.model)
        if not 0.0 < self.level < 1.0:
            raise UsageError(f"a level of {self.level:g} is not between 0 and 1", "Use 0.95, for example.")
        if self.intervals == "bootstrap" and self.model != "bradley-terry":
            raise UsageError(f"no bootstrap of the {self.model} model", "Use two-way intervals with it.")
        if self.top < 1:
            raise UsageError(f"there is no top {self.top}", "Use 1 or more.")

    @property
    def sharing(self) -> Sharing:
        return "two-way" if self.intervals == "bootstrap" else self.intervals


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a system may stand: a range of ranks that holds at the board's level, and chances (0 to 1).

    `overlap_low` and `overlap_high` are the ranks by the rule of LMArena's boards, one plus the number of
    systems whose interval lies above: for comparison, since nothing guarantees them. `quasi` is the
    quasi-standard error in Elo points (those of two systems make the error of their difference, nearly),
    None where there is none. `tied_first`: no other system is shown to be better.
    """

    low: int
    high: int
    overlap_low: int
    overlap_high: int
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

    `estimand` says in words what the ratings are about, `method` how they and their intervals were made,
    `limits` what makes the intervals as long as they are, `verdicts` which pairs are decided whenever one
    looks; both need two-way intervals. `n_rankings` counts rankings that are in beside votes, `extra` holds
    the model's further parameters.
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
    limits: Limits | None = None
    verdicts: tuple[PairVerdict, ...] = ()
    n_rankings: int = 0
    extra: dict[str, float] = field(default_factory=dict)

    @property
    def method(self) -> str:
        return f"{self.options.model}, {self.estimand}, {self.options.intervals} intervals"

    @property
    def method_in_words(self) -> str:
        """The method in two sentences, for readers."""
        shared = SHARED[self.options.intervals]
        return (
            f"Elo scale, mean 1000. {self.options.model.title()}: {self.estimand}. "
            f"{100 * self.options.level:g} % intervals: {shared}."
        )

    @property
    def estimand(self) -> str:
        return ESTIMANDS[self.options.opponents]
