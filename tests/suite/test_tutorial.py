"""The tutorial and the reference of suites do what they say: their blocks are run in order."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest

from evalkit.suite import case_from_json, case_to_json, check_suite, load_suite, new_suite
from evalkit.suite.fields import CASE_READERS
from evalkit.suite.find import CATEGORIES
from evalkit.suite.sources import PHOTOGRAPHS
from evalkit.types import ASPECT_RATIOS, EDIT_TYPES

DOCS = Path(__file__).resolve().parents[2] / "docs"
REFERENCE = (DOCS / "suites.md").read_text("utf-8")
TUTORIAL = (DOCS / "extending" / "suites.md").read_text("utf-8")


def blocks(text: str, opening: str) -> list[str]:
    return re.findall(rf"^```{opening}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def block(opening: str) -> str:
    (only,) = blocks(TUTORIAL, opening)
    return only


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tutorial's suite, as a reader has it after step 4."""
    monkeypatch.chdir(tmp_path)
    (command, _) = blocks(TUTORIAL, "console")
    name, category = re.findall(r"evalkit suite new (\S+) --category (\S+)", command)[0]
    folder = new_suite(name, category)
    assert check_suite(folder) == []
    (folder / "suite.toml").write_text(block("toml title=suite.toml"), "utf-8")
    (folder / "cases.jsonl").write_text(block("json title=cases.jsonl"), "utf-8")
    (tmp_path / "draw.py").write_text(block("python title=draw.py"), "utf-8")
    monkeypatch.chdir(folder)
    runpy.run_path(str(tmp_path / "draw.py"))
    monkeypatch.chdir(tmp_path)
    return folder


def test_the_tutorial_ends_with_a_valid_suite(shop: Path) -> None:
    assert check_suite(shop) == []
    suite = load_suite("shoe-shop")
    assert [case.id for case in suite.cases] == ["boots-window", "boots-sale-sign", "shoe-green"]


def test_the_overlay_shows_the_mask(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "look.py").write_text(block("python title=look.py"), "utf-8")
    runpy.run_path(str(tmp_path / "look.py"))
    assert (tmp_path / "look.png").stat().st_size > 1000
    assert shop.is_dir()


def test_the_problems_look_as_shown(shop: Path) -> None:
    cases = (shop / "cases.jsonl").read_text("utf-8").replace('"expected_text"', '"expected_texts"')
    tiny = '{"kind": "rect", "points": [0.5, 0.5, 0.5004, 0.5004]}'
    (shop / "cases.jsonl").write_text(re.sub(r'\{"kind": "polygon".*?\}', tiny, cases), "utf-8")
    shown = block("text title=problems").splitlines()
    assert [str(problem) for problem in check_suite(Path("shoe-shop"))] == shown


def test_the_example_case_of_the_reference_is_one() -> None:
    (text,) = blocks(REFERENCE, "json case")
    raw = json.loads(text)
    assert case_to_json(case_from_json(raw)) == raw


def test_the_python_of_the_reference_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = blocks(REFERENCE, "python")
    (tmp_path / "example.py").write_text(code, "utf-8")
    runpy.run_path(str(tmp_path / "example.py"))
    assert "512 512" in capsys.readouterr().out


def test_the_reference_names_every_key_and_value() -> None:
    for word in (*CASE_READERS, *CATEGORIES, *EDIT_TYPES, *ASPECT_RATIOS, *PHOTOGRAPHS):
        assert f"`{word}`" in REFERENCE, word
