"""Pictures with text whose every letter is known: type faces, straight lines, arcs, strokes, posters.

Faces come with our dependencies (Pillow, streamlit), so nothing has to be installed. The same call draws the
same picture. What is expected and what really stands there are kept apart: a poster with typing errors
expects the right words.
"""

from __future__ import annotations

import functools
import importlib.util
import io
import math
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from evalkit.studio.faults import misspelt_line

Colour = tuple[int, int, int]
Font = ImageFont.FreeTypeFont

PAPER: Colour = (236, 232, 220)
INK: Colour = (30, 30, 70)

FACES: dict[str, tuple[str, str]] = {
    "sans": ("SourceSansVF-Upright*", "Regular"),
    "sans-bold": ("SourceSansVF-Upright*", "Bold"),
    "sans-black": ("SourceSansVF-Upright*", "Black"),
    "sans-light": ("SourceSansVF-Upright*", "Light"),
    "sans-italic": ("SourceSansVF-Italic*", "Semibold Italic"),
    "serif": ("SourceSerifVariable-Roman*", "Regular"),
    "serif-bold": ("SourceSerifVariable-Roman*", "Bold"),
    "serif-display": ("SourceSerifVariable-Roman*", "Display Black"),
    "serif-italic": ("SourceSerifVariable-Italic*", "Semibold Italic"),
    "mono": ("SourceCodeVF-Upright*", "Medium"),
    "typewriter": ("KaTeX_Typewriter-Regular*", ""),
    "modern": ("KaTeX_Main-Regular*", ""),
    "modern-bold": ("KaTeX_Main-Bold*", ""),
    "modern-italic": ("KaTeX_Main-Italic*", ""),
    "computer-sans": ("KaTeX_SansSerif-Regular*", ""),
    "round": ("", ""),
}
"""Name -> pattern of a file in the streamlit package and the name of a variation; "" is Pillow's own face."""


@dataclass(frozen=True, slots=True)
class Picture:
    """`drawn` is what stands in the picture, line by line; `expected` is what a suite would ask for."""

    name: str
    group: str
    image: NDArray[np.uint8]
    drawn: tuple[str, ...]
    expected: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Arc:
    """The circle that letters stand on; `middle` is where the text's middle is, in degrees, 90 is below.

    `inward`: the tops of the letters point to the centre, as on the lower rim of a badge.
    """

    centre: tuple[float, float]
    radius: float
    middle: float = -90.0
    inward: bool = False


@functools.cache
def face(name: str, size: int) -> Font:
    """A face at `size` pixels per em."""
    pattern, variation = FACES[name]
    if not pattern:
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font
    font = ImageFont.truetype(str(_file(pattern)), size, layout_engine=ImageFont.Layout.BASIC)
    if variation:
        font.set_variation_by_name(variation)
    return font


@functools.cache
def _file(pattern: str) -> Path:
    found = importlib.util.find_spec("streamlit")
    assert found is not None
    assert found.submodule_search_locations
    media = Path(found.submodule_search_locations[0]) / "static" / "static" / "media"
    return sorted(media.glob(pattern))[0]


def sheet(side: int | tuple[int, int] = 1024, colour: Colour = PAPER) -> Image.Image:
    size = (side, side) if isinstance(side, int) else side
    return Image.new("RGB", size, colour)


def write(
    image: Image.Image,
    lines: Sequence[str],
    font: Font,
    *,
    top: int = 160,
    left: int | None = 90,
    colour: Colour = INK,
) -> Image.Image:
    """Lines below each other; `left=None` centres them."""
    draw = ImageDraw.Draw(image)
    for row, line in enumerate(lines):
        x = (image.width - font.getlength(line)) / 2 if left is None else left
        draw.text((x, top + row * 1.9 * font.size), line, font=font, fill=colour)
    return image


def write_arc(image: Image.Image, text: str, font: Font, arc: Arc, colour: Colour = INK) -> Image.Image:
    """Letters on a circle, each turned to stand on it."""
    at = -font.getlength(text) / 2
    for n, char in enumerate(text):
        width = font.getlength(text[: n + 1]) - font.getlength(text[:n])
        if char != " ":
            _place(image, char, font, arc, (at + width / 2) / _pace(arc, font), colour)
        at += width
    return image


def _pace(arc: Arc, font: Font) -> float:
    """The radius at which letters keep their distance: their tops stand closer where those point inwards."""
    return arc.radius - 0.7 * font.size if arc.inward else arc.radius


