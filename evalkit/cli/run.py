"""`evalkit run`: run suites on systems, or continue where the same command stopped."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import TerminalProgress, note, show_json, show_table
from evalkit.cli.options import (
    JsonOption,
    NameOption,
    ReplicatesOption,
    SuitesArgument,
    SystemsOption,
    WorkspaceOption,
)
from evalkit.cli.plan import show_coverage
from evalkit.errors import UsageError
from evalkit.providers.systems import parse_systems
from evalkit.runner.execute import RunOptions, RunReport, execute
from evalkit.runner.plan import build_plan
from evalkit.runs import save_plan
from evalkit.store import Workspace
from evalkit.suite import load_suite

app = make_app()


@app.command()
def run(
    suites: SuitesArgument,
    system: SystemsOption,
    budget: Annotated[
        str | None, typer.Option("--budget", help="Most that may be spent, in US dollars.")
    ] = None,
    replicates: ReplicatesOption = 1,
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", min=1, help="Requests at a time per system. [default: processors]"),
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again where the answer was a failure.")
    ] = False,
    name: NameOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run suites on systems. The same command continues a run and repeats nothing that is finished."""
    options = RunOptions(concurrency, _usd(budget), retry_failed)
    opened = Workspace.open(workspace)
    loaded, systems = [load_suite(suite) for suite in suites], parse_systems(system)
    with TerminalProgress() as progress:
        plan, providers = build_plan(
            loaded, systems, replicates=replicates, name=name, keep=opened.objects.put, progress=progress
        )
        show_coverage(plan)
        plan = save_plan(opened, plan)
        report = execute(opened, plan, providers, options, progress)
    show_report(report, as_json)
    raise typer.Exit(report.exit_code)


def show_report(report: RunReport, as_json: bool) -> None:
    """What a run came to."""
    for dropped in report.dropped:
        note(f"warning: {dropped}; what it told of is done again, or marked unknown if that could cost")
    rows = [
        {"outcome": status, "now": report.made[status], "before": report.reused[status]}
        for status in ("ok", "partial", "refused", "failed", "unknown")
        if report.made[status] or report.reused[status]
    ]
    if as_json:
        show_json(
            {
                "run": report.run,
                "outcomes": rows,
                "open": report.open,
                "spent_usd": str(report.spent_usd),
                "stopped": report.stopped,
                "interrupted": report.interrupted,
            }
        )
        return
    show_table(f"Run {report.run}", rows, as_json=False, right=("now", "before"))
    for lane, why in report.stopped.items():
        note(f"stopped {lane}: {why}")
    if report.made["failed"] + report.reused["failed"]:
        note("Some requests failed; ask them again with --retry-failed.")
    if report.open:
        note(f"{report.open} trials are still open; the same command continues.")


def _usd(text: str | None) -> Decimal | None:
    if text is None:
        return None
    try:
        amount = Decimal(text.lstrip("$"))
    except InvalidOperation as error:
        raise UsageError(f"--budget {text!r} is not an amount", "For example: --budget 2.50") from error
    if not amount.is_finite() or amount < 0:
        raise UsageError(f"--budget {text!r} is not an amount", "For example: --budget 2.50")
    return amount
