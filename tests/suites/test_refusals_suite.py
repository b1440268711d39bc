"""The suites of category refusals: what their READMEs promise, and what must never be in them."""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path

import pytest
from rapidfuzz import fuzz

from evalkit.leaderboard.refusals import KINDS
from evalkit.providers.studio import Studio
from evalkit.studio import parse
from evalkit.suite import load_suite
from evalkit.types import Case, Request, Suite, System

POLICIES = {"policy:violence", "policy:trademark", "policy:public-figure"}
UNWELCOME = (
    r"\b(nude|naked|nudity|sex\w*|erotic|lingerie|underwear|bikini|breast\w*|topless|kiss\w*)\b",
    r"\b(child\w*|kid|kids|baby|babies|toddler\w*|infant\w*|boy|boys|girl|girls|teen\w*|schoolgirl|schoolboy|minor)\b",
    r"\b(corpse|gore|gory|wound|torture\w*|behead\w*|suicide|swastika|nazi|terror\w*|slur)\b",
)
"""What no prompt may ask for: nudity and sex, minors, gore and hatred."""
ALLOWED = {"no wounds", "no blood"}


@cache
def suite(name: str) -> Suite:
    return load_suite(name)


def tags(case: Case, prefix: str) -> list[str]:
    return [tag for tag in case.tags if tag.startswith(prefix)]


def kind(case: Case) -> str:
    (found,) = set(KINDS) & set(case.tags)
    return found


every_suite = pytest.mark.parametrize("name", ["refusals", "demo-refusals"])


def test_heads() -> None:
    for name, synthetic in (("refusals", False), ("demo-refusals", True)):
        head = suite(name)
        assert (head.category, head.licence, head.synthetic) == ("refusals", "CC0-1.0", synthetic)


@every_suite
def test_every_case_is_harmless_or_borderline_and_has_one_topic(name: str) -> None:
    for case in suite(name).cases:
        assert kind(case) in ("harmless", "borderline")
        assert len(tags(case, "topic:")) == 1, case.id
        assert len(tags(case, "policy:")) == (kind(case) == "borderline"), case.id
        assert len(case.tags) == 2 + (kind(case) == "borderline"), case.id
        assert set(tags(case, "policy:")) <= POLICIES
        assert (case.task, case.aspect_ratio) == ("t2i", "1:1")


def test_enough_of_each() -> None:
    cases = suite("refusals").cases
    assert Counter(map(kind, cases)) == {"harmless": 60, "borderline": 30}
    topics = Counter(tags(case, "topic:")[0] for case in cases if kind(case) == "harmless")
    assert len(topics) >= 8
    assert min(topics.values()) >= 5
    assert min(Counter(tag for case in cases for tag in tags(case, "policy:")).values()) >= 10


def test_a_topic_belongs_to_one_kind() -> None:
    kinds = {(tags(case, "topic:")[0], kind(case)) for case in suite("refusals").cases}
    assert len(kinds) == len({topic for topic, _ in kinds})


@every_suite
def test_nothing_unwelcome_is_asked_for(name: str) -> None:
    for case in suite(name).cases:
        text = case.prompt.lower()
        for allowed in ALLOWED:
            text = text.replace(allowed, "")
        assert not [found[0] for pattern in UNWELCOME if (found := re.search(pattern, text))], case.id


@every_suite
def test_prompts_differ_and_are_normalised(name: str) -> None:
    cases = suite(name).cases
    assert len({case.id for case in cases}) == len(cases)
    for one, other in itertools.combinations(cases, 2):
        assert one.prompt != other.prompt
        assert fuzz.token_set_ratio(one.prompt, other.prompt) <= 95, (one.id, other.id)
    for case in cases:
        assert unicodedata.is_normalized("NFC", case.prompt)
        assert case.prompt == " ".join(case.prompt.split()), case.id
        assert len(case.prompt) <= 300, case.id
        assert "[[" not in case.prompt, case.id


def test_no_prompt_is_in_another_suite() -> None:
    ours = {case.prompt for case in suite("refusals").cases}
    for other in ("product", "portrait", "typography"):
        assert ours.isdisjoint(case.prompt for case in load_suite(other).cases)


def test_readme_counts_are_true() -> None:
    loaded = suite("refusals")
    readme = (Path(loaded.root) / "README.md").read_text("utf-8")
    counted = Counter(tag for case in loaded.cases for tag in (case.task, *case.tags))
    printed = dict(re.findall(r"^\| (\S+) \| (\d+) \|$", readme, re.MULTILINE))
    assert {name: int(n) for name, n in printed.items()} == dict(counted)
    assert f"({len(loaded.cases)} cases)" in readme


def test_the_studio_draws_every_demo_prompt() -> None:
    for case in suite("demo-refusals").cases:
        assert parse(case.prompt).items, case.id


def test_the_studios_refuser_declines_some_of_each_kind() -> None:
    """The demo has something to show: about a fifth, harmless ones and borderline ones."""
    refuser = Studio(System("studio", "refuser"))
    declined = [case for case in suite("demo-refusals").cases if refuser._declined(asked_of(case))]
    assert Counter(map(kind, declined)) == {"harmless": 5, "borderline": 1}


def asked_of(case: Case) -> Request:
    return Request("t", "demo-refusals", case.id, 0, case.task, case.prompt, case.aspect_ratio, "refuser", {})
