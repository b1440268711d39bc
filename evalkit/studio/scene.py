"""What a studio picture shows, as frozen dataclasses, and its form in JSON.

A scene holds everything that decides the picture but the seed: nothing in it is left to be guessed by
the drawing, so that an edited scene keeps every item it did not touch where it was.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from evalkit.errors import InvalidInput

Place = Literal["left", "centre", "right", "top left", "top", "top right", "row"]
Size = Literal["small", "medium", "large"]
Framing = Literal["wide", "close"]
Light = Literal["day", "evening", "night"]
Style = Literal["photo", "sketch", "mono"]

PLACES: tuple[Place, ...] = get_args(Place)
GROUND: tuple[Place, ...] = ("left", "centre", "right")


@dataclass(frozen=True, slots=True)
class Thing:
    """`count` (1-6) objects of one kind and colour, standing together at one place."""

    kind: str
    colour: str
    count: int = 1
    size: Size = "medium"
    place: Place = "centre"


@dataclass(frozen=True, slots=True)
class Person:
    """A head-and-shoulders portrait. `hat` and `scarf` are colours, or None for none."""

    figure: Literal["woman", "man"]
    skin: str = "light"
    hair: str = "short"
    hair_colour: str = "brown"
    garment: str = "jumper"
    garment_colour: str = "blue"
    hat: str | None = None
    scarf: str | None = None
    glasses: bool = False
    beard: bool = False
    mood: Literal["calm", "smiling", "surprised"] = "calm"
    place: Place = "centre"


@dataclass(frozen=True, slots=True)
class Sign:
    """A board with text: `kind` is sign, poster, chalkboard, label or card; one string per line."""

    kind: str
    colour: str
    letters: str
    lines: tuple[str, ...]
    place: Place = "centre"


Item = Thing | Person | Sign


@dataclass(frozen=True, slots=True)
class Scene:
    """A whole picture. `surface` is what things stand on: a table's colour, a material, or `none`."""

    items: tuple[Item, ...] = ()
    wall: str = "light grey"
    surface: str = "white"
    framing: Framing = "wide"
    light: Light = "day"
    style: Style = "photo"


_ITEMS: dict[str, type[Thing] | type[Person] | type[Sign]] = {
    "thing": Thing,
    "person": Person,
    "sign": Sign,
}


def to_json(scene: Scene) -> dict[str, Any]:
    """The scene as plain JSON values; `from_json` is the inverse."""
    fields = asdict(scene)
    fields["items"] = [{"is": type(item).__name__.lower(), **asdict(item)} for item in scene.items]
    return fields


def from_json(value: Any) -> Scene:
    """A scene from `to_json`'s form. Raises `InvalidInput`."""
    try:
        items = tuple(_item(dict(entry)) for entry in value["items"])
        return Scene(**{**value, "items": items})
    except (KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"not a studio scene: {error}") from error


def _item(entry: dict[str, Any]) -> Item:
    made = _ITEMS[entry.pop("is")]
    if "lines" in entry:
        entry["lines"] = tuple(entry["lines"])
    return made(**entry)
