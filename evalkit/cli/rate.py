"""`evalkit rate`: start the rater app of a study on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from evalkit.cli.options import WorkspaceOption
from evalkit.errors import UnknownName
from evalkit.store import Workspace

app = typer.Typer()


@app.command()
def rate(
    study: Annotated[str, typer.Argument(help="Name of a study; see: evalkit study status")],
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8501,
    host: Annotated[
        str, typer.Option("--host", help="Address to listen on; the default is this machine only.")
    ] = ("127.0.0.1"),
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser window.")] = True,
    workspace: WorkspaceOption = None,
) -> None:
    """Serve the blind pairwise rater app until Ctrl-C."""
    from raters_app.serve import serve

    opened = Workspace.open(workspace, create=False)
    if study not in opened.study_ids():
        raise UnknownName("study", study, opened.study_ids())
    raise typer.Exit(serve(opened.root, study, port=port, host=host, open_browser=browser))
