"""Where things stand: from a place's name to boxes on the canvas.

Every box depends on its own item, the framing and the canvas only, never on the other items: that is what
lets an edit change one thing and nothing else.
"""

from __future__ import annotations

import random

from evalkit.studio.brush import Frame
from evalkit.studio.kinds import KINDS
from evalkit.studio.scene import Item, Person, Place, Scene, Sign, Thing

HORIZON = 0.63
"""Where the table ends and the wall begins, as a share of the height."""

_BASE = {"wide": 0.85, "close": 0.88}
_SHELF = 0.36
_SIZES = {"small": 0.66, "medium": 1.0, "large": 1.28}
_COLUMNS: dict[Place, float] = {
    "left": -1.0,
    "centre": 0.0,
    "right": 1.0,
    "top left": -1,
    "top": 0,
    "top right": 1,
}

_GROUPS: dict[int, tuple[float, tuple[tuple[float, float], ...]]] = {
    1: (1.0, ((0, 0),)),
    2: (0.62, ((-0.32, 0), (0.32, 0))),
    3: (0.56, ((0, -0.42), (-0.31, 0), (0.31, 0))),
    4: (0.52, ((-0.29, -0.42), (0.29, -0.42), (-0.31, 0), (0.31, 0))),
    5: (0.46, ((-0.25, -0.4), (0.25, -0.4), (-0.48, 0), (0, 0), (0.48, 0))),
    6: (0.44, ((-0.46, -0.4), (0, -0.4), (0.46, -0.4), (-0.48, 0), (0, 0), (0.48, 0))),
}
"""Scale and (x, y) offsets in slots of each member of a group, back row first."""


def is_up(place: Place) -> bool:
    """Whether the place is up on the wall."""
    return place.startswith("top")


def unit(scene: Scene, width: int, height: int) -> float:
    """The side of one slot in canvas pixels."""
    if scene.framing == "close":
        return min(width * 0.58, height * 0.62)
    return min(width * 0.33, height * 0.45)


def thing_frames(thing: Thing, scene: Scene, canvas: tuple[int, int], seed: int) -> list[Frame]:
    """One box per object of the group, from back to front."""
    width, height = canvas
    slot = unit(scene, width, height) * _SIZES[thing.size]
    luck = random.Random(f"{seed}/{thing.place}")
    mirrored = luck.random() < 0.4
    drift = luck.uniform(-0.012, 0.012) * width
    if thing.place == "row":
        return _row(thing, scene, canvas, slot, mirrored)
    if is_up(thing.place):
        return _shelf(thing, scene, canvas, slot, mirrored)
    scale, offsets = _GROUPS[thing.count]
    middle = column(thing.place, scene, width) + drift
    base = _BASE[scene.framing] * height
    slot *= 0.84 if thing.count > 1 and thing.place != "centre" else 1.0
    scale *= 1.0 if thing.count == 1 else 1.15
    return [_box(thing, (middle + dx * slot, base + dy * slot), slot * scale, mirrored) for dx, dy in offsets]


def column(place: Place, scene: Scene, width: int) -> float:
    """The x of the middle of a column, in canvas pixels."""
    spread = 0.32 if scene.framing == "close" else 0.29
    return (0.5 + spread * _COLUMNS.get(place, 0)) * width


def _row(thing: Thing, scene: Scene, canvas: tuple[int, int], slot: float, mirrored: bool) -> list[Frame]:
    width, height = canvas
    pitch = 0.9 * width / thing.count
    scale = min(slot, 0.98 * pitch)
    base = _BASE[scene.framing] * height
    left = 0.05 * width + pitch / 2
    return [_box(thing, (left + i * pitch, base), scale, mirrored) for i in range(thing.count)]


def _shelf(thing: Thing, scene: Scene, canvas: tuple[int, int], slot: float, mirrored: bool) -> list[Frame]:
    width, height = canvas
    scale = slot * 0.66 / (1 + 0.32 * (thing.count - 1))
    scale = min(scale, 0.27 * height / max(KINDS[thing.kind].height, 0.6))
    middle = column(thing.place, scene, width)
    pitch = scale * 1.02
    first = middle - pitch * (thing.count - 1) / 2
    return [_box(thing, (first + i * pitch, _SHELF * height), scale, mirrored) for i in range(thing.count)]


def _box(thing: Thing, foot: tuple[float, float], slot: float, mirrored: bool) -> Frame:
    kind = KINDS[thing.kind]
    width, height = kind.width * slot, kind.height * slot
    return Frame(foot[0] - width / 2, foot[1] - height, width, height, mirrored)


def person_frame(person: Person, scene: Scene, canvas: tuple[int, int]) -> Frame:
    """The square box of a head-and-shoulders portrait."""
    width, height = canvas
    behind_table = scene.surface != "none"
    foot = (HORIZON + 0.05) * height if behind_table else height
    side = min(width * 0.96, foot * 0.94)
    if scene.framing == "wide" or person.place != "centre":
        side *= 0.82
    middle = column(person.place, scene, width) if person.place != "centre" else width / 2
    return Frame(middle - side / 2, foot - side, side, side)


def sign_frame(sign: Sign, scene: Scene, canvas: tuple[int, int]) -> Frame:
    """The box of a board, by its place: big in the middle, smaller elsewhere."""
    width, height = canvas
    table = scene.surface != "none"
    if is_up(sign.place):
        share = 0.62 if sign.place == "top" else 0.36
        box, middle = (share * width, 0.26 * height), 0.19 * height
    elif sign.place in ("centre", "row"):
        box, middle = (0.78 * width, (0.5 if table else 0.66) * height), (0.34 if table else 0.48) * height
    else:
        box, middle = (0.38 * width, 0.36 * height), 0.36 * height
    if sign.kind == "card" and table and not is_up(sign.place):
        box, middle = (0.46 * width, 0.3 * height), (_BASE[scene.framing] - 0.15) * height
    across = min(box[0], 2.3 * box[1])
    tall = min(box[1], 1.25 * box[0])
    return Frame(column(sign.place, scene, width) - across / 2, middle - tall / 2, across, tall)


def bounds(item: Item, scene: Scene, canvas: tuple[int, int]) -> Frame:
    """The box around everything an item paints except its shadow."""
    match item:
        case Thing():
            frames = thing_frames(item, scene, canvas, 0)
        case Person():
            frames = [person_frame(item, scene, canvas)]
        case Sign():
            frames = [sign_frame(item, scene, canvas)]
    left, top = min(f.x for f in frames), min(f.y for f in frames)
    right, bottom = max(f.x + f.width for f in frames), max(f.y + f.height for f in frames)
    return Frame(left, top, right - left, bottom - top)
