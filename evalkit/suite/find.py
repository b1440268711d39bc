"""Which suites there are, and the folder of one by its name or path; reads `suite.toml` only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import Problem, UnknownName
from evalkit.resources import bundled
from evalkit.suite.fields import Reader, Unfit, one_of, read_bool, read_fields, read_name, read_text
from evalkit.suite.textfiles import read_toml, toml_line

HEAD_FILE = "suite.toml"
CASES_FILE = "cases.jsonl"
README_FILE = "README.md"
CATEGORIES = ("product", "portrait", "typography", "edit-preservation", "refusals", "other")

_SPDX = re.compile(r"[A-Za-z0-9.+-]+( (AND|OR|WITH) [A-Za-z0-9.+-]+)*")
_VERSION = re.compile(r"[0-9A-Za-z][0-9A-Za-z.+_-]*")


@dataclass(frozen=True, slots=True)
class SuiteHead:
    """What `suite.toml` says, and how many lines `cases.jsonl` has.

    `problem` is the first thing that is wrong with the file; the fields are then empty. `cases.jsonl` is not
    looked into: `check_suite` does that.
    """

    name: str
    version: str
    category: str
    licence: str
    description: str
    n_cases: int
    path: Path
    synthetic: bool = False
    redistributable: bool = True
    problem: str | None = None


def suite_roots() -> list[Path]:
    """The folders whose sub-folders are suites known by name."""
    return [bundled("suites")]


def list_suites() -> list[SuiteHead]:
    """Every suite known by name, sorted by it; one with a broken `suite.toml` is listed with its problem."""
    return [_head_or_problem(path) for _, path in sorted(_known().items())]


def find_suite(name_or_path: str | Path) -> Path:
    """The folder of a suite. A name is looked up first; a path works wherever a name does.

    To use a folder of the working directory that is called like a known suite, write `./name`.
    Raises `UnknownName`.
    """
    known = _known()
    if isinstance(name_or_path, str) and name_or_path in known:
        return known[name_or_path]
    path = Path(name_or_path).expanduser()
    if path.is_dir():
        return path
    raise UnknownName("suite", str(name_or_path), known)


def read_head(path: Path) -> tuple[SuiteHead | None, list[Problem]]:
    """`suite.toml` of the folder `path`, and everything that is wrong with it."""
    file = path / HEAD_FILE
    problems: list[Problem] = []
    table = read_toml(file, problems)
    if table is None:
        return None, problems
    values, messages = read_fields(table, _READERS)
    problems += [Problem(str(file), _line_of(file, message), message) for message in messages]
    required = [key for key in _READERS if key not in _OPTIONAL]
    problems += [Problem(str(file), 0, f'"{key}" is missing') for key in required if key not in table]
    if "name" in values and values["name"] != path.resolve().name:
        folder = path.resolve().name
        message = f'"name" is {values["name"]!r}, but the folder is called {folder!r}; they must agree'
        problems.append(Problem(str(file), toml_line(file, "name"), message))
    if any(key not in values for key in required):
        return None, problems
    return SuiteHead(**values, n_cases=_count_lines(path / CASES_FILE), path=path), problems


def readable_category(path: Path) -> str | None:
    """The category alone, for checking cases although something else in `suite.toml` is wrong."""
    table = read_toml(path / HEAD_FILE, [])
    category = None if table is None else table.get("category")
    return category if category in CATEGORIES else None


def _known() -> dict[str, Path]:
    return {
        path.name: path
        for root in reversed(suite_roots())
        if root.is_dir()
        for path in root.iterdir()
        if (path / HEAD_FILE).is_file()
    }


def _head_or_problem(path: Path) -> SuiteHead:
    head, problems = read_head(path)
    if head is not None:
        return head
    return SuiteHead(path.name, "", "", "", "", 0, path, problem=str(problems[0]))


def _read_version(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise Unfit(f'must be a string: write version = "{value}"')
    text = read_text(value)
    if not _VERSION.fullmatch(text):
        raise Unfit(f"is {text!r}: use letters, digits, '.', '+', '_' and '-'")
    return text


def _read_licence(value: Any) -> str:
    text = read_text(value)
    if not _SPDX.fullmatch(text):
        raise Unfit(f"is {text!r}: use an SPDX identifier such as CC0-1.0, or LicenseRef-NAME")
    return text


_READERS: Mapping[str, Reader] = {
    "name": read_name,
    "version": _read_version,
    "category": one_of(CATEGORIES),
    "licence": _read_licence,
    "description": read_text,
    "synthetic": read_bool,
    "redistributable": read_bool,
}
_OPTIONAL = ("synthetic", "redistributable")


def _line_of(file: Path, message: str) -> int:
    key = re.search(r'"([^"]*)"', message)
    return toml_line(file, key.group(1)) if key else 0


def _count_lines(path: Path) -> int:
    try:
        with path.open("rb") as lines:
            return sum(1 for line in lines if line.strip())
    except OSError:
        return 0
