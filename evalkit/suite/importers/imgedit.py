"""ImgEdit-Bench: edits by instruction; the basic set, the hard one (UGE) and edits in several turns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.suite.importers.base import Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import BadFile, Given, mapping_of, require_keys, require_strings
from evalkit.suite.importers.texts import tag
from evalkit.types import Case, EditType, Json

EDIT_TYPES: Mapping[str, EditType] = {
    "add": "add",
    "remove": "remove",
    "replace": "replace",
    "background": "background",
    "style": "restyle",
}
JUDGES = "prompts.json"
"""What their judge is told; it lies beside the edits and holds none."""


class ImgEdit(Importer):
    """JSON objects of edits by key; the pictures come from another archive."""

    name = "imgedit"
    title = "ImgEdit-Bench"
    licence = Licence(
        "LicenseRef-ImgEdit-unstated",
        open=False,
        terms="Neither the edits nor their pictures have a licence.",
    )
    size = "737 basic edits, 47 hard ones, some in several turns"
    needs = "basic_edit.json, UGE_edit.json or the multi-turn files, and the pictures of Benchmark.tar"
    origin = "https://github.com/PKU-YuanGroup/ImgEdit, and https://huggingface.co/datasets/sysuyy/ImgEdit"
    about = (
        "The id of a record is its file's name and its key. Of an edit in several turns the first is asked; "
        "the others, which start from a model's own picture, are kept as checks of the kind `turn`."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        files = [path for path in given.require("*.json") if path.name != JUDGES or path in given.paths]
        for path in files:
            for key, raw in given.each([path], _edits):
                yield _record(path, key, raw, given)


def _edits(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, raw in mapping_of(path, ("id",)):
        if "prompt" not in raw and "turn1" not in raw:
            require_keys(raw, ("id", "prompt or turn1"), 0, f"keys of {key!r}")
        require_strings(raw, ("id", "prompt", "edit_type", "turn1", "turn2", "turn3"), 0, f" of {key!r}")
        if not raw["id"]:
            raise BadFile(0, f'expected the name of a picture under "id" of {key!r}; found nothing')
        yield key, raw


def _record(path: Path, key: str, raw: Mapping[str, Any], given: Given) -> Record | Skipped:
    origin, place = f"{path.stem}/{key}", Place(given.shown(path))
    picture = given.picture(raw["id"], path)
    if picture is None:
        return Skipped(origin, place, "the source picture is not there (--images says where to look)")
    kind = raw.get("edit_type", "")
    turns = [raw[name] for name in ("turn1", "turn2", "turn3") if raw.get(name)]
    later: list[Mapping[str, Json]] = [
        {"kind": "turn", "number": number, "prompt": text} for number, text in enumerate(turns[1:], 2)
    ]
    case = Case(
        f"{path.stem.removesuffix('_edit')}-{key}",
        raw.get("prompt") or (turns[0] if turns else ""),
        task="edit",
        tags=(*([tag("edit", kind)] if kind else []), *(["multi-turn"] if later else [])),
        cluster=raw["id"],
        edit_type=EDIT_TYPES.get(kind),
        checks=tuple(later),
    )
    notes = ("only the first of several turns is asked",) if later else ()
    return Record(origin, case, place, source=given.reader(picture), notes=notes)
