"""DrawBench: 200 prompts in 11 categories, a sheet saved as CSV."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import Given, Line, csv_of
from evalkit.suite.importers.texts import between_apostrophes, quoted, tag
from evalkit.types import Case


class DrawBench(Importer):
    """Two columns. Prompts of the category Text write their texts between single marks."""

    name = "drawbench"
    title = "DrawBench"
    licence = Licence(
        "LicenseRef-DrawBench-unstated",
        open=False,
        terms="Its makers state no licence, so no right to pass it on.",
    )
    size = "200 prompts"
    needs = "a CSV with the columns Prompts and Category"
    origin = (
        "https://docs.google.com/spreadsheets/d/1y7nAbmR4FREi6npB1u-Bo3GFdwdOPYJc617rBOxIRHY, saved as CSV"
    )
    about = (
        "The id of a record is its row, from 1. Texts between single marks are expected in the category Text."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        for path in given.require("*.csv"):
            rows = given.each([path], lambda file: csv_of(file, ("Prompts", "Category")))
            for number, row in enumerate(rows, 1):
                yield _record(number, row, Place(given.shown(path), row.line))


def _record(number: int, row: Line, place: Place) -> Record:
    prompt, category = row.raw["Prompts"], row.raw["Category"]
    is_text = category.strip() == "Text"
    case = Case(
        f"drawbench-{number:03d}",
        prompt,
        tags=(tag("category", category),),
        expected_text=(quoted(prompt) or between_apostrophes(prompt)) if is_text else (),
    )
    return Record(str(number), case, place, ("typography",) if is_text else ())
