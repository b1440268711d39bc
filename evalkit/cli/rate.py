"""`evalkit rate`: start the rater app of a study on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.options import WorkspaceOption
from evalkit.store import Workspace

app = make_app()


@app.command()
def rate(
    study: Annotated[str, typer.Argument(help="Name of a study; see: evalkit study status")],
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen on.")] = 8501,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open a browser window.")] = True,
    workspace: WorkspaceOption = None,
) -> None:
    """Serve the blind pairwise rater app until Ctrl-C."""
    from raters_app.run import serve

    serve(Workspace.open(workspace, create=False).root, study, port=port, host=host, open_browser=browser)
