"""The words of the studio's language: kinds, numbers, places, materials and their phrases.

Both directions use these tables: `grammar` to read a prompt, `describe` to write one. The first phrase of
each entry is the one that `describe` prefers.
"""

from __future__ import annotations

from evalkit.studio.kinds import KINDS
from evalkit.studio.palette import HAIR_COLOURS, OBJECT_COLOURS, SKINS, WALL_COLOURS
from evalkit.studio.scene import Place

NUMBERS: tuple[str, ...] = ("one", "two", "three", "four", "five", "six")

_IRREGULAR = {"box": "boxes", "watch": "watches"}
PLURALS: dict[str, str] = {kind: _IRREGULAR.get(kind, kind + "s") for kind in KINDS}

PLACE_PHRASES: dict[Place, tuple[str, ...]] = {
    "top left": ("at the top left", "in the top left corner"),
    "top right": ("at the top right", "in the top right corner"),
    "top": ("at the top",),
    "left": ("on the left", "to the left", "at the left"),
    "right": ("on the right", "to the right", "at the right"),
    "centre": ("in the middle", "in the centre", "in the center"),
    "row": ("in a row",),
}

RELATIONS: dict[str, tuple[Place, Place]] = {
    "to the left of": ("left", "right"),
    "left of": ("left", "right"),
    "to the right of": ("right", "left"),
    "right of": ("right", "left"),
    "above": ("top", "centre"),
    "below": ("centre", "top"),
    "next to": ("left", "right"),
    "beside": ("left", "right"),
}

SURFACES: dict[str, tuple[str, ...]] = {
    "wood": ("a wooden table",),
    "marble": ("a marble table", "a marble counter"),
    "grass": ("grass", "the grass"),
    "sand": ("sand", "the sand"),
    "snow": ("snow", "the snow"),
}
"""Surfaces that are not simply a table of one of `WALL_COLOURS`."""

LIGHTS: dict[str, tuple[str, ...]] = {
    "evening": ("in evening light", "in the evening", "at sunset"),
    "night": ("at night",),
    "day": ("in daylight",),
}

CLOSE_UPS: tuple[str, ...] = (
    "a close-up of",
    "a product photo of",
    "a studio photo of",
    "a close-up photo of",
)

OPENERS: dict[str, tuple[str, ...]] = {
    "close": (*CLOSE_UPS, "a portrait of"),
    "sketch": ("a pencil sketch of", "a pencil drawing of"),
    "mono": ("a black and white photo of", "a black-and-white photo of"),
    "wide": ("a picture of", "a photo of", "an image of"),
}

SIGN_KINDS: tuple[str, ...] = ("sign", "poster", "chalkboard", "label", "card")
SAYS: tuple[str, ...] = ("that says", "that reads", "with the words", "saying", "with the text")

HAIR_STYLES: tuple[str, ...] = ("short", "long", "curly", "tied-up")
GARMENTS: tuple[str, ...] = ("jumper", "shirt", "jacket", "dress")
FIGURES: dict[str, str] = {"woman": "woman", "man": "man", "girl": "woman", "boy": "man"}
MOODS: tuple[str, ...] = ("smiling", "surprised", "calm")

SPELLINGS: dict[str, str] = {
    "gray": "grey",
    "blonde": "blond",
    "color": "colour",
    "sweater": "jumper",
    "pullover": "jumper",
    "coloured": "",
}
"""Other spellings and near synonyms, replaced before anything is read."""


def article(word: str) -> str:
    """`a` or `an`.

    >>> article("orange ball")
    'an'
    """
    return "an" if word[:1] in "aeiou" else "a"


def known_words() -> frozenset[str]:
    """Every single word the language has; anything else is named in the error."""
    phrases: list[str] = [*NUMBERS, *PLURALS, *PLURALS.values(), *RELATIONS, *SAYS, *SIGN_KINDS]
    for table in (PLACE_PHRASES, SURFACES, LIGHTS, OPENERS):
        for options in table.values():
            phrases.extend(options)
    phrases += [*OBJECT_COLOURS, *WALL_COLOURS, *HAIR_COLOURS, *SKINS, *HAIR_STYLES, *GARMENTS]
    phrases += [*FIGURES, *MOODS, _GLUE]
    return frozenset(word for phrase in phrases for word in phrase.split())


_GLUE = (
    "a an the and with in on against front of wall background table letters small large hair skin glasses "
    "beard bald head wooden without standing hat scarf wearing empty scene smile pair"
)
