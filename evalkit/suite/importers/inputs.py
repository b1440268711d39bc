"""The files a user hands to an importer: finding them, reading them, and saying what is wrong with them.

A file that is not what it should be is one problem with file, line, what was expected and what was found; the
other files are still looked at. Every file that was read is remembered, for the manifest.
"""

from __future__ import annotations

import csv
import fnmatch
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from evalkit.errors import InvalidInput, Problem
from evalkit.suite.textfiles import BOM

T = TypeVar("T")
SHOWN = 12
"""So many names of keys or files are listed in an error."""


class ImportProblems(InvalidInput):
    """Every file that could not be read, at once, with file and line."""

    def __init__(self, title: str, problems: Sequence[Problem], hint: str = "") -> None:
        self.problems = tuple(problems)
        listing = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"these are not the files of {title}; nothing was written:\n{listing}", hint)


class BadFile(ValueError):
    """A file of another format; `line` is 0 where it is not about one line."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a table or one object of a JSON file, and the line on which it ends."""

    line: int
    raw: dict[str, Any]


class Given:
    """The paths of one import. `images` is a folder of pictures besides those next to the files."""

    def __init__(self, paths: Sequence[Path], images: Path | None = None) -> None:
        self.paths = tuple(paths)
        self.images = images
        self.problems: list[Problem] = []
        self.used: dict[Path, None] = {}
        self.missing = [path for path in (*paths, *([images] if images else [])) if not path.exists()]
        self._listed: dict[Path, list[Path]] = {}

    def find(self, *patterns: str) -> list[Path]:
        """The given files, and those in given folders, whose names match one of `patterns`, each once."""
        found = [path for path in self._files() if _matches(path, patterns)]
        return list(dict.fromkeys(found))

    def named(self, suffix: str) -> list[Path]:
        """The files with this suffix that were given one by one."""
        return [path for path in self.paths if path.is_file() and path.suffix.lower() == suffix]

    def require(self, *patterns: str) -> list[Path]:
        """The same, and a problem if there is none."""
        found = self.find(*patterns)
        if not found:
            names = ", ".join(str(path) for path in self.paths)
            there = _some(sorted({path.name for path in self._files()})) or "no file at all"
            message = f"expected a file like {' or '.join(patterns)}; found {there}"
            self.problems.append(Problem(names, 0, message))
        return found

    def each(self, paths: Iterable[Path], read: Callable[[Path], Iterable[T]]) -> Iterator[T]:
        """What `read` makes of every file; one that is of another format becomes a problem."""
        for path in paths:
            self.used[path] = None
            try:
                yield from read(path)
            except BadFile as bad:
                self.problems.append(Problem(str(path), bad.line, bad.message))
            except OSError as error:
                self.problems.append(Problem(str(path), 0, f"cannot be read: {error.strerror}"))

    def unused(self) -> list[Path]:
        """The files that were named one by one and that no one wanted."""
        return [path for path in self.paths if path.is_file() and path not in self.used]

    def shown(self, path: Path) -> str:
        """A name for `path` that says nothing of the machine: relative to the folder that was given."""
        for folder in (*self.paths, *([self.images] if self.images else [])):
            if folder.is_dir() and path.is_relative_to(folder):
                return path.relative_to(folder).as_posix()
        return path.name

    def picture(self, reference: str, near: Path) -> Path | None:
        """The picture `reference`: in the folder `images`, beside the file `near`, or one folder down."""
        parts = Path(reference).parts
        if not parts or Path(reference).is_absolute() or ".." in parts:
            return None
        for folder in (*([self.images] if self.images else []), near.parent):
            for root in (folder, *self._folders(folder)):
                if (root / reference).is_file():
                    return root / reference
        return None

    def reader(self, path: Path) -> Callable[[], bytes]:
        """Reads a picture when it is asked for, and remembers that it was."""

        def read() -> bytes:
            self.used[path] = None
            try:
                return path.read_bytes()
            except OSError as error:
                raise InvalidInput(f"{path.name} cannot be read: {error.strerror}") from error

        return read

    def _files(self) -> Iterator[Path]:
        for path in self.paths:
            if path.is_dir():
                yield from sorted(file for file in path.rglob("*") if file.is_file())
            elif path.exists():
                yield path

    def _folders(self, folder: Path) -> list[Path]:
        if folder not in self._listed:
            self._listed[folder] = (
                sorted(p for p in folder.iterdir() if p.is_dir()) if folder.is_dir() else []
            )
        return self._listed[folder]


def text_of(path: Path) -> str:
    """A text file. A byte order mark is dropped. Raises `BadFile`."""
    data = path.read_bytes().removeprefix(BOM)
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise BadFile(line, f"expected UTF-8; found byte 0x{data[error.start]:02x}") from error


