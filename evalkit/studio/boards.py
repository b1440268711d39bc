"""Drawing boards with text: signs, posters, chalkboards, labels and cards.

It fits the lines of a `Sign` into its board; which font writes them is `fonts`' choice.
"""

from __future__ import annotations

from PIL import Image, ImageDraw

from evalkit.studio.brush import Frame, paint, shadow
from evalkit.studio.fonts import font_for
from evalkit.studio.palette import OBJECT_COLOURS, RGB, mixed, scaled
from evalkit.studio.parts import Part
from evalkit.studio.scene import Sign

_LEADING = 1.22
_MARGIN = 0.1


def draw_sign(image: Image.Image, sign: Sign, frame: Frame) -> None:
    """Paint the board and its lines into `frame`."""
    spread = 0.05 * frame.height
    shadow(
        image,
        Frame(frame.x - spread, frame.y, frame.width + 3 * spread, frame.height + 3 * spread),
        0.5,
        0.45,
    )
    colour = OBJECT_COLOURS[sign.colour]
    _DRESS[sign.kind](image, frame, colour)
    _write(image, frame, sign)


def _board(image: Image.Image, frame: Frame, colour: RGB) -> None:
    for x in (0.2, 0.8):
        paint(image, frame, Part("line", (x, 0.04, 0.5, -0.28, 0.008), shade="none"), (70, 70, 76))
    _layers(image, frame, (0.0, scaled(colour, 0.55), 0.06), (0.016, colour, 0.05))
    _outline(image, frame, 0.04, mixed(colour, (255, 255, 255), 0.75))


def _poster(image: Image.Image, frame: Frame, colour: RGB) -> None:
    _layers(image, frame, (0.0, (250, 249, 244), 0.0), (0.03, colour, 0.0))
    for x in (-0.02, 0.88):
        paint(image, frame, Part("box", (x, -0.03, x + 0.14, 0.03, 0.0), shade="none"), (232, 222, 180))


def _chalkboard(image: Image.Image, frame: Frame, colour: RGB) -> None:
    _layers(image, frame, (0.0, (160, 110, 66), 0.02), (0.035, mixed(colour, (60, 70, 66), 0.3), 0.0))


def _label(image: Image.Image, frame: Frame, colour: RGB) -> None:
    _layers(image, frame, (0.0, (214, 172, 72), 0.1), (0.012, colour, 0.09))
    _outline(image, frame, 0.035, (214, 172, 72))
    _outline(image, frame, 0.05, (214, 172, 72))


def _card(image: Image.Image, frame: Frame, colour: RGB) -> None:
    _layers(image, frame, (0.0, scaled(colour, 0.8), 0.015), (0.006, colour, 0.012))


_DRESS = {"sign": _board, "poster": _poster, "chalkboard": _chalkboard, "label": _label, "card": _card}


def _layers(image: Image.Image, frame: Frame, *layers: tuple[float, RGB, float]) -> None:
    """Nested rounded boxes: (inset in widths, colour, corner radius in widths)."""
    for inset, colour, radius in layers:
        down = inset * frame.width / frame.height
        numbers = (inset, down, 1 - inset, 1 - down, radius)
        paint(image, frame, Part("box", numbers, shade="flat"), colour)


def _outline(image: Image.Image, frame: Frame, inset: float, colour: RGB) -> None:
    gap = inset * frame.width
    box = (frame.x + gap, frame.y + gap, frame.x + frame.width - gap, frame.y + frame.height - gap)
    width = max(1, round(0.008 * frame.width))
    ImageDraw.Draw(image).rounded_rectangle(box, radius=0.03 * frame.width, outline=colour, width=width)


def _write(image: Image.Image, frame: Frame, sign: Sign) -> None:
    lines = [line for line in sign.lines if line.strip()]
    if not lines:
        return
    size = fitting_size(lines, frame)
    draw = ImageDraw.Draw(image)
    x, y = frame.point(0.5, 0.5)
    top = y - size * _LEADING * (len(lines) - 1) / 2
    for number, line in enumerate(lines):
        place = (x, top + number * size * _LEADING)
        draw.text(place, line, font=font_for(line, size), fill=OBJECT_COLOURS[sign.letters], anchor="mm")


def fitting_size(lines: list[str], frame: Frame) -> float:
    """The largest letters, in pixels per em, with which every line fits the board."""
    widest = max(font_for(line, 100).getlength(line) for line in lines) / 100
    across = frame.width * (1 - 2 * _MARGIN) / max(widest, 0.1)
    down = frame.height * (1 - 2.4 * _MARGIN) / (len(lines) * _LEADING)
    return min(across, down, 0.4 * frame.height)
