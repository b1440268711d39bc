"""How the numbers came about: versions, digests, seeds, methods, and what to be careful about."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from evalkit.report.context import Context
from evalkit.report.notices import caveats, drifted, notices
from evalkit.report.sections import Section


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """Always there."""
    del options
    found = context.query("SELECT created, evalkit FROM runs WHERE run = $run", run=context.run)
    facts = {
        "run": context.run,
        "run made": found[0]["created"].isoformat(sep=" ", timespec="seconds"),
        "run made with": f"evalkit {found[0]['evalkit']}",
        "report made": context.now.strftime("%Y-%m-%d %H:%M:%S %Z").strip(),
        "report made with": f"evalkit {_version('evalkit')}",
        "seed": context.seed,
        "software": ", ".join(f"{name} {_version(name)}" for name in ("duckdb", "numpy", "scipy", "pillow")),
        "python": f"{platform.python_version()} on {platform.system()} {platform.machine()}",
    }
    asked = {str(row["system"]): row for row in context.asked}
    data = {
        "facts": facts,
        "trials": context.rows("counts", run=context.run),
        "suites": context.rows("suites", run=context.run),
        "metrics": context.rows("metrics"),
        "caveats": caveats(context),
        "asked": asked,
        "drifted": drifted(context),
        "boards": [context.votes(s.study, c) for s in context.studies for c in s.questions],
    }
    results = {
        **facts,
        "suites": data["suites"],
        "systems": [asdict(system) | _asked(asked, system.name) for system in context.systems],
        "metrics": data["metrics"],
        "notices": notices(context),
    }
    return Section("Methods and provenance", data, results)


def _asked(asked: Mapping[str, Mapping[str, Any]], system: str) -> dict[str, Any]:
    found = asked.get(system, {})
    return {name: found.get(name) for name in ("first", "last", "versions")}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"
