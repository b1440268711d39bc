"""The studio's pictures with known faults, graded: what calibration shows to the metrics.

A `Specimen` is one case drawn well; a `Fault` puts one fault on it, at a chosen strength. It knows suites,
scenes and pixels, and nothing of metrics.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import UsageError
from evalkit.images import decode
from evalkit.studio import Scene, apply, distort, parse, parse_edit, read_scene, seed_of
from evalkit.studio.faults import misspelt_line, wrong_colour
from evalkit.studio.jobs import Fresh, Retouch, work
from evalkit.studio.scene import Sign
from evalkit.suite import load_suite, resolve_mask, resolve_source
from evalkit.types import Case, Suite

RGB = NDArray[np.uint8]
Bits = NDArray[np.bool_]
Kind = Literal["text", "scene", "edit"]

SUITES: dict[Kind, tuple[str, ...]] = {
    "text": ("demo-typography",),
    "scene": ("demo-product", "demo-portrait"),
    "edit": ("demo-edit",),
}
SIDE = 512


@dataclass(frozen=True, slots=True)
class Specimen:
    """A case and its picture as it should be. `source` and `mask` belong to edits.

    `wrong` is the same with one object, garment or board in another colour.
    """

    kind: Kind
    category: str
    case: Case
    clean: RGB
    wrong: RGB
    source: RGB | None = None
    mask: Bits | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault in grades, the weakest first; `unit` says what the strengths are."""

    name: str
    unit: str
    kinds: tuple[Kind, ...]
    strengths: tuple[float, ...]
    make: Callable[[Specimen, float], RGB]


@cache
def specimens(kind: Kind, count: int) -> tuple[Specimen, ...]:
    """The first cases of the demo suites of a kind, drawn."""
    found = []
    for name in SUITES[kind]:
        suite = load_suite(name)
        wanted = [case for case in suite.cases if kind == "edit" or case.task == "t2i"]
        share = -(-count // len(SUITES[kind]))
        for case in wanted[:share]:
            found.append(_edit(suite, case) if kind == "edit" else _fresh(kind, suite.category, case))
    return tuple(found[:count])


def _fresh(kind: Kind, category: str, case: Case) -> Specimen:
    scene = parse(case.prompt)
    return Specimen(kind, category, case, _drawn(scene, case), _drawn(wrong_colour(scene, case.id), case))


def _drawn(scene: Scene, case: Case) -> RGB:
    return decode(work(Fresh(scene, seed_of(case.prompt), SIDE, SIDE)))


def _edit(suite: Suite, case: Case) -> Specimen:
    source = resolve_source(suite, case)
    if source is None:
        raise UsageError(f"{suite.name}/{case.id} has no source", "Choose an edit.")
    mask = resolve_mask(suite, case, source)
    before = read_scene(source.data)
    after = apply(parse_edit(case.prompt), before.scene)
    job = Retouch(source.data, mask.data if mask else None, before, after, before.seed)
    touched = tuple(item for item in after.items if item not in before.scene.items)
    wrong = replace(job, after=wrong_colour(after, case.id, touched))
    bits = None if mask is None else decode(mask.data)[..., 0] >= 128
    return Specimen(
        "edit", suite.category, case, decode(work(job)), decode(work(wrong)), decode(source.data), bits
    )


# Faults ---------------------------------------------------------------------------------------------------


def _misspelt(specimen: Specimen, slips: float) -> RGB:
    scene, luck = parse(specimen.case.prompt), random.Random(f"graded/{specimen.case.id}")
    items = []
    left = round(slips)
    for item in scene.items:
        if isinstance(item, Sign):
            lines = list(item.lines)
            for index in range(left):
                lines[index % len(lines)] = misspelt_line(lines[index % len(lines)], luck)
            item = replace(item, lines=tuple(lines))
        items.append(item)
    return _drawn(replace(scene, items=tuple(items)), specimen.case)


def _spilled(specimen: Specimen, share: float) -> RGB:
    """A share of what the mask protects, from the top, is drawn in inverse colours."""
    grid = specimen.clean.shape[:2]
    kept = np.flatnonzero(np.ones(grid, np.bool_) if specimen.mask is None else ~specimen.mask)
    where = np.zeros(grid, np.bool_)
    where.flat[kept[: max(1, round(share * len(kept)))]] = True
    return np.where(where[..., None], 255 - specimen.clean, specimen.clean)


def _undone(specimen: Specimen, share: float) -> RGB:
    return (
        distort.mixed(specimen.clean, specimen.source, share)
        if specimen.source is not None
        else specimen.clean
    )


def _cropped(specimen: Specimen, share: float) -> RGB:
    height, width = specimen.clean.shape[:2]
    return distort.resized(distort.cropped(specimen.clean, share, share, 0, 0), width, height)


_ALL: tuple[Kind, ...] = ("text", "scene", "edit")
FAULTS: tuple[Fault, ...] = (
    Fault("misspelt", "slips", ("text",), (1, 2, 4), _misspelt),
    Fault(
        "wrong colour",
        "share",
        ("scene", "edit"),
        (0.25, 0.5, 1.0),
        lambda s, x: distort.mixed(s.clean, s.wrong, x),
    ),
    Fault("not done", "share", ("edit",), (0.25, 0.5, 1.0), _undone),
    Fault("spilled", "share", ("edit",), (0.01, 0.05, 0.2, 0.5), _spilled),
    Fault(
        "repainted",
        "% of side",
        ("edit",),
        (0.2, 0.5, 1.0, 2.0),
        lambda s, x: distort.repainted(s.clean, x, 7),
    ),
    Fault("shifted", "px", ("edit",), (0.25, 0.5, 1, 3, 8), lambda s, x: distort.moved(s.clean, x, 0.6 * x)),
    Fault("zoomed", "%", ("edit",), (0.2, 0.5, 1, 3), lambda s, x: distort.moved(s.clean, zoom=1 + x / 100)),
    Fault("cropped", "share", ("edit",), (0.01, 0.03, 0.1), _cropped),
    Fault(
        "tinted", "levels", _ALL, (2, 5, 10, 20), lambda s, x: distort.toned(s.clean, (1, 1, 1), (x, 0.0, -x))
    ),
    Fault("blurred", "sigma px", _ALL, (0.5, 1, 2, 4), lambda s, x: distort.blurred(s.clean, x)),
    Fault("noisy", "levels", _ALL, (2, 6, 15, 30), lambda s, x: distort.noisy(s.clean, x, 5)),
    Fault(
        "JPEG",
        "100 - quality",
        _ALL,
        (20, 50, 75, 92),
        lambda s, x: distort.compressed(s.clean, 100 - round(x)),
    ),
)


def fault(name: str) -> Fault:
    """The fault of that name."""
    return next(one for one in FAULTS if one.name == name)


def shown(faults: Sequence[Fault], kind: Kind) -> tuple[Fault, ...]:
    """Those that specimens of a kind can have."""
    return tuple(one for one in faults if kind in one.kinds)
