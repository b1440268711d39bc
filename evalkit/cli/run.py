"""`evalkit run`: run suites on systems, or continue where the same command stopped."""

from __future__ import annotations

import contextlib
import sys
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import TerminalProgress, dollars, note, show_json, show_table
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
from evalkit.cli.plan import show_coverage, show_notes
from evalkit.cli.rehearsal import rehearsal
from evalkit.errors import UsageError
from evalkit.providers.base import Settings
from evalkit.providers.systems import parse_systems
from evalkit.runner.execute import RunOptions, RunReport, execute, unknown_trials
from evalkit.runner.plan import build_plan
from evalkit.runs import Plan, read_history, save_plan
from evalkit.store import Workspace
from evalkit.suite import load_suite
from evalkit.types import Suite, System

app = make_app()
SHOWN = 20


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
        typer.Option("--concurrency", min=1, help="Most requests at a time per account. [default: see plan]"),
    ] = None,
    deadline: Annotated[
        float | None, typer.Option("--deadline", min=1, help="Seconds until a job is given up.")
    ] = None,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Ask again where the answer was a failure.")
    ] = False,
    resubmit_unknown: Annotated[
        bool,
        typer.Option("--resubmit-unknown", help="Send again what may have been billed; may pay twice."),
    ] = False,
    assume_price: AssumePriceOption = None,
    allow_degrade: AllowDegradeOption = False,
    rehearse: Annotated[
        bool, typer.Option("--rehearse", help="Run against fake providers on this machine, for nothing.")
    ] = False,
    webhook: Annotated[
        str, typer.Option("--webhook", help="Public URL under which `evalkit serve-webhooks` is reached.")
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before paying twice.")] = False,
    name: NameOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run suites on systems. The same command continues a run and repeats nothing that is finished."""
    options = RunOptions(concurrency, usd(budget, "--budget"), retry_failed, resubmit_unknown)
    loaded, systems = [load_suite(suite) for suite in suites], parse_systems(system)
    draft = _Draft(loaded, systems, replicates, name)
    place = rehearsal(workspace) if rehearse else contextlib.nullcontext(Workspace.open(workspace))
    with place as opened:
        settings = Settings(
            allow_degrade, usd(assume_price, "--assume-price"), deadline, webhook, opened.root / "hooks"
        )
        report = _carry_out(opened, draft, settings, options, rehearse=rehearse, yes=yes)
    show_report(report, as_json)
    raise typer.Exit(report.exit_code)


@dataclass(frozen=True, slots=True)
class _Draft:
    """What the command line asks for, before it is a plan."""

    suites: list[Suite]
    systems: list[System]
    replicates: int
    name: str | None


def _carry_out(
    opened: Workspace,
    draft: _Draft,
    settings: Settings,
    options: RunOptions,
    *,
    rehearse: bool,
    yes: bool,
) -> RunReport:
    with TerminalProgress() as progress:
        plan, providers = build_plan(
            draft.suites,
            draft.systems,
            replicates=draft.replicates,
            name=draft.name,
            keep=opened.objects.put,
            settings=settings,
            progress=progress,
        )
    show_coverage(plan)
    show_notes(plan)
    if rehearse and options.budget is None:
        options = replace(options, budget=2 * plan.worst_usd)
    _say_what_it_costs(plan, options.budget)
    if options.resubmit_unknown:
        _say_what_is_paid_twice(opened, plan, yes=yes)
    plan = save_plan(opened, plan)
    with TerminalProgress() as progress:
        return execute(opened, plan, providers, options, progress)


def _say_what_it_costs(plan: Plan, budget: Decimal | None) -> None:
    if plan.worst_usd <= 0:
        return
    expected, worst = dollars(plan.expected_usd), dollars(plan.worst_usd)
    note(f"Expected to cost {expected}, at most {worst}; finished trials included.")
    if budget is not None and budget < plan.worst_usd:
        note(f"The budget of ${budget} may end the run before all is done; it is never passed.")


def _say_what_is_paid_twice(opened: Workspace, plan: Plan, *, yes: bool) -> None:
    unknown = unknown_trials(plan, read_history(opened, plan.trials))
    if not unknown:
        return
    worst = dollars(sum((trial.usd for trial in unknown), Decimal(0)))
    note(
        f"Trials that may have been billed already: {len(unknown)}. Sending them again may cost {worst} more."
    )
    if sys.stdin.isatty() and not yes and not typer.confirm("Send them again?"):
        raise UsageError("nothing was sent", "Leave out --resubmit-unknown to keep them as they are.")


def show_report(report: RunReport, as_json: bool) -> None:
    """What a run came to."""
    for dropped in report.dropped:
        note(f"warning: {dropped}; what it told of is done again, or marked unknown if that could cost")
    rows: list[dict[str, object]] = [
        {"outcome": status, "now": report.made[status], "before": report.reused[status]}
        for status in ("ok", "partial", "refused", "failed", "unknown")
        if report.made[status] or report.reused[status]
    ]
    if as_json:
        show_json(_report_json(report, rows))
        return
    show_table(f"Run {report.run}", rows, as_json=False, right=("now", "before"))
    if report.spent_usd:
        note(f"Spent {dollars(report.spent_usd)}, counted at its worst where nobody knows.")
    for lane, why in report.stopped.items():
        note(f"stopped {lane}: {why}")
    if report.made["failed"] + report.reused["failed"]:
        note("Some requests failed; ask them again with --retry-failed.")
    _show_unknown(report)
    if report.open:
        trials = "1 trial is" if report.open == 1 else f"{report.open} trials are"
        note(f"{trials} still open; the same command continues.")


def _report_json(report: RunReport, rows: list[dict[str, object]]) -> dict[str, object]:
    return {
        "run": report.run,
        "outcomes": rows,
        "open": report.open,
        "asked": report.asked,
        "spent_usd": str(report.spent_usd),
        "stopped": report.stopped,
        "unknown": [asdict(trial) | {"usd": str(trial.usd)} for trial in report.unknown],
        "paces": {lane: [asdict(change) for change in changes] for lane, changes in report.paces.items()},
        "interrupted": report.interrupted,
    }


def _show_unknown(report: RunReport) -> None:
    if not report.unknown:
        return
    rows = [
        {"trial": trial.trial[:12], "system": trial.system, "case": trial.case, "at risk": dollars(trial.usd)}
        for trial in report.unknown[:SHOWN]
    ]
    show_table("May have been billed, and nobody knows what came of it", rows, as_json=False)
    if len(report.unknown) > SHOWN:
        note(f"... and {len(report.unknown) - SHOWN} more; --json lists them all")
    note("They are never sent again by themselves; --resubmit-unknown does, and may pay twice.")
