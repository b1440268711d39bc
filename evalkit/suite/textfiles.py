"""Reading the two text files of a suite, with a line number for everything that is wrong in them.

Knows UTF-8, byte order marks, TOML and JSON Lines; does not know what the keys mean.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.errors import Problem

BOM = b"\xef\xbb\xbf"
_AT_LINE = re.compile(r"\s*\(at line (\d+), column (\d+)\)")


class Unreadable(ValueError):
    """A line that is not what it should be; the text is the whole problem."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line that holds a JSON object."""

    line: int
    raw: dict[str, Any]


def read_bytes(path: Path, problems: list[Problem]) -> bytes:
    """The file without its byte order mark; b"" and a problem where it cannot be read."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        problems.append(Problem(str(path), 0, "the file is missing"))
        return b""
    except OSError as error:
        problems.append(Problem(str(path), 0, f"the file cannot be read: {error.strerror}"))
        return b""
    if data.startswith(BOM):
        problems.append(Problem(str(path), 1, "starts with a byte order mark; save it as plain UTF-8"))
        return data[len(BOM) :]
    return data


def read_toml(path: Path, problems: list[Problem]) -> dict[str, Any] | None:
    """The table of a TOML file, or None with a problem."""
    known = len(problems)
    data = read_bytes(path, problems)
    if not data and len(problems) > known:
        return None
    try:
        return tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(Problem(str(path), line, _not_utf8(error)))
    except tomllib.TOMLDecodeError as error:
        problems.append(_toml_problem(path, error))
    except RecursionError:
        problems.append(Problem(str(path), 0, "not valid TOML: nested too deeply"))
    return None


def toml_line(path: Path, key: str) -> int:
    """The line that sets a top-level key, 0 if it is not found."""
    pattern = re.compile(rf"""\s*["']?{re.escape(key)}["']?\s*[.=]|\s*\[+\s*["']?{re.escape(key)}\b""")
    lines = path.read_bytes().decode("utf-8", "replace").split("\n")
    return next((n for n, line in enumerate(lines, 1) if pattern.match(line)), 0)


def read_jsonl(path: Path, problems: list[Problem]) -> Iterator[Row]:
    """Every line that holds a JSON object; blank lines are skipped, others become problems.

    Only LF ends a line: the other line ends of Unicode may stand inside a JSON string.
    """
    for number, data in enumerate(read_bytes(path, problems).split(b"\n"), 1):
        if not data.strip():
            continue
        try:
            yield Row(number, _object(data))
        except UnicodeDecodeError as error:
            problems.append(Problem(str(path), number, _not_utf8(error)))
        except json.JSONDecodeError as error:
            where = f" (column {error.colno})"
            problems.append(Problem(str(path), number, f"not valid JSON: {error.msg}{where}"))
        except RecursionError:
            problems.append(Problem(str(path), number, "not valid JSON: nested too deeply"))
        except ValueError as error:
            problems.append(Problem(str(path), number, str(error)))


def _object(data: bytes) -> dict[str, Any]:
    text = data.decode("utf-8")
    value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite)
    if not isinstance(value, dict):
        raise Unreadable("each line must be one JSON object: {...}")
    if "\\u" in text:
        _require_printable(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise Unreadable(f'the key "{twice}" is given twice')
    return value


def _no_constant(name: str) -> Any:
    raise Unreadable(f"not valid JSON: {name} is not a number that JSON knows")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise Unreadable(f"the number {digits} is too large")
    return number


def _require_printable(value: Any) -> None:
    """Escapes can smuggle in what UTF-8 text cannot hold and no provider accepts."""
    match value:
        case str():
            if "\0" in value:
                raise Unreadable("holds a NUL character (\\u0000)")
            if any("\ud800" <= character <= "\udfff" for character in value):
                raise Unreadable("holds half of a surrogate pair (\\ud800 to \\udfff)")
        case list():
            for item in value:
                _require_printable(item)
        case dict():
            _require_printable([*value.keys(), *value.values()])


def _toml_problem(path: Path, error: tomllib.TOMLDecodeError) -> Problem:
    text = str(error)
    where = _AT_LINE.search(text)
    line = int(where.group(1)) if where else 0
    column = f" (column {where.group(2)})" if where else ""
    return Problem(str(path), line, f"not valid TOML: {_AT_LINE.sub('', text)}{column}")


def _not_utf8(error: UnicodeDecodeError) -> str:
    return f"not valid UTF-8: byte 0x{error.object[error.start]:02x}; save the file as UTF-8"
