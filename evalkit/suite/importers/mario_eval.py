"""MARIO-Eval: plain files of prompts whose texts stand between single marks."""

from __future__ import annotations

from collections.abc import Iterator

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import Given, prompts_of
from evalkit.suite.importers.texts import between_apostrophes, language, quoted, tag
from evalkit.types import Case


class MarioEval(Importer):
    """One prompt per line; the file's name is the part it belongs to."""

    name = "mario-eval"
    title = "MARIO-Eval"
    licence = Licence("MIT", open=True)
    category = "typography"
    size = "5,414 prompts in six files"
    needs = "DrawTextCreative.txt, TMDBEval500.txt, ... each in a folder of its name"
    origin = "https://github.com/microsoft/unilm, textdiffuser, MARIOEval"
    about = (
        "The id of a record is its file and its line, from 0. Its texts are those between single marks; "
        "prompts without one are left out."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        for path in given.require("*.txt"):
            for line, prompt in given.each([path], prompts_of):
                yield _record(path.stem, line, prompt, Place(given.shown(path), line))


def _record(stem: str, line: int, prompt: str, place: Place) -> Record:
    case = Case(
        f"{stem}-{line - 1:04d}",
        prompt,
        tags=(tag("part", stem), tag("lang", language(prompt))),
        expected_text=quoted(prompt) or between_apostrophes(prompt),
    )
    return Record(f"{stem}/{line - 1}", case, place)
