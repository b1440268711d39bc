"""Which votes a leaderboard is about, and everything that is said of them: one `Ranking` for each criterion.

Shared by the terminal, the report and notebooks. Numbers are made in `evalkit.preference`; this module knows
the database and what belongs together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from evalkit.errors import InvalidInput, UnknownName, UsageError
from evalkit.leaderboard.ballot_box import Box, Question, box_of, box_with_rankings
from evalkit.leaderboard.query import rows
from evalkit.leaderboard.raters import RaterReport, rater_report
from evalkit.leaderboard.votes import board_of_box, caveats, slices_of_box
from evalkit.preference import PreferenceBoard, RatingOptions
from evalkit.preference.joint import Together
from evalkit.preference.personal import Heterogeneity, PersonalBoards, heterogeneity, personal_boards
from evalkit.preference.slices import Slices
from evalkit.preference.tensor import tensor_of
from evalkit.preference.trust.diagnostics import Panel, can_you_trust_this
from evalkit.preference.trust.goodness import design_effects, vote_variance
from evalkit.preference.votes import Floats

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


@dataclass(frozen=True, slots=True)
class Asked:
    """A question put to raters in one or several studies; `simulated`: no person gave these votes."""

    studies: tuple[str, ...]
    criterion: str
    questions: tuple[str, ...]
    simulated: bool


@dataclass(frozen=True, slots=True)
class Ranking:
    """The board of one question, and whether to trust it."""

    asked: Asked
    board: PreferenceBoard
    panel: Panel


@dataclass(frozen=True, slots=True)
class SliceReport:
    """Boards of slices by a column. `difference` says whether they rank differently, `shrunk` are the same
    boards held to everybody's; both are None where all votes together have no common scale.
    """

    asked: Asked
    by: str
    slices: Slices
    difference: Heterogeneity | None
    shrunk: PersonalBoards | None


def studies_named(db: DuckDBPyConnection, name: str | None) -> tuple[str, ...]:
    """The studies meant by the name of a study or of a run; by none, the newest that has votes or rankings.

    Of a run, studies whose pairs were picked for a reason stay out. Raises `UnknownName` and `UsageError`.
    """
    known = rows(db, "known_studies")
    by_name = {str(row[0]): row for row in known}
    if name in by_name:
        return (str(name),)
    if name is None:
        voted = [study for study, _, _, ballots in known if ballots]
        if not voted:
            raise UsageError(
                "there are no votes in this workspace yet",
                "Define a study (evalkit study new NAME) and rate it (evalkit rate NAME), or bring votes in: "
                "evalkit votes import FILE --study NAME",
            )
        return (str(voted[0]),)
    of_run = tuple(
        str(study) for study, run, picked, ballots in known if run == name and not picked and ballots
    )
    if of_run:
        return of_run
    runs = [str(run) for (run,) in db.execute("SELECT run FROM runs ORDER BY run").fetchall()]
    if name in runs:
        raise UsageError(
            f"no study of run {name} has votes", f"Define one: evalkit study new NAME --run {name}"
        )
    raise UnknownName("study or run", name, [*by_name, *runs])


def questions_of(
    db: DuckDBPyConnection, studies: Sequence[str], criteria: Sequence[str] | None = None
) -> tuple[Asked, ...]:
    """What was asked in these studies, in their order; only the named criteria, if any are named.

    Raises `UnknownName`.
    """
    found = rows(db, "asked_criteria", studies=list(studies))
    known = [str(row[0]) for row in found]
    for name in criteria or ():
        if name not in known:
            raise UnknownName("criterion", name, known)
    return tuple(
        Asked(tuple(studies), str(criterion), tuple(questions), bool(simulated))
        for criterion, questions, simulated in found
        if criteria is None or criterion in criteria
    )


def check_category(db: DuckDBPyConnection, studies: Sequence[str], category: str | None) -> None:
    """Raises `UnknownName` for a category in which these studies have no votes."""
    known = [str(name) for (name,) in rows(db, "voted_categories", studies=list(studies))]
    if category is not None and category not in known:
        raise UnknownName("category with votes", category, known)


def rank(
    db: DuckDBPyConnection,
    asked: Asked,
    category: str | None = None,
    options: RatingOptions = RatingOptions(),
) -> Ranking:
    """The board of one question, and whether to trust it. Raises `UnknownName`, and `InvalidInput` for
    rankings that are none.
    """
    question = Question(asked.studies, asked.criterion, category)
    box = box_with_rankings(db, question)
    return ranking_of(asked, box, options, caveats(db, question))


def ranking_of(
    asked: Asked, box: Box, options: RatingOptions = RatingOptions(), known: Sequence[str] = ()
) -> Ranking:
    """The board of the votes in a box; `known` is what else is to be said of them.

    For whether to trust it, rankings are looked at as the pairs they contain.
    """
    board = board_of_box(box, options)
    votes = box.votes if box.ranked is None else Together(box.votes, box.ranked).pairs
    panel = can_you_trust_this(tensor_of(votes), votes, _by_chance(box))
    return Ranking(asked, replace(board, caveats=(*known, *board.caveats)), panel)


def rank_slices(
    db: DuckDBPyConnection, asked: Asked, by: str, options: RatingOptions = RatingOptions()
) -> SliceReport:
    """Ratings within each slice by a column, and whether slices rank differently; of votes on pairs only.

    Raises `UnknownName`.
    """
    box = box_of(db, Question(asked.studies, asked.criterion), by)
    slices = slices_of_box(box, options)
    effect = _design_effect(box)
    try:
        return SliceReport(
            asked,
            by,
            slices,
            heterogeneity(slices.wins, effect),
            personal_boards(slices.wins, design_effect=effect),
        )
    except InvalidInput:
        return SliceReport(asked, by, slices, None, None)


def rater_reports(
    db: DuckDBPyConnection,
    asked: Asked,
    category: str | None = None,
    options: RatingOptions = RatingOptions(),
) -> RaterReport | None:
    """How far the raters of a question can be trusted, by their votes on pairs; None if none are known."""
    return rater_report(box_of(db, Question(asked.studies, asked.criterion, category)), options)


def _by_chance(box: Box) -> Floats | None:
    """1 / the chance of each vote's pair of systems; None where not every vote knows it."""
    if box.ranked is not None or not box.propensity.size or np.isnan(box.propensity).any():
        return None
    return np.asarray(1.0 / box.propensity)


def _design_effect(box: Box) -> float:
    """The variance of a vote, in units of a decisive one alone: ties lower it, shared prompts raise it."""
    shared = design_effects(box.votes).fit
    return max(vote_variance(tensor_of(box.votes)), 0.1) * max(shared or 1.0, 1.0)
