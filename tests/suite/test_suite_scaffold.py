"""Starting a suite, and writing one that was read elsewhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import UsageError
from evalkit.suite import CATEGORIES, check_suite, load_suite, new_suite, write_suite


@pytest.mark.parametrize("category", CATEGORIES)
def test_a_new_suite_is_valid_as_it_is(tmp_path: Path, category: str) -> None:
    folder = new_suite(tmp_path / "mine", category)
    assert check_suite(folder) == []
    suite = load_suite(folder)
    assert (suite.name, suite.category, len(suite.cases)) == ("mine", category, 2)
    assert (folder / "inputs").is_dir()
    assert (folder / "README.md").read_text("utf-8").startswith("# mine\n")


@pytest.mark.parametrize(
    ("name", "category", "part"),
    [("mine", "prodcut", 'did you mean "product"?'), ("My Suite", "other", "cannot be the name of a suite")],
)
def test_what_cannot_be_started(tmp_path: Path, name: str, category: str, part: str) -> None:
    with pytest.raises(UsageError, match=part.replace("?", "[?]")):
        new_suite(tmp_path / name, category)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten(folder: Any) -> None:
    before = (folder.path / "cases.jsonl").read_bytes()
    with pytest.raises(UsageError, match="not an empty folder"):
        new_suite(folder.path, "other")
    with pytest.raises(UsageError, match="not an empty folder"):
        new_suite(folder.path / "inputs" / "square.png", "other")
    assert (folder.path / "cases.jsonl").read_bytes() == before


def test_a_written_suite_is_the_suite(folder: Any, tmp_path: Path) -> None:
    folder.cases({"id": "a", "prompt": "„Grüße“ \u2028 \x7f 你好", "tags": ['quo"te', "back\\slash"]})
    description = 'A "quoted" text\nin two lines, é, \x7f, \\'
    suite = replace(load_suite(folder.path), description=description, synthetic=True)
    written = load_suite(write_suite(tmp_path / "copy" / "bent", suite, "# copy\n"))
    assert replace(written, root="") == replace(suite, root="")
