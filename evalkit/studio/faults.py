"""Known faults, put into a scene on purpose: misspelt texts and wrong colours.

Which letter or which colour is decided by a key, so the same case has the same fault every time.
"""

from __future__ import annotations

import random
from dataclasses import replace

from evalkit.studio.palette import OBJECT_COLOURS
from evalkit.studio.scene import Item, Person, Scene, Sign, Thing

_LETTERS = "OEIASGNLPRUTDBeoacinmlrtuhsdg0123456789"
_LOOKS = "CFLRZCHIFPVIOPcaeolmniinnbzbq8774368690"
_ALIKE = dict(zip(_LETTERS, _LOOKS, strict=True))


def misspell(scene: Scene, key: str) -> Scene:
    """The scene with a typing error in every line of every board that has a letter or a digit."""
    luck = random.Random(f"typos/{key}")
    return replace(scene, items=tuple(_misspelt(item, luck) for item in scene.items))


def _misspelt(item: Item, luck: random.Random) -> Item:
    if not isinstance(item, Sign):
        return item
    return replace(item, lines=tuple(misspelt_line(line, luck) for line in item.lines))


def misspelt_line(line: str, luck: random.Random) -> str:
    """A line with one or two letters swapped, dropped, doubled or replaced by one that looks alike."""
    for _ in range(1 + (len(line) > 9)):
        line = _slip(line, luck)
    return line


def _slip(line: str, luck: random.Random) -> str:
    spots = [i for i, char in enumerate(line) if char.isalnum()]
    if not spots:
        return line
    at = luck.choice(spots)
    char = line[at]
    swapped = line[:at] + line[at + 1 : at + 2] + char + line[at + 2 :]
    options = [swapped, line[:at] + line[at + 1 :], line[:at] + char + line[at:], _look_alike(line, at)]
    different = [option for option in options if option != line and option.strip()]
    return luck.choice(different)


def _look_alike(line: str, at: int) -> str:
    """The line with one character replaced by one that is easily taken for it; unchanged if there is none."""
    return line[:at] + _ALIKE.get(line[at], line[at]) + line[at + 1 :]


def wrong_colour(scene: Scene, key: str, touched: tuple[Item, ...] = ()) -> Scene:
    """The scene with one thing, garment or board in another colour; one of `touched` if there are any."""
    luck = random.Random(f"wrong-colour/{key}")
    candidates = [i for i, item in enumerate(scene.items) if item in touched] or list(range(len(scene.items)))
    things = [i for i in candidates if isinstance(scene.items[i], Thing)] or candidates
    if not things:
        return replace(scene, wall="pink" if scene.wall != "pink" else "mint")
    index = luck.choice(things)
    item = _other_colour(scene.items[index], luck)
    return replace(scene, items=(*scene.items[:index], item, *scene.items[index + 1 :]))


def _other_colour(item: Item, luck: random.Random) -> Item:
    match item:
        case Thing():
            return replace(item, colour=_another(luck, item.colour))
        case Person():
            return replace(item, garment_colour=_another(luck, item.garment_colour))
        case Sign():
            return replace(item, colour=_another(luck, item.colour, item.letters))


def _another(luck: random.Random, *used: str) -> str:
    return luck.choice([name for name in OBJECT_COLOURS if name not in used])
