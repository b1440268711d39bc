"""`evalkit sql`: ask the database; it is brought up to date first, also while a run is going on."""

from __future__ import annotations

from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import show_table
from evalkit.cli.options import JsonOption, WorkspaceOption
from evalkit.errors import InvalidInput
from evalkit.store import Workspace

app = make_app()


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="For example: select * from case_scores limit 5")],
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Query the results. Tables and views: docs/user-guide.md, or: select * from duckdb_views()."""
    import duckdb

    from evalkit.warehouse import connect

    opened = Workspace.open(workspace, create=False)
    with connect(opened) as db:
        try:
            result = db.execute(query)
            names = [column[0] for column in result.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        except duckdb.Error as error:
            raise InvalidInput(
                str(error), "List tables and views with: evalkit sql 'show all tables'"
            ) from error
    show_table("", rows, as_json=as_json)
