"""Edits of real photographs whose truth is known: where they changed, how they lie, what is wrong with them.

Used by benchmarks/preservation.py and by the tests. A clean edit replaces, recolours or smooths a region and
leaves the rest untouched; then one thing may be done to it on its way. Everything is seeded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from evalkit.studio import distort

RGB = NDArray[np.uint8]
Bits = NDArray[np.bool_]
Luck = np.random.Generator

PHOTOGRAPHS = (
    "astronaut",
    "chelsea",
    "coffee",
    "rocket",
    "hubble_deep_field",
    "retina",
    "camera",
    "coins",
    "stereo_motorcycle",
)
KINDS = ("replace", "recolour", "smooth")


@dataclass(frozen=True, slots=True)
class Edit:
    """`source` and `image` are H x W x 3; `mask` is of the source's size, True where it was to change."""

    name: str
    source: RGB
    image: RGB
    mask: Bits


@cache
def photograph(name: str, long_side: int = 0) -> RGB:
    """One of scikit-image's photographs in colour, at its own size or with that long side."""
    from skimage import data

    picture = getattr(data, name)()
    picture = picture[0] if isinstance(picture, tuple) else picture
    if picture.ndim == 2:
        picture = np.stack([picture] * 3, axis=-1)
    picture = np.ascontiguousarray(picture[..., :3])
    if not long_side:
        return picture
    scale = long_side / max(picture.shape)
    return distort.resized(picture, round(picture.shape[1] * scale), round(picture.shape[0] * scale))


def clean_edit(luck: Luck, kind: str | None = None, name: str | None = None, long_side: int = 0) -> Edit:
    """An edit that does what it should: only the mask's inside differs from the source."""
    name = name or PHOTOGRAPHS[luck.integers(len(PHOTOGRAPHS))]
    source = photograph(name, long_side)
    kind = kind or KINDS[luck.integers(2)]
    mask = _region(luck, source.shape)
    inside = _painted(luck, kind, source, name)
    return Edit(f"{name}, {kind}", source, np.where(mask[..., None], inside, source), mask)


def _region(luck: Luck, shape: tuple[int, ...]) -> Bits:
    """A rectangle or an ellipse over 6 to 25 % of the picture."""
    height, width = shape[:2]
    down, across = (round(luck.uniform(0.25, 0.5) * side) for side in (height, width))
    top, left = luck.integers(0, height - down + 1), luck.integers(0, width - across + 1)
    y, x = np.mgrid[:height, :width]
    if luck.integers(2):
        return np.asarray((y >= top) & (y < top + down) & (x >= left) & (x < left + across))
    inside = ((y - top - down / 2) / (down / 2)) ** 2 + ((x - left - across / 2) / (across / 2)) ** 2 <= 1
    return np.asarray(inside)


def _painted(luck: Luck, kind: str, source: RGB, name: str) -> RGB:
    if kind == "replace":
        others = [other for other in PHOTOGRAPHS if other != name]
        other = photograph(others[luck.integers(len(others))])
        return distort.resized(other, source.shape[1], source.shape[0])
    if kind == "recolour":
        mean = source.mean(axis=2, keepdims=True)
        colour = np.array([(1.0, 0.35, 0.3), (0.3, 0.55, 1.0), (0.35, 0.9, 0.4)][luck.integers(3)])
        return np.asarray(np.clip(40 + mean * 0.75 * colour, 0, 255), dtype=np.uint8)
    return distort.blurred(source, max(source.shape) / 40)


# Displacements --------------------------------------------------------------------------------------------


