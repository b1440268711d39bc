"""The wall and what things stand on: gradients and textures, decided by the scene and the seed."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from evalkit.studio.brush import Frame, shadow
from evalkit.studio.layout import HORIZON
from evalkit.studio.palette import RGB, WALL_COLOURS, mixed, scaled
from evalkit.studio.scene import Scene

_MATERIALS: dict[str, RGB] = {
    "wood": (176, 126, 80),
    "marble": (232, 230, 228),
    "grass": (98, 156, 66),
    "sand": (226, 200, 150),
    "snow": (238, 243, 250),
}
_GRAIN: dict[str, tuple[tuple[int, int], float]] = {
    "wood": ((70, 3), 0.2),
    "marble": ((7, 9), 0.07),
    "grass": ((90, 90), 0.3),
    "sand": ((110, 110), 0.1),
    "snow": ((10, 14), 0.05),
}
"""Per material: rows and columns of the noise, and its strength."""

_Map = NDArray[np.float64]


def draw_wall(image: Image.Image, scene: Scene, seed: int) -> None:
    """Fill the whole canvas with the wall, lit from the upper left."""
    y, x = np.mgrid[0:1:24j, 0:1:24j]
    light = 1.1 - 0.26 * np.hypot(x - 0.3, 0.8 * (y - 0.2))
    light += 0.03 * _smooth(_noise(seed, 1, (6, 6)), (24, 24))
    _fill(image, (0, 0, *image.size), WALL_COLOURS[scene.wall], light)


def draw_surface(image: Image.Image, scene: Scene, seed: int) -> None:
    """Paint the table or the ground below the horizon, over whatever is behind it."""
    if scene.surface == "none":
        return
    width, height = image.size
    top = round(HORIZON * height)
    colour = _MATERIALS.get(scene.surface) or WALL_COLOURS[scene.surface]
    light = _surface_light(scene.surface, seed)
    _fill(image, (0, top, width, height), colour, light)
    if scene.surface == "marble":
        _veins(image, top, seed)
    if scene.surface == "grass":
        _blades(image, top, seed)
    _edge(image, top, colour)


def _surface_light(surface: str, seed: int) -> _Map:
    size, strength = _GRAIN.get(surface, ((12, 12), 0.025))
    rows, columns = max(size[0], 24), size[1]
    fall = np.linspace(0.9, 1.06, rows)[:, None]
    pattern = _noise(seed, 2, (rows, columns))
    if surface == "wood":
        planks = np.repeat(_noise(seed, 3, (5, 1)), rows // 5 + 1, axis=0)[:rows]
        pattern = 0.55 * pattern + 0.7 * planks
    light: _Map = fall + strength * pattern
    return light


def _edge(image: Image.Image, top: int, colour: RGB) -> None:
    width, height = image.size
    thick = max(1, height // 160)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, top - thick, width, top), fill=mixed(colour, (255, 255, 255), 0.25))
    shadow(image, Frame(-0.2 * width, top - 0.07 * height, 1.4 * width, 0.12 * height), 0.2)


def _fill(image: Image.Image, box: tuple[int, int, int, int], colour: RGB, light: _Map) -> None:
    lit = np.clip(np.asarray(colour) * light[..., None], 0, 255)
    size = (box[2] - box[0], box[3] - box[1])
    patch = Image.fromarray(np.rint(lit).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    image.paste(patch, box[:2])


def _noise(seed: int, layer: int, size: tuple[int, int]) -> _Map:
    """Noise in -1..1 that depends on the seed and the layer only."""
    return np.random.default_rng([seed, layer]).uniform(-1, 1, size)


def _smooth(coarse: _Map, size: tuple[int, int]) -> _Map:
    """`coarse` stretched to `size` (rows, columns) without corners."""
    image = Image.fromarray(coarse.astype(np.float32))
    stretched = image.resize((size[1], size[0]), Image.Resampling.BICUBIC)
    return np.asarray(stretched, dtype=np.float64)


def _veins(image: Image.Image, top: int, seed: int) -> None:
    width, height = image.size
    draw = ImageDraw.Draw(image)
    steps = np.random.default_rng([seed, 4]).uniform(-1, 1, (5, 9))
    for row in steps:
        xs = np.linspace(-0.1, 1.1, 9) * width
        ys = top + (0.5 + 0.5 * row[0]) * (height - top) + np.cumsum(row) * 0.035 * height
        points = [(x, max(y, top + 1)) for x, y in zip(xs.tolist(), ys.tolist(), strict=True)]
        draw.line(points, fill=(188, 188, 194), width=max(1, round(width * 0.003 * (1.2 + row[1]))))


def _blades(image: Image.Image, top: int, seed: int) -> None:
    width, height = image.size
    draw = ImageDraw.Draw(image)
    numbers = np.random.default_rng([seed, 5]).uniform(0, 1, (160, 3)).tolist()
    for x, y, tilt in sorted(numbers, key=lambda row: row[1]):
        foot = (x * width, top + (height - top) * y + 0.01 * height)
        tip = (foot[0] + (tilt - 0.5) * 0.03 * width, foot[1] - 0.03 * height)
        draw.line((foot, tip), fill=scaled((92, 158, 60), 0.7 + 0.6 * tilt), width=max(1, width // 260))
