from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from reportscenario import NOW, SYSTEMS, Scenario, inputs_of
from sampledb import SampleDb

from evalkit.errors import UnknownName
from evalkit.report import Definition, Inputs, Report, build_report, load_definition

VOID = {"meta", "img", "br", "link", "input", "hr", "path", "line", "circle", "rect"}


class Outline(HTMLParser):
    """Tags with their attributes, headings and captions, and whether every tag is closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.levels: list[int] = []
        self.stack: list[str] = []
        self.misplaced: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if re.fullmatch("h[1-6]", tag):
            self.levels.append(int(tag[1]))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID and (not self.stack or self.stack.pop() != tag):
            self.misplaced.append(tag)


@pytest.fixture(scope="module")
def outline(html: str) -> Outline:
    return Outline(html)


def test_tags_are_closed_in_order(outline: Outline) -> None:
    assert (outline.misplaced, outline.stack) == ([], [])


def test_nothing_is_fetched_and_nothing_runs(outline: Outline, html: str) -> None:
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in html
    assert not {"script", "link", "iframe", "object", "form", "base"} & {tag for tag, _ in outline.tags}
    for tag, attributes in outline.tags:
        assert not any(name.startswith("on") for name in attributes), tag
        for name in ("src", "href", "xlink:href", "srcset", "action"):
            value = attributes.get(name)
            assert value is None or value.startswith(("data:image/jpeg;base64,", "#")), (tag, name)
    assert "url(" not in html
    assert "@import" not in html


def test_prompts_and_messages_are_escaped(html: str) -> None:
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in html
    assert "flagged &lt;b&gt;unsafe&lt;/b&gt;" in html


def test_headings_descend_one_step_at_a_time(outline: Outline) -> None:
    assert outline.levels[0] == 1
    assert outline.levels.count(1) == 1
    assert all(after <= before + 1 for before, after in zip(outline.levels, outline.levels[1:], strict=False))


def test_every_picture_table_and_chart_says_what_it_is(outline: Outline) -> None:
    tags = [tag for tag, _ in outline.tags]
    assert all(attributes.get("alt") for tag, attributes in outline.tags if tag == "img")
    assert tags.count("table") == tags.count("caption") > 10
    charts = [attributes for tag, attributes in outline.tags if tag == "svg"]
    assert charts
    assert all(chart.get("role") == "img" and chart.get("aria-label") for chart in charts)


def test_every_link_inside_has_its_target(outline: Outline) -> None:
    ids = {attributes["id"] for _, attributes in outline.tags if "id" in attributes}
    targets = {attributes["href"] for tag, attributes in outline.tags if tag == "a"}
    assert {f"#{name}" for name in ids} >= targets
    assert {"#summary", "#gallery", "#methods"} <= targets


def test_what_is_not_real_is_said_at_the_top(html: str) -> None:
    banner = html[html.index('class="banner"') : html.index('class="frame"')]
    assert "Synthetic suites: typography." in banner
    assert "Drawn, not generated: easel-1." in banner
    assert "Simulated votes: Panel of May." in banner


def test_simulated_votes_are_marked_in_chart_and_tables(html: str) -> None:
    votes = html[html.index('id="votes"') : html.index('id="validity"')]
    assert len(re.findall(r"<caption>\w+ \(simulated\)", votes)) == len(re.findall("<caption>", votes))
    assert "Alignment (simulated)</text>" in votes


def test_charts_take_their_colours_from_the_page(html: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", html, re.S)
    assert all(re.search(r"var\(--(s\d|ink)\)", chart) for chart in charts)
    assert not re.search(r"#0[12]0[0-9a-f]{3}", "".join(charts))
    assert max(map(len, charts)) < 80_000


def test_same_inputs_same_bytes_and_only_now_is_a_clock(
    made: Scenario, report: Report, tmp_path: Path
) -> None:
    again = build_report(inputs_of(made), tmp_path / "again.html")
    assert again.path.read_bytes() == report.path.read_bytes()
    assert again.results.read_bytes() == report.results.read_bytes()
    later = build_report(replace(inputs_of(made), now=NOW + timedelta(hours=1)), tmp_path / "later.html")
    difference = [
        line
        for line, other in zip(
            later.path.read_text("utf-8").splitlines(),
            again.path.read_text("utf-8").splitlines(),
            strict=True,
        )
        if line != other
    ]
    assert len(difference) == 1


def test_results_beside_the_report(report: Report) -> None:
    results = json.loads(report.results.read_text("utf-8"))
    assert results["run"] == "run-1"
    assert results["studies"] == ["panel"]
    board = results["sections"]["leaderboard"]
    assert {row["system"] for row in board} == set(SYSTEMS)
    assert {"estimate", "estimate_low", "estimate_high", "n_scored", "coverage_gap"} <= set(board[0])
    findings = results["sections"]["summary"]["findings"]
    assert [f["category"] for f in findings] == ["product", "portrait", "typography", "edit-preservation"]
    assert results["sections"]["votes"][0]["simulated"] is True


def test_progress_names_each_section_in_order(made: Scenario, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    definition = replace(load_definition(), sections=("summary", "methods"), options={})
    build_report(inputs_of(made, definition), tmp_path / "r.html", lambda *step: told.append(step))
    assert told == [("summary", 0, 2), ("methods", 1, 2)]


def test_unknown_section_offers_a_near_one(made: Scenario, tmp_path: Path) -> None:
    definition = Definition("R", ("sumary",))
    with pytest.raises(UnknownName) as caught:
        build_report(inputs_of(made, definition), tmp_path / "r.html")
    assert "Did you mean summary?" in caught.value.hint
    assert not (tmp_path / "r.html").exists()


def test_unknown_study_is_an_error(made: Scenario, tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="nobody"):
        build_report(replace(inputs_of(made), studies=["nobody"]), tmp_path / "r.html")


def test_a_run_with_nothing_done_still_makes_a_report(tmp_path: Path) -> None:
    sample = SampleDb()
    sample.suite("product")
    sample.case("product", "c0", prompt="A mug.")
    sample.system("a")
    sample.trial("product", "c0", "a", status=None)
    inputs = Inputs(sample.db, lambda digest: b"", load_definition(), now=NOW)
    made = build_report(inputs, tmp_path / "r.html")
    text = made.path.read_text("utf-8")
    assert "Nothing is scored here yet." in text
    assert made.left_out == ("leaderboard", "votes", "validity", "edits", "faults", "refusals", "cost")
    assert "planned" in text


def test_the_default_report_stays_small(report: Report) -> None:
    assert report.size < 5_000_000
