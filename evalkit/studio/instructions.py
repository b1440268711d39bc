"""Reading edit instructions: `parse_edit(instruction) -> Edit`. It knows the order of words only."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from evalkit.studio.edits import Add, Backdrop, Dress, Edit, Recolour, Remove, Replace, Rewrite
from evalkit.studio.grammar import ARTICLES, read_item, read_lines, read_place, read_surface, read_trait
from evalkit.studio.palette import HAIR_COLOURS, OBJECT_COLOURS, WALL_COLOURS
from evalkit.studio.scene import Light, Style, Thing
from evalkit.studio.vocabulary import GARMENTS, PLURALS, SIGN_KINDS, SURFACES
from evalkit.studio.words import Cursor

_EXTRA_WORDS = (
    "make change paint turn remove take away out delete add put place give replace swap set show look "
    "to say read her him them it into of by for like all everything else words line text light "
    "picture this their colour drawing daytime daylight night day evening without"
)
_CODA = re.compile(
    r"[,;.]?\s*(and\s+|but\s+)?(keep|leave)\s+(everything|all)(\s+else)?"
    r"(\s+(the\s+)?(same|unchanged|as it is))?\s*\.?$",
    re.IGNORECASE,
)
_TARGETS: dict[str, tuple[str, ...]] = {
    **{kind: (kind, plural) for kind, plural in PLURALS.items()},
    **{name: (name,) for name in (*SIGN_KINDS, *GARMENTS, "scarf", "hair", "letters", "glasses", "beard")},
}
_DRESSING = (
    *("give her", "give him", "give them", "give the woman", "give the man", "add", "put"),
    *("make her", "make him", "make the woman", "make the man"),
)
_STYLES: dict[Style, tuple[str, ...]] = {
    "sketch": ("a pencil sketch", "a pencil drawing"),
    "mono": ("a black and white photo", "a black-and-white photo", "black and white"),
}
_LIGHT_WORDS: dict[Light, tuple[str, ...]] = {
    "evening": ("evening", "sunset"),
    "night": ("night",),
    "day": ("day", "daytime", "daylight"),
}


def parse_edit(instruction: str) -> Edit:
    """The edit an instruction asks for. Raises `NotUnderstood`, which names the words.

    >>> parse_edit("make the mug green, keep everything else")
    Recolour(target='mug', colour='green')
    """
    cursor = Cursor(_CODA.sub("", instruction), extra=_EXTRA_WORDS.split())
    for reader in _READERS:
        cursor.at = 0
        edit = reader(cursor)
        cursor.skip(".")
        if edit is not None and not cursor.rest():
            return edit
    cursor.at = 0
    raise cursor.problem()


def _read_rewrite(cursor: Cursor) -> Edit | None:
    if cursor.accept("replace") or cursor.accept("change"):
        cursor.accept_any(("the text", "the words", "the line"))
        old = cursor.quoted()
        if old is not None and cursor.accept_any(("with", "to")):
            new = cursor.quoted()
            return None if new is None else Rewrite((new,), old)
    cursor.at = 0
    if not cursor.accept_any(("change", "make")):
        return None
    cursor.accept_any((*(f"the {kind}" for kind in SIGN_KINDS), "the text", "the text on the sign"))
    if not cursor.accept_any(("to say", "to read", "say", "to")):
        return None
    lines = read_lines(cursor)
    return Rewrite(lines) if lines else None


def _read_recolour(cursor: Cursor) -> Edit | None:
    if not cursor.accept_any(("make", "paint", "change", "turn")):
        return None
    cursor.accept("the colour of")
    target = _target(cursor)
    cursor.accept_any(("to", "into"))
    colour = cursor.accept_any({**OBJECT_COLOURS, **HAIR_COLOURS})
    return Recolour(target, colour) if target and colour else None


def _target(cursor: Cursor) -> str | None:
    cursor.accept_any((*ARTICLES, "her", "his", "their", "all the"))
    return cursor.choose(_TARGETS)


def _read_remove(cursor: Cursor) -> Edit | None:
    if not cursor.accept_any(("remove", "take away", "take out", "delete")):
        return None
    target = _target(cursor)
    return Remove(target) if target else None


def _read_add(cursor: Cursor) -> Edit | None:
    if not cursor.accept_any(("add", "put", "place")):
        return None
    item = read_item(cursor)
    if item is None:
        return None
    return Add(item, read_place(cursor))


def _read_replace(cursor: Cursor) -> Edit | None:
    if not cursor.accept_any(("replace", "swap")):
        return None
    target = _target(cursor)
    if target is None or not cursor.accept_any(("with", "by", "for")):
        return None
    coloured = any(word in OBJECT_COLOURS for word in cursor.rest())
    item = read_item(cursor)
    return Replace(target, item, coloured) if isinstance(item, Thing) else None


def _read_dress(cursor: Cursor) -> Edit | None:
    if not cursor.accept_any(_DRESSING):
        return None
    traits: dict[str, Any] = {}
    mood = cursor.accept_any(("smiling", "smile", "surprised", "calm"))
    if mood:
        traits["mood"] = "smiling" if mood == "smile" else mood
    elif not read_trait(cursor, traits):
        return None
    cursor.accept_any(("on the woman", "on the man", "on her", "on him"))
    return Dress(tuple(sorted(traits.items())))


def _read_backdrop(cursor: Cursor) -> Edit | None:
    readers = (_read_wall, _read_table, _read_light, _read_style)
    for reader in readers:
        cursor.at = 0
        edit = reader(cursor)
        if edit is not None:
            return edit
    return None


def _read_wall(cursor: Cursor) -> Edit | None:
    if not cursor.accept_any(("change", "make", "paint", "turn")):
        return None
    if not cursor.accept_any(("the background", "the wall")):
        return None
    cursor.accept_any(("to a", "to", "into"))
    wall = cursor.accept_any(WALL_COLOURS)
    cursor.accept_any(("wall", "background"))
    return Backdrop(wall=wall) if wall else None


def _read_table(cursor: Cursor) -> Edit | None:
    if cursor.accept_any(
        ("put everything on", "place everything on", "change the table to", "replace the table with")
    ):
        named = read_surface(cursor) or cursor.accept_any((*SURFACES, *WALL_COLOURS))
        return Backdrop(surface=named) if named else None
    if cursor.accept_any(("make the table", "paint the table")):
        colour = cursor.accept_any((*SURFACES, *WALL_COLOURS)) or cursor.choose({"wood": ("wooden",)})
        return Backdrop(surface=colour) if colour else None
    return None


def _read_light(cursor: Cursor) -> Edit | None:
    if not cursor.accept_any(
        ("make it", "change the light to", "turn it into", "show it", "make it look like")
    ):
        return None
    light = cursor.choose(_LIGHT_WORDS)
    cursor.accept("light")
    return Backdrop(light=light) if light else None


def _read_style(cursor: Cursor) -> Edit | None:
    if not cursor.accept_any(("make it", "turn it into", "turn the picture into", "turn this into")):
        return None
    style = cursor.choose(_STYLES)
    return Backdrop(style=style) if style else None


_READERS: tuple[Callable[[Cursor], Edit | None], ...] = (
    _read_rewrite,
    _read_recolour,
    _read_backdrop,
    _read_remove,
    _read_replace,
    _read_dress,
    _read_add,
)
