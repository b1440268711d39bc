from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.metrics.reading.lines import assign

pytestmark = pytest.mark.reference

LINES = st.lists(st.text("abcde ", min_size=1, max_size=8).filter(str.strip), max_size=5)


def test_lines_in_any_order():
    found = assign(["grand opening", "open daily"], ["open daily", "grand opening"])
    assert found.error_rate == 0
    assert found.exact_share == 1
    assert found.extra == ()


def test_one_expected_line_may_be_read_as_several():
    found = assign(
        ["one two three four five six seven", "end"],
        ["one two three", "junk", "four five", "six seven", "end"],
    )
    assert found.error_rate == 0
    assert found.extra == (1,)


def test_several_expected_lines_may_be_read_as_one():
    found = assign(
        ["winter market", "river museum", "honey"], ["winter market river museum", "hney", "sale sale"]
    )
    assert found.error_rate == 1 / 30
    assert found.exact_share == 2 / 3
    assert found.extra == (2,)
    assert assign(["keep", "clear"], ["keep clear"]).error_rate == 0


def test_what_has_no_partner_costs_its_length_and_no_more():
    assert assign(["abc"], []).error_rate == 1
    assert assign(["abc"], ["zzzzzzzzzz"]).error_rate == 1
    assert assign([], ["abc"]).error_rate is None
    assert assign([], ["abc"]).extra == (0,)


def test_empty_lines_take_no_part():
    found = assign(["", "abc"], ["", "abc"])
    assert found.error_rate == 0
    assert found.extra == ()


@given(LINES, LINES)
def test_every_line_is_somewhere_and_errors_are_bounded(expected: list[str], read: list[str]):
    found = assign(expected, read)
    assert sorted(n for group in found.groups for n in group.expected) == list(range(len(expected)))
    placed = [n for group in found.groups for n in group.read] + list(found.extra)
    assert sorted(placed) == list(range(len(read)))
    assert found.error_rate is None or 0 <= found.error_rate <= 1


@given(LINES, st.randoms(use_true_random=False))
def test_shuffled_lines_are_exact(expected: list[str], luck):
    read = list(expected)
    luck.shuffle(read)
    assert assign(expected, read).error_rate in (0, None)
