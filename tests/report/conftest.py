from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from evalkit.report import Context, Report, build_report

if TYPE_CHECKING:
    from reportscenario import Scenario

sys.path[:0] = [str(Path(__file__).parents[1] / "leaderboard")]


@pytest.fixture(scope="session")
def made() -> Scenario:
    """Four categories of four cases, five systems, one simulated study."""
    from reportscenario import scenario

    return scenario(cases=4, side=96)


@pytest.fixture(scope="session")
def report(made: Scenario, tmp_path_factory: pytest.TempPathFactory) -> Report:
    from reportscenario import inputs_of

    return build_report(inputs_of(made), tmp_path_factory.mktemp("report") / "report.html")


@pytest.fixture(scope="module")
def context(made: Scenario) -> Context:
    from reportscenario import inputs_of

    from evalkit.report.build import _context

    return _context(inputs_of(made))


@pytest.fixture(scope="session")
def html(report: Report) -> str:
    return report.path.read_text("utf-8")
