from __future__ import annotations

from pathlib import Path

import pytest

from evalkit.errors import InvalidInput, UnknownName
from evalkit.report import load_definition
from evalkit.report.sections import _bundled


def test_the_bundled_definition_names_every_bundled_section() -> None:
    definition = load_definition()
    assert sorted(definition.sections) == sorted(_bundled())
    assert definition.options["gallery"]["differing"] == 4


def test_by_path(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('title = "Mine"\nsections = ["summary", "gallery"]\nseed = 3\n[gallery]\nrandom = 9\n')
    definition = load_definition(path)
    assert (definition.title, definition.sections, definition.seed) == ("Mine", ("summary", "gallery"), 3)
    assert definition.options == {"gallery": {"random": 9}}
    assert definition.folder == tmp_path


def test_unknown_name() -> None:
    with pytest.raises(UnknownName) as caught:
        load_definition("defalt")
    assert "Did you mean default?" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sections = [", "not valid TOML"),
        ('title = "x"', "names no sections"),
        ('sections = ["summary"]\nseed = "x"', "whole number"),
        ('sections = ["summary"]\ncolour = "red"', "'colour' is no setting"),
        ('sections = ["summary"]\n[gallery]\nrandom = 1', "'gallery' is no setting"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(InvalidInput, match=said):
        load_definition(path)


def test_missing_file() -> None:
    with pytest.raises(InvalidInput, match="there is no report definition"):
        load_definition("nowhere/at-all.toml")
