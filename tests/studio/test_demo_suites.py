"""The demo suites: every prompt can be drawn, every mask covers its edit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

from evalkit.resources import bundled
from evalkit.studio import apply, describe, draw, parse, parse_edit, seed_of
from evalkit.studio.palette import HAIR_COLOURS, WALL_COLOURS
from evalkit.studio.scene import Scene, Sign
from evalkit.studio.vocabulary import FIGURES, PLURALS, RELATIONS, SIGN_KINDS
from evalkit.types import ASPECT_RATIOS

NAMES = ("demo-product", "demo-portrait", "demo-typography", "demo-edit")


def cases(name: str) -> list[dict[str, Any]]:
    text = (bundled("suites") / name / "cases.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


T2I = [case for name in NAMES for case in cases(name) if case["task"] == "t2i"]
EDITS = cases("demo-edit")


def by_id(case: dict[str, Any]) -> str:
    return str(case["id"])


def bits(mask: dict[str, Any], side: int) -> NDArray[np.bool_]:
    image = Image.new("L", (side, side))
    pen = ImageDraw.Draw(image)
    draw_shape = {"rect": pen.rectangle, "ellipse": pen.ellipse, "polygon": pen.polygon}
    for shape in mask["shapes"]:
        draw_shape[shape["kind"]]([value * side for value in shape["points"]], fill=255)
    return np.asarray(ImageOps.invert(image) if mask.get("invert") else image) > 127


def before_and_after(case: dict[str, Any]) -> tuple[Scene, Scene]:
    before = parse(case["source"].removeprefix("studio:"))
    return before, apply(parse_edit(case["prompt"]), before)


@pytest.mark.parametrize("name", NAMES)
def test_each_has_eight_to_ten_cases_and_twins_share_a_cluster(name: str) -> None:
    suite = cases(name)
    assert 8 <= len(suite) <= 10
    assert len({case["id"] for case in suite}) == len(suite)
    assert len({case["cluster"] for case in suite}) < len(suite)
    assert all(case["tags"] and case["aspect_ratio"] in ASPECT_RATIOS for case in suite)


@pytest.mark.parametrize("case", T2I, ids=by_id)
def test_prompts_are_in_the_language(case: dict[str, Any]) -> None:
    scene = parse(case["prompt"])
    assert parse(describe(scene)) == scene


def test_expected_text_is_what_the_boards_say() -> None:
    for case in cases("demo-typography"):
        (sign,) = [item for item in parse(case["prompt"]).items if isinstance(item, Sign)]
        assert list(sign.lines) == case["expected_text"]
    every = "".join(line for case in cases("demo-typography") for line in case["expected_text"])
    assert {"é", "€", "5", "!", ":"} <= set(every)


@pytest.mark.parametrize("case", EDITS, ids=by_id)
def test_captions_say_what_the_pictures_show(case: dict[str, Any]) -> None:
    before, after = before_and_after(case)
    assert parse(case["source_caption"]) == before
    assert parse(case["target_caption"]) == after
    assert case["keep"]


@pytest.mark.parametrize("case", EDITS, ids=by_id)
def test_masks_cover_the_edit_and_little_else(case: dict[str, Any]) -> None:
    before, after = before_and_after(case)
    seed = seed_of(case["source"].removeprefix("studio:"))
    pictures = [np.asarray(draw(scene, 384, 384, seed)) for scene in (before, after)]
    changed = (pictures[0] != pictures[1]).any(axis=2)
    mask = bits(case["mask"], 384)
    assert changed.sum() > 300
    assert not (changed & ~mask).any()
    if case["edit_type"] != "background":
        assert mask.mean() < 0.35


def test_the_language_is_listed_where_the_errors_say() -> None:
    readme = Path(bundled("suites") / "demo-product" / "README.md").read_text(encoding="utf-8")
    for words in (PLURALS, WALL_COLOURS, HAIR_COLOURS, SIGN_KINDS, FIGURES, RELATIONS):
        assert not [word for word in words if word not in readme]
