"""Cases as JSON and back."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import InvalidInput
from evalkit.suite import case_from_json, case_to_json
from evalkit.types import ASPECT_RATIOS, EDIT_TYPES, TASKS, Case, Mask, Shape

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(
    str.strip
)
text_lists = st.lists(texts, max_size=3).map(tuple)
units = st.floats(0, 1).map(lambda number: number + 0.0)
boxes = st.tuples(units, units, units, units).filter(lambda b: b[0] < b[2] and b[1] < b[3])
box_shapes = st.builds(Shape, st.sampled_from(["rect", "ellipse"]), boxes)
triangles = st.just(Shape("polygon", (0.0, 0.0, 1.0, 0.25, 0.5, 1.0)))
drawn = st.builds(
    Mask, st.lists(box_shapes | triangles, min_size=1, max_size=3).map(tuple), st.none(), st.booleans()
)
filed = st.builds(Mask, st.just(()), texts, st.booleans())
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
json_values = st.recursive(
    st.none() | st.booleans() | numbers | texts, lambda inner: st.lists(inner, max_size=2)
)
checks = st.fixed_dictionaries({"kind": texts}, optional={"value": json_values})
cases = st.builds(
    Case,
    id=st.from_regex(r"[a-z0-9][a-z0-9._-]{0,20}", fullmatch=True),
    prompt=texts,
    task=st.sampled_from(TASKS),
    aspect_ratio=st.sampled_from(ASPECT_RATIOS),
    tags=text_lists,
    cluster=st.just("") | texts,
    source=st.none() | texts,
    mask=st.none() | drawn | filed,
    source_caption=st.none() | texts,
    target_caption=st.none() | texts,
    edit_type=st.none() | st.sampled_from(EDIT_TYPES),
    keep=text_lists,
    expected_text=text_lists,
    checks=st.lists(checks, max_size=2).map(tuple),
)


@settings(max_examples=150, deadline=None)
@given(cases)
def test_a_case_survives_the_round_trip_through_text(case: Case) -> None:
    assert case_from_json(json.loads(json.dumps(case_to_json(case)))) == case


def test_defaults_are_left_out() -> None:
    assert case_to_json(Case("mug", "a red mug")) == {"id": "mug", "prompt": "a red mug"}


@pytest.mark.parametrize(
    ("mask", "written"),
    [
        (Mask(file="inputs/m.png"), "inputs/m.png"),
        (Mask(file="inputs/m.png", invert=True), {"file": "inputs/m.png", "invert": True}),
        (
            Mask((Shape("rect", (0, 0, 1, 0.5)),)),
            {"shapes": [{"kind": "rect", "points": [0, 0, 1, 0.5]}]},
        ),
    ],
)
def test_masks_are_written_as_people_write_them(mask: Mask, written: Any) -> None:
    case = Case("a", "b", task="edit", source="s", mask=mask)
    assert case_to_json(case)["mask"] == written
    assert case_from_json(case_to_json(case)) == case


def test_every_wrong_key_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        case_from_json({"id": "A", "promt": "x", "tags": "y"})
    message = caught.value.message
    for part in (
        "\"id\" is 'A'",
        'unknown key "promt"; did you mean "prompt"?',
        '"tags" must be a list',
        '"prompt" is missing',
    ):
        assert part in message