def displaced(luck: Luck, kind: str, edit: Edit) -> RGB:
    """The edit as a provider may deliver it: shift to 2 %, zoom to 5 %, squeezed, cropped, padded."""
    image = edit.image
    height, width = image.shape[:2]
    if kind == "shift":
        right, down = luck.uniform(-0.02, 0.02, 2) * (width, height)
        return distort.moved(image, right, down)
    if kind == "zoom":
        right, down = luck.uniform(-0.005, 0.005, 2) * (width, height)
        return distort.moved(image, right, down, 1 + luck.uniform(-0.05, 0.05))
    if kind == "squeeze":
        factor = luck.choice([0.75, 0.9, 1.12, 1.3])
        return distort.resized(image, round(width * factor), height)
    if kind == "crop":
        left, top, right, bottom = luck.uniform(0, 0.08, 4)
        return distort.cropped(image, left, top, right, bottom)
    across, down = (
        (round(luck.uniform(0.02, 0.2) * width), 0) if luck.integers(2) else (0, round(0.12 * height))
    )
    return distort.padded(image, across, down, int(luck.integers(0, 2)) * 255)


DISPLACEMENTS = ("shift", "zoom", "squeeze", "crop", "pad")

# Faults ---------------------------------------------------------------------------------------------------


def _mask_ignored(luck: Luck, edit: Edit) -> RGB:
    """The change spreads over a part of what was protected, a twentieth of it at least."""
    spilled = edit.mask & False
    while spilled.sum() < 0.05 * (~edit.mask).sum():
        spilled = _region(luck, edit.source.shape) & ~edit.mask
    other = _painted(luck, KINDS[luck.integers(2)], edit.source, edit.name.split(",")[0])
    return np.where(spilled[..., None], other, edit.image)


def _repainted(luck: Luck, edit: Edit) -> RGB:
    return distort.repainted(edit.image, luck.uniform(1.0, 2.0), int(luck.integers(2**31)))


def _toned(luck: Luck, edit: Edit) -> RGB:
    gain = 1 + luck.uniform(0.05, 0.12, 3) * luck.choice([-1, 1], 3)
    offset = luck.uniform(3, 9, 3) * luck.choice([-1, 1], 3)
    return distort.toned(edit.image, tuple(gain), tuple(offset))


def _resized(luck: Luck, edit: Edit) -> RGB:
    factor = luck.choice([0.5, 0.66, 0.75, 1.5, 2.0])
    return distort.resized(
        edit.image, round(edit.image.shape[1] * factor), round(edit.image.shape[0] * factor)
    )


def _cropped(luck: Luck, edit: Edit) -> RGB:
    """A part is missing; delivered at the size of the part, or enlarged to the old one."""
    left, top, right, bottom = luck.uniform(0.03, 0.12, 4)
    part = distort.cropped(edit.image, left, top, right, bottom)
    if luck.integers(2):
        return part
    return distort.resized(part, edit.image.shape[1], edit.image.shape[0])


def _reencoded(luck: Luck, edit: Edit) -> RGB:
    if luck.integers(3):
        return distort.compressed(edit.image, int(luck.integers(25, 65)))
    return distort.compressed(edit.image, int(luck.integers(20, 55)), "WEBP")


def _blank(luck: Luck, edit: Edit) -> RGB:
    grey = luck.choice([0, 255, 128])
    plain = np.full_like(edit.image, grey)
    return plain if luck.integers(2) else distort.noisy(plain, 1.0, int(luck.integers(2**31)))


FAULTS: Mapping[str, Callable[[Luck, Edit], RGB]] = {
    "mask_ignored": _mask_ignored,
    "noop": lambda _, edit: edit.source.copy(),
    "repainted": _repainted,
    "tone_cast": _toned,
    "resized": _resized,
    "cropped": _cropped,
    "reencoded": _reencoded,
    "blank": _blank,
}


def clean_variants(seed: int, count: int) -> Iterator[tuple[Edit, RGB]]:
    """Edits with nothing wrong, as good providers deliver them: as they are, or as a good JPEG or WebP."""
    luck = np.random.default_rng(seed)
    for n in range(count):
        edit = clean_edit(luck)
        yield (
            edit,
            (edit.image, distort.compressed(edit.image, 95), distort.compressed(edit.image, 92))[n % 3],
        )
