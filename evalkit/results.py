"""Results as data frames, for notebooks and scripts.

    import evalkit
    work = evalkit.open_workspace("evalkit-workspace")
    work.scores()                      one row per picture and metric output
    work.generations()                 one row per planned trial, with outcome, cost and latency
    work.leaderboard("typography")     one row per system and output, with intervals and coverage
    work.leaderboard(study="s")        ratings from votes; with by="tag", one row per slice and system
    work.votes()                       one row per answer
    work.sql("select ...")             anything else

Every call reads a database that is brought up to date first; nothing here writes a fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import UnknownName
from evalkit.store import Workspace

if TYPE_CHECKING:
    import pandas as pd
    from duckdb import DuckDBPyConnection

    from evalkit.preference import RatingOptions


class Results:
    """The results of one workspace. Missing values are NaN or None, with a `reason` beside them."""

    def __init__(self, path: str | Path | None = None) -> None:
        self.workspace = Workspace.open(path, create=False)

    def runs(self) -> pd.DataFrame:
        """Every run, oldest first."""
        return self.sql("SELECT * FROM runs ORDER BY created, run")

    def generations(self, run: str | None = None) -> pd.DataFrame:
        """What each planned trial of a run came to. Without a name: the newest run."""
        return self._of_run("generations", run, 'suite, "case", system, replicate')

    def scores(self, run: str | None = None) -> pd.DataFrame:
        """Every score a run owes: `value`, or none with a `reason`."""
        return self._of_run("scores", run, 'suite, "case", system, replicate, metric, output')

    def votes(self, study: str | None = None) -> pd.DataFrame:
        """Every answer of one study, or of all."""
        return self.sql(
            "SELECT * FROM votes WHERE study = coalesce(?, study) ORDER BY t, ballot, criterion", [study]
        )

    def leaderboard(
        self,
        category: str | None = None,
        *,
        run: str | None = None,
        outputs: Sequence[str] | None = None,
        study: str | None = None,
        criterion: str = "alignment",
        by: str | None = None,
        options: RatingOptions | None = None,
    ) -> pd.DataFrame:
        """Means over cases with 95 % intervals, best first; with `study`, ratings from its votes instead.

        Of votes: one row per system with its rating, win rate, rank range and chances; with `by` (category,
        tag, rater, or a column the votes came with), one row per slice and system. Raises `UnknownName` for a
        run, study, criterion, column or category that is not there.
        """
        from evalkit.leaderboard import metric_board, to_frame
        from evalkit.warehouse import connect

        self._check_category(category)
        with closing(connect(self.workspace)) as db:
            if study is None:
                return to_frame(metric_board(db, self._run(run), category, outputs))
            return _of_votes(db, study, criterion, category, by, options)

    def sql(self, query: str, parameters: Sequence[Any] = ()) -> pd.DataFrame:
        """Any query over the tables and views of the database."""
        from evalkit.warehouse import connect

        with closing(connect(self.workspace)) as db:
            return db.execute(query, list(parameters)).df()

    def _check_category(self, category: str | None) -> None:
        known = list(self.sql("SELECT DISTINCT category FROM cases ORDER BY category")["category"])
        if category is not None and category not in known:
            raise UnknownName("category", category, known)

    def _run(self, run: str | None) -> str:
        return self.workspace.run_id(run)

    def _of_run(self, view: str, run: str | None, order: str) -> pd.DataFrame:
        return self.sql(f"SELECT * FROM {view} WHERE run = ? ORDER BY {order}", [self._run(run)])


def _of_votes(
    db: DuckDBPyConnection,
    study: str,
    criterion: str,
    category: str | None,
    by: str | None,
    options: RatingOptions | None,
) -> pd.DataFrame:
    import pandas as pd

    from evalkit.leaderboard import questions_of, rank, rank_slices
    from evalkit.leaderboard.ballot_box import check_studies
    from evalkit.leaderboard.rank_records import rating_records, slice_rows
    from evalkit.preference import RatingOptions

    check_studies(db, [study])
    (asked,) = questions_of(db, [study], [criterion])
    if by is not None:
        return pd.DataFrame(slice_rows(rank_slices(db, asked, by, options or RatingOptions()).slices))
    return pd.DataFrame(rating_records(rank(db, asked, category, options or RatingOptions()).board))
