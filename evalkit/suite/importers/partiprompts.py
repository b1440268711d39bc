"""PartiPrompts: a table of prompts in 12 categories with one of 11 challenges each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import BadFile, Given, lines_of, require_keys
from evalkit.suite.importers.texts import opening, quoted, tag
from evalkit.types import Case

COLUMNS = ("Prompt", "Category", "Challenge", "Note")
MADE_FOR = {"People": "portrait", "Artifacts": "product", "Writing & Symbols": "typography"}


class PartiPrompts(Importer):
    """Tab-separated and never quoted: a quotation mark in a prompt is part of it."""

    name = "partiprompts"
    title = "PartiPrompts"
    licence = Licence("Apache-2.0", open=True)
    size = "1,632 prompts"
    needs = "PartiPrompts.tsv"
    origin = "https://github.com/google-research/parti"
    about = (
        "The id of a record is its row, from 1. Prompts that share their first six words are one cluster. "
        "Texts in quotation marks are expected where the challenge is Writing & Symbols."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        for path in given.require("*.tsv"):
            rows = list(given.each([path], _rows))
            families = Counter(opening(row[0]) for _, row in rows)
            for number, (line, row) in enumerate(rows, 1):
                yield _record(number, row, Place(given.shown(path), line), families)


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    lines = lines_of(path)
    require_keys(next(lines)[1].split("\t"), COLUMNS, 1, "tab-separated columns")
    for number, line in lines:
        if line:
            row = line.split("\t")
            if len(row) != len(COLUMNS):
                raise BadFile(number, f"expected {len(COLUMNS)} tab-separated columns; found {len(row)}")
            yield number, row


def _record(number: int, row: list[str], place: Place, families: Counter[str]) -> Record:
    prompt, category, challenge, _ = row
    family = opening(prompt)
    expected = quoted(prompt) if challenge == "Writing & Symbols" else ()
    case = Case(
        f"parti-{number:04d}",
        prompt,
        tags=(tag("category", category), tag("challenge", challenge)),
        cluster=family if families[family] > 1 else "",
        expected_text=expected,
    )
    made_for = [MADE_FOR[name] for name in (category, challenge) if name in MADE_FOR]
    return Record(str(number), case, place, tuple(made_for))
