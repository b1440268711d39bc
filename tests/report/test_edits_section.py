"""Kept against done: the plane, and who is on its front."""

from __future__ import annotations

from evalkit.report.context import Context
from evalkit.report.sections.edits import build, pareto_front
from evalkit.types import Estimate


def test_the_front_is_what_no_other_beats_on_both() -> None:
    points = {
        "good": (Estimate(0.9), Estimate(0.3)),
        "careful": (Estimate(0.99), Estimate(0.1)),
        "poor": (Estimate(0.8), Estimate(0.2)),
        "twin": (Estimate(0.9), Estimate(0.3)),
        "edge": (Estimate(0.9), Estimate(0.2)),
    }
    assert pareto_front(points) == ("careful", "good", "twin")


def test_only_categories_with_both_numbers_are_shown(context: Context) -> None:
    section = build(context, {})
    assert section is not None
    assert [row["category"] for row in section.results] == ["edit-preservation"]
    assert section.results[0]["kept"] == "ssim_out_registered"
    assert section.results[0]["done"] == "clip_dir"
    assert set(section.results[0]["front"]) <= set(section.results[0]["systems"])


def test_the_axes_are_an_option(context: Context) -> None:
    assert build(context, {"done": "judge_followed"}) is None
    section = build(context, {"kept": "ssim_out_registered", "done": "clip_dir"})
    assert section is not None
