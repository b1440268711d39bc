"""What the report says about metrics and people: with many votes, with few, with none."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from reportscenario import NOW, SYSTEMS, Scenario, inputs_of, scenario
from votedsample import SKILL, cast, scored_run

from evalkit.report import Context, Definition, Inputs, build_report
from evalkit.report.agreement import Criterion, Mark, agreement_chart
from evalkit.report.build import _context
from evalkit.report.sections import builder
from evalkit.types import Estimate

SHORT = Definition("R", ("summary", "leaderboard", "validity"))


def page_of(made: Scenario, folder: Path) -> str:
    return build_report(inputs_of(made, SHORT), folder / "report.html").path.read_text("utf-8")


def part(html: str, name: str) -> str:
    return html.split(f'<section id="{name}"')[1].split("</section>")[0]


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


@pytest.fixture(scope="module")
def page(made: Scenario, tmp_path_factory: pytest.TempPathFactory) -> str:
    return page_of(made, tmp_path_factory.mktemp("validity"))


def data_of(context: Context, **options: Any) -> dict[str, Any]:
    section = builder("validity", None)(context, options)
    assert section is not None
    return dict(section.data)


def test_every_category_with_votes_has_a_chart_and_a_table_marked_as_simulated(page: str) -> None:
    told = part(page, "validity")
    assert told.count("<svg") == 4
    assert told.count('<span class="tag">simulated</span>') >= 4
    assert "No question has the votes of 200 decided pairs yet" in words(told)
    assert re.search(r"\d+ decided pairs, 200 are needed", told)


def test_each_number_of_the_leaderboard_carries_its_status(page: str, made: Scenario) -> None:
    told = part(page, "leaderboard")
    tags = re.findall(r'<span class="tag (?:good|plain)" title="([^"]+)">(\w+)', told)
    assert {status for _, status in tags} == {"unvalidated"}
    assert all("alignment:" in title and "simulated votes" in title for title, _ in tags)
    section = builder("leaderboard", None)(_context(inputs_of(made)), {})
    assert section is not None
    assert all(set(row["validity"]) == {"alignment", "appeal"} for row in section.results)


def test_results_for_machines(made: Scenario) -> None:
    section = builder("validity", None)(_context(inputs_of(made)), {})
    assert section is not None
    assert section.results["simulated"] is True
    record = section.results["outputs"][0]
    assert {"status", "reason", "accuracy", "accuracy_low", "ceiling", "tie_chance", "rival", "p"} <= set(
        record
    )


def test_without_votes_it_is_said_once_and_calmly(tmp_path: Path) -> None:
    made = scenario(cases=2, side=48)
    for table in ("studies", "ballot_rows", "vote_rows"):
        made.sample.db.execute(f"DELETE FROM {table}")
    html = page_of(made, tmp_path)
    assert words(part(html, "leaderboard")).count("nobody has voted on these pictures") == 1
    assert "unvalidated" not in part(html, "leaderboard")
    told = part(html, "validity")
    assert words(told).count("unvalidated") == 1
    assert "<table" not in told
    assert "<svg" not in told


def test_validated_metrics_are_tagged_and_counted(tmp_path: Path) -> None:
    sample, worth = scored_run(90)
    sample.study("panel", list(SKILL), ["alignment"])
    cast(sample, worth)
    html = build_report(Inputs(sample.db, lambda digest: b"", SHORT, now=NOW), tmp_path / "r.html").path
    told, board = (part(html.read_text("utf-8"), name) for name in ("validity", "leaderboard"))
    assert "Of 3 metrics and questions with enough pairs, 2 are validated." in words(told)
    assert "simulated" not in words(told)
    assert told.count('<span class="tag good">validated</span>') == 2
    assert "interval includes chance" in told
    tags = re.findall(r'<span class="tag (\w+)" title="alignment: (\d+)[^"]*">(\w+)', board)
    assert {(shade, status) for shade, _, status in tags} == {("good", "validated"), ("plain", "unvalidated")}
    assert all((int(percent) > 70) == (status == "validated") for _, percent, status in tags)


def test_pairs_for_a_second_look_are_shown_with_values_and_votes(made: Scenario) -> None:
    data = data_of(_context(inputs_of(made)), pairs=4)
    assert 0 < len(data["pairs"]) <= 4
    assert len({p["entry"].case for p in data["pairs"]}) == len(data["pairs"])
    for shown in data["pairs"]:
        assert [side["picture"].uri is not None for side in shown["sides"]] == [True, True]
        assert {side["side"].system for side in shown["sides"]} <= set(SYSTEMS)
        assert "people prefer this" in shown["sides"][1]["words"]
    assert data_of(_context(inputs_of(made)), pairs=0)["pairs"] == []


def test_pictures_of_a_suite_that_may_not_be_passed_on_are_left_out(
    made: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Context, "withholds", lambda context, suite: True)
    data = data_of(_context(inputs_of(made)), pairs=4)
    assert data["pairs"] == []
    assert data["withheld"] > 0


def test_a_second_look_is_named_and_counts_nowhere(tmp_path: Path) -> None:
    made = scenario(cases=2, side=48)
    made.sample.db.execute("UPDATE studies SET selection = 'disagreements'")
    html = page_of(made, tmp_path)
    assert "What raters said" not in part(html, "summary")
    assert "Not counted: the votes of Panel of May" in words(part(html, "validity"))


def test_a_refused_leader_is_not_called_one(page: str) -> None:
    assert "No leader is named" in part(page, "summary")
    assert "not ranked" in part(page, "leaderboard")
    assert "could be" in part(page, "leaderboard")


def test_the_chart_draws_chance_ceiling_and_its_band() -> None:
    marks = {"A": Mark(Estimate(0.7, 0.6, 0.8, n=300), True), "B": Mark(Estimate(None), False)}
    known = Criterion("Alignment", marks, 0.5, Estimate(0.85, 0.8, 0.9, n=200))
    unknown = Criterion("Appeal", marks, 0.5, Estimate(None, note="ceiling from 3 pairs: too few"))
    drawn = agreement_chart([known, unknown], ["A", "B"], "a label")
    assert "people among themselves: 85%" in drawn
    assert "ceiling from 3 pairs: too few" in drawn
    assert "no scores" in drawn
    assert drawn.count('stroke-dasharray="3,3"') == 2
    assert 'aria-label="a label"' in drawn
