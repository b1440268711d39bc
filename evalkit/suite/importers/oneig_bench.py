"""OneIG-Bench: prompts in six categories and two languages, with texts and questions in other files."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import BadFile, Given, Line, csv_of, json_of, kind, require_keys
from evalkit.suite.importers.texts import language, slug, tag
from evalkit.types import Case, Json

PROMPTS = ("prompt_en", "prompt_zh", "prompt_cn", "prompt")
FOLDERS = {
    "anime": "anime",
    "portrait": "human",
    "general-object": "object",
    "object": "object",
    "text": "text",
    "knowledge": "reasoning",
    "reasoning": "reasoning",
    "multilingualism": "multilingualism",
}
MADE_FOR = {"human": "portrait", "object": "product", "text": "typography"}

Checks = tuple[Mapping[str, Json], ...]
Key = tuple[str, str, str]
"""Folder, id and language of a record; folders are what its makers call their categories on the disk."""


class OneIGBench(Importer):
    """The prompt tables are joined with whatever of texts, questions and answers lies beside them."""

    name = "oneig-bench"
    title = "OneIG-Bench"
    licence = Licence(
        "CC-BY-NC-4.0", open=False, terms="Not for commercial use; the code beside it has no licence at all."
    )
    size = "1,120 prompts in English, 1,320 in Chinese"
    needs = "OneIG-Bench.csv, OneIG-Bench-ZH.csv, text_content*.csv, Q_D/*.json and gt_answer*.json"
    origin = "https://huggingface.co/datasets/OneIG-Bench/OneIG-Bench and its repository on GitHub"
    about = (
        "The id of a record is its category and its id in the table. A prompt in both languages is one "
        "cluster. Questions become checks of the kind `question`, reference answers of the kind "
        "`reference_answer`."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        texts = _texts(given)
        checks = {**_questions(given), **_answers(given)}
        named = [path for path in given.named(".csv") if not path.name.lower().startswith("text_content")]
        for path in named or given.require("OneIG-Bench*.csv"):
            for row in given.each([path], _rows):
                yield _record(row, Place(given.shown(path), row.line), texts, checks)


def _rows(path: Path) -> Iterator[Line]:
    for row in csv_of(path, ("category", "id")):
        prompt = next((row.raw[key] for key in PROMPTS if key in row.raw), None)
        if prompt is None:
            require_keys(row.raw, ("prompt_en or prompt_cn",), 1, "column")
        yield Line(row.line, {**row.raw, "prompt": prompt})


def _record(row: Line, place: Place, texts: Mapping[Key, list[str]], checks: Mapping[Key, Checks]) -> Record:
    raw, lang = row.raw, language(row.raw["prompt"])
    folder = _folder(raw["category"])
    key = (folder, raw["id"], lang)
    tags = [tag("category", raw["category"]), tag("lang", lang)]
    tags += [tag(name, raw[name]) for name in ("class", "prompt_length") if raw.get(name, "").strip()]
    expected = tuple(text for text in texts.get(key, []) if text.strip()) if folder == "text" else ()
    notes = ("no expected text in text_content",) if folder == "text" and not expected else ()
    case = Case(
        f"{folder}-{raw['id']}-{lang}",
        raw["prompt"],
        tags=tuple(tags),
        cluster=f"{folder}-{raw['id']}",
        expected_text=expected,
        checks=checks.get(key, ()),
    )
    made_for = (MADE_FOR[folder],) if folder in MADE_FOR else ()
    return Record(f"{folder}/{raw['id']}", case, place, made_for, notes=notes)


def _folder(category: str) -> str:
    name = slug(category.replace("_", " "))
    return next((folder for start, folder in FOLDERS.items() if name.startswith(start)), name)


def _lang_of(path: Path) -> str:
    return "zh" if path.stem.lower().endswith(("_zh", "-zh")) else "en"


def _texts(given: Given) -> dict[Key, list[str]]:
    found: dict[Key, list[str]] = {}
    for path in given.find("text_content*.csv"):
        for line in given.each([path], _text_rows):
            found["text", line.raw["id"], _lang_of(path)] = line.raw["texts"]
    return found


def _text_rows(path: Path) -> Iterator[Line]:
    """The texts are written as Python writes a list, not as JSON does."""
    for row in csv_of(path, ("id", "text_content")):
        try:
            value = ast.literal_eval(row.raw["text_content"])
        except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
            found = row.raw["text_content"][:60]
            raise BadFile(row.line, f"expected a list as Python writes it; found {found!r}") from error
        texts = [value] if isinstance(value, str) else value
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            raise BadFile(row.line, f"expected a list of strings; found {row.raw['text_content'][:60]!r}")
        yield Line(row.line, {"id": row.raw["id"], "texts": texts})


def _questions(given: Given) -> dict[Key, Checks]:
    found: dict[Key, Checks] = {}
    names = dict.fromkeys(FOLDERS.values())
    for path in given.find(*(f"{name}{end}.json" for name in names for end in ("", "_zh"))):
        folder = _folder(path.stem.lower().removesuffix("_zh"))
        for key, checks in given.each([path], _question_sets):
            found[folder, key, _lang_of(path)] = checks
    return found


def _question_sets(path: Path) -> Iterator[tuple[str, Checks]]:
    raw = json_of(path)
    if not isinstance(raw, dict):
        raise BadFile(0, f"expected an object of questions by id; found {kind(raw)}")
    for key, value in raw.items():
        parts = _unpacked(value, key)
        require_keys(parts, ("question", "dependency"), 0, f"keys of {key!r}")
        questions, parents = (_unpacked(parts[name], key) for name in ("question", "dependency"))
        yield (
            key,
            tuple(_question(number, text, parents.get(number, [])) for number, text in questions.items()),
        )


def _question(number: str, text: Any, parents: Any) -> Mapping[str, Json]:
    several = parents if isinstance(parents, list) else [parents]
    kept: list[Json] = [str(parent) for parent in several if str(parent) != "0"]
    return {"kind": "question", "id": number, "text": str(text), "parents": kept}


def _unpacked(value: Any, key: str) -> dict[str, Any]:
    """An object, or a string that holds one."""
    try:
        parts = json.loads(value) if isinstance(value, str) else value
    except json.JSONDecodeError as error:
        raise BadFile(0, f"expected JSON inside the string under {key!r}; {error.msg}") from error
    if not isinstance(parts, dict):
        raise BadFile(0, f"expected an object under {key!r}; found {kind(parts)}")
    return parts


def _answers(given: Given) -> dict[Key, Checks]:
    found: dict[Key, Checks] = {}
    for path in given.find("gt_answer*.json"):
        for key, text in given.each([path], _answer_texts):
            found["reasoning", key, _lang_of(path)] = ({"kind": "reference_answer", "text": text},)
    return found


def _answer_texts(path: Path) -> Iterator[tuple[str, str]]:
    raw = json_of(path)
    if not isinstance(raw, dict):
        raise BadFile(0, f"expected an object of answers by id; found {kind(raw)}")
    for key, value in raw.items():
        if not isinstance(value, str):
            raise BadFile(0, f"expected a string under {key!r}; found {kind(value)}")
        yield key, value
