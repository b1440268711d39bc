"""LongText-Bench: long prompts whose pictures must show long texts, in English and Chinese."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import Given, Line, jsonl_of, require_strings, require_texts
from evalkit.suite.importers.texts import language, tag
from evalkit.types import Case


class LongTextBench(Importer):
    """One object per line. Both languages number their prompts from 0."""

    name = "longtext-bench"
    title = "LongText-Bench"
    licence = Licence("Apache-2.0", open=True)
    category = "typography"
    size = "160 prompts in English, 160 in Chinese"
    needs = "text_prompts.jsonl, text_prompts_zh.jsonl"
    origin = "https://github.com/X-Omni-Team/X-Omni, textbench/"
    about = (
        "The id of a record is its language and its `prompt_id`. A prompt in both languages is one cluster."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        for path in given.require("*.jsonl"):
            for row in given.each([path], _rows):
                yield _record(row, Place(given.shown(path), row.line))


def _rows(path: Path) -> Iterator[Line]:
    for row in jsonl_of(path, ("prompt_id", "category", "prompt", "text")):
        require_strings(row.raw, ("prompt", "category"), row.line)
        require_texts(row.raw, "text", row.line)
        yield row


def _record(row: Line, place: Place) -> Record:
    raw, lang = row.raw, language(row.raw["prompt"])
    number = str(raw["prompt_id"])
    tags = [tag("category", raw["category"]), tag("lang", lang)]
    tags += [tag("length", raw["length"])] if raw.get("length") else []
    case = Case(
        f"{lang}-{number.zfill(3)}",
        raw["prompt"],
        tags=tuple(tags),
        cluster=f"prompt-{number}",
        expected_text=tuple(text for text in raw["text"] if text.strip()),
    )
    return Record(f"{lang}/{number}", case, place)
