"""Both orders as one result."""

from __future__ import annotations

from itertools import product

import pytest

from evalkit.judge.pairs import settle
from evalkit.judge.templates import CHOICES

SWAPPED = {"first": "second", "second": "first", "tie": "tie"}


@pytest.mark.parametrize(
    ("forward", "backward", "result", "flipped"),
    [
        ("first", "second", "a", False),
        ("second", "first", "b", False),
        ("first", "first", "tie", True),
        ("second", "second", "tie", True),
        ("tie", "tie", "tie", None),
        ("first", "tie", "tie", None),
        ("tie", "first", "tie", None),
    ],
)
def test_a_win_is_a_win_in_both_orders(
    forward: str, backward: str, result: str, flipped: bool | None
) -> None:
    settled = settle(forward, backward)
    assert (settled.result, settled.flipped, settled.reason) == (result, flipped, None)


@pytest.mark.parametrize(("forward", "backward"), [*product(CHOICES, CHOICES)])
def test_names_do_not_matter(forward: str, backward: str) -> None:
    """Calling the two the other way round turns the result round, and nothing else."""
    here, there = settle(forward, backward), settle(backward, forward)
    turned = {"a": "b", "b": "a", "tie": "tie"}
    assert there.result == turned[str(here.result)]
    assert there.flipped == here.flipped


@pytest.mark.parametrize(("forward", "backward"), [("first", None), (None, "tie"), (None, None)])
def test_half_an_answer_is_none(forward: str | None, backward: str | None) -> None:
    settled = settle(forward, backward, "judge_refused")
    assert (settled.result, settled.flipped, settled.reason) == (None, None, "judge_refused")