def _place(image: Image.Image, char: str, font: Font, arc: Arc, turn: float, colour: Colour) -> None:
    ascent, descent = font.getmetrics()
    side = 2 * (ascent + descent) + 16
    stamp = Image.new("L", (side, side))
    width = font.getlength(char)
    ImageDraw.Draw(stamp).text((side / 2 - width / 2, side / 2 - ascent), char, font=font, fill=255)
    angle = math.radians(arc.middle) + (-turn if arc.inward else turn)
    lean = -math.degrees(angle) + (90 if arc.inward else -90)
    stamp = stamp.rotate(lean, resample=Image.Resampling.BICUBIC)
    x = arc.centre[0] + arc.radius * math.cos(angle)
    y = arc.centre[1] + arc.radius * math.sin(angle)
    image.paste(colour, (round(x - side / 2), round(y - side / 2)), stamp)


_STROKES: dict[str, tuple[tuple[tuple[int, int], ...], ...]] = {
    "日": (((25, 92), (25, 10), (75, 10), (75, 92), (25, 92)), ((25, 51), (75, 51))),
    "本": (
        ((12, 32), (88, 32)),
        ((50, 8), (50, 94)),
        ((49, 34), (34, 58), (12, 76)),
        ((51, 34), (66, 58), (88, 76)),
        ((34, 74), (66, 74)),
    ),
    "中": (((20, 68), (20, 30), (80, 30), (80, 68), (20, 68)), ((50, 8), (50, 95))),
    "山": (((50, 10), (50, 86)), ((14, 42), (14, 86), (86, 86), (86, 42))),
    "田": (
        ((14, 90), (14, 14), (86, 14), (86, 90), (14, 90)),
        ((50, 14), (50, 90)),
        ((14, 52), (86, 52)),
    ),
}
"""A few characters as lines on a field of 100 x 100, because no font at hand has them."""


