"""Anchors: what they are, when they are asked, and what a judging says of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from judgebench import FACE, Bench

from evalkit.errors import UsageError
from evalkit.judge import anchors as module
from evalkit.judge.anchors import Anchor, _pictures, anchors
from evalkit.studio import apply, parse, parse_edit
from evalkit.warehouse import connect

FEW = tuple(a for a in anchors() if a.id in ("t01", "t02", "t03", "e01", "e02", "e03"))


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> tuple[Anchor, ...]:
    """Six of them, small, so that nobody has to wait for the rest to be drawn."""
    monkeypatch.setattr(module, "anchors", lambda: FEW)
    monkeypatch.setattr(module, "SIZE", 64)
    return FEW


def test_there_are_sixty_of_each_sort_and_all_are_in_the_studios_language() -> None:
    by_task = Counter(anchor.edit for anchor in anchors())
    assert by_task == {False: 30, True: 30}, "each in two qualities"
    assert len({anchor.id for anchor in anchors()}) == 60
    for anchor in anchors():
        if not anchor.edit:
            assert parse(anchor.prompt) != parse(anchor.fault)
            continue
        before = parse(anchor.source)
        assert apply(parse_edit(anchor.prompt), before) != before
        if anchor.fault != "noop":
            assert apply(parse_edit(anchor.fault.removeprefix("also ")), before) != before


@pytest.mark.parametrize("anchor", FEW, ids=lambda anchor: anchor.id)
def test_good_and_bad_differ(monkeypatch: pytest.MonkeyPatch, anchor: Anchor) -> None:
    monkeypatch.setattr(module, "SIZE", 64)
    made = _pictures(anchor)
    assert made["good"] != made["bad"]
    assert (made["bad"] == made.get("source")) == (anchor.fault == "noop")


def test_anchors_are_asked_with_every_judging_and_paid_once(bench: Bench, few: object) -> None:
    report = bench.judge("rubric", repeats=2)
    assert report.ran.made == Counter(ok=6 + 24)
    assert max(bench.asked().values()) == 2, "once for each repeat"
    again = bench.judge("rubric", repeats=2)
    assert again.ran.reused == Counter(ok=30)
    assert len(bench.fakes.ledger()) == 30
    assert len(bench.facts("anchor")) == 48, "two numbers each, written once"
    drifts = {(drift.output, drift.template): drift for drift in again.drifts}
    assert {drift.verdict for drift in drifts.values()} == {"first"}
    assert drifts["judge_followed", "rubric"].right == 1.0
    with connect(bench.workspace) as db:
        assert db.execute("SELECT count(*) FROM judge_anchor_rows").fetchone() == (48,)
        scored = db.execute("SELECT count(*) FROM scores WHERE scored").fetchone()
    assert scored == (12,), "anchors are in nobody's scores"


def test_only_fitting_anchors_are_asked(bench: Bench, few: object) -> None:
    session = bench.session("yes-no", cases=("cup",), repeats=2)
    assert {use.anchor.edit for use in session.anchors} == {False}
    assert session.quote().anchors == 12
    assert 0 < session.quote().for_anchors < session.quote().expected
    both = bench.session("pairs", repeats=3)
    assert len(both.anchors) == 6 * 2 * 3


def test_a_judge_that_has_become_lenient_is_found_out(bench: Bench, few: object) -> None:
    bench.judge("rubric", repeats=2, cases=("cup",))
    bench.fakes.faults(FACE, "shape:lenient=1")
    report = bench.judge("rubric", repeats=2, cases=("cup",), occasion="a week later")
    assert report.ran.made == Counter(ok=12), "the pictures themselves are not asked about again"
    found = {drift.output: drift for drift in report.drifts}
    assert (found["judge_appeal"].verdict, found["judge_appeal"].shift) == ("drift", 1.0)
    assert found["judge_appeal"].items == 6
    assert found["judge_appeal"].since < "3"


def test_refused_anchors_are_null(bench: Bench, few: object) -> None:
    bench.fakes.faults(FACE, "end:moderation")
    report = bench.judge("rubric", repeats=2, cases=("cup",))
    assert {(r["value"], r["reason"]) for r in bench.facts("anchor")} == {(None, "judge_refused")}
    assert {(drift.items, drift.right) for drift in report.drifts} == {(0, None)}


def test_pairs_of_anchors_are_won_by_the_good_one(bench: Bench, few: object) -> None:
    report = bench.judge("pairs", repeats=2)
    assert {r["value"] for r in bench.facts("anchor")} <= {0.5, 1.0}
    assert all(drift.right is not None and drift.right >= 0.75 for drift in report.drifts)


def test_other_pictures_are_another_occasion(bench: Bench, few: object) -> None:
    one = bench.session("rubric", cases=("cup",), repeats=2)
    other = bench.session("rubric", cases=("ball",), repeats=2)
    assert one.occasion != other.occasion
    assert one.occasion == bench.session("rubric", cases=("cup",), repeats=2).occasion


def test_one_repeat_tells_nothing(bench: Bench, few: object) -> None:
    with pytest.raises(UsageError, match="too few repeats"):
        bench.session("rubric", repeats=1)


def test_anchors_are_drawn_once(bench: Bench, few: object, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.session("rubric", repeats=2)
    monkeypatch.setattr(module, "_pictures", lambda _: pytest.fail("drawn again"))
    bench.session("rubric", repeats=2)


def test_another_studio_draws_other_anchors(
    bench: Bench, few: object, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    one = bench.session("rubric", cases=("cup",), repeats=2)
    monkeypatch.setattr(module, "RECIPE", "another")
    changed = tuple(replace(a, fault=a.prompt) if not a.edit else a for a in FEW)
    monkeypatch.setattr(module, "anchors", lambda: changed)
    other = bench.session("rubric", cases=("cup",), repeats=2)
    kept = {use.key for use in one.anchors} & {use.key for use in other.anchors}
    assert len(kept) < len(one.anchors)
