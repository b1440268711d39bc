"""`evalkit db`: the derived database."""

from __future__ import annotations

from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import out
from evalkit.cli.options import WorkspaceOption
from evalkit.store import Workspace

app = make_app("The DuckDB database, built from the facts.")


@app.callback()
def _group() -> None:
    """The DuckDB database, built from the facts."""


@app.command()
def build(
    rebuild: Annotated[
        bool, typer.Option("--rebuild", help="Start from nothing instead of what is new.")
    ] = False,
    workspace: WorkspaceOption = None,
) -> None:
    """Bring the database up to date and print its path."""
    from evalkit.warehouse import refresh

    out.print(str(refresh(Workspace.open(workspace, create=False), rebuild=rebuild)))
