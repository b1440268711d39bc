"""What is missing and why: scores that were due and are not there, and requests that gave no picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from evalkit.leaderboard import to_records
from evalkit.report.context import Context
from evalkit.report.sections import Section


def build(context: Context, options: Mapping[str, Any]) -> Section | None:
    """Always there: full coverage is worth saying too."""
    del options
    cells = context.rows("coverage", run=context.run)
    missing = context.rows("missing", run=context.run)
    faults = context.rows("faults", run=context.run)
    systems = context.rows("systems", run=context.run)
    data = {
        "metrics": list(dict.fromkeys(cell["metric"] for cell in cells)),
        "cells": {(cell["system"], cell["metric"]): cell for cell in cells},
        "missing": missing,
        "faults": faults,
        "degraded": context.degraded,
        "partners": [row for row in systems if row["unmatched_files"] or row["missing_cases"]],
        "overall": context.reliability_overall,
        "reliability": context.reliability,
    }
    results = {
        "coverage": cells,
        "missing": missing,
        "reliability": to_records(context.reliability),
        "faults": faults,
        "degraded": context.degraded,
    }
    return Section("Coverage and reliability", data, results)
