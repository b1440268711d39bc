"""What the documents say, and a small finished workspace to run their examples on."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from evalkit.metrics.registry import parse
from evalkit.providers.systems import parse_systems
from evalkit.runner.execute import execute
from evalkit.runner.plan import build_plan
from evalkit.runner.score import score_run
from evalkit.runs import save_plan
from evalkit.store import Workspace
from evalkit.study.define import StudyOptions, create_study
from evalkit.study.simulate import Panel, simulate_votes
from evalkit.suite import load_suite

ROOT = Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "scripts"))
SYSTEMS = ("studio:clean?size=512", "studio:typos?size=512")


@pytest.fixture(scope="session")
def guide() -> str:
    return (ROOT / "docs" / "user-guide.md").read_text("utf-8")


@pytest.fixture(scope="session")
def readme() -> str:
    return (ROOT / "README.md").read_text("utf-8")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an `evalkit-workspace`: three cases, two systems, scores, votes in `taste`."""
    folder = tmp_path_factory.mktemp("guide")
    workspace = Workspace.open(folder / "evalkit-workspace")
    whole = load_suite("demo-typography")
    suite = replace(whole, cases=whole.cases[:3])
    plan, providers = build_plan([suite], parse_systems(SYSTEMS), keep=workspace.objects.put)
    plan = save_plan(workspace, plan)
    assert execute(workspace, plan, providers).exit_code == 0
    score_run(workspace, plan, parse("ocr,pixels"), workers=1)
    create_study(workspace, "taste", plan.run, StudyOptions(simulated=True))
    simulate_votes(
        workspace, "taste", {SYSTEMS[0]: 1.0, SYSTEMS[1]: 0.0}, Panel(raters=6, votes=18, rater_sd=0.0)
    )
    return folder
