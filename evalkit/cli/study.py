"""`evalkit study`: define a blind human study over the pictures of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import note, out, show_table
from evalkit.cli.options import JsonOption, WorkspaceOption
from evalkit.cli.study_plan import plan
from evalkit.store import Workspace

if TYPE_CHECKING:
    from evalkit.study.define import Selection
    from evalkit.types import Json

app = make_app("Blind human studies.")
app.command("plan")(plan)


@app.callback()
def _group() -> None:
    """Blind human studies: which pairs are shown, and which questions are asked."""


@app.command()
def new(
    name: Annotated[str, typer.Argument(help="Name of the study.")],
    run: Annotated[
        str | None, typer.Option("--run", help="Whose pictures. [default: the newest run]")
    ] = None,
    system: Annotated[
        list[str] | None, typer.Option("--system", "-s", help="Only these systems of the run.")
    ] = None,
    criterion: Annotated[
        list[str] | None,
        typer.Option("--criterion", help="alignment, appeal, preservation. [default: all that fit]"),
    ] = None,
    suite: Annotated[list[str] | None, typer.Option("--suite", help="Only these suites of the run.")] = None,
    title: Annotated[str, typer.Option("--title", help="What raters read on top.")] = "",
    seed: Annotated[int, typer.Option("--seed", help="Of the order in which pairs are shown.")] = 0,
    goal: Annotated[
        str,
        typer.Option(
            "--goal",
            help="What votes are spent on: balanced, all, top-K, or new:SYSTEM (placed among the others).",
        ),
    ] = "balanced",
    from_disagreements: Annotated[
        int,
        typer.Option(
            "--from-disagreements",
            min=0,
            metavar="N",
            help="A second look: only N pairs on which metrics and people disagree. No fair sample.",
        ),
    ] = 0,
    workspace: WorkspaceOption = None,
) -> None:
    """Define a study; afterwards it never changes. Then: evalkit rate NAME."""
    from evalkit.study.define import StudyOptions, create_study

    opened = Workspace.open(workspace, create=False)
    chosen = opened.run_id(run)
    selection = _second_look(opened, chosen, from_disagreements) if from_disagreements else None
    options = StudyOptions(
        system or None, criterion or None, suite or None, seed, title, selection=selection, goal=goal
    )
    study = create_study(opened, name, chosen, options)
    cases = len({(comparison.suite, comparison.case) for comparison in study.comparisons})
    out.print(
        f"study {study.study}: {len(study.comparisons)} comparisons of {len(study.systems)} systems "
        f"on {cases} cases. Start rating with: evalkit rate {study.study}",
        markup=False,
        soft_wrap=True,
    )


def _second_look(workspace: Workspace, run: str, wanted: int) -> Selection:
    """The head of the queue of disagreements. Raises `UsageError` if nothing waits there."""
    from contextlib import closing

    from evalkit.errors import UsageError
    from evalkit.leaderboard import disagreements
    from evalkit.study.define import Selection
    from evalkit.warehouse import connect

    with closing(connect(workspace)) as db:
        found = disagreements(db, run, limit=wanted)
    if not found:
        raise UsageError(
            f"in run {run} people oppose no metric where it is sure, and no score is in doubt",
            "Ask about all pairs: leave out --from-disagreements. evalkit validity shows how metrics fare.",
        )
    if len(found) < wanted:
        note(f"Only {len(found)} such pairs; all of them are in the study.")
    opposed = sum(entry.why == "opposed" for entry in found)
    facts: dict[str, Json] = {"opposed": opposed, "unreliable": len(found) - opposed}
    return Selection("disagreements", tuple(entry.pair for entry in found), facts)


@app.command()
def status(
    name: Annotated[str | None, typer.Argument(metavar="[STUDY]", help="One study. [default: all]")] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """How many votes there are, of what and by how many raters."""
    from contextlib import closing

    from evalkit.errors import UnknownName
    from evalkit.warehouse import connect

    opened = Workspace.open(workspace, create=False)
    if name is not None and name not in opened.study_ids():
        raise UnknownName("study", name, opened.study_ids())
    query = """
        SELECT s.study, s.run, len(s.systems) AS systems, s.comparisons, count(b.ballot) AS ballots,
            count(DISTINCT b.rater) AS raters, count(DISTINCT b.comparison) AS seen,
            coalesce(s.simulated, false) AS simulated, coalesce(s.selection, '') AS selection,
            coalesce(s.imported, false) AS imported
        FROM studies s LEFT JOIN ballots b USING (study)
        WHERE s.study = coalesce(?, s.study)
        GROUP BY ALL ORDER BY s.study"""
    with closing(connect(opened)) as db:
        found = db.execute(query, [name])
        names = [column[0] for column in found.description or ()]
        rows = [dict(zip(names, row, strict=True)) for row in found.fetchall()]
    show_table(
        "Studies", rows, as_json=as_json, right=("systems", "comparisons", "ballots", "raters", "seen")
    )
    if name is not None and any(row["imported"] for row in rows):
        note(f"Study {name} holds imported votes: there are no pictures here to rate.")


@app.command()
def withdraw(
    name: Annotated[str, typer.Argument(metavar="STUDY", help="Name of a study.")],
    trial: Annotated[
        list[str], typer.Argument(metavar="TRIAL...", help="Whose pictures; a unique beginning will do.")
    ],
    reason: Annotated[str, typer.Option("--reason", help="Why; it stays with the study.")],
    workspace: WorkspaceOption = None,
) -> None:
    """Withdraw pictures from a study: raters see them no more, and no rating reads votes on them."""
    from evalkit.study.withdrawals import withdraw as withdraw_pictures

    new = withdraw_pictures(Workspace.open(workspace, create=False), name, trial, reason)
    before = len(set(trial)) - len(new)
    known = f"; {before} were withdrawn before" if before else ""
    out.print(f"{len(new)} pictures withdrawn from study {name}{known}", markup=False)
    if new:
        note("An open rater app shows them until it is started again.")
