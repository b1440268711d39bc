"""What an edit is, and `apply(edit, scene) -> Scene`.

An edit is one of a few frozen dataclasses. Applying one finds the item that is meant and leaves every
other item exactly as it was; `instructions` reads edits from words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, cast

from evalkit.errors import InvalidInput
from evalkit.studio.grammar import place_items
from evalkit.studio.scene import GROUND, Item, Light, Person, Place, Scene, Sign, Style, Thing


@dataclass(frozen=True, slots=True)
class Recolour:
    """`target` (a kind, a garment, `hair`, `letters`, ...) gets another colour."""

    target: str
    colour: str


@dataclass(frozen=True, slots=True)
class Remove:
    """`target` goes away."""

    target: str


@dataclass(frozen=True, slots=True)
class Add:
    """A new item; without a place it takes the first free one."""

    item: Item
    place: Place | None


@dataclass(frozen=True, slots=True)
class Replace:
    """The group of things called `target` becomes `item`, at the same place."""

    target: str
    item: Thing
    coloured: bool


@dataclass(frozen=True, slots=True)
class Rewrite:
    """The text of a board. With `old`, only that line changes."""

    lines: tuple[str, ...]
    old: str | None = None


@dataclass(frozen=True, slots=True)
class Dress:
    """New features of the person: fields of `Person`."""

    traits: tuple[tuple[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Backdrop:
    """Another wall, surface, light or style; None leaves what is there."""

    wall: str | None = None
    surface: str | None = None
    light: Light | None = None
    style: Style | None = None


Edit = Recolour | Remove | Add | Replace | Rewrite | Dress | Backdrop

_WORN = ("hat", "scarf")


def apply(edit: Edit, scene: Scene) -> Scene:
    """The scene after the edit. Raises `InvalidInput` if the scene has nothing the edit could mean."""
    match edit:
        case Recolour():
            return _recolour(edit, scene)
        case Remove():
            return _remove(edit.target, scene)
        case Add():
            return _add(edit, scene)
        case Replace():
            return _replace(edit, scene)
        case Rewrite():
            return _rewrite(edit, scene)
        case Dress():
            return _dress(dict(edit.traits), scene)
        case Backdrop():
            values = {name: getattr(edit, name) for name in ("wall", "surface", "light", "style")}
            return replace(scene, **{name: value for name, value in values.items() if value is not None})


def _recolour(edit: Recolour, scene: Scene) -> Scene:
    target, colour = edit.target, edit.colour
    if target == "letters":
        return _with(scene, _sign_index(scene), letters=colour)
    index = _index(scene, target)
    item = scene.items[index]
    if not isinstance(item, Person):
        return _with(scene, index, colour=colour)
    if target == "hair":
        return _with(scene, index, hair_colour=colour)
    return _with(scene, index, **{target if target in _WORN else "garment_colour": colour})


def _remove(target: str, scene: Scene) -> Scene:
    index = _index(scene, target)
    if isinstance(scene.items[index], Person):
        gone: dict[str, Any] = {"hat": None, "scarf": None, "glasses": False, "beard": False, "hair": "bald"}
        return _with(scene, index, **{target: gone[target]})
    return replace(scene, items=scene.items[:index] + scene.items[index + 1 :])


def _add(edit: Add, scene: Scene) -> Scene:
    place = edit.place or _first_free(scene, edit.item)
    return replace(scene, items=(*scene.items, replace(edit.item, place=place)))


def _first_free(scene: Scene, item: Item) -> Place:
    taken = {other.place for other in scene.items}
    free = [place for place in GROUND if place not in taken]
    return free[0] if free else place_items([(item, None)])[0].place


def _replace(edit: Replace, scene: Scene) -> Scene:
    index = _index(scene, edit.target)
    old = scene.items[index]
    if not isinstance(old, Thing):
        raise _nothing_like(edit.target, scene)
    colour = edit.item.colour if edit.coloured else old.colour
    count = max(edit.item.count, 1)
    return _with(scene, index, kind=edit.item.kind, colour=colour, count=count, size=edit.item.size)


def _rewrite(edit: Rewrite, scene: Scene) -> Scene:
    index = _sign_index(scene)
    sign = cast(Sign, scene.items[index])
    if edit.old is None:
        return _with(scene, index, lines=edit.lines)
    if edit.old not in sign.lines:
        raise InvalidInput(f"no line of the {sign.kind} says “{edit.old}”", f"It says {sign.lines}.")
    return _with(scene, index, lines=tuple(edit.lines[0] if x == edit.old else x for x in sign.lines))


def _dress(traits: dict[str, Any], scene: Scene) -> Scene:
    people = [i for i, item in enumerate(scene.items) if isinstance(item, Person)]
    if not people and set(traits) == {"hat"}:
        return _add(Add(Thing("hat", traits["hat"]), None), scene)
    if not people:
        raise _nothing_like("person", scene)
    return _with(scene, people[0], **traits)


def _with(scene: Scene, index: int, **fields: Any) -> Scene:
    item = replace(scene.items[index], **fields)
    return replace(scene, items=(*scene.items[:index], item, *scene.items[index + 1 :]))


def _sign_index(scene: Scene) -> int:
    signs = [i for i, item in enumerate(scene.items) if isinstance(item, Sign)]
    if not signs:
        raise _nothing_like("sign", scene)
    return signs[0]


def _index(scene: Scene, target: str) -> int:
    """The first item that `target` names: by its kind, or as a feature of a person."""
    for index, item in enumerate(scene.items):
        if (target in _features(item)) if isinstance(item, Person) else item.kind == target:
            return index
    raise _nothing_like(target, scene)


def _features(person: Person) -> set[str]:
    optional = {"hat": person.hat, "scarf": person.scarf, "glasses": person.glasses, "beard": person.beard}
    return {person.garment, "hair"} | {name for name, worn in optional.items() if worn}


def _nothing_like(target: str, scene: Scene) -> InvalidInput:
    kinds = [item.figure if isinstance(item, Person) else item.kind for item in scene.items]
    return InvalidInput(f"the picture has no {target}", f"It shows: {', '.join(kinds) or 'nothing'}.")
