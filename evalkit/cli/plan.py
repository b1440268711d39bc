"""`evalkit plan`: what would run and what it could cost. Nothing is sent, nothing is written."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from evalkit.cli.app import make_app
from evalkit.cli.console import TerminalProgress, note, out, show_json, show_table
from evalkit.cli.options import (
    JsonOption,
    NameOption,
    ReplicatesOption,
    SuitesArgument,
    SystemsOption,
    WorkspaceOption,
)
from evalkit.errors import WorkspaceError, WorkspaceTooNew
from evalkit.providers.systems import parse_systems
from evalkit.runner.plan import build_plan
from evalkit.runs import History, Plan, read_history
from evalkit.store import Workspace
from evalkit.suite import load_suite
from evalkit.types import Coverage

app = make_app()
SHOWN = 10


@app.command()
def plan(
    suites: SuitesArgument,
    system: SystemsOption,
    replicates: ReplicatesOption = 1,
    name: NameOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what `evalkit run` with the same arguments would do. Sends and writes nothing."""
    with TerminalProgress() as progress:
        made, _ = build_plan(
            [load_suite(suite) for suite in suites],
            parse_systems(system),
            replicates=replicates,
            name=name,
            progress=progress,
        )
    rows = _rows(made, _history(workspace))
    if as_json:
        show_json({"run": made.run, "worst_usd": str(made.worst_usd), "systems": rows})
        return
    show_table(
        f"Plan {made.run}", rows, as_json=False, right=("trials", "finished", "to do", "worst case USD")
    )
    show_coverage(made)
    out.print(f"Worst case in all: ${made.worst_usd}. Nothing has been sent.")


def show_coverage(plan: Plan) -> None:
    """Which files and cases of `folder:` systems found no partner."""
    for system in plan.systems:
        if system.coverage is not None:
            _show_one(system.name, system.coverage)


def _show_one(name: str, coverage: Coverage) -> None:
    note(f"{name}: pictures for {coverage.matched} cases")
    for what, items in (
        ("cases without a picture", coverage.missing_cases),
        ("files that match no case", coverage.unmatched_files),
    ):
        if items:
            more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
            note(f"  {len(items)} {what}: {', '.join(items[:SHOWN])}{more}")


def _history(workspace: Path | None) -> History:
    """What has happened so far; nothing where there is no workspace yet."""
    try:
        return read_history(Workspace.open(workspace, create=False))
    except WorkspaceTooNew:
        raise
    except WorkspaceError:
        return History()


def _rows(plan: Plan, history: History) -> list[dict[str, object]]:
    trials: Counter[str] = Counter()
    finished: Counter[str] = Counter()
    for trial, _, system in plan:
        trials[system.name] += 1
        finished[system.name] += history.finished(trial.id) is not None
    return [
        {
            "system": system.name,
            "asks": system.system.spec,
            "trials": trials[system.name],
            "finished": finished[system.name],
            "to do": trials[system.name] - finished[system.name],
            "worst case USD": str(system.worst_usd),
        }
        for system in plan.systems
    ]
