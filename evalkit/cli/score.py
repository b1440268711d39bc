"""`evalkit score`: judge the pictures of a run by automatic metrics."""

from __future__ import annotations

from collections import Counter
from typing import Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import TerminalProgress, note, show_table
from evalkit.cli.options import JsonOption, RunArgument, WorkersOption, WorkspaceOption
from evalkit.metrics.base import Metric
from evalkit.metrics.networks.torchrun import checked_precision
from evalkit.metrics.registry import DEFAULT_METRICS, make, parse
from evalkit.runner.score import ScoreReport, score_run
from evalkit.runs import load_plan
from evalkit.store import Workspace

app = make_app()


@app.command()
def score(
    run: RunArgument = None,
    metrics: Annotated[
        str, typer.Option("--metrics", "-m", help="name or name[key=value,...], separated by commas.")
    ] = DEFAULT_METRICS,
    device: Annotated[
        str,
        typer.Option(
            help="Where models run: cpu, cuda or cuda:N. [default: a GPU if there is one]",
            envvar="EVALKIT_DEVICE",
            show_envvar=True,
            show_default=False,
        ),
    ] = "",
    precision: Annotated[
        str, typer.Option(help="Arithmetic of models: fp32, bf16 or fp16. Numbers of two are never mixed.")
    ] = "fp32",
    workers: WorkersOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score a run. What has been scored before is not scored again."""
    opened = Workspace.open(workspace, create=False)
    chosen = [at_precision(metric, checked_precision(precision)) for metric in parse(metrics)]
    plan = load_plan(opened, opened.run_id(run))
    with TerminalProgress() as progress:
        report = score_run(opened, plan, chosen, workers=workers, device=device, progress=progress)
    show_report(report, as_json)


def at_precision(metric: Metric, precision: str) -> Metric:
    """The metric with that precision, if it has one and its own brackets do not say another."""
    default = metric.defaults.get("precision")
    if default is None or metric.options["precision"] != default or precision == default:
        return metric
    return make(metric.name, {**metric.options, "precision": precision})


def show_report(report: ScoreReport, as_json: bool) -> None:
    """What scoring came to."""
    rows = [
        {
            "metric": metric,
            "judged now": report.judged[metric],
            "known before": report.known[metric],
            "missing": _reasons(nulls),
        }
        for metric, nulls in report.nulls.items()
    ]
    show_table(f"Scores of {report.run}", rows, as_json=as_json, right=("judged now", "known before"))
    for hint in report.hints:
        note(f"note: {hint}")


def _reasons(nulls: Counter[str]) -> str | None:
    return ", ".join(f"{reason} x{count}" for reason, count in sorted(nulls.items())) or None
