"""GEdit-Bench: instructions of real users, in English and Chinese, with the pictures they were about."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import Given, require_keys
from evalkit.suite.importers.parquet import PATTERNS, Table
from evalkit.suite.importers.texts import tag
from evalkit.types import Case, EditType

TEXTS = ("task_type", "key", "instruction", "instruction_language")
PICTURES = ("input_image_raw", "input_image", "source_image")
LANGUAGES = {"cn": "zh"}
EDIT_TYPES: Mapping[str, EditType] = {
    "background_change": "background",
    "color_alter": "recolour",
    "style_change": "restyle",
    "subject-add": "add",
    "subject-remove": "remove",
    "subject-replace": "replace",
    "text_change": "text",
}


class GEditBench(Importer):
    """A table with one row per instruction."""

    name = "gedit-bench"
    title = "GEdit-Bench"
    licence = Licence("MIT", open=True)
    size = "606 edits in English, 606 in Chinese"
    needs = "the .parquet or .arrow files of the data set"
    origin = "https://huggingface.co/datasets/stepfun-ai/GEdit-Bench"
    about = (
        "The id of a record is its `key` and its language. The source is `input_image_raw` where the "
        "table has it. An instruction in both languages is one cluster."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        for path in given.require(*PATTERNS):
            for table, picture, number, row in given.each([path], _rows):
                yield _record(row, Place(given.shown(path), number), table, picture)


def _rows(path: Path) -> Iterator[tuple[Table, str, int, Mapping[str, Any]]]:
    columns = Table(path, TEXTS, ()).columns
    picture = next((name for name in PICTURES if name in columns), "")
    if not picture:
        require_keys(columns, (" or ".join(PICTURES),), 0, "column")
    table = Table(path, TEXTS, (picture,), ("Intersection_exist",))
    for number, row in table.rows():
        yield table, picture, number, row


def _record(row: Mapping[str, Any], place: Place, table: Table, picture: str) -> Record:
    kind, key = str(row["task_type"]), str(row["key"])
    lang = LANGUAGES.get(str(row["instruction_language"]), str(row["instruction_language"]))
    both = [tag("both-languages", row["Intersection_exist"])] if "Intersection_exist" in row else []
    case = Case(
        f"{kind}-{key}-{lang}",
        row["instruction"] or "",
        task="edit",
        tags=(tag("edit", kind), tag("lang", lang), *both),
        cluster=key,
        edit_type=EDIT_TYPES.get(kind),
    )
    return Record(f"{key}/{lang}", case, place, source=table.reader(place.line, picture))
