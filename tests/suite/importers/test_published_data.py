"""The real files of three formats, where they lie beside the checkout."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from foreignfiles import imported

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"


def published(name: str) -> Path:
    path = DATA / name
    if not path.is_file():
        pytest.skip(f"{name} does not lie beside the checkout, in ../shared/data")
    return path


def test_all_of_partiprompts(tmp_path: Path) -> None:
    file = published("PartiPrompts.tsv")
    made = imported("partiprompts", file, tmp_path / "parti")
    assert (made.told.read, made.told.cases) == (1632, 1632)
    tags = Counter(tag for case in made.suite.cases for tag in case.tags)
    assert tags["category:people"] == 177
    assert tags["category:artifacts"] == 287
    assert tags["challenge:writing-and-symbols"] == 91
    assert len([tag for tag in tags if tag.startswith("category:")]) == 12
    assert len([tag for tag in tags if tag.startswith("challenge:")]) == 11
    lines = file.read_text("utf-8").splitlines()[1:]
    assert [case.prompt for case in made.suite.cases] == [line.split("\t")[0] for line in lines]
    assert imported("partiprompts", file, tmp_path / "faces", category="portrait").told.cases == 177
    assert imported("partiprompts", file, tmp_path / "things", category="product").told.cases == 287


def test_all_of_geneval(tmp_path: Path) -> None:
    made = imported("geneval", published("geneval-evaluation_metadata.jsonl"), tmp_path / "geneval")
    tags = Counter(case.tags[0].removeprefix("category:") for case in made.suite.cases)
    assert tags == {
        "single_object": 80,
        "two_object": 99,
        "counting": 80,
        "colors": 94,
        "position": 100,
        "color_attr": 100,
    }
    checks = [check for case in made.suite.cases for check in case.checks]
    assert sum(1 for check in checks if check.get("exclude")) == 80
    assert {check["kind"] for check in checks} == {"object"}


def test_all_of_longtext_bench(tmp_path: Path) -> None:
    made = imported("longtext-bench", published("longtext-bench.jsonl"), tmp_path / "longtext")
    tags = Counter(case.tags[0] for case in made.suite.cases)
    assert made.told.cases == 160
    assert set(tags.values()) == {20}
    assert len(tags) == 8
    assert all(case.expected_text for case in made.suite.cases)
