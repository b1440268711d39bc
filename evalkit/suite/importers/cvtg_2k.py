"""CVTG-2K: prompts with two to five texts at different places of a picture.

The card does not name the fields. What is read here is what its makers' program reads (a list `data_list` of
objects with `index`, `prompt` and `sentence_list`, one sentence per text), a bare list of the same objects,
and the texts themselves under a few likely names.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import BadFile, Given, json_of, kind, require_keys, require_strings
from evalkit.suite.importers.texts import between_apostrophes, quoted, tag
from evalkit.types import Case

LISTS = ("data_list", "data", "prompts", "items")
PROMPTS = ("prompt", "caption", "text_prompt")
TEXTS = ("text_list", "texts", "words", "text")
IDS = ("index", "id", "idx", "prompt_id")


class CVTG2K(Importer):
    """Files are named after the number of texts; the `_combined` ones repeat the same prompts."""

    name = "cvtg-2k"
    title = "CVTG-2K"
    licence = Licence("Apache-2.0", open=True)
    category = "typography"
    size = "2,000 prompts"
    needs = "the folders CVTG and CVTG-style with 2.json to 5.json"
    origin = "https://huggingface.co/datasets/dnkdnk/CVTG-2K, unpacked"
    about = (
        "The id of a record is its folder, its file and its index. Texts are those between quotation "
        "marks or single marks of each sentence, or of the prompt. Of a folder, the `_combined` files are "
        "left alone."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        for path in given.named(".json") or given.require(*(f"{number}.json" for number in range(1, 10))):
            for number, item in enumerate(given.each([path], _items), 1):
                yield _record(item, path, number, Place(given.shown(path), number))


def _items(path: Path) -> Iterator[dict[str, Any]]:
    raw = json_of(path)
    if isinstance(raw, dict):
        key = next((name for name in LISTS if isinstance(raw.get(name), list)), None)
        raw = raw[key] if key else raw
    if not isinstance(raw, list):
        raise BadFile(0, f"expected a list of objects, or one under {' or '.join(LISTS)}; found {kind(raw)}")
    for number, item in enumerate(raw, 1):
        if not isinstance(item, dict):
            raise BadFile(0, f"expected an object as item {number}; found {kind(item)}")
        if _first(item, PROMPTS) is None:
            require_keys(item, (" or ".join(PROMPTS),), 0, f"key of item {number}")
        require_strings(item, PROMPTS, 0, f" of item {number}")
        yield item


def _first(item: dict[str, Any], names: tuple[str, ...]) -> Any:
    return next((item[name] for name in names if name in item), None)


def _record(item: dict[str, Any], path: Path, number: int, place: Place) -> Record:
    index = _first(item, IDS)
    index = number - 1 if index is None else index
    style = "style" if "style" in path.parent.name.lower() else "plain"
    texts = _texts(item)
    case = Case(
        f"{style}-{path.stem}-{index}",
        _first(item, PROMPTS),
        tags=(tag("texts", path.stem), tag("style", style)),
        expected_text=texts,
    )
    return Record(f"{path.parent.name}/{path.stem}/{index}", case, place)


def _texts(item: dict[str, Any]) -> tuple[str, ...]:
    plain = _first(item, TEXTS)
    if isinstance(plain, list) and all(isinstance(text, str) for text in plain):
        return tuple(text for text in plain if text.strip())
    sentences = item.get("sentence_list")
    if isinstance(sentences, list) and all(isinstance(sentence, str) for sentence in sentences):
        found = [text for sentence in sentences for text in _marked(sentence)]
        if found:
            return tuple(found)
    return _marked(str(_first(item, PROMPTS)))


def _marked(text: str) -> tuple[str, ...]:
    return quoted(text) or between_apostrophes(text)
