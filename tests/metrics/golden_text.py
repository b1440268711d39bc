"""The 48 pictures that the reader is held to, 1024 x 1024, each with one difficulty. Drawn, not stored."""

from __future__ import annotations

import functools

import numpy as np
from drawn_text import (
    INK,
    PAPER,
    Arc,
    Picture,
    clouds,
    face,
    jpeg,
    noise,
    pixels,
    sheet,
    write,
    write_arc,
    write_strokes,
)
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

_LINES = ("Grand Opening", "Open daily 9:30", "river museum")
_SIDE = 1024


@functools.cache
def golden() -> tuple[Picture, ...]:
    """All of them, in a fixed order; the last two have no text."""
    makers = (_faces, _sizes, _rotations, _wear, _grounds, _layouts, _curves, _characters, _misspelt, _empty)
    return tuple(picture for make in makers for picture in make())


def _made(group: str, name: str, image: Image.Image, *drawn: str, expected: tuple[str, ...] = ()) -> Picture:
    return Picture(f"{group}-{name}", group, pixels(image), drawn, expected or drawn)


def _plain(name: str = "sans-bold", size: int = 56) -> Image.Image:
    return write(sheet(_SIDE), _LINES, face(name, size))


def _faces() -> list[Picture]:
    names = ("sans", "sans-black", "sans-light", "sans-italic", "serif", "serif-display", "serif-italic")
    every = (*names, "mono", "typewriter", "round")
    return [_made("face", name, _plain(name), *_LINES) for name in every]


def _sizes() -> list[Picture]:
    return [_made("size", str(size), _plain("sans", size), *_LINES) for size in (14, 18, 24, 36, 110)]


def _rotations() -> list[Picture]:
    def turned(angle: float) -> Image.Image:
        image = write(sheet(_SIDE), _LINES, face("serif-bold", 56), top=330, left=None)
        return image.rotate(angle, fillcolor=PAPER, resample=Image.Resampling.BICUBIC)

    return [_made("rotation", str(angle), turned(angle), *_LINES) for angle in (-20, 7, 45, 90, 180, 270)]


def _wear() -> list[Picture]:
    worn = {
        "noise-25": noise(_plain(), 25),
        "noise-60": noise(_plain(), 60),
        "blur-2": _plain().filter(ImageFilter.GaussianBlur(2)),
        "blur-4": _plain().filter(ImageFilter.GaussianBlur(4)),
        "contrast": ImageEnhance.Contrast(_plain()).enhance(0.15),
        "jpeg-12": jpeg(_plain(), 12),
    }
    return [_made("wear", name, image, *_LINES) for name, image in worn.items()]


def _grounds() -> list[Picture]:
    font = face("sans-bold", 60)
    pale = (250, 246, 230)
    ramp = np.linspace(30, 225, _SIDE)[None, :, None] * np.asarray((1.0, 0.8, 0.7))
    gradient = Image.fromarray(np.broadcast_to(ramp, (_SIDE, _SIDE, 3)).astype(np.uint8))
    striped = sheet(_SIDE)
    for x in range(0, _SIDE, 40):
        ImageDraw.Draw(striped).rectangle((x, 0, x + 19, _SIDE), fill=(206, 214, 190))
    grounds = {
        "dark": write(sheet(_SIDE, (18, 22, 30)), _LINES, font, colour=pale),
        "gradient": write(gradient, _LINES, font, colour=(10, 60, 160)),
        "photo": write(clouds(_SIDE, 3), _LINES, font, colour=pale),
        "outlined": _outlined(clouds(_SIDE, 5, 60, 220)),
        "perspective": _perspective(_plain("sans-bold", 64)),
        "striped": write(striped, _LINES, font),
    }
    return [_made("ground", name, image, *_LINES) for name, image in grounds.items()]


def _outlined(image: Image.Image) -> Image.Image:
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(_LINES):
        place = (90, 180 + 130 * row)
        draw.text(place, line, font=face("sans-bold", 70), fill="white", stroke_width=4, stroke_fill="black")
    return image


