"""`evalkit refusals`: how often systems refuse, and what has changed since another run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.options import JsonOption, RunArgument, WorkspaceOption
from evalkit.cli.refusal_tables import Found, show_board, show_comparisons
from evalkit.errors import UsageError
from evalkit.store import Workspace

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

app = make_app()
EXITS = {"PASS": 0, "FAIL": 1, "INCONCLUSIVE": 4}


@app.command(
    epilog="Exit codes: 0 told, or PASS; 1 FAIL, 4 INCONCLUSIVE (both with --most-rise); 2 wrong usage."
)
def refusals(
    run: RunArgument = None,
    system: Annotated[
        str | None, typer.Option("--system", "-s", help="Only this system of the run. [default: all]")
    ] = None,
    base: Annotated[
        str | None, typer.Option("--base", help="Compare with this earlier run, prompt by prompt.")
    ] = None,
    base_system: Annotated[
        str | None,
        typer.Option("--base-system", help="Compare with this system. [default: the one of the same name]"),
    ] = None,
    base_workspace: Annotated[
        Path | None,
        typer.Option("--base-workspace", help="Where the run to compare with lies. [default: the workspace]"),
    ] = None,
    most_rise: Annotated[
        float | None,
        typer.Option(
            "--most-rise", min=0, max=100, help="Percentage points by which over-refusal may have risen."
        ),
    ] = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """How often harmless and borderline prompts were refused; with --base, what changed and how surely."""
    from evalkit.leaderboard.refusals import refusal_board
    from evalkit.warehouse import connect

    opened = Workspace.open(workspace, create=False)
    chosen = opened.run_id(run)
    asked = _Asked(chosen, system, base, base_system, base_workspace)
    if most_rise is not None and not asked.compares:
        raise UsageError("--most-rise needs something to compare with", "Name it with --base RUN.")
    with ExitStack() as stack:
        db = stack.enter_context(closing(connect(opened)))
        board = refusal_board(db, chosen, system)
        if not board:
            raise UsageError(
                f"run {chosen} has no suite of the category refusals", "Ask one: evalkit run refusals ..."
            )
        if not asked.compares:
            show_board(chosen, board, as_json)
            return
        old = db
        if base_workspace is not None:
            old = stack.enter_context(closing(connect(Workspace.open(base_workspace, create=False))))
        found = list(_compared(asked, opened, old, db))
    outcomes = _outcomes(found, most_rise)
    show_comparisons(found, outcomes, as_json)
    raise typer.Exit(next((code for code in (1, 4) if code in map(EXITS.get, outcomes)), 0))


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the command line asks for; `run` is the later one."""

    run: str
    system: str | None
    base: str | None
    base_system: str | None
    base_workspace: Path | None

    @property
    def compares(self) -> bool:
        return any(said is not None for said in (self.base, self.base_system, self.base_workspace))


def _compared(
    asked: _Asked, opened: Workspace, old: DuckDBPyConnection, new: DuckDBPyConnection
) -> Iterator[Found]:
    from evalkit.leaderboard.refusal_change import Side, compare_refusals

    place = Workspace.open(asked.base_workspace, create=False) if asked.base_workspace else opened
    inside = asked.base is None and asked.base_workspace is None
    base = asked.run if inside else place.run_id(asked.base)
    for before, after in _partners(asked, base, old, new):
        sides = Side(old, base, before), Side(new, asked.run, after)
        yield Found(*sides, compare_refusals(*sides))


def _partners(
    asked: _Asked, base: str, old: DuckDBPyConnection, new: DuckDBPyConnection
) -> list[tuple[str, str]]:
    """Which systems are put beside each other: the ones that are named, else those of the same name."""
    from evalkit.leaderboard.refusals import systems_of

    later, earlier = systems_of(new, asked.run), systems_of(old, base)
    if asked.base_system is not None:
        if asked.system is None and len(later) > 1:
            raise UsageError(
                f"run {asked.run} has {len(later)} systems", f"Say which: --system {later[0]}, for example."
            )
        return [(asked.base_system, asked.system or later[0])]
    if asked.system is not None:
        return [(asked.system, asked.system)]
    common = [name for name in later if name in earlier]
    if not common:
        raise UsageError(
            f"runs {base} and {asked.run} have no system of the same name",
            f"Name both: --base-system {earlier[0]} --system {later[0]}, for example.",
        )
    return [(name, name) for name in common]


def _outcomes(found: Sequence[Found], most_rise: float | None) -> list[str]:
    """Of each comparison, whether over-refusal rose by no more than allowed; empty if nobody asked."""
    from evalkit.leaderboard.refusal_change import judge_rise

    if most_rise is None:
        return []
    return [
        next(
            (
                judge_rise(change, most_rise / 100)
                for change in one.comparison.changes
                if change.kind == "harmless" and not change.part
            ),
            "INCONCLUSIVE",
        )
        for one in found
    ]
