"""What the raters say: the votes of a study, rated by `evalkit.preference`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from evalkit.errors import UnknownName
from evalkit.leaderboard.query import rows, statement
from evalkit.preference import PreferenceBoard, RatingOptions, Votes, rate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PICKED = (
    "Not a fair sample: the pairs of this study were picked because a metric and people disagreed about "
    "them, or a score was in doubt. The numbers say how this second look went, not which system is better."
)


def vote_board(
    db: DuckDBPyConnection, study: str, criterion: str, category: str | None = None, seed: int = 0
) -> PreferenceBoard:
    """Ratings of a study's systems on one criterion, over all categories or one. Raises `UnknownName`."""
    known = [str(name) for (name,) in db.execute("SELECT study FROM studies ORDER BY study").fetchall()]
    if study not in known:
        raise UnknownName("study", study, known)
    board = rate(votes_of(db, study, criterion, category), RatingOptions(seed=seed))
    return replace(board, caveats=(PICKED, *board.caveats)) if _picked(db, study) else board


def _picked(db: DuckDBPyConnection, study: str) -> bool:
    """Whether the pairs of a study were chosen for what was already known of them."""
    return db.execute("SELECT selection FROM studies WHERE study = ?", [study]).fetchone() != (None,)


def votes_of(db: DuckDBPyConnection, study: str, criterion: str, category: str | None = None) -> Votes:
    """The votes of a study on one criterion as integer columns; no vote becomes a Python object."""
    where = {"study": study, "criterion": criterion, "category": category}
    systems = tuple(rows(db, "voted_systems", **where)[0][0] or ())
    found = db.execute(statement("votes"), {**where, "systems": list(systems)}).fetchnumpy()
    left, right, answer, case, rater = (
        np.asarray(found[name], dtype=np.int64) for name in ("left", "right", "answer", "case", "rater")
    )
    return Votes(systems, left, right, answer, case, rater)
