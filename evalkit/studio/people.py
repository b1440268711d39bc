"""Drawing a head-and-shoulders portrait from simple shaded shapes, back to front.

Coordinates are in the portrait's square box. It knows faces; what a person wears is in the scene.
"""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image

from evalkit.studio.brush import Frame, paint
from evalkit.studio.palette import HAIR_COLOURS, OBJECT_COLOURS, RGB, SKINS, mixed, scaled
from evalkit.studio.parts import Form, Part, Shade
from evalkit.studio.scene import Person

_INK: RGB = (44, 34, 34)


@dataclass(frozen=True, slots=True)
class _Sitter:
    """A portrait in the making: where it goes and the colours it needs."""

    image: Image.Image
    frame: Frame
    skin: RGB
    hair: RGB
    cloth: RGB

    def put(self, form: Form, colour: RGB, *numbers: float, shade: Shade = "none") -> None:
        paint(self.image, self.frame, Part(form, numbers, shade=shade), colour)


def draw_person(image: Image.Image, person: Person, frame: Frame) -> None:
    """Paint `person` into the square `frame`."""
    sitter = _Sitter(
        image,
        frame,
        SKINS[person.skin],
        HAIR_COLOURS[person.hair_colour],
        OBJECT_COLOURS[person.garment_colour],
    )
    _hair_behind(sitter, person)
    _body(sitter, person)
    _head(sitter)
    if person.beard:
        _beard(sitter)
    _face(sitter, person)
    _hair_in_front(sitter, person)
    if person.glasses:
        _glasses(sitter)
    if person.hat:
        _hat(sitter, OBJECT_COLOURS[person.hat])
    if person.scarf:
        _scarf(sitter, OBJECT_COLOURS[person.scarf])


def _hair_behind(s: _Sitter, person: Person) -> None:
    dark = scaled(s.hair, 0.82)
    if person.hair == "long":
        s.put(
            "blob",
            dark,
            0.28,
            0.3,
            0.5,
            0.1,
            0.72,
            0.3,
            0.78,
            0.8,
            0.66,
            0.86,
            0.34,
            0.86,
            0.22,
            0.8,
            shade="round",
        )
    elif person.hair == "curly":
        for x, y in (
            (0.3, 0.36),
            (0.7, 0.36),
            (0.28, 0.48),
            (0.72, 0.48),
            (0.34, 0.22),
            (0.66, 0.22),
            (0.5, 0.15),
        ):
            s.put("oval", dark, x - 0.11, y - 0.11, x + 0.11, y + 0.11, shade="ball")
    elif person.hair == "tied-up":
        s.put("oval", dark, 0.4, 0.0, 0.6, 0.18, shade="ball")


def _body(s: _Sitter, person: Person) -> None:
    shoulders = (
        0.06,
        1.0,
        0.06,
        1.0,
        0.1,
        0.84,
        0.2,
        0.76,
        0.38,
        0.7,
        0.62,
        0.7,
        0.8,
        0.76,
        0.9,
        0.84,
        0.94,
        1.0,
        0.94,
        1.0,
    )
    s.put("blob", s.cloth, *shoulders, shade="round")
    s.put("poly", scaled(s.skin, 0.84), 0.42, 0.56, 0.58, 0.56, 0.6, 0.72, 0.5, 0.79, 0.4, 0.72)
    _COLLARS[person.garment](s)


def _jumper(s: _Sitter) -> None:
    s.put("arc", scaled(s.cloth, 0.72), 0.37, 0.58, 0.63, 0.8, 10, 170, 0.035)


def _shirt(s: _Sitter) -> None:
    light = mixed(s.cloth, (255, 255, 255), 0.35)
    s.put("poly", light, 0.38, 0.68, 0.5, 0.8, 0.42, 0.87, 0.33, 0.73)
    s.put("poly", light, 0.62, 0.68, 0.5, 0.8, 0.58, 0.87, 0.67, 0.73)
    for y in (0.88, 0.95):
        s.put("oval", (245, 245, 240), 0.488, y, 0.512, y + 0.024)


def _jacket(s: _Sitter) -> None:
    s.put("poly", (244, 244, 240), 0.4, 0.7, 0.6, 0.7, 0.5, 1.0)
    s.put("poly", scaled(s.skin, 0.84), 0.42, 0.68, 0.58, 0.68, 0.5, 0.79)
    dark = scaled(s.cloth, 0.72)
    s.put("poly", dark, 0.39, 0.68, 0.5, 1.0, 0.4, 1.0, 0.27, 0.75)
    s.put("poly", dark, 0.61, 0.68, 0.5, 1.0, 0.6, 1.0, 0.73, 0.75)


def _dress(s: _Sitter) -> None:
    s.put("poly", s.skin, 0.3, 0.74, 0.42, 0.69, 0.58, 0.69, 0.7, 0.74, 0.6, 0.86, 0.4, 0.86, shade="flat")
    s.put("oval", (240, 236, 226), 0.482, 0.79, 0.518, 0.826, shade="ball")


_COLLARS = {"jumper": _jumper, "shirt": _shirt, "jacket": _jacket, "dress": _dress}


def _head(s: _Sitter) -> None:
    for x in (0.315, 0.685):
        s.put("oval", scaled(s.skin, 0.9), x - 0.035, 0.37, x + 0.035, 0.48, shade="flat")
    face = (0.33, 0.3, 0.38, 0.2, 0.5, 0.16, 0.62, 0.2, 0.67, 0.3, 0.675, 0.42, 0.65, 0.52, 0.59, 0.6)
    chin = (0.5, 0.635, 0.41, 0.6, 0.35, 0.52, 0.325, 0.42)
    s.put("oval", s.skin, 0.325, 0.14, 0.675, 0.56, shade="round")
    s.put("blob", s.skin, *face, *chin, shade="round")
    for x in (0.4, 0.6):
        s.put("oval", mixed(s.skin, (214, 90, 80), 0.16), x - 0.035, 0.47, x + 0.035, 0.51)


