"""`draw(scene, width, height, seed)`: a scene as a picture.

Layers go from back to front: wall, boards and shelves, people, the table, what stands on it; then light,
style and film grain over everything. All chance comes from the seed and is tied to places on the picture,
so equal parts of two scenes drawn with one seed are equal to the pixel.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops, ImageFilter, ImageOps

from evalkit.studio.backdrop import draw_surface, draw_wall
from evalkit.studio.boards import draw_sign
from evalkit.studio.brush import Frame, paint, shadow
from evalkit.studio.kinds import HANGS, KINDS
from evalkit.studio.layout import is_up, person_frame, sign_frame, thing_frames
from evalkit.studio.palette import FIXED, OBJECT_COLOURS, toned
from evalkit.studio.parts import Part
from evalkit.studio.people import draw_person
from evalkit.studio.scene import Light, Person, Scene, Sign, Thing

RECIPE = "studio-1"
"""Changes whenever any picture changes."""

_TINTS: dict[Light, tuple[float, float, float]] = {
    "day": (1.0, 1.0, 1.0),
    "evening": (1.08, 0.88, 0.68),
    "night": (0.6, 0.64, 0.86),
}
_GRAIN = 5


def draw(scene: Scene, width: int, height: int, seed: int) -> Image.Image:
    """The scene as an RGB picture of `width` x `height` pixels; the same seed gives the same pixels.

    Raises `InvalidInput` if a sign has characters that no font here can write.
    """
    canvas = Image.new("RGB", (2 * width, 2 * height))
    draw_wall(canvas, scene, seed)
    _draw_behind(canvas, scene, seed)
    draw_surface(canvas, scene, seed)
    _draw_in_front(canvas, scene, seed)
    image = _lit(canvas.reduce(2), scene.light)
    return _grain(_STYLES[scene.style](image), seed)


def _draw_behind(canvas: Image.Image, scene: Scene, seed: int) -> None:
    for item in scene.items:
        if isinstance(item, Sign) and not _stands(item, scene):
            draw_sign(canvas, item, sign_frame(item, scene, canvas.size))
        elif isinstance(item, Thing) and is_up(item.place):
            _draw_thing(canvas, item, scene, seed)
    for item in scene.items:
        if isinstance(item, Person):
            draw_person(canvas, item, person_frame(item, scene, canvas.size))


def _draw_in_front(canvas: Image.Image, scene: Scene, seed: int) -> None:
    for item in scene.items:
        if isinstance(item, Sign) and _stands(item, scene):
            draw_sign(canvas, item, sign_frame(item, scene, canvas.size))
        elif isinstance(item, Thing) and not is_up(item.place):
            _draw_thing(canvas, item, scene, seed)


def _stands(sign: Sign, scene: Scene) -> bool:
    return sign.kind == "card" and scene.surface != "none" and not is_up(sign.place)


def _draw_thing(canvas: Image.Image, thing: Thing, scene: Scene, seed: int) -> None:
    frames = thing_frames(thing, scene, canvas.size, seed)
    up = is_up(thing.place)
    if up and thing.kind not in HANGS:
        _shelf(canvas, frames)
    colour = OBJECT_COLOURS[thing.colour]
    for frame in frames:
        _ground_shadow(canvas, frame, up)
        for part in KINDS[thing.kind].parts:
            paint(canvas, frame, part, toned(colour, part.tone))


def _ground_shadow(canvas: Image.Image, frame: Frame, up: bool) -> None:
    if up:
        drop = 0.05 * frame.width
        shadow(canvas, Frame(frame.x, frame.y + drop, frame.width * 1.25, frame.height * 1.05), 0.3)
        return
    deep = 0.26 * frame.width
    foot = frame.y + frame.height
    shadow(canvas, Frame(frame.x - 0.12 * frame.width, foot - 0.62 * deep, frame.width * 1.5, deep), 0.6)
    shadow(canvas, Frame(frame.x, foot - 0.3 * deep, frame.width, 0.5 * deep), 0.75)


def _shelf(canvas: Image.Image, frames: list[Frame]) -> None:
    left, right = frames[0].x, frames[-1].x + frames[-1].width
    foot = frames[0].y + frames[0].height
    margin, thick = 0.02 * canvas.width, 0.018 * canvas.height
    board = Frame(left - margin, foot - 0.1 * thick, right - left + 2 * margin, thick)
    shadow(canvas, Frame(board.x, board.y, board.width * 1.06, thick * 3.4), 0.55)
    paint(canvas, board, Part("box", (0, 0, 1, 1, 0.01)), FIXED["wood"])


def _lit(image: Image.Image, light: Light) -> Image.Image:
    if light == "day":
        return image
    ramps = [[min(255, round(v * factor)) for v in range(256)] for factor in _TINTS[light]]
    return image.point([value for ramp in ramps for value in ramp])


def _photo(image: Image.Image) -> Image.Image:
    return image


def _mono(image: Image.Image) -> Image.Image:
    return ImageOps.autocontrast(image.convert("L"), cutoff=0.5).convert("RGB")


def _sketch(image: Image.Image) -> Image.Image:
    """A pencil drawing: where the picture is darker than its own blur, over paper."""
    grey = image.convert("L")
    soft = grey.filter(ImageFilter.GaussianBlur(max(image.size) / 160))
    lines = ImageChops.subtract(soft, grey, scale=0.22)
    tone = grey.point([round(178 + v * 77 / 255) for v in range(256)])
    drawn = ImageChops.subtract(tone, lines)
    return ImageOps.colorize(drawn, (50, 46, 44), (253, 250, 240)).convert("RGB")


_STYLES = {"photo": _photo, "mono": _mono, "sketch": _sketch}


def _grain(image: Image.Image, seed: int) -> Image.Image:
    size = (image.height, image.width, 1)
    noise = np.random.default_rng([seed, 9]).integers(-_GRAIN, _GRAIN + 1, size, dtype=np.int16)
    return Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8))
