"""The bundled edit-preservation suite keeps the promises of its README."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache

import numpy as np
import pytest

from evalkit.images import decode
from evalkit.suite import PHOTOGRAPHS, find_suite, load_suite, resolve_mask, resolve_source
from evalkit.types import ASPECT_RATIOS, EDIT_TYPES, Case, Suite

LEVELS = ("easy", "medium", "hard")
README = (find_suite("edit-preservation") / "README.md").read_text("utf-8")


@cache
def suite() -> Suite:
    return load_suite("edit-preservation")


def level(case: Case) -> str:
    (found,) = [tag for tag in case.tags if tag in LEVELS]
    return found


def test_there_are_enough_cases_of_every_kind() -> None:
    counts = Counter(case.edit_type for case in suite().cases)
    assert len(suite().cases) >= 70
    assert min(counts[kind] for kind in EDIT_TYPES) >= 5


@pytest.mark.parametrize("kind", EDIT_TYPES)
def test_the_table_of_the_readme_is_true(kind: str) -> None:
    cases = [case for case in suite().cases if case.edit_type == kind]
    levels = Counter(level(case) for case in cases)
    row = " | ".join(str(levels[name]) for name in LEVELS)
    assert f"| {kind} | {row} | {len(cases)} |" in README


def test_the_photographs_of_the_readme_are_those_used() -> None:
    used = Counter(str(case.source).removeprefix("skimage:") for case in suite().cases)
    listed = {name: int(n) for name, n in re.findall(r"^\| `(\w+)` \|.*?\| (\d+) \|", README, re.MULTILINE)}
    assert listed == used
    assert set(used) <= set(PHOTOGRAPHS)


def test_prompts_and_cases_are_distinct() -> None:
    assert len({case.prompt for case in suite().cases}) == len(suite().cases)
    assert all(case.cluster for case in suite().cases)
    assert f"in {len({case.cluster for case in suite().cases})} clusters" in README


def test_edited_text_is_expected_and_quoted_in_the_prompt() -> None:
    for case in suite().cases:
        assert bool(case.expected_text) == (case.edit_type == "text"), case.id
        for text in case.expected_text:
            assert f'"{text}"' in case.prompt
            assert text in str(case.target_caption)


def test_portraits_say_whose_identity_must_survive() -> None:
    for case in suite().cases:
        if "person" in case.tags:
            assert any("identity" in kept for kept in case.keep), case.id


def test_black_and_white_pictures_stay_so() -> None:
    for case in suite().cases:
        pixels = decode(resolve_source(suite(), case).data)
        grey = bool(np.ptp(pixels.astype(int), axis=2).max() == 0)
        assert grey == ("black-and-white" in case.tags), case.id


def test_the_aspect_ratio_is_the_nearest_to_the_photograph() -> None:
    for case in suite().cases:
        source = resolve_source(suite(), case)
        shape = np.log(source.width / source.height)
        parts = [(name, *map(int, name.split(":"))) for name in ASPECT_RATIOS]
        nearest = min(parts, key=lambda part: abs(np.log(part[1] / part[2]) - shape))
        assert case.aspect_ratio == nearest[0], case.id


def test_masks_leave_something_to_keep_and_something_to_change() -> None:
    shares = [mask_share(case) for case in suite().cases]
    assert min(shares) > 0.002
    assert max(shares) < 0.95
    assert np.median(shares) < 0.15


def mask_share(case: Case) -> float:
    mask = resolve_mask(suite(), case, resolve_source(suite(), case))
    return float(np.mean(decode(mask.data)[:, :, 0] > 0))


AIMS = {
    "astronaut-glasses": [(0.41, 0.20), (0.48, 0.205)],
    "astronaut-no-shuttle": [(0.83, 0.10), (0.79, 0.30), (0.88, 0.40)],
    "astronaut-blue-suit": [(0.15, 0.80), (0.62, 0.60)],
    "coffee-blue-saucer": [(0.20, 0.50), (0.75, 0.55)],
    "coffee-gold-spoon": [(0.60, 0.70), (0.685, 0.21)],
    "cat-blue-eyes": [(0.37, 0.38), (0.70, 0.45)],
    "rocket-sunrise": [(0.40, 0.10), (0.80, 0.60)],
    "cameraman-no-tower": [(0.825, 0.30)],
    "cameraman-snow": [(0.90, 0.70), (0.40, 0.90)],
    "coins-on-white": [(0.50, 0.50), (0.02, 0.02)],
}
SPARED = {
    "astronaut-library": [(0.45, 0.22), (0.30, 0.75), (0.75, 0.85)],
    "astronaut-blue-suit": [(0.335, 0.75), (0.60, 0.70), (0.45, 0.25), (0.505, 0.80)],
    "astronaut-brown-hair": [(0.45, 0.25), (0.38, 0.22)],
    "coffee-marble": [(0.50, 0.30), (0.20, 0.50), (0.60, 0.70)],
    "coffee-blue-saucer": [(0.50, 0.30), (0.60, 0.70), (0.37, 0.66)],
    "cat-garden": [(0.37, 0.38), (0.70, 0.45), (0.58, 0.80)],
    "rocket-sunrise": [(0.504, 0.35), (0.504, 0.70)],
    "cameraman-snow": [(0.20, 0.60), (0.575, 0.80), (0.70, 0.80)],
    "coins-on-white": [(0.11, 0.18), (0.90, 0.62), (0.935, 0.88)],
}


@pytest.mark.parametrize(("points", "may_change"), [(AIMS, True), (SPARED, False)])
def test_masks_lie_where_the_thing_is(points: dict[str, list[tuple[float, float]]], may_change: bool) -> None:
    cases = {case.id: case for case in suite().cases}
    for name, places in points.items():
        mask = decode(resolve_mask(suite(), cases[name], resolve_source(suite(), cases[name])).data)
        height, width, _ = mask.shape
        for x, y in places:
            assert bool(mask[int(y * height), int(x * width), 0]) == may_change, (name, x, y)
