"""What a report consists of: a small TOML file naming its sections, in order, with their options.

A definition is found by name among the bundled ones or by path. Sections of its own lie in a folder
`sections` beside it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evalkit.errors import InvalidInput, UnknownName
from evalkit.resources import bundled

_KNOWN = ("title", "sections", "seed")


@dataclass(frozen=True, slots=True)
class Definition:
    """`options` holds one table per section; `folder` is where the definition's own sections may lie."""

    title: str
    sections: tuple[str, ...]
    seed: int = 0
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    folder: Path | None = None


def load_definition(name: str | Path = "default") -> Definition:
    """A bundled definition by name, or any by path. Raises `UnknownName` or `InvalidInput`."""
    path = _find(name)
    try:
        values = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not valid TOML: {error}", "Correct the line it names.") from error
    return _checked(values, path)


def _find(name: str | Path) -> Path:
    path = Path(name)
    if path.suffix == ".toml":
        if path.is_file():
            return path
        raise InvalidInput(f"there is no report definition {path}", "Check the path, or name a bundled one.")
    folder = bundled("reports")
    known = {found.stem: found for found in folder.glob("*.toml")}
    if str(name) not in known:
        raise UnknownName("report definition", str(name), known)
    return known[str(name)]


def _checked(values: Mapping[str, Any], path: Path) -> Definition:
    title, sections, seed = values.get("title", "Report"), values.get("sections"), values.get("seed", 0)
    if not isinstance(sections, list) or not all(isinstance(name, str) for name in sections):
        raise InvalidInput(f"{path} names no sections", 'Write: sections = ["summary", "leaderboard"]')
    if not isinstance(title, str) or not isinstance(seed, int):
        raise InvalidInput(f"{path}: title must be a text and seed a whole number")
    options = {key: value for key, value in values.items() if key not in _KNOWN}
    for key, table in options.items():
        if key not in sections or not isinstance(table, Mapping):
            raise InvalidInput(
                f"{path}: {key!r} is no setting of a report and no table of a section it has",
                f"Known settings: {', '.join(_KNOWN)}; tables: {', '.join(sections)}.",
            )
    return Definition(title, tuple(sections), seed, options, path.resolve().parent)
