"""`evalkit rank`: from votes to a leaderboard, with what speaks for and against believing it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import show_json
from evalkit.cli.options import JsonOption, WorkspaceOption
from evalkit.errors import UnknownName, UsageError
from evalkit.store import Workspace

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from evalkit.leaderboard import Asked
    from evalkit.preference import RatingOptions
    from evalkit.preference.board import Intervals, Opponents

app = make_app()


@app.command()
def rank(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY|RUN|FILE]",
            help="A study, all studies of a run, or a Parquet file of votes. [default: the newest study]",
        ),
    ] = None,
    criterion: Annotated[
        list[str] | None, typer.Option("--criterion", help="Only this question. [default: all]")
    ] = None,
    category: Annotated[str | None, typer.Option("--category", help="Only votes in this category.")] = None,
    by: Annotated[
        str | None,
        typer.Option("--by", metavar="COLUMN", help="Within each category, tag, rater, language, ..."),
    ] = None,
    shrink: Annotated[
        bool, typer.Option("--shrink", help="With --by: hold each slice to everybody's board.")
    ] = False,
    model: Annotated[
        str, typer.Option("--model", help="bradley-terry, davidson or rao-kupper (how ties count).")
    ] = "bradley-terry",
    opponents: Annotated[
        str, typer.Option("--opponents", help="alike, or as-sampled: as often as they were met.")
    ] = "alike",
    intervals: Annotated[
        str, typer.Option("--intervals", help="What votes share: two-way, rater, case, votes, or bootstrap.")
    ] = "two-way",
    level: Annotated[float, typer.Option("--level", help="Of intervals and rank ranges.")] = 0.95,
    top: Annotated[int, typer.Option("--top", help="The k of the chance to be among the best k.")] = 3,
    seed: Annotated[int, typer.Option("--seed", help="Of what is drawn.")] = 0,
    raters: Annotated[
        bool,
        typer.Option("--raters", help="Instead: how far to trust each rater; the board without suspects."),
    ] = False,
    assisted: Annotated[
        bool,
        typer.Option("--assisted", help="Instead: shares of votes, helped by metrics where that is safe."),
    ] = False,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Ratings of systems from votes, with intervals, rank ranges and what to trust."""
    from evalkit.preference import RatingOptions

    # What cannot be is refused by the options themselves, with what there is instead.
    options = RatingOptions(
        model, cast("Opponents", opponents), cast("Intervals", intervals), level, top, seed=seed
    )
    look = _Look(model, category, by, shrink=shrink, raters=raters, assisted=assisted, as_json=as_json)
    if name is not None and name.endswith(".parquet"):
        _rank_file(Path(name), criterion, options, look)
    else:
        _not_a_study(name)
        _rank_studies(Workspace.open(workspace, create=False), name, criterion, options, look)


@dataclass(frozen=True, slots=True)
class _Look:
    """What is to be shown of each question."""

    model: str
    category: str | None
    by: str | None
    shrink: bool
    raters: bool
    assisted: bool
    as_json: bool

    def __post_init__(self) -> None:
        if (self.by is not None) + self.raters + self.assisted > 1:
            raise UsageError(
                "--by, --raters and --assisted are three different tables", "Ask for one of them."
            )
        if self.by is not None and self.model != "bradley-terry":
            raise UsageError(f"slices are not rated by {self.model}", "Leave out --model, or --by.")
        if self.shrink and self.by is None:
            raise UsageError(
                "there is nothing to shrink without slices", "Add --by COLUMN, such as --by rater."
            )


def _rank_studies(
    workspace: Workspace, name: str | None, criteria: list[str] | None, options: RatingOptions, look: _Look
) -> None:
    from evalkit.leaderboard import check_category, questions_of, studies_named
    from evalkit.warehouse import connect

    records = []
    with closing(connect(workspace)) as db:
        studies = studies_named(db, name)
        check_category(db, studies, look.category)
        for asked in questions_of(db, studies, criteria):
            record, show = _found(db, asked, options, look)
            if look.as_json:
                records.append(record())
            else:
                show()
    if look.as_json:
        show_json(records)


def _found(
    db: DuckDBPyConnection, asked: Asked, options: RatingOptions, look: _Look
) -> tuple[Callable[[], dict[str, Any]], Callable[[], None]]:
    """What is wanted of one question: how to give it as a record, and how to show it."""
    from evalkit.cli import rank_tables as tables
    from evalkit.leaderboard import assisted_board, rank_records, rank_slices, rater_reports
    from evalkit.leaderboard import rank as ranked

    if look.by is not None:
        sliced = rank_slices(db, asked, look.by, options)
        return partial(rank_records.slices_record, sliced), partial(
            tables.show_slices, sliced, shrink=look.shrink
        )
    if look.raters:
        report = rater_reports(db, asked, look.category, options)
        return partial(rank_records.raters_record, asked, report), partial(tables.show_raters, asked, report)
    if look.assisted:
        study, *others = asked.studies
        if others:
            raise UsageError(
                "metrics can assist one study at a time", f"Name it: evalkit rank {study} --assisted"
            )
        board = assisted_board(db, study, asked.criterion, look.category, seed=options.seed)
        return partial(rank_records.assisted_record, asked, board), partial(
            tables.show_assisted, asked, board
        )
    ranking = ranked(db, asked, look.category, options)
    return partial(rank_records.ranking_record, ranking), partial(tables.show_ranking, ranking)


def _rank_file(path: Path, criteria: list[str] | None, options: RatingOptions, look: _Look) -> None:
    """Boards straight from a file, one for each criterion it names; no workspace is needed."""
    import duckdb

    from evalkit.cli.rank_tables import show_ranking
    from evalkit.leaderboard import Asked, ranking_of
    from evalkit.leaderboard.ballot_box import box_of_file, criteria_of_file
    from evalkit.leaderboard.rank_records import ranking_record

    if look.by is not None or look.raters or look.assisted or look.category is not None:
        raise UsageError(
            "of a file, only the board itself can be shown",
            "Bring it in: evalkit votes import FILE --study NAME",
        )
    records = []
    with closing(duckdb.connect()) as db:
        known = criteria_of_file(db, path)
        for name in criteria or ():
            if name not in known:
                raise UnknownName("criterion", name, known)
        wanted: list[str | None] = [name for name in known if not criteria or name in criteria]
        for criterion in wanted or [None]:
            asked = Asked((path.name,), criterion or "", (), False)
            ranking = ranking_of(asked, box_of_file(db, path, criterion), options)
            if look.as_json:
                records.append(ranking_record(ranking))
            else:
                show_ranking(ranking)
    if look.as_json:
        show_json(records)


def _not_a_study(name: str | None) -> None:
    """A better message where a file is named that cannot be read as it is."""
    if name is not None and Path(name).suffix.lower() in (".csv", ".json", ".jsonl"):
        raise UsageError(
            f"{name} is a file that has to be brought in first",
            f"evalkit votes import {name} --study NAME, then evalkit rank NAME",
        )
