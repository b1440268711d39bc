"""A plan is complete, stable and immutable."""

from __future__ import annotations

import json

import pytest

from evalkit.errors import InvalidInput, UsageError
from evalkit.providers.systems import parse_systems
from evalkit.runner.plan import build_plan
from evalkit.runs import load_plan, plan_from_json, plan_path, plan_to_json, save_plan


def test_the_same_content_has_the_same_run(workspace, counted, make_suite) -> None:
    suite = make_suite(["a red mug", "a blue mug"])
    one, _ = build_plan([suite], parse_systems(["counted:a"]))
    two, _ = build_plan([suite], parse_systems(["counted:a"]))
    other, _ = build_plan([suite], parse_systems(["counted:b"]))
    assert one.run == two.run
    assert one.run != other.run
    assert one.run.startswith("tiny-")


def test_a_plan_comes_back_as_it_was(workspace, counted, make_suite) -> None:
    suite = make_suite(["a red mug"], expected_text=["MUG"], checks=[{"kind": "count", "n": 1}])
    plan, _ = build_plan([suite], parse_systems(["best=counted:a?x=1"]), replicates=2)
    assert plan_from_json(json.loads(json.dumps(plan_to_json(plan))), plan.trials) == plan
    save_plan(workspace, plan)
    assert load_plan(workspace, plan.run) == plan


def test_a_label_is_not_asked(workspace, counted, make_suite) -> None:
    suite = make_suite(["a red mug"])
    plain, _ = build_plan([suite], parse_systems(["counted:a"]))
    labelled, _ = build_plan([suite], parse_systems(["mine=counted:a"]))
    assert plain.trials == labelled.trials


def test_a_name_cannot_be_used_for_another_plan(workspace, counted, make_suite) -> None:
    one, _ = build_plan([make_suite(["a red mug"])], parse_systems(["counted:a"]), name="mine")
    save_plan(workspace, one)
    assert save_plan(workspace, one) == one
    two, _ = build_plan([make_suite(["a blue mug"])], parse_systems(["counted:a"]), name="mine")
    with pytest.raises(UsageError, match="plans something else"):
        save_plan(workspace, two)


@pytest.mark.parametrize("name", ["../up", "", "a/b", ".hidden"])
def test_a_name_is_a_folder_name(counted, make_suite, name: str) -> None:
    with pytest.raises(UsageError, match="not a good name"):
        build_plan([make_suite(["a red mug"])], parse_systems(["counted:a"]), name=name)


def test_nothing_to_plan_is_an_error(counted, make_suite) -> None:
    suite = make_suite(["a red mug"])
    with pytest.raises(UsageError, match="no suite"):
        build_plan([], parse_systems(["counted:a"]))
    with pytest.raises(UsageError, match="no system"):
        build_plan([suite], [])
    with pytest.raises(UsageError, match="same name"):
        build_plan([suite, suite], parse_systems(["counted:a"]))


def test_a_damaged_plan_says_so(workspace) -> None:
    path = plan_path(workspace, "broken")
    path.parent.mkdir(parents=True)
    path.write_text('{"run": "broken"}')
    with pytest.raises(InvalidInput, match="not a plan"):
        load_plan(workspace, "broken")
