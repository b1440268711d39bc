"""Reading a prompt: `parse(prompt) -> Scene`.

It knows the order of words. What a scene is, which words exist and how a scene looks are its
neighbours' business; `describe` is its inverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from evalkit.studio.kinds import KINDS
from evalkit.studio.palette import HAIR_COLOURS, OBJECT_COLOURS, SKINS, WALL_COLOURS
from evalkit.studio.scene import (
    GROUND,
    Item,
    Light,
    Person,
    Place,
    Scene,
    Sign,
    Size,
    Style,
    Thing,
)
from evalkit.studio.vocabulary import (
    FIGURES,
    GARMENTS,
    HAIR_STYLES,
    LIGHTS,
    MOODS,
    NUMBERS,
    PLACE_PHRASES,
    PLURALS,
    RELATIONS,
    SAYS,
    SIGN_KINDS,
    SURFACES,
)
from evalkit.studio.words import Cursor, opener

ARTICLES = ("a", "an", "the")
_KIND_WORDS = {kind: (kind, plural) for kind, plural in PLURALS.items()}


def parse(prompt: str) -> Scene:
    """The scene a prompt describes. Raises `NotUnderstood`, which names the words.

    >>> parse("two red apples on a wooden table").items[0].count
    2
    """
    cursor = Cursor(prompt)
    how = opener(cursor)
    found = _Found()
    while cursor.rest():
        cursor.skip(",", "and", ".")
        if cursor.rest() and not _read_clause(cursor, found):
            raise cursor.problem()
    if not found.items and not found.empty:
        raise cursor.problem()
    return _scene(found, how)


@dataclass
class _Found:
    """What has been read so far; `None` places are assigned at the end."""

    items: list[tuple[Item, Place | None]] = field(default_factory=list)
    empty: bool = False
    wall: str | None = None
    surface: str | None = None
    light: Light | None = None


def _read_clause(cursor: Cursor, found: _Found) -> bool:
    if read_light(cursor, found) or _read_backdrop(cursor, found):
        return True
    if cursor.accept("an empty scene"):
        found.empty = True
        return True
    item = read_item(cursor)
    if item is None:
        return False
    place = read_place(cursor)
    relation = cursor.accept_any(RELATIONS) if place is None else None
    if relation is None:
        found.items.append((item, place))
        return True
    other = read_item(cursor)
    if other is None:
        return False
    first, second = RELATIONS[relation]
    found.items += [(item, first), (other, second)]
    return True


def read_light(cursor: Cursor, found: Any) -> bool:
    """A phrase such as `at night`, written to `found.light`."""
    light = cursor.choose(LIGHTS)
    if light is not None:
        found.light = cast(Light, light)
    return light is not None


def _read_backdrop(cursor: Cursor, found: _Found) -> bool:
    start = cursor.at
    if cursor.accept("without a table"):
        found.surface = "none"
        return True
    if cursor.accept_any(("on", "standing on")):
        surface = read_surface(cursor)
        if surface is not None:
            found.surface = surface
            return True
    elif cursor.accept_any(("against", "in front of", "with")):
        cursor.accept_any(ARTICLES)
        wall = cursor.accept_any(WALL_COLOURS)
        if wall is not None and cursor.accept_any(("wall", "background")):
            found.wall = wall
            return True
    cursor.at = start
    return False


def read_surface(cursor: Cursor) -> str | None:
    """A surface such as `a wooden table` or `a white table`; the cursor stays put if there is none."""
    start = cursor.at
    named = cursor.choose(SURFACES)
    if named is not None:
        return named
    cursor.accept_any(ARTICLES)
    if cursor.accept("wooden table"):
        return "wood"
    colour = cursor.accept_any(WALL_COLOURS)
    if cursor.accept("table"):
        return colour or "white"
    cursor.at = start
    return None


def read_place(cursor: Cursor) -> Place | None:
    """A phrase such as `on the left`."""
    if any(_upcoming(cursor, phrase) for phrase in RELATIONS):
        return None
    return cursor.choose(PLACE_PHRASES)


def _upcoming(cursor: Cursor, phrase: str) -> bool:
    words = phrase.split()
    return cursor.rest()[: len(words)] == words


def read_item(cursor: Cursor) -> Item | None:
    """A person, a sign or a group of things; the cursor stays put if none comes next."""
    start = cursor.at
    for reader in (_read_person, _read_sign, _read_thing):
        item = reader(cursor)
        if item is not None:
            return item
        cursor.at = start
    return None


def _read_thing(cursor: Cursor) -> Thing | None:
    number = cursor.accept_any(NUMBERS)
    count = NUMBERS.index(number) + 1 if number else 1
    if not number and cursor.accept_any(ARTICLES) is None:
        return None
    size = cast(Size, cursor.accept_any(("small", "large")) or "medium")
    colour = cursor.accept_any(OBJECT_COLOURS)
    kind = cursor.choose(_KIND_WORDS)
    if kind is None:
        return None
    return Thing(kind, colour or KINDS[kind].colour, count, size)


def _read_sign(cursor: Cursor) -> Sign | None:
    cursor.accept_any(ARTICLES)
    colour = cursor.accept_any(OBJECT_COLOURS)
    kind = cursor.accept_any(SIGN_KINDS)
    if kind is None:
        return None
    colour = colour or ("black" if kind == "chalkboard" else "white")
    if cursor.accept_any(SAYS) is None:
        return None
    lines = read_lines(cursor)
    letters = _read_letters(cursor) or contrasting(colour)
    return Sign(kind, colour, letters, lines) if lines else None


def read_lines(cursor: Cursor) -> tuple[str, ...]:
    """Quoted texts, one per line, with commas or `and` between them."""
    lines: list[str] = []
    while True:
        start = cursor.at
        cursor.skip(",", "and")
        line = cursor.quoted()
        if line is None:
            cursor.at = start
            return tuple(lines)
        lines.append(line)


def _read_letters(cursor: Cursor) -> str | None:
    start = cursor.at
    if cursor.accept("in"):
        colour = cursor.accept_any(OBJECT_COLOURS)
        if colour is not None and cursor.accept("letters"):
            return colour
    cursor.at = start
    return None


def contrasting(board: str) -> str:
    """The colour of letters on a board of this colour when the prompt names none."""
    return "black" if board in ("white", "yellow", "orange", "pink") else "white"


# Persons ----------------------------------------------------------------------------------------------


def _read_person(cursor: Cursor) -> Person | None:
    cursor.accept_any(ARTICLES)
    traits: dict[str, Any] = {}
    mood = cursor.accept_any(MOODS)
    if mood:
        traits["mood"] = mood
    figure = cursor.accept_any(FIGURES)
    if figure is None:
        return None
    while _read_trait(cursor, traits):
        pass
    return Person(FIGURES[figure], **traits)  # type: ignore[arg-type]  # a value of FIGURES is a figure


def _read_trait(cursor: Cursor, traits: dict[str, Any]) -> bool:
    start = cursor.at
    cursor.skip(",", "and", "with", "wearing")
    if read_trait(cursor, traits):
        return True
    cursor.at = start
    return False


def read_trait(cursor: Cursor, traits: dict[str, Any]) -> bool:
    """One feature of a person (`long red hair`, `a green hat`, `glasses`), written into `traits`."""
    start = cursor.at
    readers = (_simple_trait, _skin_trait, _hair_trait, _worn_trait)
    for reader in readers:
        found = reader(cursor)
        if found is not None:
            traits.update(found)
            return True
        cursor.at = start
    return False


def _simple_trait(cursor: Cursor) -> dict[str, Any] | None:
    table: dict[tuple[str, Any], tuple[str, ...]] = {
        ("glasses", True): ("glasses", "a pair of glasses"),
        ("beard", True): ("a beard",),
        ("hair", "bald"): ("a bald head",),
        ("mood", "smiling"): ("a smile",),
    }
    found = cursor.choose(table)
    return None if found is None else {found[0]: found[1]}


def _skin_trait(cursor: Cursor) -> dict[str, Any] | None:
    skin = cursor.accept_any(SKINS)
    return {"skin": skin} if skin is not None and cursor.accept("skin") else None


def _hair_trait(cursor: Cursor) -> dict[str, Any] | None:
    style = cursor.accept_any(HAIR_STYLES)
    colour = cursor.accept_any(HAIR_COLOURS)
    if not cursor.accept("hair") or (style is None and colour is None):
        return None
    return {key: value for key, value in (("hair", style), ("hair_colour", colour)) if value}


def _worn_trait(cursor: Cursor) -> dict[str, Any] | None:
    cursor.accept_any(ARTICLES)
    colour = cursor.accept_any(OBJECT_COLOURS)
    worn = cursor.accept_any((*GARMENTS, "hat", "scarf"))
    if colour is None or worn is None:
        return None
    return {worn: colour} if worn in ("hat", "scarf") else {"garment": worn, "garment_colour": colour}


# Putting it together ----------------------------------------------------------------------------------


def _scene(found: _Found, how: str | None) -> Scene:
    items = place_items(found.items)
    table = usual_surface(items)
    return Scene(
        items=items,
        wall=found.wall or "light grey",
        surface=found.surface or table,
        framing="close" if how == "close" else "wide",
        light=found.light or "day",
        style=cast(Style, how if how in ("sketch", "mono") else "photo"),
    )


def usual_surface(items: Sequence[Item]) -> str:
    """What a scene stands on when the prompt does not say: things need a table."""
    return "white" if any(isinstance(item, Thing) for item in items) else "none"


def place_items(items: Sequence[tuple[Item, Place | None]]) -> tuple[Item, ...]:
    """Every item with a place; those without one share what is free, from left to right."""
    taken = {place for _, place in items if place}
    unplaced = [item for item, place in items if place is None]
    crowd = len(items) > 1
    standing = [item for item in unplaced if not (_hung(item) and crowd)]
    free = iter(_free_places(len(standing), taken))
    placed: list[Item] = []
    for item, place in items:
        if place is not None:
            placed.append(replace(item, place=place))
        else:
            placed.append(replace(item, place="top" if _hung(item) and crowd else next(free)))
    return tuple(placed)


def _hung(item: Item) -> bool:
    return isinstance(item, Sign) and item.kind != "card"


def _free_places(count: int, taken: set[Place]) -> list[Place]:
    free: list[Place] = [place for place in GROUND if place not in taken]
    if count == 1 and "centre" in free:
        return ["centre"]
    if count == 2 and len(free) == 3:
        return ["left", "right"]
    spare: list[Place] = [p for p in ("top", "top left", "top right", "centre") if p not in taken]
    return (free + spare + ["centre"] * count)[:count]
