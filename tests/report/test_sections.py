"""What every section promises, and what the gallery chooses."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from reportscenario import NOW, Scenario, inputs_of
from sampledb import SampleDb

from evalkit.report import Context, Definition, Inputs, build_report
from evalkit.report.build import _context
from evalkit.report.charts import _is_tight
from evalkit.report.page import TEMPLATES
from evalkit.report.sections import _bundled, builder
from evalkit.report.sections.gallery import _chosen, _columns

WHERE_THERE_IS_A_SUITE_FOR_IT = {"refusals"}
"""Sections that the sample scenario has no cases for; each has tests of its own."""


def bare() -> Context:
    sample = SampleDb()
    sample.suite("product")
    sample.case("product", "c0")
    sample.system("a")
    return _context(Inputs(sample.db, lambda digest: b"", Definition("R", ()), now=NOW))


@pytest.mark.parametrize("name", sorted(set(_bundled()) - WHERE_THERE_IS_A_SUITE_FOR_IT))
def test_every_section_has_a_template_and_json_results(name: str, context: Context) -> None:
    section = builder(name, None)(context, {})
    assert section is not None
    assert section.title
    assert (TEMPLATES / f"{name}.html").is_file()
    assert json.loads(json.dumps(section.results, default=str)) is not None


@pytest.mark.parametrize("name", _bundled())
def test_every_section_survives_an_empty_run(name: str) -> None:
    section = builder(name, None)(bare(), {})
    assert section is None or section.title


def test_a_section_alone_makes_a_page(made: Scenario, tmp_path: Path) -> None:
    for name in set(_bundled()) - WHERE_THERE_IS_A_SUITE_FOR_IT:
        report = build_report(inputs_of(made, Definition("R", (name,))), tmp_path / f"{name}.html")
        assert f'<section id="{name}"' in report.path.read_text("utf-8")


def test_gallery_takes_what_differs_most_one_per_cluster_then_draws(context: Context) -> None:
    chosen = _chosen(context, "product", {"differing": 2, "random": 1})
    assert list(chosen.values()) == ["differs", "differs", "random"]
    spread = {
        (row["suite"], row["case"]): row["spread"]
        for row in context.query(
            'SELECT suite, "case", max(value) - min(value) AS spread FROM case_scores '
            "WHERE category = 'product' AND output = 'clip_cos' GROUP BY ALL"
        )
    }
    assert next(iter(chosen)) == max(spread, key=lambda key: spread[key])
    clusters = [int(case[-2:]) // 2 for (_, case), why in chosen.items() if why == "differs"]
    assert len(set(clusters)) == 2


def test_gallery_draw_follows_the_seed(made: Scenario) -> None:
    definitions = [Definition("R", (), seed=seed) for seed in range(6)]
    draws = [
        tuple(_chosen(_context(inputs_of(made, d)), "product", {"differing": 0, "random": 2}))
        for d in definitions
    ]
    assert len(set(draws)) > 1
    assert draws[0] == tuple(
        _chosen(_context(inputs_of(made, definitions[0])), "product", {"differing": 0, "random": 2})
    )


def test_gallery_stops_at_its_budget_and_says_so(made: Scenario, tmp_path: Path) -> None:
    small = Definition("R", ("gallery",), options={"gallery": {"megabytes": 0.06}})
    report = build_report(inputs_of(made, small), tmp_path / "r.html")
    text = report.path.read_text("utf-8")
    assert "more left out to keep the file small" in text
    assert report.size < 150_000


@pytest.mark.parametrize(
    ("tiles", "columns"), [(1, 3), (5, 5), (6, 6), (7, 4), (8, 4), (9, 5), (10, 5), (11, 6), (12, 6)]
)
def test_gallery_rows_are_as_full_as_can_be(tiles: int, columns: int) -> None:
    assert _columns(tiles) == columns


def test_colours_belong_to_systems(context: Context) -> None:
    assert context.colours == {name: i for i, name in enumerate(s.name for s in context.systems)}


@pytest.mark.parametrize(
    ("name", "place", "before"),
    [
        ("a", 0.77, False),
        ("provider:a-long-model-name", 0.2, False),
        ("provider:a-long-model-name", 0.77, True),
    ],
)
def test_names_in_the_plane_stand_where_there_is_room(name: str, place: float, before: bool) -> None:
    assert _is_tight(name, place) is before
