"""GenEval: short prompts with the objects, counts, colours and positions that a picture must have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import BadFile, Given, Line, jsonl_of, kind, require_keys, require_strings
from evalkit.suite.importers.texts import tag
from evalkit.types import Case, Json


class GenEval(Importer):
    """One object per line; what must and must not be seen becomes checks of the kind `object`."""

    name = "geneval"
    title = "GenEval"
    licence = Licence("MIT", open=True)
    size = "553 prompts"
    needs = "evaluation_metadata.jsonl"
    origin = "https://github.com/djghosh13/geneval, prompts/"
    about = (
        "The id of a record is its line, from 0, in five digits, as its makers name their folders. "
        "`position` is a relation and the place, from 0, of the object it is to, among those that must be "
        "there."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        for path in given.require("*.jsonl"):
            for number, (row, checks) in enumerate(given.each([path], _rows)):
                case = Case(
                    f"{row.raw['tag']}-{number:05d}",
                    row.raw["prompt"],
                    tags=(tag("category", row.raw["tag"]),),
                    checks=checks,
                )
                yield Record(f"{number:05d}", case, Place(given.shown(path), row.line))


def _rows(path: Path) -> Iterator[tuple[Line, tuple[Mapping[str, Json], ...]]]:
    for row in jsonl_of(path, ("tag", "include", "prompt")):
        require_strings(row.raw, ("tag", "prompt"), row.line)
        wanted = [_check(item, row.line) for item in _list(row, "include")]
        unwanted = [{**_check(item, row.line), "exclude": True} for item in _list(row, "exclude")]
        yield row, (*wanted, *unwanted)


def _list(row: Line, key: str) -> list[Any]:
    value = row.raw.get(key, [])
    if not isinstance(value, list):
        raise BadFile(row.line, f'expected a list of objects under "{key}"; found {kind(value)}')
    return value


def _check(item: Any, line: int) -> dict[str, Json]:
    if not isinstance(item, dict):
        raise BadFile(line, f"expected an object with class and count; found {kind(item)}")
    require_keys(item, ("class", "count"), line)
    check: dict[str, Json] = {"kind": "object", "class": item["class"], "count": item["count"]}
    if "color" in item:
        check["colour"] = item["color"]
    if "position" in item:
        check["position"] = item["position"]
    return check
