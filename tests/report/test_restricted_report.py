"""What a licence keeps from being passed on stays out of a report, unless it is for one's own use."""

from __future__ import annotations

import base64
import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from reportscenario import inputs_of, scenario

from evalkit.report import build_report
from evalkit.runner.plan import build_plan
from evalkit.runs import Plan, load_plan, plan_content, save_plan
from evalkit.store import Workspace
from evalkit.suite import load_suite
from evalkit.types import System
from evalkit.warehouse import connect

RESTRICTED = ("edit-preservation", "typography")


def report_of(folder: Path, include: bool, restricted: tuple[str, ...] = RESTRICTED) -> str:
    made = scenario(cases=2, side=48)
    for suite in restricted:
        made.sample.db.execute("UPDATE suites SET redistributable = false WHERE suite = ?", [suite])
    inputs = replace(inputs_of(made), include_restricted=include)
    return build_report(inputs, folder / "report.html").path.read_text("utf-8")


def case_of(html: str, key: str) -> str:
    gallery = html.split('<section id="gallery"')[1].split("</section>")[0]
    (found,) = [part for part in gallery.split('<article class="case">') if f"/{key} " in part]
    return found


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> str:
    return report_of(tmp_path_factory.mktemp("kept"), include=False)


def test_prompts_and_expected_texts_are_left_out(kept: str) -> None:
    assert "cat&#39;s fur" not in kept
    assert "cat's fur" not in kept
    assert "OPEN 0" not in kept
    assert "A cup of espresso" in kept


def test_sources_and_edits_of_them_are_left_out(kept: str) -> None:
    edit = case_of(kept, "edit-preservation-00")
    assert "<img" not in edit
    assert edit.count("left out: licence") == 6
    assert "Prompt left out" in edit
    assert "Perceptual distance" in edit, "the numbers stay"


def test_pictures_made_of_a_prompt_alone_stay(kept: str) -> None:
    words = case_of(kept, "typography-00")
    assert "data:image/jpeg" in words
    assert "Prompt left out" in words


def test_the_reader_is_told_once_and_plainly(kept: str) -> None:
    said = "Not everything may be passed on: the licence of"
    assert kept.count(said) == 1
    notice = kept[kept.index(said) :][:200]
    assert all(suite in notice for suite in RESTRICTED)
    assert "not to be passed on" in kept


def test_for_ones_own_use_everything_is_shown_and_said(tmp_path: Path) -> None:
    html = report_of(tmp_path, include=True)
    assert "For your own use only" in html
    assert "OPEN 0" in html
    pictures = re.findall(r"data:image/jpeg;base64,([^\"]+)", case_of(html, "edit-preservation-00"))
    assert len(pictures) == 6
    assert all(base64.b64decode(code)[:2] == b"\xff\xd8" for code in pictures)


def test_other_reports_say_nothing_of_it(tmp_path: Path) -> None:
    html = report_of(tmp_path, include=False, restricted=())
    assert "passed on" not in html
    assert "left out: licence" not in html


# From suite.toml to the database ------------------------------------------------------------------------


def planned(folder: Path, redistributable: bool) -> tuple[Workspace, Plan]:
    suite = folder / "own"
    suite.mkdir()
    line = "" if redistributable else "redistributable = false\n"
    head = 'name = "own"\nversion = "1"\ncategory = "other"\nlicence = "CC-BY-NC-4.0"\ndescription = "x"\n'
    (suite / "suite.toml").write_text(head + line, "utf-8")
    (suite / "cases.jsonl").write_text('{"id": "a", "prompt": "a red mug on a table"}\n', "utf-8")
    (suite / "README.md").write_text("# own\n", "utf-8")
    workspace = Workspace.open(folder / "work")
    plan, _ = build_plan([load_suite(suite)], [System("studio", "clean")])
    return workspace, save_plan(workspace, plan)


@pytest.mark.parametrize("redistributable", [True, False])
def test_the_flag_travels_from_the_suite_to_the_database(redistributable: bool, tmp_path: Path) -> None:
    workspace, plan = planned(tmp_path, redistributable)
    assert load_plan(workspace, plan.run).suites[0].redistributable is redistributable
    with closing(connect(workspace)) as db:
        assert db.execute("SELECT redistributable FROM suites").fetchone() == (redistributable,)


def test_plans_of_open_suites_are_what_they_were(tmp_path: Path) -> None:
    _, plan = planned(tmp_path, redistributable=True)
    assert "redistributable" not in plan_content(plan)["suites"][0]
