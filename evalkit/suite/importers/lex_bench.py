"""LeX-Bench: pictures with two to four single words in given colours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import (
    BadFile,
    Given,
    json_of,
    kind,
    require_keys,
    require_strings,
    require_texts,
)
from evalkit.suite.importers.texts import tag
from evalkit.types import Case

NEEDED = ("text", "caption", "prompt_idx")


class LexBench(Importer):
    """A JSON list; what its makers read in their own pictures is left alone."""

    name = "lex-bench"
    title = "LeX-Bench"
    licence = Licence("Apache-2.0", open=True)
    category = "typography"
    size = "630 prompts"
    needs = "lex_bench_easy.json"
    origin = "https://github.com/zhaoshitian/LeX-Art, evaluation/"
    about = "The id of a record is its number of words and its `prompt_idx`. The prompt is its `caption`."
    caption: ClassVar[str] = "caption"

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        for path in given.require("*.json"):
            for number, item in enumerate(given.each([path], lambda file: _items(file, self.caption)), 1):
                yield _record(item, item[self.caption], Place(given.shown(path), number))


class LexBenchEnhanced(LexBench):
    """The same records by their long captions."""

    name = "lex-bench-enhanced"
    title = "LeX-Bench, enhanced captions"
    about = "As lex-bench, but the prompt is the `enhanced_caption`, which is longer and written by a model."
    caption = "enhanced_caption"


def _items(path: Path, caption: str) -> Iterator[dict[str, Any]]:
    raw = json_of(path)
    if not isinstance(raw, list):
        raise BadFile(0, f"expected a list of objects; found {kind(raw)}")
    for number, item in enumerate(raw, 1):
        if not isinstance(item, dict):
            raise BadFile(0, f"expected an object as item {number}; found {kind(item)}")
        require_keys(item, (*NEEDED, caption), 0, f"keys of item {number}")
        require_strings(item, (caption,), 0, f" of item {number}")
        require_texts(item, "text", 0, f" of item {number}")
        yield item


def _record(item: dict[str, Any], prompt: str, place: Place) -> Record:
    texts = [text for text in item["text"] if text.strip()]
    origin = f"{len(texts)}/{item['prompt_idx']}"
    named = item.get("color")
    colours = dict.fromkeys(tag("colour", colour) for colour in (named if isinstance(named, list) else []))
    case = Case(
        f"words-{len(texts)}-{item['prompt_idx']}",
        prompt,
        tags=(f"words:{len(texts)}", *colours),
        expected_text=tuple(texts),
    )
    return Record(origin, case, place)