def _perspective(image: Image.Image) -> Image.Image:
    """Seen from the left below: the right edge is four fifths as high as the left one."""
    import cv2

    corners = np.asarray([(0, 0), (_SIDE, 0), (_SIDE, _SIDE), (0, _SIDE)], np.float32)
    seen = np.asarray([(40, 20), (960, 140), (960, 900), (40, 1000)], np.float32)
    matrix = cv2.getPerspectiveTransform(corners, seen)
    turned = cv2.warpPerspective(np.asarray(image), matrix, (_SIDE, _SIDE), borderValue=PAPER)
    return Image.fromarray(np.asarray(turned, np.uint8))


def _layouts() -> list[Picture]:
    columns = write(sheet(_SIDE), ("winter market", "fresh bread", "honey"), face("sans", 44), left=60)
    write(columns, ("river museum", "open late", "tickets"), face("sans", 44), left=560)
    scattered = sheet(_SIDE)
    places = ((80, 60, 90), (620, 300, 40), (120, 520, 54), (500, 820, 70))
    words = ("HARBOUR", "since 1908", "Gate 17B", "Exit")
    for (left, top, size), word in zip(places, words, strict=True):
        write(scattered, [word], face("serif-bold", size), top=top, left=left)
    rows = ("winter market", "river museum", "fresh bread", "open late", "honey", "tickets")
    return [_made("layout", "columns", columns, *rows), _made("layout", "scattered", scattered, *words)]


def _curves() -> list[Picture]:
    gentle = write_arc(
        sheet(_SIDE), "ROYAL BREWING COMPANY", face("sans-bold", 64), Arc((512.0, 700.0), 520.0)
    )
    tight = write_arc(
        sheet(_SIDE), "Midnight Coffee Club", face("serif-bold", 54), Arc((512.0, 400.0), 240.0, 90.0, True)
    )
    return [
        _made("curved", "gentle", gentle, "ROYAL BREWING COMPANY"),
        _made("curved", "tight", tight, "Midnight Coffee Club"),
    ]


def _characters() -> list[Picture]:
    symbols = ("Tea & toast 4.50 €", "50% off today!", "#1 in town, 24/7")
    accents = ("Crème brûlée", "Größe & Straße", "¿Dónde está el niño?")
    chinese = write_strokes(sheet(_SIDE), "日本中山", 130, (160, 300))
    return [
        _made("characters", "symbols", write(sheet(_SIDE), symbols, face("sans-bold", 60)), *symbols),
        _made("characters", "accents", write(sheet(_SIDE), accents, face("serif", 64)), *accents),
        _made("characters", "chinese", chinese, "日本中山"),
    ]


def _misspelt() -> list[Picture]:
    pairs = (
        ("Friendly Coffee", "Freindly Coffe"),
        ("Welcome to our library", "Welcom to our libary"),
        ("GRAND OPENING TODAY", "GRNAD OPENNING TODAY"),
        ("Restaurant", "Restuarant"),
        ("Saturday market", "Satruday markett"),
        ("Happy birthday", "Hapy brithday"),
    )
    faces = ("sans-bold", "serif", "round", "serif-italic", "mono", "sans-black")
    return [
        _made(
            "misspelt",
            wrong,
            write(sheet(_SIDE), [wrong], face(name, 66), top=420),
            wrong,
            expected=(right,),
        )
        for (right, wrong), name in zip(pairs, faces, strict=True)
    ]


def _empty() -> list[Picture]:
    shapes = clouds(_SIDE, 11)
    draw = ImageDraw.Draw(shapes)
    for n in range(14):
        x, y = 60 + 137 * n % 900, 80 + 211 * n % 860
        draw.ellipse((x, y, x + 90, y + 60), fill=(200 - 9 * n, 60 + 10 * n, 90), outline=INK, width=6)
        draw.line((x, y + 130, x + 120, y + 90), fill=INK, width=9)
    return [
        Picture("empty-clouds", "empty", pixels(clouds(_SIDE, 9, 0, 255)), (), ("OPEN DAILY",)),
        Picture("empty-shapes", "empty", pixels(shapes), (), ("OPEN DAILY",)),
    ]
