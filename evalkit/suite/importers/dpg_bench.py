"""DPG-Bench: long prompts, one per file, and a table of yes/no questions that depend on each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import BadFile, Given, Line, csv_of, text_of
from evalkit.types import Case, Json

COLUMNS = ("item_id", "text", "proposition_id", "dependency", "question_natural_language")


@dataclass(slots=True)
class _Item:
    """All questions of one prompt, in the order of the table."""

    text: str
    place: Place
    questions: list[Mapping[str, Json]] = field(default_factory=list)


class DPGBench(Importer):
    """Questions become checks of the kind `question`; every row of the table is one, the first included."""

    name = "dpg-bench"
    title = "DPG-Bench"
    licence = Licence("Apache-2.0", open=True)
    size = "1,065 prompts"
    needs = "prompts/*.txt and dpg_bench.csv"
    origin = "https://github.com/TencentQQGYLab/ELLA, dpg_bench/"
    about = (
        "The id of a record is its `item_id`, the name of its text file. A question is asked only if its "
        "`parents` are answered with yes. Without the table there are no questions, without the files the "
        "prompts are its."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        items: dict[str, _Item] = {}
        for path in given.named(".csv") or given.find("dpg_bench*.csv"):
            for row, question in given.each([path], _rows):
                item_id, place = row.raw["item_id"].strip(), Place(given.shown(path), row.line)
                items.setdefault(item_id, _Item(row.raw["text"], place)).questions.append(question)
        texts = _texts(given)
        if not items and not texts and not given.problems:
            given.require("*.txt", "dpg_bench.csv")
        asked = bool(items)
        for path in texts:
            for prompt in given.each([path], _prompt):
                yield _record(path.stem, prompt, Place(given.shown(path)), items.pop(path.stem, None), asked)
        for item_id, item in items.items():
            yield _record(item_id, item.text, item.place, item, asked)


def _texts(given: Given) -> list[Path]:
    """Those named one by one, and those in folders called prompts; without such a folder, all there are."""
    named, there = given.named(".txt"), given.find("*.txt")
    prompts = [path for path in there if path.parent.name == "prompts" and path not in named]
    return [*named, *prompts] or there


def _prompt(path: Path) -> Iterator[str]:
    yield text_of(path).strip("\r\n")


def _rows(path: Path) -> Iterator[tuple[Line, Mapping[str, Json]]]:
    for row in csv_of(path, COLUMNS):
        yield row, _question(row)


def _question(row: Line) -> Mapping[str, Json]:
    raw = row.raw
    parents = [part.strip() for part in raw["dependency"].split(",") if part.strip()]
    if not raw["proposition_id"].strip() or not all(part.isdigit() for part in parents):
        found = f"proposition_id {raw['proposition_id']!r}, dependency {raw['dependency']!r}"
        raise BadFile(row.line, f"expected a proposition's number and those it depends on; found {found}")
    kept: list[Json] = [part for part in parents if part != "0"]
    check: dict[str, Json] = {
        "kind": "question",
        "id": raw["proposition_id"].strip(),
        "text": raw["question_natural_language"].strip(),
        "parents": kept,
    }
    if raw.get("category_broad", "").strip():
        check["category"] = raw["category_broad"].strip()
    return check


def _record(item_id: str, prompt: str, place: Place, item: _Item | None, asked: bool) -> Record:
    notes = ("no questions in the table",) if item is None and asked else ()
    return Record(
        item_id, Case(item_id, prompt, checks=tuple(item.questions) if item else ()), place, notes=notes
    )
