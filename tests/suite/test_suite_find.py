"""Names, paths and the list of suites."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import UnknownName
from evalkit.suite import find_suite, list_suites, load_suite, suite_roots


@pytest.fixture
def root(folder: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder above the test suite as the only place where suites are known by name."""
    path: Path = folder.path.parent
    monkeypatch.setattr("evalkit.suite.find.suite_roots", lambda: [path])
    return path


def test_a_name_and_a_path_lead_to_the_same_folder(folder: Any, root: Path) -> None:
    assert find_suite("bent") == find_suite(str(folder.path)) == find_suite(folder.path) == root / "bent"


def test_a_known_name_comes_before_a_folder_of_the_working_directory(
    root: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "bent").mkdir()
    monkeypatch.chdir(elsewhere)
    assert find_suite("bent") == root / "bent"
    assert find_suite("./bent").resolve() == elsewhere / "bent"


@pytest.mark.usefixtures("root")
@pytest.mark.parametrize("name", ["bnet", "./no/such", "/no/such"])
def test_an_unknown_name_offers_the_nearest(name: str) -> None:
    with pytest.raises(UnknownName) as caught:
        find_suite(name)
    assert "bent" in caught.value.hint


@pytest.mark.usefixtures("root")
def test_the_list_says_what_the_head_says(folder: Any) -> None:
    folder.lines(b'{"id": "a"}', b"", b'{"id": "b"}')
    (head,) = list_suites()
    assert (head.name, head.version, head.category, head.licence) == ("bent", "1.0.0", "other", "CC0-1.0")
    assert (head.n_cases, head.path, head.synthetic, head.problem) == (2, folder.path, False, None)


@pytest.mark.usefixtures("root")
def test_a_broken_head_is_listed_with_its_problem(folder: Any) -> None:
    folder.head("name = ")
    (head,) = list_suites()
    assert head.name == "bent"
    assert head.problem is not None
    assert "not valid TOML" in head.problem


@pytest.mark.usefixtures("root")
def test_synthetic_is_carried_to_the_suite(folder: Any) -> None:
    folder.head((folder.path / "suite.toml").read_text() + "synthetic = true\n")
    assert list_suites()[0].synthetic
    assert load_suite("bent").synthetic


def test_the_bundled_suites_are_known() -> None:
    assert all(root.is_dir() for root in suite_roots())
    assert "edit-preservation" in [head.name for head in list_suites()]
    assert [head.problem for head in list_suites() if head.problem] == []
