"""`evalkit report`: one self-contained HTML file, with the same numbers as JSON beside it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import TerminalProgress, note, out
from evalkit.cli.options import RunArgument, WorkspaceOption
from evalkit.progress import Progress
from evalkit.store import Workspace

app = make_app()


@app.command()
def report(
    run: RunArgument = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="File to write. [default: reports/RUN.html in the workspace]"),
    ] = None,
    study: Annotated[
        list[str] | None,
        typer.Option("--study", help="Only votes of these studies. [default: every study of the run]"),
    ] = None,
    definition: Annotated[
        str, typer.Option("--definition", help="Which sections: a bundled definition or a .toml of yours.")
    ] = "default",
    include_restricted: Annotated[
        bool,
        typer.Option(
            "--include-restricted",
            help="Show prompts and pictures whose licence keeps them from being passed on. For your own use.",
        ),
    ] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a report of a run: leaderboards, votes, pictures, coverage, methods."""
    opened = Workspace.open(workspace, create=False)
    with TerminalProgress() as progress:
        name = opened.run_id(run)
        path = write_report(
            opened, name, output, study, definition, progress, include_restricted=include_restricted
        )
    out.print(str(path), markup=False, soft_wrap=True)


def write_report(
    workspace: Workspace,
    run: str,
    output: Path | None = None,
    studies: list[str] | None = None,
    definition: str = "default",
    progress: Progress | None = None,
    *,
    include_restricted: bool = False,
) -> Path:
    """Bring the database up to date, write the report and return its path."""
    from evalkit.report.build import Inputs, build_report
    from evalkit.report.definition import load_definition
    from evalkit.warehouse import connect

    bars = progress or Progress()
    target = output or workspace.reports / f"{run}.html"
    started = False

    def told(section: str, done: int, total: int) -> None:
        nonlocal started
        del section, done
        if not started:
            bars.start("report", total)
            started = True
        bars.advance("report")

    with closing(connect(workspace)) as db:
        shape, read = load_definition(definition), workspace.objects.get
        inputs = Inputs(db, read, shape, run, studies, include_restricted=include_restricted)
        made = build_report(inputs, target, told)
    bars.finish("report")
    if made.left_out:
        note(f"Nothing to say yet in: {', '.join(made.left_out)}.")
    return made.path
