"""`evalkit study`: define a blind human study over the pictures of a run."""

from __future__ import annotations

from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import out, show_table
from evalkit.cli.options import JsonOption, WorkspaceOption
from evalkit.store import Workspace

app = make_app("Blind human studies.")


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
    workspace: WorkspaceOption = None,
) -> None:
    """Define a study; afterwards it never changes. Then: evalkit rate NAME."""
    from evalkit.study.define import StudyOptions, create_study

    opened = Workspace.open(workspace, create=False)
    options = StudyOptions(system or None, criterion or None, suite or None, seed, title)
    study = create_study(opened, name, opened.run_id(run), options)
    cases = len({(comparison.suite, comparison.case) for comparison in study.comparisons})
    out.print(
        f"study {study.study}: {len(study.comparisons)} comparisons of {len(study.systems)} systems "
        f"on {cases} cases. Start rating with: evalkit rate {study.study}",
        markup=False,
        soft_wrap=True,
    )


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
            coalesce(s.simulated, false) AS simulated
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