def write_strokes(image: Image.Image, text: str, size: int, at: tuple[int, int]) -> Image.Image:
    draw = ImageDraw.Draw(image)
    for n, char in enumerate(text):
        for stroke in _STROKES[char]:
            points = [(at[0] + n * 1.08 * size + x * size / 100, at[1] + y * size / 100) for x, y in stroke]
            draw.line(points, fill=INK, width=max(3, size // 13), joint="curve")
    return image


def pixels(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(image.convert("RGB"))


def noise(image: Image.Image, sigma: float, seed: int = 1) -> Image.Image:
    grains = np.random.default_rng(seed).normal(0, sigma, (image.height, image.width, 3))
    return Image.fromarray(np.clip(np.asarray(image) + grains, 0, 255).astype(np.uint8))


def clouds(side: int, seed: int, low: float = 40, high: float = 150) -> Image.Image:
    """Noise whose power falls with frequency, as in photographs of nature."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None, :]
    spectrum = np.fft.rfft2(rng.normal(size=(side, side, 3)), axes=(0, 1))
    field = np.fft.irfft2(spectrum / np.maximum(np.hypot(fy, fx), 1 / side)[..., None], (side, side), (0, 1))
    field = (field - field.min()) / (field.max() - field.min())
    return Image.fromarray((low + (high - low) * field).astype(np.uint8))


_WORDS = """
    winter market harbour morning coffee garden museum river library summer bakery fresh bread daily
    open closed Tuesday Saturday evening concert lantern bridge orange silver station platform ticket
    welcome kitchen pepper honey lemon island mountain village theatre record music friends letters
    paper window bicycle repair special offer season festival light shadow clock tower northern railway
    gallery portrait science history travel stories journey orchard cider fields forest cabin weather
    report thunder quiet street corner number seven twelve parking entrance exit upstairs please wait
    until nothing happens velvet copper marble wooden brass strings violin chamber orchestra spring
    autumn harvest moonlight
    """
WORDS = tuple(_WORDS.split())


def poster(number: int, side: int = 768) -> Picture:
    """A poster of one to five lines in a face, size, case, place and pair of colours of its own.

    A third lie on clouds, some lean, most are worn a little by noise, blur or JPEG. In a third nothing is
    misspelt; in the others each line has typing errors with a chance of its own, put there by the studio's
    fault maker.
    """
    luck = random.Random(f"poster/{number}")
    font = face(luck.choice(list(FACES)), luck.choice((20, 24, 30, 36, 44, 54, 64)))
    style: Callable[[str], str] = luck.choice((str, str.upper, str.title, str))
    lines = [style(" ".join(luck.sample(WORDS, luck.randint(1, 4)))) for _ in range(luck.randint(1, 5))]
    lines = [_shortened(line, font, side - 100 - 2 * font.size) for line in lines]
    chance = luck.choice((0.0, 0.35, 0.8))
    drawn = [misspelt_line(line, luck) if luck.random() < chance else line for line in lines]
    ink, paper = luck.choice(PAIRS)
    ground = sheet(side, paper)
    if luck.random() < 0.33:
        ground = Image.blend(ground, clouds(side, number), 0.35)
    image = write(ground, drawn, font, top=70, left=50, colour=ink)
    if luck.random() < 0.4:
        image = image.rotate(luck.uniform(-8, 8), fillcolor=paper, resample=Image.Resampling.BICUBIC)
    return Picture(f"poster-{number}", "poster", pixels(_worn(image, luck)), tuple(drawn), tuple(lines))


def _worn(image: Image.Image, luck: random.Random) -> Image.Image:
    image = image.filter(ImageFilter.GaussianBlur(luck.choice((0, 0, 0.8, 1.4))))
    image = noise(image, luck.choice((2, 6, 14)), luck.randrange(1000))
    return jpeg(image, luck.choice((30, 60, 90)))


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    """Encoded and decoded again."""
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return Image.open(buffer)


PAIRS: tuple[tuple[Colour, Colour], ...] = (
    (INK, PAPER),
    ((250, 248, 240), (24, 40, 60)),
    ((255, 220, 60), (20, 20, 20)),
    ((150, 20, 30), (250, 246, 236)),
    ((20, 70, 50), (214, 226, 200)),
    ((255, 255, 255), (170, 40, 50)),
    ((40, 40, 40), (240, 190, 70)),
)


def _shortened(line: str, font: Font, width: float) -> str:
    while font.getlength(line) > width and " " in line:
        line = line.rsplit(" ", 1)[0]
    return line


_ARC_TEXTS = (
    "ROYAL BREWING COMPANY",
    "Midnight Coffee Club",
    "river museum of slow letters",
    "SINCE 1908",
    "NORTHERN RAILWAY MUSEUM",
    "Harbour Lights Festival",
    "GOLDEN ORCHARD CIDER",
    "old tower clock repair",
)


def arc_picture(number: int) -> Picture:
    """Text on an arc: gentle to tight, bending up or down, several faces, sizes, places and grounds."""
    luck = random.Random(f"arc/{number}")
    text = _ARC_TEXTS[number % len(_ARC_TEXTS)]
    font = face(
        ("round", "serif-bold", "sans-bold", "modern-bold", "sans", "mono")[number % 6], 40 + number % 3 * 12
    )
    span = math.radians((50, 80, 120, 160, 200)[number % 5])
    inward = number % 2 == 1
    radius = max(font.getlength(text) / span, 2.2 * font.size) + (0.7 * font.size if inward else 0)
    lean = luck.choice((0, 0, -20, 25))
    middle = (90.0 if inward else -90.0) + lean
    centre = _centre(luck, radius + font.size, middle)
    ink, paper = PAIRS[number % 4]
    ground = sheet(1024, paper) if number % 4 else noise(sheet(1024, paper), 8, number)
    image = write_arc(ground, text, font, Arc(centre, radius, middle, inward), ink)
    return Picture(f"arc-{number}", "curved", pixels(image), (text,), (text,))


_BADGES = (
    ("ROYAL BREWING", "since 1908", "COMPANY"),
    ("NORTHERN RAILWAY", "MUSEUM", "open daily"),
    ("GOLDEN ORCHARD", "cider", "No 17"),
    ("Harbour Lights", "FESTIVAL", "Saturday evening"),
    ("old tower", "CLOCK", "repair and sale"),
    ("MIDNIGHT COFFEE", "club", "until seven"),
)


def badge(number: int) -> Picture:
    """A round badge: one text over the upper rim, one straight in the middle, one along the lower rim."""
    above, middle, below = _BADGES[number % len(_BADGES)]
    ink, paper = PAIRS[number % len(PAIRS)]
    font = face(("sans-bold", "serif-bold", "round", "modern-bold")[number % 4], 52 + number % 3 * 8)
    image = sheet(1024, paper)
    draw = ImageDraw.Draw(image)
    draw.ellipse((92, 92, 932, 932), outline=ink, width=8)
    if number % 2:
        draw.ellipse((222, 222, 802, 802), outline=ink, width=4)
    write_arc(image, above, font, Arc((512.0, 512.0), 325.0), ink)
    write_arc(image, below, font, Arc((512.0, 512.0), 375.0, 90.0, True), ink)
    write(image, [middle], face("sans-black", 76), top=460, left=None, colour=ink)
    return Picture(f"badge-{number}", "curved", pixels(image), (above, middle, below), (above, middle, below))


def _centre(luck: random.Random, reach: float, middle: float) -> tuple[float, float]:
    """So that the middle of the text is near the middle of a picture of 1024 px."""
    angle = math.radians(middle)
    x, y = luck.uniform(470, 554), luck.uniform(440, 584)
    return x - 0.75 * reach * math.cos(angle), y - 0.75 * reach * math.sin(angle)
