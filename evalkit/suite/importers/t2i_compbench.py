"""T2I-CompBench: eight files of compositional prompts, one per line."""

from __future__ import annotations

import re
from collections.abc import Iterator

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import Given, prompts_of
from evalkit.suite.importers.texts import tag, word_bag
from evalkit.types import Case

CATEGORIES = ("color", "shape", "texture", "spatial", "3d_spatial", "non_spatial", "numeracy", "complex")


class T2ICompBench(Importer):
    """Of a folder only the `_val` files are read: the others are their parts, or for training."""

    name = "t2i-compbench"
    title = "T2I-CompBench"
    licence = Licence("MIT", open=True)
    size = "8 x 300 prompts"
    needs = "color_val.txt, shape_val.txt, ... (or any of their .txt files, named one by one)"
    origin = "https://github.com/Karine-Huang/T2I-CompBench, examples/dataset/"
    about = (
        "The id of a record is its file's name and its line, from 0. Prompts with the same words in "
        "another order (a green bench and a blue bowl) are one cluster."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        for path in given.named(".txt") or given.require(*(f"{category}_val.txt" for category in CATEGORIES)):
            for line, prompt in given.each([path], prompts_of):
                yield _record(path.stem, line, prompt, Place(given.shown(path), line))


def _record(stem: str, line: int, prompt: str, place: Place) -> Record:
    category = re.sub(r"_(val|train)(_\w+)?$", "", stem)
    origin = f"{stem}/{line - 1}"
    case = Case(
        f"{category}-{line - 1:04d}", prompt, tags=(tag("category", category),), cluster=word_bag(prompt)
    )
    return Record(origin, case, place)