def lines_of(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of every line; only LF and CR LF end one."""
    for number, line in enumerate(text_of(path).split("\n"), 1):
        yield number, line.removesuffix("\r")


def prompts_of(path: Path) -> Iterator[tuple[int, str]]:
    """Number and text of the lines of a file with one prompt per line; an empty one in between is kept."""
    lines = list(lines_of(path))
    return iter(lines[:-1] if lines[-1][1] == "" else lines)


def csv_of(path: Path, needed: Sequence[str]) -> Iterator[Line]:
    """The rows of a CSV with a header that has the columns `needed`. Raises `BadFile`."""
    rows = csv.reader(io.StringIO(text_of(path), newline=""), strict=True)
    try:
        header = [name.strip() for name in next(rows, [])]
        require_keys(header, needed, 1, "columns")
        for row in rows:
            if not any(cell.strip() for cell in row):
                continue
            if len(row) != len(header):
                raise BadFile(rows.line_num, f"expected {len(header)} columns; found {len(row)}")
            yield Line(rows.line_num, dict(zip(header, row, strict=True)))
    except csv.Error as error:
        raise BadFile(rows.line_num, f"expected CSV; {error}") from error


def jsonl_of(path: Path, needed: Sequence[str]) -> Iterator[Line]:
    """The objects of a JSON Lines file that have the keys `needed`. Raises `BadFile`."""
    for number, line in lines_of(path):
        if line.strip():
            raw = _json(line, number)
            if not isinstance(raw, dict):
                raise BadFile(number, f"expected one JSON object per line; found {kind(raw)}")
            require_keys(raw, needed, number)
            yield Line(number, raw)


def json_of(path: Path) -> Any:
    """The value of a JSON file. Raises `BadFile`."""
    return _json(text_of(path), 0)


def mapping_of(path: Path, needed: Sequence[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Keys and values of a JSON object of objects with the keys `needed`. Raises `BadFile`."""
    text = text_of(path)
    raw = _json(text, 0)
    if not isinstance(raw, dict):
        raise BadFile(0, f"expected a JSON object whose values are objects; found {kind(raw)}")
    for key, value in raw.items():
        if not isinstance(value, dict):
            raise BadFile(_line_of(text, key), f"expected an object under {key!r}; found {kind(value)}")
        if any(name not in value for name in needed):
            require_keys(value, needed, _line_of(text, key), f"keys of {key!r}")
        yield key, value


def require_keys(found: Iterable[str], needed: Sequence[str], line: int, what: str = "keys") -> None:
    """Raises `BadFile` naming what is missing and what is there."""
    names = list(found)
    if any(key not in names for key in needed):
        raise BadFile(line, f"expected the {what} {', '.join(needed)}; found {_some(names) or 'none'}")


def require_strings(raw: Mapping[str, Any], names: Sequence[str], line: int, where: str = "") -> None:
    """Raises `BadFile` for the first of `names` that is there and holds no string."""
    for name in names:
        if name in raw and not isinstance(raw[name], str):
            raise BadFile(line, f'expected a string under "{name}"{where}; found {kind(raw[name])}')


def require_texts(raw: Mapping[str, Any], name: str, line: int, where: str = "") -> None:
    """Raises `BadFile` unless `name` holds a list of strings."""
    value = raw[name]
    if not isinstance(value, list) or not all(isinstance(text, str) for text in value):
        raise BadFile(line, f'expected a list of strings under "{name}"{where}; found {kind(value)}')


def kind(value: Any) -> str:
    """What a JSON value is, for a sentence.

    >>> kind([1, 2]), kind({"a": 1}), kind("x")
    ('a list of 2', 'an object with the keys a', 'a string')
    """
    match value:
        case dict():
            return f"an object with the keys {_some(map(str, value))}" if value else "an empty object"
        case list():
            return f"a list of {len(value)}"
        case str():
            return "a string"
        case None:
            return "null"
    return "true or false" if isinstance(value, bool) else "a number"


def _json(text: str, line: int) -> Any:
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _unique(pairs, line))
    except json.JSONDecodeError as error:
        raise BadFile(line or error.lineno, f"expected JSON; {error.msg} (column {error.colno})") from error
    except RecursionError as error:
        raise BadFile(line, "expected JSON; it is nested too deeply") from error


def _unique(pairs: list[tuple[str, Any]], line: int) -> dict[str, Any]:
    """Of two values under one key a reader would drop the first in silence."""
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise BadFile(line, f"expected every key once; found {twice!r} twice")
    return value


def _line_of(text: str, key: str) -> int:
    """The line on which a key of a JSON object stands, 0 if it is written in another way."""
    found = text.find(json.dumps(key, ensure_ascii=False))
    return text.count("\n", 0, found) + 1 if found >= 0 else 0


def _matches(path: Path, patterns: Sequence[str]) -> bool:
    return any(fnmatch.fnmatch(path.name.lower(), pattern.lower()) for pattern in patterns)


def _some(names: Iterable[str]) -> str:
    every = list(names)
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return ", ".join(every[:SHOWN]) + more
