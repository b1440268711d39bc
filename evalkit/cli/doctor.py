"""`evalkit doctor`: what works on this machine, what does not, and what to do about it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated

import typer

import evalkit
from evalkit.cli.app import make_app
from evalkit.cli.console import show_table
from evalkit.cli.options import JsonOption, WorkersOption, WorkspaceOption
from evalkit.errors import EvalkitError
from evalkit.metrics.base import Metric
from evalkit.store import Workspace

app = make_app()
Row = dict[str, str]

PACKAGES = ("torch", "open_clip_torch", "lpips", "rapidocr", "duckdb", "streamlit", "pandas", "pillow")


@app.command()
def doctor(
    calibrate: Annotated[
        bool, typer.Option("--calibrate", help="Show graded faults to every metric: what does it notice?")
    ] = False,
    metrics: Annotated[
        str | None, typer.Option("--metrics", "-m", help="With --calibrate: only these.")
    ] = None,
    count: Annotated[
        int, typer.Option("--count", min=5, max=40, help="With --calibrate: drawings of each kind.")
    ] = 10,
    workers: WorkersOption = None,
    workspace: WorkspaceOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check packages, models, suites, workspace and disk; exits with 3 if something is broken.

    With --calibrate it draws pictures with known faults of graded strength and tells what each metric
    notices, and from which strength on; that takes some minutes. It exits with 3 if a metric misses what it
    must see.
    """
    if calibrate:
        from evalkit.cli.calibration import run_calibration

        run_calibration(metrics, count, workers, as_json)
    rows = [*_installation(), *_models(), *_suites(), *_workspace(workspace)]
    show_table("evalkit doctor", rows, as_json=as_json)
    raise typer.Exit(3 if any(row["state"] == "broken" for row in rows) else 0)


def _row(what: str, state: str, detail: str) -> Row:
    return {"what": what, "state": state, "detail": detail}


def _check(what: str, look: Callable[[], str], on_problem: str = "broken") -> Row:
    try:
        return _row(what, "ok", look())
    except EvalkitError as error:
        return _row(what, on_problem, f"{error.message}. {error.hint}")
    except Exception as error:
        return _row(what, "broken", f"{type(error).__name__}: {error}")


def _installation() -> Iterator[Row]:
    yield _row("evalkit", "ok", f"{evalkit.__version__} on Python {sys.version.split()[0]}")
    for package in PACKAGES:
        try:
            yield _row(package, "ok", version(package))
        except PackageNotFoundError:
            yield _row(package, "broken", f"not installed: pip install {package}")
    yield _check("torch libraries", _torch_libraries)


def _torch_libraries() -> str:
    import torch

    from evalkit.weights.torchguard import import_lpips, import_open_clip

    import_open_clip()
    import_lpips()
    return "open_clip and lpips import; " + ("CUDA is there" if torch.cuda.is_available() else "CPU only")


def _models() -> Iterator[Row]:
    from evalkit.metrics.registry import DEFAULT_METRICS, DEMO_METRICS, parse, spec

    for metric in parse(DEMO_METRICS) + [m for m in parse(DEFAULT_METRICS) if m.name in ("clip", "lpips")]:
        yield _check(f"metric {spec(metric)}", partial(_weights, metric), "missing")


def _weights(metric: Metric) -> str:
    digest = metric.weights_digest()
    return f"weights {digest[:12]}" if digest else "needs no downloaded weights"


def _suites() -> Iterator[Row]:
    from evalkit.suite import list_suites

    heads = list_suites()
    broken = [head.name for head in heads if head.problem]
    state = "broken" if broken or not heads else "ok"
    yield _row(
        "suites", state, f"{len(heads)} bundled" + (f"; broken: {', '.join(broken)}" if broken else "")
    )


def _workspace(workspace: Path | None) -> Iterator[Row]:
    yield _check("workspace", partial(_opened, workspace), "none yet")
    yield _row("disk", "ok", f"{shutil.disk_usage(Path.cwd()).free / 1e9:.0f} GB free here")
    browser = shutil.which("chromium") or shutil.which("google-chrome") or shutil.which("firefox")
    yield _row("browser", "ok" if browser else "missing", browser or "only needed to rate on this machine")


def _opened(path: Path | None) -> str:
    opened = Workspace.open(path, create=False)
    return f"{opened.root}: {len(opened.run_ids())} runs, {len(opened.study_ids())} studies"
