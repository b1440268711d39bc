"""The tutorial's importer works, plugged in as the tutorial says, and the pages name every format."""

from __future__ import annotations

import importlib.metadata
import re
import runpy
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from foreignfiles import picture

from evalkit.cli.suite import _tell
from evalkit.suite import importers as package
from evalkit.suite import load_suite
from evalkit.suite.importers import Order, find_importer, import_suite, importers

DOCS = Path(__file__).resolve().parents[3] / "docs"
TUTORIAL = (DOCS / "extending" / "suite-importers.md").read_text("utf-8")
REFERENCE = (DOCS / "importers.md").read_text("utf-8")


def block(title: str) -> str:
    (only,) = re.findall(rf"^```\w+ title={re.escape(title)}\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
    return str(only)


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The tutorial's files in the working directory, its class as an entry point."""
    for name in ("shop_sheet.py", "sheet.csv"):
        (tmp_path / name).write_text(block(name), "utf-8")
    (tmp_path / "shoe.png").write_bytes(picture())
    (points,) = tomllib.loads(block("pyproject.toml"))["project"]["entry-points"].items()
    group, ((name, value),) = points[0], points[1].items()
    entry = importlib.metadata.EntryPoint(name, value, group)

    def found(**wanted: Any) -> list[importlib.metadata.EntryPoint]:
        return [entry] if wanted == {"group": group} else []

    monkeypatch.setattr("evalkit.plugins.entry_points", found)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    package.importers.cache_clear()
    yield tmp_path
    package.importers.cache_clear()


def test_the_tutorials_format_is_found_and_says_what_it_says(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = import_suite(Order(find_importer("shop-sheet"), (Path("sheet.csv"),), Path("shop")))
    _tell(told, as_json=False)
    assert capsys.readouterr().out == block("said")
    suite = load_suite("shop")
    assert [(case.id, case.task, case.expected_text) for case in suite.cases] == [
        ("1", "t2i", ("HALF PRICE",)),
        ("2", "t2i", ()),
        ("3", "edit", ()),
    ]


def test_the_tutorials_file_is_a_module_like_ours(shop: Path) -> None:
    found = runpy.run_path("shop_sheet.py")["ShopSheet"]
    assert found.name == "shop-sheet"


def test_the_reference_names_every_format_and_licence() -> None:
    table = REFERENCE.split("## The formats")[1].split("\n\n")[1]
    assert set(
        re.findall(r"`([a-z0-9-]+)`", "".join(row.split("|")[1] for row in table.splitlines()))
    ) == set(importers())
    for kind in importers().values():
        stated = "none stated" if kind.licence.id.endswith("unstated") else kind.licence.id
        row = next(line for line in table.splitlines() if f"`{kind.name}`" in line)
        assert stated in row