def _face(s: _Sitter, person: Person) -> None:
    lift = 0.02 if person.mood == "surprised" else 0.0
    brow = scaled(s.hair, 0.7) if person.hair != "bald" else scaled(s.skin, 0.5)
    for x in (0.42, 0.58):
        tall = 0.022 + lift
        s.put("oval", (250, 249, 246), x - 0.036, 0.4 - tall, x + 0.036, 0.4 + tall)
        s.put("oval", (66, 52, 44), x - 0.017, 0.383, x + 0.017, 0.417)
        s.put("oval", (255, 255, 255), x - 0.012, 0.387, x - 0.002, 0.397)
        s.put("arc", brow, x - 0.055, 0.335 - lift, x + 0.055, 0.43 - lift, 215, 325, 0.015)
    s.put("line", scaled(s.skin, 0.72), 0.505, 0.41, 0.515, 0.48, 0.008)
    s.put("arc", scaled(s.skin, 0.66), 0.475, 0.455, 0.53, 0.495, 20, 160, 0.009)
    _MOUTHS[person.mood](s, person)


def _calm(s: _Sitter, person: Person) -> None:
    lips = (196, 84, 84) if person.figure == "woman" else scaled(s.skin, 0.68)
    s.put("blob", lips, 0.445, 0.54, 0.48, 0.528, 0.52, 0.528, 0.555, 0.54, 0.53, 0.566, 0.47, 0.566)


def _smiling(s: _Sitter, person: Person) -> None:
    lips = (190, 70, 74) if person.figure == "woman" else scaled(s.skin, 0.6)
    s.put("poly", lips, 0.43, 0.525, 0.5, 0.54, 0.57, 0.525, 0.54, 0.57, 0.5, 0.582, 0.46, 0.57)
    s.put("poly", (252, 251, 248), 0.447, 0.534, 0.5, 0.544, 0.553, 0.534, 0.535, 0.557, 0.465, 0.557)


def _surprised(s: _Sitter, person: Person) -> None:
    del person
    s.put("oval", (150, 60, 62), 0.465, 0.52, 0.535, 0.59)
    s.put("oval", (70, 28, 30), 0.478, 0.532, 0.522, 0.58)


_MOUTHS = {"calm": _calm, "smiling": _smiling, "surprised": _surprised}


def _beard(s: _Sitter) -> None:
    left = (0.326, 0.42, 0.36, 0.5, 0.44, 0.5, 0.5, 0.515, 0.56, 0.5, 0.64, 0.5, 0.674, 0.42)
    right = (0.665, 0.54, 0.6, 0.64, 0.5, 0.68, 0.4, 0.64, 0.335, 0.54)
    s.put("blob", s.hair, *left, *right, shade="round")


def _hair_in_front(s: _Sitter, person: Person) -> None:
    if person.hair == "bald":
        return
    if person.hair == "curly":
        for x, y in ((0.38, 0.2), (0.46, 0.16), (0.54, 0.16), (0.62, 0.2), (0.33, 0.28), (0.67, 0.28)):
            s.put("oval", s.hair, x - 0.07, y - 0.07, x + 0.07, y + 0.07, shade="ball")
        return
    cap = (
        0.318,
        0.42,
        0.3,
        0.36,
        0.295,
        0.22,
        0.36,
        0.11,
        0.5,
        0.07,
        0.64,
        0.11,
        0.705,
        0.22,
        0.7,
        0.36,
        0.682,
        0.42,
    )
    fringe = (0.65, 0.3, 0.56, 0.25, 0.44, 0.2, 0.37, 0.27, 0.345, 0.34)
    s.put("blob", s.hair, *cap, *fringe, shade="round")
    if person.hair == "long":
        for x in (0.295, 0.705):
            s.put(
                "blob",
                s.hair,
                x - 0.05,
                0.2,
                x + 0.05,
                0.2,
                x + 0.045,
                0.78,
                x,
                0.82,
                x - 0.06,
                0.8,
                shade="round",
            )


def _glasses(s: _Sitter) -> None:
    for x in (0.42, 0.58):
        s.put("arc", _INK, x - 0.07, 0.335, x + 0.07, 0.47, 0, 360, 0.014)
    s.put("line", _INK, 0.488, 0.395, 0.512, 0.395, 0.014)
    for inner, outer in ((0.35, 0.318), (0.65, 0.682)):
        s.put("line", _INK, inner, 0.395, outer, 0.385, 0.014)


def _hat(s: _Sitter, colour: RGB) -> None:
    s.put("blob", colour, 0.3, 0.27, 0.32, 0.06, 0.4, -0.02, 0.6, -0.02, 0.68, 0.06, 0.7, 0.27, shade="round")
    s.put("box", scaled(colour, 0.6), 0.31, 0.18, 0.69, 0.24, 0.0, shade="round")
    s.put("oval", scaled(colour, 0.88), 0.2, 0.21, 0.8, 0.31, shade="round")


def _scarf(s: _Sitter, colour: RGB) -> None:
    s.put("oval", colour, 0.33, 0.63, 0.67, 0.78, shade="round")
    s.put("poly", scaled(colour, 0.85), 0.55, 0.72, 0.65, 0.72, 0.68, 1.0, 0.56, 1.0, shade="round")
