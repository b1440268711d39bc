"""The content of the three big suites: what they promise in their READMEs, checked case by case."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
from numpy.typing import NDArray
from rapidfuzz import fuzz

from evalkit.images import decode
from evalkit.suite import load_suite, resolve_mask, resolve_source
from evalkit.types import ASPECT_RATIOS, EDIT_TYPES, Case, Suite

LEAST_CASES = MappingProxyType({"product": 80, "portrait": 72, "typography": 100})
LEAST_EDITS = MappingProxyType({"product": 10, "portrait": 10})
DIFFICULTIES = {"easy", "medium", "hard"}
LENGTHS = {"text-short": (1, 20), "text-medium": (21, 60), "text-long": (61, 5000)}
LONGEST_PROMPT = 2000
CHECK_KEYS = {
    "count": {"object", "n"},
    "colour": {"object", "colour"},
    "background": {"colour"},
    "faces": {"n"},
    "position": {"object", "relation", "other"},
    "absent": {"object"},
}
RELATIONS = {"left of", "right of", "above", "below", "on", "in front of"}
SCRIPTS = {
    "ru": "CYRILLIC",
    "uk": "CYRILLIC",
    "el": "GREEK",
    "ar": "ARABIC",
    "he": "HEBREW",
    "hi": "DEVANAGARI",
    "th": "THAI",
    "zh": "CJK UNIFIED",
    "ja": "KATAKANA",
    "ko": "HANGUL",
}
DIACRITICS = {
    "de": "ßöü",
    "fr": "ûèÀ",
    "es": "ñ¿ó",
    "cs": "čřžů",
    "pl": "łęąź",
    "tr": "ışİ",
    "vi": "ởấố",
    "is": "Þð",
}

PROBES = [
    ("product", "coffee-recolour-saucer-blue", (0.50, 0.90), (0.50, 0.40)),
    ("product", "coffee-remove-spoon", (0.61, 0.70), (0.50, 0.30)),
    ("product", "coffee-background-marble", (0.90, 0.20), (0.50, 0.40)),
    ("product", "rocket-nose-band", (0.505, 0.65), (0.505, 0.35)),
    ("product", "coins-remove-top-right", (0.87, 0.14), (0.72, 0.17)),
    ("product", "coins-background-white", (0.40, 0.25), (0.55, 0.64)),
    ("portrait", "astronaut-suit-blue", (0.20, 0.65), (0.333, 0.753)),
    ("portrait", "astronaut-glasses", (0.39, 0.19), (0.43, 0.28)),
    ("portrait", "astronaut-hair-black", (0.45, 0.08), (0.43, 0.25)),
    ("portrait", "astronaut-background-moon", (0.65, 0.20), (0.43, 0.25)),
    ("portrait", "photographer-telescope", (0.56, 0.31), (0.42, 0.30)),
    ("portrait", "photographer-tower-remove", (0.825, 0.30), (0.72, 0.36)),
]
"""Suite, case, a point (x, y) of the thing that changes, a point of the thing that must not."""


@cache
def suite(name: str) -> Suite:
    return load_suite(name)


def edits(name: str) -> list[Case]:
    return [case for case in suite(name).cases if case.task == "edit"]


def tags_with(prefix: str, case: Case) -> list[str]:
    return [tag.removeprefix(prefix) for tag in case.tags if tag.startswith(prefix)]


@cache
def mask_of(name: str, case_id: str) -> NDArray[np.uint8]:
    """H x W, 255 where the picture may change."""
    (case,) = (case for case in suite(name).cases if case.id == case_id)
    mask = resolve_mask(suite(name), case, resolve_source(suite(name), case))
    assert mask is not None
    return decode(mask.data)[..., 0]


def text_in(language: str) -> str:
    cases = (case for case in suite("typography").cases if f"lang-{language}" in case.tags)
    return "".join(text for case in cases for text in case.expected_text)


def tables(readme: str) -> dict[str, dict[str, int]]:
    """The tables of a README that count cases, by the head of their first column."""
    blocks = re.findall(r"^\| ([a-z ]+) \| cases \|\n\| --- \| --- \|\n((?:\|.+\n)+)", readme, re.MULTILINE)
    return {
        head: {row: int(n) for row, n in re.findall(r"\| (\S+) \| (\d+) \|", body)} for head, body in blocks
    }


def words_of(case: Case, head: str) -> tuple[str, ...]:
    """What `case` adds to the table with that head."""
    match head:
        case "task":
            return (case.task,)
        case "aspect ratio":
            return (case.aspect_ratio,)
        case "edit":
            return (case.edit_type or "",)
        case "check":
            return tuple(str(check["kind"]) for check in case.checks)
    return case.tags


every_suite = pytest.mark.parametrize("name", LEAST_CASES)
suites_with_edits = pytest.mark.parametrize("name", LEAST_EDITS)


@every_suite
def test_head(name: str) -> None:
    loaded = suite(name)
    assert (loaded.name, loaded.category, loaded.licence) == (name, name, "CC0-1.0")
    assert loaded.version == "1.0.0"
    assert not loaded.synthetic


@every_suite
def test_enough_cases_with_unique_ids(name: str) -> None:
    ids = [case.id for case in suite(name).cases]
    assert len(ids) >= LEAST_CASES[name]
    assert len(set(ids)) == len(ids)


@every_suite
def test_tags_are_plain_and_name_one_difficulty(name: str) -> None:
    for case in suite(name).cases:
        assert len(DIFFICULTIES & set(case.tags)) == 1, case.id
        assert len(set(case.tags)) == len(case.tags) >= 2, case.id
        assert all(re.fullmatch(r"[a-z0-9]+([-/][a-z0-9]+)*", tag) for tag in case.tags), case.id


@every_suite
def test_difficulties_are_balanced(name: str) -> None:
    cases = suite(name).cases
    tags = Counter(tag for case in cases for tag in case.tags)
    assert all(tags[difficulty] >= len(cases) / 5 for difficulty in DIFFICULTIES)


@every_suite
def test_every_aspect_ratio_is_used(name: str) -> None:
    assert {case.aspect_ratio for case in suite(name).cases} == set(ASPECT_RATIOS)


@every_suite
def test_prompts_differ_outside_their_cluster(name: str) -> None:
    for one, other in itertools.combinations(suite(name).cases, 2):
        assert one.prompt != other.prompt, (one.id, other.id)
        if one.cluster != other.cluster:
            assert fuzz.token_set_ratio(one.prompt, other.prompt) <= 95, (one.id, other.id)


@every_suite
def test_cluster_is_named_and_never_another_case(name: str) -> None:
    cases = suite(name).cases
    sizes = Counter(case.cluster for case in cases)
    assert all(case.cluster == case.id or sizes[case.cluster] > 1 for case in cases)
    assert not {case.id for case in cases if sizes[case.cluster] > 1} & set(sizes)


@every_suite
def test_texts_are_normalised(name: str) -> None:
    for case in suite(name).cases:
        for text in (case.prompt, *case.expected_text):
            assert unicodedata.is_normalized("NFC", text), case.id
            assert text == " ".join(text.split(" ")).strip(), case.id
            assert "\n" not in text, case.id
        assert len(case.prompt) <= LONGEST_PROMPT, case.id


@every_suite
def test_expected_text_is_quoted_in_the_prompt(name: str) -> None:
    for case in suite(name).cases:
        for text, times in Counter(case.expected_text).items():
            assert f"“{text}”" in case.prompt, (case.id, text)
            assert times == 1 or name == "product", (case.id, text)


@every_suite
def test_checks_follow_the_documented_kinds(name: str) -> None:
    for case in suite(name).cases:
        for check in case.checks:
            kind = str(check["kind"])
            assert set(check) - {"kind"} == CHECK_KEYS[kind], case.id
            assert kind != "position" or check["relation"] in RELATIONS, case.id
            assert kind not in {"count", "faces"} or (type(check["n"]) is int and check["n"] > 0), case.id


@every_suite
def test_readme_counts_are_true(name: str) -> None:
    loaded = suite(name)
    readme = (Path(loaded.root) / "README.md").read_text(encoding="utf-8")
    printed = tables(readme)
    assert f"({len(loaded.cases)} cases)" in readme
    assert {"task", "difficulty", "aspect ratio", "topic"} <= set(printed)
    assert set(printed["difficulty"]) == DIFFICULTIES
    for head, rows in printed.items():
        counted = Counter(word for case in loaded.cases for word in words_of(case, head))
        assert rows == {row: counted[row] for row in rows}, head


@suites_with_edits
def test_edits_say_what_changes_and_what_stays(name: str) -> None:
    assert len(edits(name)) >= LEAST_EDITS[name]
    for case in edits(name):
        assert case.keep, case.id
        assert case.source_caption, case.id
        assert case.target_caption, case.id
        assert case.source_caption != case.target_caption, case.id


@suites_with_edits
def test_edits_cover_many_kinds(name: str) -> None:
    kinds = {case.edit_type for case in edits(name)}
    assert kinds <= set(EDIT_TYPES)
    assert len(kinds) >= 8


@suites_with_edits
def test_only_edits_of_the_whole_picture_have_no_mask(name: str) -> None:
    for case in edits(name):
        assert (case.mask is None) == (case.edit_type in {"light", "restyle"}), case.id


@pytest.mark.parametrize(("name", "case_id", "inside", "outside"), PROBES)
def test_masks_lie_where_the_photograph_has_the_thing(
    name: str, case_id: str, inside: tuple[float, float], outside: tuple[float, float]
) -> None:
    mask = mask_of(name, case_id)
    height, width = mask.shape
    assert mask[int(inside[1] * height), int(inside[0] * width)] == 255
    assert mask[int(outside[1] * height), int(outside[0] * width)] == 0


@suites_with_edits
def test_masks_leave_something_to_change_and_something_to_keep(name: str) -> None:
    for case in edits(name):
        if case.mask is not None:
            assert 0.002 < (mask_of(name, case.id) == 255).mean() < 0.8, case.id


def test_portrait_edits_protect_a_person() -> None:
    assert all(any("identity" in kept for kept in case.keep) for case in edits("portrait"))


def test_typography_always_expects_text() -> None:
    assert all(case.expected_text for case in suite("typography").cases)


def test_typography_length_tag_is_the_measured_length() -> None:
    for case in suite("typography").cases:
        (tag,) = LENGTHS.keys() & set(case.tags)
        least, most = LENGTHS[tag]
        assert least <= sum(map(len, case.expected_text)) <= most, case.id


def test_typography_paragraphs_have_60_to_120_words() -> None:
    paragraphs = [case for case in suite("typography").cases if "paragraph" in case.tags]
    assert len(paragraphs) >= 4
    for case in paragraphs:
        assert 60 <= sum(len(text.split()) for text in case.expected_text) <= 120, case.id


def test_typography_speaks_many_languages() -> None:
    cases = suite("typography").cases
    assert all(tags_with("lang-", case) for case in cases)
    assert len({language for case in cases for language in tags_with("lang-", case)}) >= 12


@pytest.mark.parametrize(("language", "script"), SCRIPTS.items())
def test_typography_language_is_in_its_script(language: str, script: str) -> None:
    assert any(unicodedata.name(letter, "").startswith(script) for letter in text_in(language))


@pytest.mark.parametrize(("language", "letters"), DIACRITICS.items())
def test_typography_has_the_letters_that_break(language: str, letters: str) -> None:
    text = text_in(language)
    assert set(letters) <= set(text + text.lower())


def test_typography_covers_punctuation_and_prices() -> None:
    everything = "".join(text for case in suite("typography").cases for text in case.expected_text)
    assert set("&?!:;—“”’…€$£¥@") <= set(everything)


@pytest.mark.parametrize(
    "tag", ["curved", "unusual-spelling", "repeated-letters", "case-sensitive", "rtl", "handwriting"]
)
def test_typography_has_each_hard_layout(tag: str) -> None:
    assert sum(tag in case.tags for case in suite("typography").cases) >= 2
