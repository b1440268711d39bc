"""Scoring judges what has not been judged, and never turns a failure into a score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import pytest

from evalkit.errors import WeightsMissing
from evalkit.metrics import registry
from evalkit.metrics.base import Metric, Output, Subject
from evalkit.providers.systems import parse_systems
from evalkit.runner import judge as judge_module
from evalkit.runner.execute import execute
from evalkit.runner.plan import build_plan
from evalkit.runner.score import ScoreReport, score_run
from evalkit.runs import Plan, save_plan
from evalkit.store import Workspace, read_records
from evalkit.types import Case, Refused, Suite, Value
from evalkit.warehouse import connect


class Brightness(Metric):
    name: ClassVar[str] = "brightness"
    version: ClassVar[str] = "1"
    outputs: ClassVar[tuple[Output, ...]] = (
        Output("mean_level", "Mean level", "neither"),
        Output("text_level", "Level with text", "higher", needs=frozenset({"expected_text"})),
    )
    defaults: ClassVar[Mapping[str, str]] = {"gain": "1"}
    judged: ClassVar[list[str]] = []
    broken: ClassVar[bool] = False
    weights: ClassVar[str | None] = "w1"

    def weights_digest(self) -> str | None:
        if self.weights is None:
            raise WeightsMissing("brightness has no weights", "evalkit weights pull brightness")
        return self.weights

    def against(self, case: Case) -> Mapping[str, object]:
        return {"expected": list(case.expected_text)}

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        if self.broken:
            raise RuntimeError("the model exploded")
        self.judged.extend(subject.image_sha for subject in subjects)
        return [self._one(subject) for subject in subjects]

    def _one(self, subject: Subject) -> Mapping[str, Value]:
        if subject.image is None:
            return self.missing(subject.image_problem or "decode_error")
        level = float(subject.image.mean()) * float(self.options["gain"])
        text = Value(level) if subject.case.expected_text else Value(None, "no_text_expected")
        return {"mean_level": Value(level), "text_level": text}


@pytest.fixture(autouse=True)
def _brightness(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {**registry.known(), "brightness": Brightness}
    monkeypatch.setattr(registry, "known", lambda: known)
    judge_module._metric.cache_clear()
    Brightness.judged.clear()
    monkeypatch.setattr(Brightness, "broken", False)
    monkeypatch.setattr(Brightness, "weights", "w1")


def plan_and_run(workspace: Workspace, suite: Suite) -> Plan:
    plan, providers = build_plan([suite], parse_systems(["counted:a"]), keep=workspace.objects.put)
    plan = save_plan(workspace, plan)
    execute(workspace, plan, providers)
    return plan


def score(workspace: Workspace, plan: Plan, metrics: str = "brightness") -> ScoreReport:
    return score_run(workspace, plan, registry.parse(metrics), workers=1)


def values(workspace: Workspace, output: str = "mean_level") -> list[tuple[float | None, str | None]]:
    query = 'SELECT value, reason FROM scores WHERE output = ? ORDER BY run, "case"'
    with connect(workspace) as db:
        return db.execute(query, [output]).fetchall()


def test_a_second_pass_judges_nothing(workspace, counted, make_suite) -> None:
    plan = plan_and_run(workspace, make_suite(["a", "b", "c"]))
    first, second = score(workspace, plan), score(workspace, plan)
    assert first.judged == {"brightness": 3}
    assert second.judged == {}
    assert second.known == {"brightness": 3}
    assert len(Brightness.judged) == 3
    records = list(read_records(next(workspace.scores.glob("*.jsonl"))))
    assert [record["type"] for record in records] == ["metric", *["score"] * 3]


def test_the_same_picture_twice_is_judged_once(workspace, counted, make_suite) -> None:
    plan = plan_and_run(workspace, make_suite(["ab", "ba"]))
    assert score(workspace, plan).judged == {"brightness": 1}
    assert len(values(workspace)) == 2
    assert all(value is not None for value, _ in values(workspace))


@pytest.mark.parametrize("change", ["text", "weights", "config"])
def test_what_a_score_depends_on_makes_it_new(
    workspace, counted, make_suite, monkeypatch, change: str
) -> None:
    plan = plan_and_run(workspace, make_suite(["a"]))
    score(workspace, plan)
    if change == "text":
        plan = plan_and_run(workspace, make_suite(["a"], expected_text=["HI"]))
    if change == "weights":
        monkeypatch.setattr(Brightness, "weights", "w2")
    score(workspace, plan, "brightness[gain=2]" if change == "config" else "brightness")
    assert len(Brightness.judged) == 2


def test_a_failing_metric_marks_null_and_the_others_go_on(
    workspace, counted, make_suite, monkeypatch
) -> None:
    plan = plan_and_run(workspace, make_suite(["a", "b"]))
    monkeypatch.setattr(Brightness, "broken", True)
    report = score(workspace, plan)
    assert report.nulls["brightness"]["metric_error"] == 4
    assert "the model exploded" in report.hints[0]
    assert values(workspace) == [(None, "metric_error")] * 2
    monkeypatch.setattr(Brightness, "broken", False)
    score(workspace, plan)
    assert all(value is not None for value, _ in values(workspace))


def test_missing_weights_are_null_with_the_command_that_helps(
    workspace, counted, make_suite, monkeypatch
) -> None:
    plan = plan_and_run(workspace, make_suite(["a"]))
    monkeypatch.setattr(Brightness, "weights", None)
    report = score(workspace, plan)
    assert values(workspace) == [(None, "weights_missing")]
    assert report.hints == ["brightness: brightness has no weights. evalkit weights pull brightness"]
    monkeypatch.setattr(Brightness, "weights", "w1")
    score(workspace, plan)
    assert values(workspace)[0][0] is not None


def test_a_refusal_is_missing_and_never_zero(workspace, counted, make_suite) -> None:
    counted.answer = staticmethod(lambda request, ledger: Refused("no"))
    plan = plan_and_run(workspace, make_suite(["a"], expected_text=["HI"]))
    score(workspace, plan)
    assert values(workspace) == [(None, "refused")]
    assert values(workspace, "text_level") == [(None, "refused")]


def test_an_output_that_does_not_apply_is_not_expected(workspace, counted, make_suite) -> None:
    plan = plan_and_run(workspace, make_suite(["a"]))
    score(workspace, plan)
    assert values(workspace, "text_level") == []


def test_a_lost_object_is_a_reason(workspace, counted, make_suite) -> None:
    plan = plan_and_run(workspace, make_suite(["a"]))
    with connect(workspace) as db:
        (sha,) = db.execute("SELECT image FROM images").fetchone()
    workspace.objects.path(sha).unlink()
    score(workspace, plan)
    assert values(workspace) == [(None, "object_missing")]
