"""Emu Edit test set: edits by instruction, with a caption of the picture before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import Given
from evalkit.suite.importers.parquet import PATTERNS, Table
from evalkit.suite.importers.texts import tag
from evalkit.types import Case, EditType

TEXTS = ("instruction", "task", "split", "idx", "hash", "input_caption", "output_caption")
EDIT_TYPES: Mapping[str, EditType] = {
    "add": "add",
    "remove": "remove",
    "background": "background",
    "style": "restyle",
    "color": "recolour",
    "text": "text",
}


class EmuEdit(Importer):
    """A record is known by its hash: the splits of the published generations have each other's names."""

    name = "emu-edit"
    title = "Emu Edit test set"
    licence = Licence("CC-BY-NC-4.0", open=False, terms="Not for commercial use.")
    size = "validation 2,022 edits, test 3,589"
    needs = "validation-*.parquet and test-*.parquet"
    origin = "https://huggingface.co/datasets/facebook/emu_edit_test_set"
    about = (
        "The id of a record is its `hash`. Join published generations by it and not by split: what is "
        "called validation here is called test there, and the other way round. Some captions are known to "
        "be wrong; two that are equal are left out."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        seen: set[str] = set()
        for path in given.require(*PATTERNS):
            for table, number, row in given.each([path], _rows):
                place, code = Place(given.shown(path), number), str(row["hash"])
                if code in seen:
                    yield Skipped(code, place, "another row has the same hash")
                else:
                    seen.add(code)
                    yield _record(row, place, table)


def _rows(path: Path) -> Iterator[tuple[Table, int, Mapping[str, Any]]]:
    table = Table(path, TEXTS, ("image",))
    for number, row in table.rows():
        yield table, number, row


def _record(row: Mapping[str, Any], place: Place, table: Table) -> Record:
    case = Case(
        f"{row['task']}-{row['idx']}-{row['hash']}",
        row["instruction"] or "",
        task="edit",
        tags=(tag("edit", row["task"]), tag("split", row["split"])),
        source_caption=row["input_caption"],
        target_caption=row["output_caption"],
        edit_type=EDIT_TYPES.get(str(row["task"])),
    )
    return Record(str(row["hash"]), case, place, source=table.reader(place.line, "image"))
