"""What the raters say: the votes and rankings of studies, rated by `evalkit.preference`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from evalkit.leaderboard.ballot_box import Box, Question, box_of, box_with_rankings
from evalkit.leaderboard.query import rows
from evalkit.preference import PreferenceBoard, RatingOptions, Votes, rate
from evalkit.preference.slices import Slices, refit

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PICKED = (
    "Not a fair sample: the pairs of this study were picked because a metric and people disagreed about "
    "them, or a score was in doubt. The numbers say how this second look went, not which system is better."
)


def vote_board(
    db: DuckDBPyConnection,
    study: str | Sequence[str],
    criterion: str,
    category: str | None = None,
    options: RatingOptions = RatingOptions(),
) -> PreferenceBoard:
    """Ratings of the systems of a study (or of several taken together) on one criterion.

    Over all categories or one, by votes on pairs and rankings. Raises `UnknownName`, and `InvalidInput` for
    rankings that are none.
    """
    question = _question(study, criterion, category)
    box = box_with_rankings(db, question)
    board = board_of_box(box, options)
    return replace(board, caveats=(*caveats(db, question), *board.caveats))


def board_of_box(box: Box, options: RatingOptions = RatingOptions()) -> PreferenceBoard:
    """Ratings of the votes in a box, with intervals that claim no more than the votes say."""
    board = rate(box.votes, _knowable(box, options), box.ranked)
    return replace(
        board,
        caveats=(*unknowns(box), *board.caveats),
        n_raters=0 if box.raters_unknown else board.n_raters,
        n_cases=0 if box.cases_unknown else board.n_cases,
    )


def _knowable(box: Box, options: RatingOptions) -> RatingOptions:
    """Votes that do not say whose they are cannot be taken by rater; the same for cases."""
    match box.raters_unknown, box.cases_unknown:
        case True, True:
            return replace(options, intervals="votes")
        case True, False:
            return replace(options, intervals="case")
        case False, True:
            return replace(options, intervals="rater")
    return options


def slices_of_box(box: Box, options: RatingOptions = RatingOptions()) -> Slices:
    """Ratings within each slice of a box."""
    return refit(box.votes, box.slice, box.slices, _knowable(box, options))


def votes_of(db: DuckDBPyConnection, study: str, criterion: str, category: str | None = None) -> Votes:
    """The votes of a study on one criterion as integer columns; no vote becomes a Python object."""
    return box_of(db, _question(study, criterion, category)).votes


def caveats(db: DuckDBPyConnection, question: Question) -> tuple[str, ...]:
    """What is to be known of these votes before their ratings are believed."""
    ((picked, withdrawn),) = rows(db, "votes_left_out", **question.chosen)
    said = [PICKED] if picked else []
    if withdrawn:
        said.append(f"{withdrawn:,} votes are left out: a picture they are about was withdrawn.")
    return tuple(said)


def unknowns(box: Box) -> tuple[str, ...]:
    """What votes and rankings do not say, and what that means for the intervals."""
    withdrawn = "rankings are left out: a picture they are about was withdrawn."
    left_out = (f"{box.withdrawn:,} {withdrawn}",) if box.withdrawn else ()
    return (*left_out, *_unsaid(box))


def _unsaid(box: Box) -> tuple[str, ...]:
    n, votes = box.n, "votes" if box.ranked is None else "votes and rankings"
    if box.raters_unknown and box.cases_unknown:
        return (
            "Neither raters nor prompts are known: every vote is taken to stand alone, and where it does "
            "not, the intervals are too narrow.",
        )
    said = []
    for missing, what, differ in (
        (box.unknown_raters, "whose they are", "how people differ"),
        (box.unknown_cases, "which prompt they are on", "how prompts differ"),
    ):
        if missing and missing == n:
            said.append(f"The {votes} do not say {what}: the intervals do not know {differ}.")
        elif missing:
            said.append(f"{missing:,} of {n:,} {votes} do not say {what}: each is taken to stand alone.")
    return tuple(said)


def _question(study: str | Sequence[str], criterion: str | None, category: str | None) -> Question:
    return Question((study,) if isinstance(study, str) else tuple(study), criterion, category)
