"""`evalkit validity`: do the metrics agree with people, and where do they not?"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from evalkit.cli.app import make_app
from evalkit.cli.console import note, out, show_json, show_table
from evalkit.cli.drawing import percent
from evalkit.cli.options import JsonOption, WorkspaceOption
from evalkit.errors import UnknownName
from evalkit.store import Workspace

if TYPE_CHECKING:
    from evalkit.leaderboard import Disagreement, ValidityBoard, ValidityRow

app = make_app()


@app.command()
def validity(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="[STUDY|RUN]",
            help="Votes of one study, or of all studies of a run. [default: newest run]",
        ),
    ] = None,
    disagreements: Annotated[
        int,
        typer.Option(
            "--disagreements",
            min=0,
            metavar="N",
            help="Instead: N pairs on which metrics and people disagree.",
        ),
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="Of the resampling.")] = 0,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """How often each metric prefers the picture that people prefer, with chance and ceiling."""
    from evalkit.leaderboard import disagreements as queue
    from evalkit.leaderboard import to_records, validity_board
    from evalkit.warehouse import connect

    opened = Workspace.open(workspace, create=False)
    run, studies = _chosen(opened, name)
    with closing(connect(opened)) as db:
        if disagreements:
            found = queue(db, run, studies, disagreements)
            show_table("Disagreements", [_waiting(entry) for entry in found], as_json=as_json, right=("z",))
            return
        board = validity_board(db, run, studies, seed=seed)
    if as_json:
        show_json(to_records(board.rows))
    else:
        _show(board)


def _chosen(workspace: Workspace, name: str | None) -> tuple[str, list[str] | None]:
    """The run whose metrics are judged, and the studies to judge them by; None for all of the run."""
    from evalkit.study.define import load_study

    if name in workspace.study_ids():
        return load_study(workspace, str(name)).run, [str(name)]
    if name is not None and name not in workspace.run_ids():
        raise UnknownName("study or run", name, [*workspace.study_ids(), *workspace.run_ids()])
    return workspace.run_id(name), None


def _show(board: ValidityBoard) -> None:
    voted = [row for row in board.rows if row.n_votes]
    parts = dict.fromkeys((row.category, row.criterion) for row in voted)
    for category, criterion in parts:
        _show_part([row for row in voted if (row.category, row.criterion) == (category, criterion)])
    silent = list(dict.fromkeys(row.category for row in board.rows if not row.n_votes))
    if silent:
        note(f"No votes, so nothing is validated, in: {', '.join(silent)}.")
    if board.simulated:
        note("The votes are simulated: they show how a metric is checked, not how people see these pictures.")
    if board.set_aside:
        note(f"Left out, because their pairs were picked for being disputed: {', '.join(board.set_aside)}.")


def _show_part(rows: Sequence[ValidityRow]) -> None:
    first = rows[0]
    mark = " (simulated)" if first.simulated else ""
    title = f"{first.category}, {first.criterion}{mark}: {first.n_votes} votes by {first.n_raters} raters"
    out.print(
        f"\n[bold]{escape(title)}[/bold]; chance 50 %, ceiling {percent(first.ceiling)}", soft_wrap=True
    )
    table = Table(box=None, pad_edge=False, header_style="dim")
    for column in ("metric", "output"):
        table.add_column(column, overflow="fold")
    for column in ("pairs", "agrees", "with ties", "guessing", "against best other", "tau"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("status")
    for row in sorted(rows, key=lambda row: -(row.accuracy.value or 0.0)):
        table.add_row(*(escape(cell) for cell in _cells(row)))
    out.print(table)


def _cells(row: ValidityRow) -> list[str]:
    ahead = "-" if row.ahead.value is None else f"{100 * row.ahead.value:+.0f} pp"
    return [
        row.metric,
        row.output,
        str(row.n_decided),
        percent(row.accuracy),
        _alone(row.tie_aware.value),
        _alone(row.tie_chance),
        ahead if row.p is None else f"{ahead} (p {row.p:.3f})",
        "-" if row.tau.value is None else f"{row.tau.value:.2f}",
        row.status + (f": {row.reason}" if row.reason else ""),
    ]


def _alone(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.0f} %"


def _waiting(entry: Disagreement) -> dict[str, Any]:
    return {
        "why": entry.why,
        "category": entry.category,
        "case": f"{entry.suite}/{entry.case}",
        "criterion": entry.criterion,
        "output": f"{entry.metric}/{entry.output}",
        "metric prefers": entry.preferred.system,
        "value": entry.preferred.value,
        "over": entry.other.system,
        "its value": entry.other.value,
        "z": round(entry.z, 2),
        "votes": f"{entry.agree} with, {entry.oppose} against, {entry.neither} neither",
        "simulated": entry.simulated,
    }
