"""`evalkit plan`: what would run and what it could cost. Nothing is sent, nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

from evalkit.cli.app import make_app
from evalkit.cli.console import TerminalProgress, dollars, note, out, show_json, show_table
from evalkit.cli.options import (
    AllowDegradeOption,
    AssumePriceOption,
    JsonOption,
    NameOption,
    ReplicatesOption,
    SuitesArgument,
    SystemsOption,
    WorkspaceOption,
    usd,
)
from evalkit.errors import WorkspaceError, WorkspaceTooNew
from evalkit.providers.base import Provider, Settings
from evalkit.providers.systems import parse_systems
from evalkit.runner.plan import build_plan
from evalkit.runs import History, Plan, Step, read_history
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
    assume_price: AssumePriceOption = None,
    allow_degrade: AllowDegradeOption = False,
    name: NameOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what `evalkit run` with the same arguments would do and cost. Sends and writes nothing."""
    with TerminalProgress() as progress:
        made, providers = build_plan(
            [load_suite(suite) for suite in suites],
            parse_systems(system),
            replicates=replicates,
            name=name,
            settings=Settings(allow_degrade, usd(assume_price, "--assume-price")),
            progress=progress,
        )
    history = _history(workspace, made)
    rows, lanes = _rows(made, history), _lanes(providers)
    if as_json:
        show_json(_plan_json(made, history, rows, lanes))
        return
    people = [row | {name: dollars(Decimal(str(row[name]))) for name in _MONEY} for row in rows]
    show_table(f"Plan {made.run}", people, as_json=False, right=_NUMBERS)
    show_table("Accounts", lanes, as_json=False, right=("at a time",))
    show_coverage(made)
    show_notes(made)
    _show_totals(made, history)


_MONEY = ("expected USD", "worst case USD")
_NUMBERS = ("trials", "finished", "unknown", "to do", *_MONEY)


def show_coverage(plan: Plan) -> None:
    """Which files and cases of `folder:` systems found no partner."""
    for system in plan.systems:
        if system.coverage is not None:
            _show_one(system.name, system.coverage)


def show_notes(plan: Plan) -> None:
    """What will be asked differently because a model cannot do what a case asks."""
    for system in plan.systems:
        for what, count in system.notes.items():
            note(f"{system.name}: {what} in {count} case{'s' if count > 1 else ''}")


def _show_one(name: str, coverage: Coverage) -> None:
    note(f"{name}: pictures for {coverage.matched} cases")
    for what, items in (
        ("cases without a picture", coverage.missing_cases),
        ("files that match no case", coverage.unmatched_files),
    ):
        if items:
            more = f" and {len(items) - SHOWN} more" if len(items) > SHOWN else ""
            note(f"  {len(items)} {what}: {', '.join(items[:SHOWN])}{more}")


def _show_totals(plan: Plan, history: History) -> None:
    out.print(
        f"In all: {dollars(plan.expected_usd)} expected, {dollars(plan.worst_usd)} at the very most.",
        markup=False,
    )
    if history.spent:
        out.print(
            f"Spent so far: {dollars(history.spent)}, counted at its worst where nobody knows.", markup=False
        )
    out.print("Nothing has been sent.")


def _history(workspace: Path | None, plan: Plan) -> History:
    """What has happened so far; nothing where there is no workspace yet."""
    try:
        return read_history(Workspace.open(workspace, create=False), plan.trials)
    except WorkspaceTooNew:
        raise
    except WorkspaceError:
        return History(plan.trials)


def _rows(plan: Plan, history: History) -> list[dict[str, object]]:
    steps: list[Counter[Step]] = [Counter() for _ in plan.systems]
    for (_, _, system, _), step in zip(plan.trials, history.steps, strict=True):
        steps[system][Step(step)] += 1
    return [
        {
            "system": system.name,
            "asks": system.system.spec,
            "trials": count.total(),
            "finished": (finished := sum(n for step, n in count.items() if step >= Step.FAILED)),
            "unknown": count[Step.UNKNOWN],
            "to do": count.total() - finished - count[Step.UNKNOWN],
            "expected USD": str(system.expected_usd),
            "worst case USD": str(system.worst_usd),
            "price": system.basis,
        }
        for system, count in zip(plan.systems, steps, strict=True)
    ]


def _lanes(providers: Mapping[str, Provider]) -> list[dict[str, object]]:
    lanes = {provider.lane: provider for provider in providers.values()}
    return [
        {
            "account": lane,
            "at a time": str(limits.start)
            if limits.start == limits.most
            else f"{limits.start}-{limits.most}",
            "ready": f"no: set {missing}" if (missing := provider.missing()) else "yes",
        }
        for lane, provider in lanes.items()
        if (limits := provider.limits)
    ]


def _plan_json(
    plan: Plan, history: History, rows: list[dict[str, object]], lanes: list[dict[str, object]]
) -> dict[str, object]:
    return {
        "run": plan.run,
        "expected_usd": str(plan.expected_usd),
        "worst_usd": str(plan.worst_usd),
        "spent_usd": str(history.spent),
        "systems": rows,
        "accounts": lanes,
        "notes": {system.name: dict(system.notes) for system in plan.systems if system.notes},
    }
