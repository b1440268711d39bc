from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.metrics.networks.prompts import parts

PROSE = st.lists(
    st.sampled_from(
        ["a", "red", "mug", "stands", "there.", "Who?", "here,", "so:", "第一句。", "好，", "\n", "3.5"]
    ),
    max_size=40,
).map(" ".join)


def at_most(length: int):
    return lambda part: len(part) <= length


def test_what_fits_is_left_as_it_is():
    text = "  One cup.  Two cups. "
    assert parts(text, at_most(100)) == [text]


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("One cup. Two cups. Three.", 18, ["One cup. Two cups.", "Three."]),
        ('He said "Go away." Then he left! What?', 20, ['He said "Go away."', "Then he left! What?"]),
        ("Costs 3.50 today. Not more.", 17, ["Costs 3.50 today.", "Not more."]),
        ("a red mug, a blue cup, a spoon", 12, ["a red mug,", "a blue cup,", "a spoon"]),
        ("第一句。第二句！", 5, ["第一句。", "第二句！"]),
        ("abcdefgh", 3, ["abc", "def", "gh"]),
    ],
)
def test_cut_at_the_best_place(text: str, length: int, expected: list[str]):
    assert parts(text, at_most(length)) == expected


@given(PROSE, st.integers(1, 30))
def test_every_part_fits_and_nothing_is_lost(text: str, length: int):
    found = parts(text, at_most(length))
    assert re.sub(r"\s", "", "".join(found)) == re.sub(r"\s", "", text)
    assert all(len(part) <= length for part in found)
