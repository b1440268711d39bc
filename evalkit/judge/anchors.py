"""Anchors: pictures of known quality that every judging shows the judge again, to see whether it has changed.

Thirty scenes drawn as they were asked for and with one fault, and thirty edits carried out well and badly,
all by the studio; `anchors.jsonl` lists them. It draws them and asks about them; how answers become facts is
for `readings`, and what they tell for `drift`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from evalkit.errors import UsageError
from evalkit.ids import digest
from evalkit.judge.questions import Kind, Question, Sheet, Shown
from evalkit.judge.templates import template
from evalkit.progress import SILENT, Progress
from evalkit.store import Workspace, write_atomically
from evalkit.studio import RECIPE, Drawn, apply, draw, encode, parse, parse_edit, seed_of
from evalkit.studio.jobs import Retouch, work
from evalkit.types import Json

LIST = Path(__file__).resolve().parent / "anchors.jsonl"
SIZE = 512
"""Pixels of each side."""
REPEATS = 2
"""How often each anchor is asked in one judging: how the answers differ is the judge's own noise."""

_ALSO = "also "
_STAGE = "draw anchors"

Quality = Literal["good", "bad"]
QUALITIES: tuple[Quality, ...] = ("good", "bad")


@dataclass(frozen=True, slots=True)
class Anchor:
    """One scene or edit in two qualities. `source` is empty for a picture made from words.

    `fault` is what the bad one shows: another scene; for an edit another instruction carried out, `also ...`
    for one carried out besides, or `noop` for nothing at all.
    """

    id: str
    prompt: str
    fault: str
    source: str = ""

    @property
    def edit(self) -> bool:
        return bool(self.source)


@dataclass(frozen=True, slots=True)
class AnchorUse:
    """One question about an anchor: which, in which quality (`both` for a pair), for which time."""

    key: str
    kind: Kind
    anchor: Anchor
    quality: Quality | Literal["both"]
    repeat: int
    backward: bool = False


@cache
def anchors(path: Path = LIST) -> tuple[Anchor, ...]:
    """Every anchor of the list."""
    return tuple(Anchor(**json.loads(line)) for line in path.read_text("utf-8").splitlines())


def ask_anchors(
    workspace: Workspace,
    sheet: Sheet,
    kinds: Sequence[Kind],
    occasion: tuple[str, int],
    progress: Progress = SILENT,
) -> list[AnchorUse]:
    """Put the anchors of these kinds on the sheet: of edits where it asks about edits, else those of scenes.

    `occasion` is its name, and how often each is asked. Pictures are drawn into `workspace` unless they are
    there. Raises `UsageError` for fewer than two repeats, which would not tell noise from change.
    """
    name, repeats = occasion
    if repeats < 2:
        raise UsageError(f"{repeats} is too few repeats of an anchor", "At least 2, or 0 for no anchors.")
    names = {question.template.name for question in sheet.questions.values()}
    tasks = [edit for edit in (False, True) if any(name.endswith("-edit") == edit for name in names)]
    used = [anchor for anchor in anchors() if anchor.edit in tasks]
    drawn = _drawn(workspace, used, progress)
    uses: list[AnchorUse] = []
    for repeat in range(1, repeats + 1):
        for anchor in used:
            for kind in kinds:
                uses += _ask(sheet, drawn, anchor, kind, (name, repeat))
    return uses


def occasion_of(sheet: Sheet, judge: str) -> str:
    """What a judging is told apart by: what it asks, and whom. The same command is the same occasion."""
    return digest([judge, sorted(sheet.questions)])[:16]


_TEMPLATES: Mapping[Kind, tuple[str, str]] = {
    "yes-no": ("yes-no", "yes-no-edit"),
    "rubric": ("rubric", "rubric-edit"),
    "pairs": ("pair", "pair-edit"),
}


def _ask(
    sheet: Sheet, drawn: Mapping[str, Shown], anchor: Anchor, kind: Kind, when: tuple[str, int]
) -> list[AnchorUse]:
    occasion, repeat = f"{when[0]}/{when[1]}", when[1]
    asked = template(_TEMPLATES[kind][anchor.edit])
    before = (drawn[f"{anchor.id}-source"],) if anchor.edit else ()
    good, bad = (drawn[f"{anchor.id}-{quality}"] for quality in QUALITIES)
    if kind == "pairs":
        orders = ((good, bad), (bad, good))
        keys = [sheet.put(Question(asked, anchor.prompt, (*before, *order), occasion)) for order in orders]
        return [AnchorUse(key, kind, anchor, "both", repeat, bool(n)) for n, key in enumerate(keys)]
    shown = {"good": good, "bad": bad}
    return [
        AnchorUse(
            sheet.put(Question(asked, anchor.prompt, (*before, shown[quality]), occasion)),
            kind,
            anchor,
            quality,
            repeat,
        )
        for quality in QUALITIES
    ]


def _drawn(workspace: Workspace, used: Sequence[Anchor], progress: Progress = SILENT) -> dict[str, Shown]:
    """The pictures of these anchors by name, drawn once for a workspace and a version of the studio."""
    path = workspace.root / "anchors.json"
    recipe: Json = digest([RECIPE, SIZE, LIST.read_text("utf-8")])
    kept = json.loads(path.read_bytes()) if path.exists() else {}
    known: dict[str, str] = kept["pictures"] if kept.get("recipe") == recipe else {}
    objects = workspace.objects
    missing = [a for a in used if not all(known.get(name, "-") in objects for name in _names(a))]
    if missing:
        progress.start(_STAGE, len(missing))
    for anchor in missing:
        for part, data in _pictures(anchor).items():
            known[f"{anchor.id}-{part}"] = objects.put(data)
        progress.advance(_STAGE)
    if missing:
        progress.finish(_STAGE)
    if known != kept.get("pictures"):
        write_atomically(path, json.dumps({"recipe": recipe, "pictures": known}).encode())
    return {name: Shown(sha, SIZE, SIZE) for name, sha in known.items()}


def _names(anchor: Anchor) -> list[str]:
    return [f"{anchor.id}-{part}" for part in (*QUALITIES, *(("source",) if anchor.edit else ()))]


def _pictures(anchor: Anchor) -> dict[str, bytes]:
    if not anchor.edit:
        seed = seed_of(anchor.prompt)
        return {"good": _scene(anchor.prompt, seed), "bad": _scene(anchor.fault, seed)}
    source = _scene(anchor.source, seed_of(anchor.source))
    return {
        "source": source,
        "good": _edited(source, anchor.source, anchor.prompt),
        "bad": _badly_edited(source, anchor),
    }


def _badly_edited(source: bytes, anchor: Anchor) -> bytes:
    if anchor.fault == "noop":
        return source
    if anchor.fault.startswith(_ALSO):
        return _edited(source, anchor.source, anchor.prompt, anchor.fault.removeprefix(_ALSO))
    return _edited(source, anchor.source, anchor.fault)


def _scene(text: str, seed: int) -> bytes:
    scene = parse(text)
    return encode(draw(scene, SIZE, SIZE, seed), Drawn(scene, seed))


def _edited(source: bytes, text: str, *instructions: str) -> bytes:
    before = Drawn(parse(text), seed_of(text))
    after = before.scene
    for instruction in instructions:
        after = apply(parse_edit(instruction), after)
    return work(Retouch(source, None, before, after, before.seed))
