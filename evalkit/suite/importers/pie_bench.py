"""PIE-Bench: edits of ten types with a mask, an instruction and a caption of the picture before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from evalkit.suite.importers.base import RGB, Bits, Importer, Licence, Place, Record, Skipped
from evalkit.suite.importers.inputs import Given, mapping_of, require_strings
from evalkit.suite.importers.regions import mask_of
from evalkit.suite.importers.texts import tag
from evalkit.types import Case, EditType

NEEDED = ("image_path", "original_prompt", "editing_prompt", "editing_instruction", "editing_type_id", "mask")
TEXTS = ("image_path", "original_prompt", "editing_prompt", "editing_instruction")
SIDE = 512
KINDS = (
    "random",
    "change-object",
    "add-object",
    "delete-object",
    "change-attribute-content",
    "change-attribute-pose",
    "change-attribute-color",
    "change-attribute-material",
    "change-background",
    "change-style",
)
EDIT_TYPES: Mapping[str, EditType] = {
    "change-object": "replace",
    "add-object": "add",
    "delete-object": "remove",
    "change-attribute-color": "recolour",
    "change-background": "background",
    "change-style": "restyle",
}
KEEP = "everything outside the mask"


class PIEBench(Importer):
    """The mask is taken as it was drawn: the frame of one pixel that its makers add when scoring is not."""

    name = "pie-bench"
    title = "PIE-Bench"
    licence = Licence(
        "LicenseRef-PIE-Bench-unstated", open=False, terms="It is handed out by a form and without a licence."
    )
    size = "700 edits"
    needs = "mapping_file.json and the folder annotation_images"
    origin = "the form that https://github.com/cure-lab/PnPInversion links to"
    about = (
        "The id of a record is its key. The instruction is what is asked; the two prompts, without the "
        "brackets that mark their difference, are the captions. Masks that cover everything are left out. "
        "As edit-preservation, only those with a mask and an edit type that evalkit knows are taken."
    )

    def read(self, given: Given) -> Iterator[Record | Skipped]:
        for path in given.require("*.json"):
            for key, raw in given.each([path], _edits):
                yield _record(key, raw, path, given)


def _edits(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for key, raw in mapping_of(path, NEEDED):
        require_strings(raw, TEXTS, 0, f" of {key!r}")
        yield key, raw


def _record(key: str, raw: Mapping[str, Any], path: Path, given: Given) -> Record | Skipped:
    place = Place(given.shown(path))
    picture = given.picture(raw["image_path"], path)
    if picture is None:
        return Skipped(key, place, "the source picture is not there (--images says where to look)")
    number = str(raw["editing_type_id"])
    kind = KINDS[int(number)] if number.isdigit() and int(number) < len(KINDS) else number

    def mask(source: RGB) -> Bits:
        return mask_of(raw["mask"], source, SIDE, SIDE)

    case = Case(
        key,
        raw["editing_instruction"],
        task="edit",
        tags=(tag("edit", kind),),
        cluster=raw["image_path"],
        source_caption=plain(raw["original_prompt"]),
        target_caption=plain(raw["editing_prompt"]),
        edit_type=EDIT_TYPES.get(kind),
        keep=(KEEP,),
    )
    whole = ("edit-preservation",) if case.edit_type else ()
    return Record(key, case, place, whole, source=given.reader(picture), mask=mask)


def plain(prompt: str) -> str:
    """A prompt without the brackets around what differs.

    >>> plain("a slanted [rusty] mountain bicycle")
    'a slanted rusty mountain bicycle'
    """
    return prompt.replace("[", "").replace("]", "").strip()
