"""Which texts are read out of prompts, and which marks are apostrophes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.suite.fields import NAME
from evalkit.suite.importers.texts import (
    MAX_ID,
    between_apostrophes,
    case_id,
    language,
    opening,
    quoted,
    tag,
    word_bag,
)


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ('a sign that says "OPEN"', ("OPEN",)),
        ("a sign “OPEN” and “ CLOSED ”", ("OPEN", "CLOSED")),
        ("招牌『新鮮』和『每天』", ("新鮮", "每天")),
        ("a boat with 'BLUE GROOVE' on its hull", ()),
        ("world's best brother's t-shirt", ()),
        ("the word ‘openai’", ()),
        ('a 5" screen beside a 6" phone', ()),
        ('a 5" screen that says "HI"', ("HI",)),
        ('an "" empty one', ()),
    ],
)
def test_quotation_marks(prompt: str, texts: tuple[str, ...]) -> None:
    assert quoted(prompt) == texts


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("a storefront with 'Hello World' written on it.", ("Hello World",)),
        ("the dogs' bowl says 'Let's eat', twice", ("Let's eat",)),
        ("the dogs' and the cats' bowls", ()),
        ("don't and won't", ()),
        ("'A' and 'B'", ("A", "B")),
    ],
)
def test_single_marks(prompt: str, texts: tuple[str, ...]) -> None:
    assert between_apostrophes(prompt) == texts


def test_languages_families_and_tags() -> None:
    assert [language(text) for text in ("a mug", "红色杯子", "カップ", "größe")] == ["en", "zh", "zh", "en"]
    assert opening("A portrait of a tall man in blue") == opening("a portrait of a tall man, red")
    assert opening("too short") == ""
    assert word_bag("a red cup and a blue bowl") == word_bag("a blue cup and a red bowl")
    assert tag("category", "Food & Beverage") == "category:food-and-beverage"


@given(st.text(min_size=1, max_size=300))
def test_every_text_has_a_fit_id(text: str) -> None:
    made = case_id(text)
    assert NAME.fullmatch(made)
    assert len(made) <= MAX_ID
