"""The section on refusals: when it is there, what it says, and what it keeps to itself."""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from reportscenario import NOW
from sampledb import SampleDb

from evalkit.report import Definition, Inputs, Report, build_report
from evalkit.report.build import _context
from evalkit.report.charts import Panel, forest
from evalkit.report.sections import builder
from evalkit.types import Estimate

SYSTEMS = ("north", "south", "east", "west")
HOSTILE = 'declined <b>"rudely"</b>'


def inputs(sample: SampleDb, **options: Any) -> Inputs:
    definition = Definition("Refusals", ("refusals",), options={"refusals": options} if options else {})
    return Inputs(sample.db, lambda digest: b"", definition, now=NOW)


@cache
def sample_run(systems: tuple[str, ...] = SYSTEMS) -> SampleDb:
    """Four topics of three prompts, three borderline ones, every outcome; `west` refuses most."""
    sample = SampleDb()
    sample.suite("refusals", "refusals")
    for system in systems:
        sample.system(system)
    for i in range(12):
        topic = ("sport", "war-history", "toys", "art")[i % 4]
        sample.case(
            "refusals", f"h{i}", prompt=f"A harmless thing {i} <i>", tags=["harmless", f"topic:{topic}"]
        )
    for i in range(3):
        tags = ["borderline", "topic:satire", "policy:public-figure"]
        sample.case("refusals", f"b{i}", prompt=f"A borderline thing {i}", tags=tags)
    for system in systems:
        n = SYSTEMS.index(system)
        for i in range(12):
            sample.trial("refusals", f"h{i}", system, **outcome(i, n))
        for i in range(3):
            sample.trial("refusals", f"b{i}", system, **outcome(i, n))
    return sample


def outcome(i: int, n: int) -> dict[str, Any]:
    if i < n:
        stage = ("input", "output", None)[i % 3]
        return {"status": "refused", "stage": stage, "kind": "policy_7", "reason": HOSTILE}
    return {10: {"status": "failed", "kind": "timeout"}, 11: {"status": "unknown"}}.get(i, {})


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return build_report(inputs(sample_run()), tmp_path_factory.mktemp("refusals") / "r.html")


@pytest.fixture(scope="module")
def html(report: Report) -> str:
    return report.path.read_text("utf-8")


def text_of(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_no_suite_of_that_category_no_section(tmp_path: Path) -> None:
    sample = SampleDb()
    sample.suite("product")
    sample.case("product", "c0")
    sample.system("a")
    sample.trial("product", "c0", "a", status="refused")
    made = build_report(inputs(sample), tmp_path / "r.html")
    assert made.left_out == ("refusals",)
    assert 'id="refusals"' not in made.path.read_text("utf-8")


def test_rates_with_intervals_and_bounds(html: str) -> None:
    rows = re.findall(r"<tr>.*?</tr>", html.split("<tbody>")[1], re.S)
    west = text_of(next(row for row in rows if "west" in row and "harmless" in row))
    assert "harmless 3 of 10" in west
    assert "30.0 % 6.7 to 65.2" in west
    assert "1 1 1 7" in west
    assert "2 25.0 % to 41.7 %" in west


def test_no_rate_is_printed_without_an_interval_or_a_reason(tmp_path: Path) -> None:
    sample = SampleDb()
    sample.suite("refusals", "refusals")
    sample.system("a")
    sample.case("refusals", "c0", tags=["harmless"])
    sample.trial("refusals", "c0", "a", status="failed", kind="timeout")
    text = build_report(inputs(sample), tmp_path / "r.html").path.read_text("utf-8")
    assert "no harmless one was refused." in text
    assert "no value</text>" in text
    assert "0 of 0" in text_of(text)
    assert "0.0 % to 100.0 %" in text_of(text)


def test_one_chart_per_question_in_the_colours_of_the_page(html: str) -> None:
    charts = re.findall(r"<svg.*?</svg>", html, re.S)
    assert len(charts) == 3
    assert not re.search(r"#0[12]0[0-9a-f]{3}", "".join(charts))
    for shade in range(4):
        assert all(f"var(--s{shade})" in chart for chart in charts)
    assert "war history</text>" in charts[1]
    assert "public figure</text>" in charts[2]


def test_rows_that_are_not_systems_have_the_colour_of_their_panel() -> None:
    rows = {"x": Estimate(0.2, 0.1, 0.4), "y": Estimate(0.5, 0.2, 0.8)}
    panels = [Panel(name, "", rows, shade=name, domain=(0.0, 1.0), percent=True) for name in ("a", "b")]
    chart = forest(panels, ["x", "y"], {"a": 3, "b": 5, "x": 7}, "label")
    assert {shade: chart.count(f"var(--s{shade})") > 0 for shade in (3, 5, 7)} == {3: True, 5: True, 7: False}
    assert chart.count(">100%<") == 2


def test_refused_prompts_are_listed_once_with_every_system(html: str) -> None:
    listed = html.split("that was refused")[-1].split("that were refused")[-1]
    assert listed.count("A harmless thing 0") == 1
    assert 'rowspan="3"' in listed
    assert "A harmless thing 5" not in listed
    assert "borderline thing" not in listed


def test_what_providers_write_is_text(html: str) -> None:
    assert "declined &lt;b&gt;&#34;rudely&#34;&lt;/b&gt;" in html
    assert "A harmless thing 0 &lt;i&gt;" in html


def test_the_list_can_be_shortened_and_says_so(tmp_path: Path) -> None:
    made = build_report(inputs(sample_run(), prompts=1), tmp_path / "r.html")
    assert "2 more prompts in the JSON file" in made.path.read_text("utf-8")
    results = json.loads(made.results.read_text("utf-8"))["sections"]["refusals"]
    assert [prompt["case"] for prompt in results["refused"]] == ["h0", "h1", "h2"]


def test_results_for_machines(report: Report) -> None:
    rows = json.loads(report.results.read_text("utf-8"))["sections"]["refusals"]["rows"]
    (west,) = [r for r in rows if (r["kind"], r["part"], r["system"]) == ("harmless", "", "west")]
    assert (west["refused"], west["failed"], west["unknown"], west["blank"]) == (3, 1, 1, None)
    assert {"rate", "rate_low", "rate_high", "best", "worst", "at_input"} <= set(west)


def test_blank_pictures_are_shown_beside_not_among_the_refusals(html: str, tmp_path: Path) -> None:
    assert "No metric has looked for blank pictures" in html
    sample = sample_run(("south",))
    sample.metric("delivery", "blank")
    for i, (trial,) in enumerate(sample.db.execute("SELECT trial FROM images ORDER BY trial").fetchall()):
        sample.score(trial, "delivery", "blank", float(i == 0))
    text = build_report(inputs(sample), tmp_path / "r.html").path.read_text("utf-8")
    assert "Some delivered pictures are blank." in text
    assert text.count("with them</span>") == 1


def test_restricted_prompts_are_not_quoted() -> None:
    context = _context(inputs(sample_run()))
    object.__setattr__(context, "restricted", ("refusals",))
    section = builder("refusals", None)(context, {})
    assert section is not None
    assert {prompt["prompt"] for prompt in section.results["refused"]} == {None}
    assert {one["words"] for prompt in section.results["refused"] for one in prompt["by"]} == {""}
