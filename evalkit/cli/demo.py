"""`evalkit demo`: the whole pipeline on the built-in studio, offline, ending with a report.

Everything is real but two things, and the report says so: the pictures are drawn by the studio, whose
variants have known faults, and the votes are simulated from known tastes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.board import show_boards
from evalkit.cli.console import TerminalProgress, out
from evalkit.cli.options import WorkersOption
from evalkit.cli.report import write_report
from evalkit.metrics.registry import DEMO_METRICS, parse
from evalkit.progress import Progress
from evalkit.providers.systems import parse_systems
from evalkit.runner.execute import RunOptions, execute
from evalkit.runner.plan import build_plan
from evalkit.runner.score import score_run
from evalkit.runs import Plan, save_plan
from evalkit.store import Workspace
from evalkit.suite import load_suite

app = make_app()

SUITES = ("demo-product", "demo-portrait", "demo-typography", "demo-edit")
VARIANTS = ("clean", "typos", "wrong-colour", "soft", "repaint", "shifted", "noop", "refuser", "flaky")
BALLOTS = 1200

WORTH = {
    "alignment": {
        "typos": -1.2,
        "wrong-colour": -1.5,
        "soft": -0.2,
        "repaint": -0.1,
        "shifted": -0.1,
        "noop": -0.9,
    },
    "appeal": {
        "typos": -0.6,
        "wrong-colour": -0.1,
        "soft": -1.4,
        "repaint": -0.1,
        "shifted": -0.2,
        "noop": 0.0,
    },
    "preservation": {"wrong-colour": -0.3, "soft": -0.8, "repaint": -1.8, "shifted": -0.9, "noop": 0.1},
}
"""What simulated raters think of each variant, relative to `clean`, in logits; 0 where it is not named."""


@app.command()
def demo(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The report. [default: reports/ in the workspace]")
    ] = None,
    workers: WorkersOption = None,
    workspace: Annotated[
        Path, typer.Option("--workspace", "-w", help="Folder to work in; running again reuses what is there.")
    ] = Path("evalkit-demo"),
) -> None:
    """Run the demo suites on the studio's variants, score, simulate votes, and write a report."""
    started = time.monotonic()
    opened = Workspace.open(workspace)
    with TerminalProgress() as progress:
        plan = _run(opened, workers, progress)
        score_run(opened, plan, parse(DEMO_METRICS), workers=workers, progress=progress)
        study = _vote(opened, plan, progress)
        report = write_report(opened, plan.run, output, progress=progress)
    show_boards(opened, plan.run, study)
    out.print(
        "Synthetic: the pictures are drawn by the built-in studio and the votes are simulated; "
        "the numbers show how evalkit works, not how any model does.",
        soft_wrap=True,
    )
    out.print(f"Done in {time.monotonic() - started:.0f} s. Open the report:", soft_wrap=True)
    out.print(str(report), markup=False, soft_wrap=True)


def _run(workspace: Workspace, workers: int | None, progress: Progress) -> Plan:
    systems = parse_systems([f"studio:{variant}" for variant in VARIANTS])
    suites = [load_suite(name) for name in SUITES]
    plan, providers = build_plan(suites, systems, keep=workspace.objects.put, progress=progress)
    plan = save_plan(workspace, plan)
    report = execute(workspace, plan, providers, RunOptions(workers), progress)
    if report.interrupted:
        raise KeyboardInterrupt
    return plan


def _vote(workspace: Workspace, plan: Plan, progress: Progress) -> str:
    """Simulated votes on the run; a study that has them already is left as it is."""
    from evalkit.study.define import StudyOptions, create_study
    from evalkit.study.simulate import Panel, simulate_votes

    name = f"demo-{plan.run[-8:]}"
    if name not in workspace.study_ids():
        create_study(workspace, name, plan.run, StudyOptions(title="Demo", simulated=True))
    missing = BALLOTS - _ballots(workspace, name)
    progress.start("simulated votes", 1)
    if missing > 0:
        simulate_votes(
            workspace, name, _utilities([s.name for s in plan.systems]), Panel(raters=24, votes=missing)
        )
    progress.advance("simulated votes")
    progress.finish("simulated votes")
    return name


def _ballots(workspace: Workspace, study: str) -> int:
    from evalkit.warehouse import connect

    with closing(connect(workspace)) as db:
        row = db.execute("SELECT count(*) FROM ballots WHERE study = ?", [study]).fetchone()
    return int(row[0]) if row else 0


def _utilities(systems: Sequence[str]) -> dict[str, dict[str, float]]:
    return {
        criterion: {system: worth.get(system.partition(":")[2], 0.0) for system in systems}
        for criterion, worth in WORTH.items()
    }
