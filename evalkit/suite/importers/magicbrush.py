"""MagicBrush: edits by hand, with a mask and the picture that a person accepted as their result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.suite.importers.base import RGB, Bits, Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import Given
from evalkit.suite.importers.parquet import PATTERNS, Table
from evalkit.suite.importers.regions import drawn_mask
from evalkit.suite.importers.texts import tag
from evalkit.types import Case

TEXTS = ("img_id", "turn_index", "instruction")
PICTURES = ("source_img", "mask_img", "target_img")


class MagicBrush(Importer):
    """Every turn is an edit of its own: its source is what the turn before came to."""

    name = "magicbrush"
    title = "MagicBrush"
    licence = Licence("CC-BY-4.0", open=True)
    test = Licence(
        "LicenseRef-MagicBrush-test",
        open=False,
        terms="Its makers ask that the test split is not put anywhere a model could be trained on it.",
    )
    size = "train 8,807 turns, dev 528, test 1,053"
    needs = "dev-*.parquet (or train-*, or the test split saved as Parquet under the name test-*)"
    origin = "https://huggingface.co/datasets/osunlp/MagicBrush"
    about = (
        "The id of a record is its `img_id` and its `turn_index`; the turns of a picture are one cluster. "
        "The mask is white where the edit may change the picture. The picture that was accepted becomes a "
        "check of the kind `target_image`. Files whose names begin with test fall under the terms of the "
        "test split."
    )

    def terms(self, given: Given) -> Licence:
        names = [path.name.lower() for path in given.find(*PATTERNS)]
        return self.test if any(name.startswith("test") for name in names) else self.licence

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        for path in given.require(*PATTERNS):
            for table, number, row in given.each([path], _rows):
                yield _record(row, Place(given.shown(path), number), table)


def _rows(path: Path) -> Iterator[tuple[Table, int, Mapping[str, Any]]]:
    table = Table(path, TEXTS, PICTURES)
    for number, row in table.rows():
        yield table, number, row


def _record(row: Mapping[str, Any], place: Place, table: Table) -> Record:
    image, turn = str(row["img_id"]), str(row["turn_index"])

    def mask(source: RGB) -> Bits:
        return drawn_mask(table.picture(place.line, "mask_img"), source)

    case = Case(
        f"{image}-{turn}",
        row["instruction"] or "",
        task="edit",
        tags=(tag("turn", turn),),
        cluster=image,
    )
    source, target = (table.reader(place.line, name) for name in ("source_img", "target_img"))
    return Record(f"{image}/{turn}", case, place, source=source, mask=mask, target=target)
