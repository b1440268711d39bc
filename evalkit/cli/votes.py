"""`evalkit votes`: votes that people did not give."""

from __future__ import annotations

from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import out
from evalkit.cli.options import WorkspaceOption
from evalkit.errors import UsageError
from evalkit.store import Workspace

app = make_app("Votes: simulate.")


@app.callback()
def _group() -> None:
    """Votes: simulate."""


@app.command()
def simulate(
    study: Annotated[str, typer.Argument(help="Name of a study.")],
    utility: Annotated[
        list[str],
        typer.Option(
            "--utility", "-u", help="SYSTEM=WORTH, one for each system; a difference of 1 wins 73 %."
        ),
    ],
    votes: Annotated[int, typer.Option("--votes", min=1, help="Ballots to cast.")] = 200,
    raters: Annotated[int, typer.Option("--raters", min=1, help="Simulated raters.")] = 12,
    seed: Annotated[int, typer.Option("--seed", help="Of the simulation.")] = 0,
    workspace: WorkspaceOption = None,
) -> None:
    """Cast simulated ballots through the service raters use; they stay marked as simulated."""
    from evalkit.study.simulate import Panel, simulate_votes

    opened = Workspace.open(workspace, create=False)
    worth = dict(_utility(text) for text in utility)
    cast = simulate_votes(opened, study, worth, Panel(raters=raters, votes=votes, seed=seed))
    out.print(f"{cast} simulated ballots in study {study}", markup=False)


def _utility(text: str) -> tuple[str, float]:
    system, equals, worth = text.rpartition("=")
    try:
        return system, float(worth if equals and system else "")
    except ValueError as error:
        raise UsageError(
            f"--utility {text!r} is not SYSTEM=WORTH", "For example: -u studio:clean=1.0"
        ) from error
