"""The colours the studio knows by name, and small sums on colours.

It knows names and sRGB triples; what is painted with them is decided elsewhere.
"""

from __future__ import annotations

RGB = tuple[int, int, int]

OBJECT_COLOURS: dict[str, RGB] = {
    "red": (204, 38, 40),
    "orange": (240, 130, 28),
    "yellow": (246, 205, 46),
    "green": (46, 148, 70),
    "teal": (18, 140, 146),
    "blue": (38, 92, 200),
    "purple": (122, 62, 168),
    "pink": (240, 128, 172),
    "brown": (124, 76, 44),
    "black": (38, 38, 42),
    "white": (244, 243, 239),
    "grey": (138, 142, 148),
}
"""Colours of things, clothes, boards and letters."""

WALL_COLOURS: dict[str, RGB] = {
    **OBJECT_COLOURS,
    "light grey": (204, 207, 212),
    "cream": (240, 228, 202),
    "beige": (216, 196, 166),
    "mint": (178, 222, 200),
    "sky blue": (158, 204, 238),
    "night blue": (26, 36, 84),
}
"""Colours of walls and tables: those of things and some quieter ones."""

HAIR_COLOURS: dict[str, RGB] = {
    "black": (36, 30, 30),
    "brown": (98, 60, 36),
    "blond": (228, 190, 112),
    "red": (176, 70, 32),
    "grey": (160, 160, 164),
    "white": (232, 230, 226),
    "blue": (52, 98, 196),
    "pink": (236, 122, 170),
}

SKINS: dict[str, RGB] = {
    "light": (246, 214, 190),
    "tan": (222, 174, 134),
    "brown": (164, 112, 76),
    "dark": (102, 66, 46),
}

FIXED: dict[str, RGB] = {
    "wood": (168, 116, 70),
    "metal": (176, 180, 188),
    "leaf": (64, 140, 66),
    "stem": (96, 70, 42),
    "clay": (190, 104, 70),
    "ivory": (250, 246, 232),
    "ink": (40, 40, 46),
    "flame": (255, 176, 46),
    "glass": (188, 216, 228),
    "rubber": (52, 52, 58),
    "gold": (214, 172, 72),
}
"""Colours of parts that keep their own, whatever the thing's colour is."""

_TONES = {"main": 1.0, "dark": 0.74, "deep": 0.52}


def scaled(rgb: RGB, factor: float) -> RGB:
    """`rgb` times `factor`, within 0-255."""
    red, green, blue = (min(255, max(0, round(value * factor))) for value in rgb)
    return red, green, blue


def mixed(first: RGB, second: RGB, share: float) -> RGB:
    """`share` (0-1) of `second` in `first`."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return red, green, blue


def toned(colour: RGB, tone: str) -> RGB:
    """The colour of a part: a shade of the thing's own `colour`, or one of `FIXED`."""
    if tone == "light":
        return mixed(colour, (255, 255, 255), 0.45)
    if tone in _TONES:
        return scaled(colour, _TONES[tone])
    return FIXED[tone]
