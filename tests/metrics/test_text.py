from __future__ import annotations

import unicodedata

import jiwer
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from evalkit.metrics.reading.text import (
    error_rate,
    lenient,
    match_words,
    nospace,
    similarity,
    strict,
    word_error_rate,
    words,
)

pytestmark = pytest.mark.reference

texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=40)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  Open \n Daily\t9–5 ", "Open Daily 9–5"),
        ("Cafe\u0301", "Café"),
        ("ﬁsh", "ﬁsh"),
        ("co\u00adop\u200b", "coop"),
        ("", ""),
    ],
)
def test_strict_keeps_what_a_proofreader_sees(text: str, expected: str):
    assert strict(text) == expected


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("Grand Opening!", "grand opening"),
        ("“Don’t” — it’s £4.50, at 9:30", "don t it s 4.50 at 9:30"),
        ("¿Dónde está el niño?", "dónde está el niño"),
        ("Größe Straße", "grösse strasse"),
        ("ﬁsh ＆ Ｃｈｉｐｓ", "fish chips"),
        ("Ελλάδα", "ελλάδα"),
        ("Привет, мир", "привет мир"),
        ("中文 标语。", "中文 标语"),
        ("नमस्ते", "नमस्ते"),
        ("1.5-2.5", "1.5-2.5"),
        ("rock-n-roll", "rock n roll"),
        ("½ kg", "1/2 kg"),
        ("5\u2019 10\u2033", "5 10"),
        ("co\u00adop \u2067שלום\u2069", "coop שלום"),
        ("٣ شاي", "٣ شاي"),
    ],
)
def test_lenient_keeps_letters_of_every_script(text: str, normal: str):
    assert lenient(text) == normal


@pytest.mark.parametrize(
    ("read", "expected", "normal"),
    [
        ("o\u03c1en 9\u03c1m", "Open 9pm", "open 9pm"),
        ("\u0421\u041e\u0421\u041e", "COCO", "coco"),
        ("COK", "\u0421\u041e\u041a", "\u0441\u043e\u043a"),
        ("\u039dEW", "NEW", "new"),
        ("\u03b1\u03b2", "\u03b1\u03b2 abc", "\u03b1\u03b2"),
    ],
)
def test_lookalikes_are_read_in_the_expected_script(read: str, expected: str, normal: str):
    assert lenient(read, expected) == normal


def test_a_spelling_mistake_survives_both_forms():
    assert strict("Freindly Coffe") != strict("Friendly Coffee")
    assert lenient("FREINDLY COFFE") == "freindly coffe"


@given(texts)
@example("ΐ")
@example("\u1fb3")
@example("İ")
def test_normal_forms_are_stable(text: str):
    assert strict(strict(text)) == strict(text)
    once = lenient(text)
    assert lenient(once, text) == once
    assert once == " ".join(once.split())
    assert all(unicodedata.category(char)[0] in "LMN " or not char.isalpha() for char in once)


@given(texts, texts)
def test_case_and_punctuation_never_matter_to_lenient(text: str, other: str):
    del other
    assert lenient(text + "!") == lenient(text)
    assert lenient(f"({text})", text) == lenient(text)


@given(texts, texts, texts)
def test_error_rate_is_an_edit_distance(a: str, b: str, c: str):
    if not a:
        assert error_rate(a, b) is None
        return
    rate = error_rate(a, b)
    assert rate is not None
    assert (rate == 0) == (a == b)
    assert abs(len(a) - len(b)) / len(a) <= rate <= max(len(a), len(b)) / len(a)
    there, on = error_rate(a, c), (error_rate(c, b) or 0) * len(c) if c else len(b)
    assert rate * len(a) <= (there or 0) * len(a) + on + 1e-9


@pytest.mark.parametrize(
    ("expected", "read", "rate"),
    [("kitten", "sitting", 3 / 6), ("abc", "", 1.0), ("ab", "abcdef", 2.0), ("abc", "abc", 0.0)],
)
def test_error_rate_examples(expected: str, read: str, rate: float):
    assert error_rate(expected, read) == pytest.approx(rate)


def test_words_are_a_bag():
    match = match_words("open open daily", "daily open sale")
    assert (match.common, match.expected, match.read) == (2, 3, 3)
    assert match.recall == match.precision == match.f1 == pytest.approx(2 / 3)


@given(st.lists(st.sampled_from(["a", "b", "c", "d"])), st.lists(st.sampled_from(["a", "b", "c", "d"])))
def test_word_scores_ignore_order_and_stay_in_range(wanted: list[str], got: list[str]):
    match = match_words(" ".join(wanted), " ".join(got))
    assert match == match_words(" ".join(reversed(wanted)), " ".join(sorted(got)))
    assert (match.recall is None) == (not wanted)
    assert (match.precision is None) == (not got)
    assert all(0 <= value <= 1 for value in (match.recall, match.precision, match.f1) if value is not None)
    if wanted and sorted(wanted) == sorted(got):
        assert match.f1 == 1


def test_nospace():
    assert nospace("a b\n c") == "abc"


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("grand opening", ["grand", "opening"]),
        ("营业中 open 24", ["营", "业", "中", "open", "24"]),
        ("味噌ラーメン", ["味", "噌", "ラ", "ー", "メ", "ン"]),
        ("ก๋วยเตี๋ยว", ["ก๋", "ว", "ย", "เ", "ตี๋", "ย", "ว"]),
        ("abc中文def", ["abc", "中", "文", "def"]),
        ("달빛 책방", ["달빛", "책방"]),
        ("", []),
    ],
)
def test_words_are_characters_where_nobody_writes_spaces(text: str, pieces: list[str]):
    assert words(text) == pieces


@given(texts)
def test_words_lose_nothing_but_spaces(text: str):
    assert "".join(words(text)) == nospace(text)


def test_word_errors_know_order_and_word_scores_do_not():
    assert word_error_rate("open daily", "daily open") == 1
    assert match_words("open daily", "daily open").f1 == 1
    assert word_error_rate("open daily", "open daily sale") == pytest.approx(1 / 2)
    assert word_error_rate("", "x") is None


def test_similarity_is_one_minus_the_normalised_distance():
    assert similarity("kitten", "sitting") == pytest.approx(1 - 3 / 7)
    assert similarity("", "") == 1
    assert similarity("a", "") == 0


@given(st.text("abc éß", min_size=1, max_size=30), st.text("abc éß", max_size=30))
def test_word_error_rate_equals_jiwer(expected: str, read: str):
    if expected.strip():
        assert word_error_rate(expected, read) == pytest.approx(jiwer.wer(expected, read), abs=1e-12)
