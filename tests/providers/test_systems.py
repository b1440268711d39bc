"""How systems are spelled."""

from __future__ import annotations

import pytest

from evalkit.errors import UnknownName, UsageError
from evalkit.providers.systems import parse_system, parse_systems, providers
from evalkit.types import System


@pytest.mark.parametrize(
    ("text", "system"),
    [
        ("folder:pics", System("folder", "pics")),
        ("mine=folder:a/b=c", System("folder", "a/b=c", {}, "mine")),
        ("folder:x?size=512&mode=a+b", System("folder", "x", {"size": "512", "mode": "a b"})),
        (
            "folder:http://127.0.0.1:8000/v1?model=x",
            System("folder", "http://127.0.0.1:8000/v1", {"model": "x"}),
        ),
    ],
)
def test_good_spelling(text: str, system: System) -> None:
    assert parse_system(text) == system


@pytest.mark.parametrize(
    "text", ["folder", "folder:", "=folder:x", "folder:x?size", "folder:x?a=1&a=2", ":x", "folder:?a=1"]
)
def test_bad_spelling(text: str) -> None:
    with pytest.raises(UsageError):
        parse_system(text)


def test_an_unknown_provider_gets_a_suggestion() -> None:
    with pytest.raises(UnknownName) as caught:
        parse_system("floder:x")
    assert "Did you mean folder?" in caught.value.hint


def test_two_systems_of_one_name() -> None:
    with pytest.raises(UsageError, match="two systems are called"):
        parse_systems(["folder:x", "folder:x"])
    assert len(parse_systems(["a=folder:x", "b=folder:x"])) == 2


@pytest.mark.parametrize("name", sorted(providers()))
def test_every_provider_introduces_itself(name: str) -> None:
    cls = providers()[name]
    assert cls.name == name
    assert cls.summary
    assert all(isinstance(text, str) and text for text in cls.models().values())
