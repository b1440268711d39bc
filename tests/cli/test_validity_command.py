"""`evalkit validity` and `evalkit study new --from-disagreements`, on a small workspace made of facts."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from evalkit.cli.main import app
from evalkit.errors import EvalkitError, UnknownName, UsageError
from evalkit.runs import load_plan
from evalkit.store import Workspace
from evalkit.study.define import StudyOptions, create_study, load_study
from evalkit.study.simulate import Panel, simulate_votes

sys.path.append(str(Path(__file__).parents[1] / "study"))

from make_run import cases, make_run

WORTH = {"good": 2.0, "middling": 0.0, "poor": -2.0}
OUTPUT = {
    "label": "Sharp",
    "better": "higher",
    "unit": "",
    "low": 0,
    "high": 1,
    "needs": [],
    "categories": [],
}


def write_scores(workspace: Workspace, flagged: str = "") -> None:
    """A metric that is right about `good` and mistakes `poor` for the best."""
    plan = load_plan(workspace, "r1")
    head = {
        "type": "metric", "t": "2026-01-02T00:00:00+00:00", "run": "r1", "metric": "sharp", "family": "sharp",
        "version": "1", "config": {}, "weights": None, "caveat": "",
        "outputs": [{**OUTPUT, "name": "sharp", "headline": True}],
    }  # fmt: skip
    value = {"good": 0.6, "middling": 0.3, "poor": 0.9}
    journal = (workspace.runs / "r1" / "journal.jsonl").read_text().splitlines()
    image = {done["trial"]: done["images"][0]["sha256"] for done in map(json.loads, journal)}
    lines: list[dict[str, Any]] = [head]
    for trial, _, system in plan:
        score = {"output": "sharp", "value": value[system.name], "reason": None, "detail": ""}
        lines.append(
            {
                "type": "score", "t": head["t"], "trial": trial.id, "image_index": 0,
                "image": image[trial.id], "metric": "sharp", "version": "1", "key": trial.id,
                "values": [{**score, "flag": "unreliable" if system.name == flagged else None}],
            }
        )  # fmt: skip
    workspace.scores.mkdir(parents=True, exist_ok=True)
    (workspace.scores / "1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    opened = Workspace.open(tmp_path / "ws")
    make_run(opened, cases(10), tuple(WORTH))
    write_scores(opened)
    return opened


@pytest.fixture
def voted(workspace: Workspace) -> Workspace:
    create_study(workspace, "taste", "r1", StudyOptions(simulated=True))
    simulate_votes(workspace, "taste", WORTH, Panel(raters=6, votes=90))
    return workspace


def call(workspace: Workspace, *arguments: str) -> Result:
    result = CliRunner().invoke(app, [*arguments, "--workspace", str(workspace.root)])
    if isinstance(result.exception, EvalkitError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result


def test_the_table_and_its_json(voted: Workspace) -> None:
    text = call(voted, "validity").output
    assert "product, alignment (simulated): 90 votes by 6 raters" in text
    assert "decided pairs, 200 are needed" in text
    rows = json.loads(call(voted, "validity", "taste", "--json").stdout)
    assert [(row["output"], row["criterion"], row["simulated"]) for row in rows] == [
        ("sharp", "alignment", True),
        ("sharp", "appeal", True),
    ]
    assert rows == json.loads(call(voted, "validity", "r1", "--json").stdout)


def test_without_votes(workspace: Workspace) -> None:
    assert "No votes, so nothing is validated, in: product." in call(workspace, "validity").output
    (row,) = json.loads(call(workspace, "validity", "--json").stdout)
    assert (row["status"], row["reason"]) == ("unvalidated", "no votes")


def test_a_name_that_is_neither_study_nor_run(voted: Workspace) -> None:
    with pytest.raises(UnknownName, match="study or run 'tast'"):
        call(voted, "validity", "tast")


def test_a_second_look_from_the_queue(voted: Workspace) -> None:
    waiting = json.loads(call(voted, "validity", "--disagreements", "5", "--json").stdout)
    assert len(waiting) == 5
    assert {row["metric prefers"] for row in waiting} == {"poor"}
    said = call(voted, "study", "new", "again", "--from-disagreements", "5").output
    assert "5 comparisons" in said
    study = load_study(voted, "again")
    assert study.selection == {"rule": "disagreements", "opposed": 5, "unreliable": 0}
    assert {f"{c.suite}/{c.case}" for c in study.comparisons} == {row["case"] for row in waiting}
    status = json.loads(call(voted, "study", "status", "again", "--json").stdout)
    assert status[0]["selection"] == "disagreements"


def test_votes_of_a_second_look_change_no_validity(voted: Workspace) -> None:
    before = call(voted, "validity", "--json").stdout
    call(voted, "study", "new", "again", "--from-disagreements", "5")
    simulate_votes(voted, "again", WORTH, Panel(raters=6, votes=20))
    assert call(voted, "validity", "--json").stdout == before
    assert (
        "Left out, because their pairs were picked for being disputed: again."
        in call(voted, "validity").output
    )


def test_an_empty_queue_is_an_error_with_a_hint(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="no score is in doubt"):
        call(workspace, "study", "new", "again", "--from-disagreements", "5")


def test_scores_in_doubt_need_no_votes(workspace: Workspace) -> None:
    write_scores(workspace, flagged="middling")
    assert (
        "Only 10 such pairs" in call(workspace, "study", "new", "again", "--from-disagreements", "12").output
    )
    assert load_study(workspace, "again").selection == {
        "rule": "disagreements",
        "opposed": 0,
        "unreliable": 10,
    }
