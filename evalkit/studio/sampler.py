"""Scenes by chance, and scenes that differ in one word: what mini is trained on and tests are made of.

About a tenth of all pairs of a kind and a colour are held out (`is_held_out`): training never shows them,
tests must have one.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, TypeVar

from evalkit.studio.grammar import contrasting, usual_surface
from evalkit.studio.kinds import KINDS
from evalkit.studio.palette import HAIR_COLOURS, OBJECT_COLOURS, SKINS, WALL_COLOURS
from evalkit.studio.scene import GROUND, Item, Person, Place, Scene, Sign, Thing
from evalkit.studio.vocabulary import GARMENTS, HAIR_STYLES, LIGHTS, SIGN_KINDS, SURFACES

T = TypeVar("T")
Change = Literal["colour", "object", "count", "position"]

CHANGES: tuple[Change, ...] = ("colour", "object", "count", "position")
COLOURS: tuple[str, ...] = tuple(OBJECT_COLOURS)
_KINDS: tuple[str, ...] = tuple(KINDS)
_TOP: tuple[Place, ...] = ("top left", "top", "top right")
_WORDS = (
    *("OPEN", "SALE", "CAFÉ", "TODAY", "FRESH", "BREAD", "50% OFF", "9:30", "COFFEE €3", "Welcome", "7 MAY"),
    *("Tickets", "Exit", "Platform 4", "Live music", "No. 12", "Menu", "BOOKS", "Please ring", "Thank you!"),
)


def is_held_out(kind: str, colour: str) -> bool:
    """Whether this pair is kept from training."""
    return (_KINDS.index(kind) * 5 + COLOURS.index(colour) * 7) % 11 == 0


def random_scene(luck: random.Random, held_out: bool = False) -> Scene:
    """A scene by chance. `held_out` puts a pair in it that training never shows."""
    family = luck.choices(("things", "person", "sign", "both"), (60, 16, 14, 10))[0]
    if held_out and family in ("person", "sign"):
        family = "both"
    items = _ITEMS[family](luck)
    if held_out:
        items = _with_held_out(items, luck)
    worn = {item.colour for item in items if not isinstance(item, Person)}
    walls = [name for name in WALL_COLOURS if name not in worn]
    close = len(items) == 1 and luck.random() < 0.6
    things = any(isinstance(item, Thing) for item in items)
    return Scene(
        items=items,
        wall=luck.choice(walls) if luck.random() < 0.75 else "light grey",
        surface=_surface(luck) if things or luck.random() < 0.2 else usual_surface(items),
        framing="close" if close else "wide",
        light=luck.choices(("day", "evening", "night"), (84, 9, 7))[0],
        style="photo",
    )


def _surface(luck: random.Random) -> str:
    if luck.random() < 0.4:
        return "white"
    return luck.choice((*(name for name in SURFACES), *WALL_COLOURS))


def _things(luck: random.Random) -> tuple[Item, ...]:
    number = luck.choices((1, 2, 3), (40, 42, 18))[0]
    if number == 1:
        thing = _thing(luck, luck.choice((*GROUND, "centre", "centre", "row")))
        return (replace(thing, count=max(2, thing.count)) if thing.place == "row" else thing,)
    places: list[Place] = luck.sample(GROUND, number)
    if luck.random() < 0.25:
        places[-1] = luck.choice(_TOP)
    return tuple(_thing(luck, place) for place in places)


def _thing(luck: random.Random, place: Place) -> Thing:
    kind = luck.choice(_KINDS)
    colour = luck.choice([colour for colour in COLOURS if not is_held_out(kind, colour)])
    count = luck.choices((1, 2, 3, 4, 5, 6), (56, 12, 10, 8, 7, 7))[0]
    size = luck.choices(("small", "medium", "large"), (10, 80, 10))[0]
    return Thing(kind, colour, count, size, place)  # type: ignore[arg-type]  # one of Size's three


def _person(luck: random.Random) -> Person:
    figure = luck.choice(("woman", "man"))
    bald = figure == "man" and luck.random() < 0.12
    return Person(
        figure="woman" if figure == "woman" else "man",
        skin=luck.choice(tuple(SKINS)),
        hair="bald" if bald else luck.choice(HAIR_STYLES),
        hair_colour="brown" if bald else luck.choice(tuple(HAIR_COLOURS)),
        garment=luck.choice(GARMENTS),
        garment_colour=luck.choice(COLOURS),
        hat=luck.choice(COLOURS) if luck.random() < 0.2 else None,
        scarf=luck.choice(COLOURS) if luck.random() < 0.2 else None,
        glasses=luck.random() < 0.35,
        beard=figure == "man" and luck.random() < 0.3,
        mood=luck.choice(("calm", "smiling", "surprised")),
    )


def _sign(luck: random.Random, place: Place = "centre") -> Sign:
    colour = luck.choice(COLOURS)
    letters = contrasting(colour)
    if luck.random() < 0.3:
        letters = luck.choice(
            [name for name in ("red", "yellow", "blue", "black", "white") if name != colour]
        )
    lines = tuple(luck.sample(_WORDS, luck.randint(1, 3)))
    return Sign(luck.choice(SIGN_KINDS), colour, letters, lines, place)


def _both(luck: random.Random) -> tuple[Item, ...]:
    first: Item = _person(luck) if luck.random() < 0.5 else _sign(luck, "top")
    sides = luck.sample(("left", "right"), luck.choice((1, 2)))
    return (first, *(_thing(luck, "left" if side == "left" else "right") for side in sides))


_ITEMS = {
    "things": _things,
    "person": lambda luck: (_person(luck),),
    "sign": lambda luck: (_sign(luck),),
    "both": _both,
}


def _with_held_out(items: Sequence[Item], luck: random.Random) -> tuple[Item, ...]:
    index = luck.choice([i for i, item in enumerate(items) if isinstance(item, Thing)])
    kind = luck.choice([kind for kind in _KINDS if any(is_held_out(kind, colour) for colour in COLOURS)])
    colour = luck.choice([colour for colour in COLOURS if is_held_out(kind, colour)])
    thing = items[index]
    assert isinstance(thing, Thing)
    return (*items[:index], replace(thing, kind=kind, colour=colour), *items[index + 1 :])


# One word changed -------------------------------------------------------------------------------------


def changed(scene: Scene, what: Change, luck: random.Random) -> Scene | None:
    """The scene with one colour, kind, count or position changed; None if it has nothing of the sort."""
    order = list(range(len(scene.items)))
    luck.shuffle(order)
    for index in order:
        other = _CHANGERS[what](scene, scene.items[index], luck)
        if other is not None:
            return replace(scene, items=(*scene.items[:index], other, *scene.items[index + 1 :]))
    return None


def _other(options: Sequence[T], value: T, luck: random.Random) -> T:
    return luck.choice([option for option in options if option != value])


def _recolour(scene: Scene, item: Item, luck: random.Random) -> Item | None:
    del scene
    match item:
        case Thing():
            options = [c for c in COLOURS if not is_held_out(item.kind, c)]
            return replace(item, colour=_other(options, item.colour, luck))
        case Person():
            if luck.random() < 0.4 and item.hair != "bald":
                return replace(item, hair_colour=_other(tuple(HAIR_COLOURS), item.hair_colour, luck))
            return replace(item, garment_colour=_other(COLOURS, item.garment_colour, luck))
        case Sign():
            colour = _other([c for c in COLOURS if c != item.letters], item.colour, luck)
            return replace(item, colour=colour)


def _rename(scene: Scene, item: Item, luck: random.Random) -> Item | None:
    del scene
    match item:
        case Thing():
            options = [kind for kind in _KINDS if not is_held_out(kind, item.colour)]
            return replace(item, kind=_other(options, item.kind, luck))
        case Person():
            return replace(item, garment=_other(GARMENTS, item.garment, luck))
        case Sign():
            return replace(item, kind=_other(SIGN_KINDS, item.kind, luck))


def _recount(scene: Scene, item: Item, luck: random.Random) -> Item | None:
    del scene
    if not isinstance(item, Thing):
        return None
    low = 2 if item.place == "row" else 1
    return replace(item, count=_other(range(low, 7), item.count, luck))


def _move(scene: Scene, item: Item, luck: random.Random) -> Item | None:
    if not isinstance(item, Thing) or item.place == "row":
        return None
    taken = {other.place for other in scene.items}
    free = [place for place in (*GROUND, *_TOP) if place not in taken]
    if any(isinstance(other, Person) for other in scene.items):
        free = [place for place in free if place in ("left", "right")]
    return replace(item, place=luck.choice(free)) if free else None


_CHANGERS = {"colour": _recolour, "object": _rename, "count": _recount, "position": _move}


def with_other_backdrop(scene: Scene, luck: random.Random) -> Scene:
    """The scene with another wall, surface, light or, where the wording allows it, style."""
    what = luck.choices(("wall", "surface", "light", "style"), (5, 3, 1, 0.5))[0]
    if what == "style" and scene.framing == "wide":
        return replace(scene, style="sketch" if luck.random() < 0.5 else "mono")
    if what == "wall":
        return replace(scene, wall=_other(tuple(WALL_COLOURS), scene.wall, luck))
    if what == "surface" and scene.surface != "none":
        return replace(scene, surface=_other((*SURFACES, *WALL_COLOURS), scene.surface, luck))
    light = _other(("day", *(name for name in LIGHTS if name != "day")), scene.light, luck)
    return replace(scene, light=light)  # type: ignore[arg-type]  # a key of LIGHTS is a Light
