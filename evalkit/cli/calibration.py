"""What `evalkit doctor --calibrate` prints: which fault each output notices, and from which strength on."""

from __future__ import annotations

import typer

from evalkit.cli.console import TerminalProgress, note, out, show_json, show_table
from evalkit.runner.calibrate import Calibration, Finding, calibrate
from evalkit.runner.graded import FAULTS

BLIND = "-"
BROKEN = "MISSED"


def run_calibration(metrics: str | None, count: int, workers: int | None, as_json: bool) -> None:
    """Calibrate, print, and exit with 3 if a fault that must be noticed is not."""
    with TerminalProgress() as progress:
        found = calibrate(metrics, count=count, workers=workers, progress=progress)
    if as_json:
        show_json({"findings": list(map(_plain, found.findings)), "missing": dict(found.missing)})
    else:
        _show(found)
    raise typer.Exit(3 if found.failed else 0)


def _show(found: Calibration) -> None:
    columns = [one for one in FAULTS if any(finding.fault == one.name for finding in found.findings)]
    cells = {(one.metric, one.output, one.fault): one for one in found.findings}
    for metric in dict.fromkeys(one.metric for one in found.findings):
        outputs = dict.fromkeys(one.output for one in found.findings if one.metric == metric)
        seeing = [name for name in outputs if _sees(found, metric, name)]
        rows = [
            {"output": name}
            | {f"{one.name}\n{one.unit}": _cell(cells.get((metric, name, one.name))) for one in columns}
            for name in seeing
        ]
        show_table(f"\n{metric}: what it notices, and from which strength on", rows, as_json=False)
        blind = [name for name in outputs if name not in seeing]
        if blind:
            out.print(f"Notice none of these: {', '.join(blind)}", soft_wrap=True)
    out.print(
        f"\n{BLIND} not noticed at any strength; empty: does not apply. Each drawing by the studio is "
        "compared with the same drawing with one fault; noticed: nine of ten are ranked below their twins.",
        soft_wrap=True,
    )
    for name, reason in found.missing.items():
        note(f"not tried: {name}: {reason}")
    for one in found.failed:
        note(f"{one.metric} {one.output} must notice “{one.fault}” and does not: do not trust it here")


def _sees(found: Calibration, metric: str, output: str) -> bool:
    mine = [one for one in found.findings if (one.metric, one.output) == (metric, output)]
    return any(one.noticed_from is not None or one.failed for one in mine)


def _cell(one: Finding | None) -> str:
    if one is None or all(share is None for share in one.worse):
        return ""
    if one.failed:
        return BROKEN
    return BLIND if one.noticed_from is None else f"{one.noticed_from:g}"


def _plain(one: Finding) -> dict[str, object]:
    return {
        "metric": one.metric,
        "output": one.output,
        "fault": one.fault,
        "unit": one.unit,
        "worse": dict(zip(map(str, one.strengths), one.worse, strict=True)),
        "noticed_from": one.noticed_from,
        "required": one.required,
    }
