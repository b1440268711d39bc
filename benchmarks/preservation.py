"""How right the preservation numbers are: on edits of photographs whose truth is known.

    .venv/bin/python benchmarks/preservation.py [displaced | faults | changes | cost] [--count N]

displaced: edits delivered shifted, zoomed, squeezed, cropped or padded: PSNR outside the edit.
faults: one injected fault per edit, and clean edits: is the class right, and is there a false alarm?
changes: the map of changes, found without a mask, against the mask: intersection over union.
cost: CPU seconds of all metrics that need no weights, per pair of 1024 px, one thread.
"""

from __future__ import annotations

import argparse
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from edits import (
    DISPLACEMENTS,
    FAULTS,
    KINDS,
    PHOTOGRAPHS,
    Edit,
    clean_edit,
    clean_variants,
    displaced,
)
from numpy.typing import NDArray

from evalkit.metrics.base import Subject
from evalkit.metrics.delivery import Delivery
from evalkit.metrics.faults import FAULTS as CLASSES
from evalkit.metrics.faults import Faults, fault_of
from evalkit.metrics.overlay.pairs import Pair, pair
from evalkit.metrics.pixels import Pixels, values
from evalkit.studio import distort
from evalkit.types import Case

RGB = NDArray[np.uint8]
EDIT = Case("c", "p", "edit")
_numbers = iter(range(10**9))


def subject(edit: Edit, image: RGB, masked: bool = True) -> Subject:
    """An edit to be judged; each call is a picture of its own."""
    name = str(next(_numbers))
    mask = edit.mask if masked else None
    return Subject(name, image, None, EDIT, name, name if masked else None, lambda: edit.source, lambda: mask)


def displacements(count: int) -> None:
    luck = np.random.default_rng(20261127)
    raw: dict[str, list[float]] = {kind: [] for kind in DISPLACEMENTS}
    straight: dict[str, list[float]] = {kind: [] for kind in DISPLACEMENTS}
    for n in range(count):
        kind, edit = DISPLACEMENTS[n % len(DISPLACEMENTS)], clean_edit(luck)
        both = pair(subject(edit, displaced(luck, kind, edit)))
        found = values(both) if isinstance(both, Pair) else {}
        for name, kept in (("psnr_out", raw), ("psnr_out_registered", straight)):
            value = found[name].value if name in found else None
            kept[kind].append(0.0 if value is None else value)
    print(
        f"{'displaced by':14s} {'n':>4s} {'raw dB: least, median':>24s} "
        f"{'registered: least, median':>28s} {'>= 36':>7s}"
    )
    for kind in DISPLACEMENTS:
        _print_displaced(kind, np.array(raw[kind]), np.array(straight[kind]))
    before, after = (np.concatenate([np.array(v) for v in kept.values()]) for kept in (raw, straight))
    _print_displaced("all", before, after)
    print(f"registered below raw: {int((after < before - 1e-9).sum())} of {count}")


def _print_displaced(kind: str, raw: NDArray[np.float64], straight: NDArray[np.float64]) -> None:
    good = (straight >= 36).mean()
    print(
        f"{kind:14s} {len(raw):4d} {raw.min():15.1f} {np.median(raw):8.1f} {straight.min():19.1f} "
        f"{np.median(straight):8.1f} {good:7.1%}"
    )


def injected(count: int) -> Iterator[tuple[str, Edit, RGB]]:
    """As many faults as asked for, each class in turn, then half as many clean edits."""
    luck = np.random.default_rng(20261128)
    for n in range(count):
        kind = list(FAULTS)[n % len(FAULTS)]
        edit = clean_edit(luck)
        yield kind, edit, FAULTS[kind](luck, edit)
    for edit, image in clean_variants(20261129, count // 2):
        yield "clean", edit, image


def faults(count: int) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for kind, edit, image in injected(count):
        fault = fault_of(subject(edit, image))
        seen[kind, fault.kind if fault else "clean"] += 1
    for kind in (*FAULTS, "clean"):
        found = {got: n for (was, got), n in seen.items() if was == kind}
        wrong = ", ".join(f"{got} x{n}" for got, n in sorted(found.items()) if got != kind)
        print(f"{kind:14s} {found.get(kind, 0):4d} of {sum(found.values()):4d} right  {wrong}")
    right = sum(n for (was, got), n in seen.items() if was == got != "clean")
    alarms = sum(n for (was, got), n in seen.items() if was == "clean" != got)
    print(
        f"classes right: {right / count:.2%} of {count}; "
        f"false alarms: {alarms / (count // 2):.2%} of {count // 2}"
    )
    assert set(FAULTS) <= set(CLASSES)


def _as_delivered(image: RGB) -> Iterator[tuple[str, RGB]]:
    height, width = image.shape[:2]
    scale = 1024 / max(height, width)
    yield "as it is", image
    yield "zoom 1 %, JPEG 85", distort.compressed(distort.moved(image, zoom=1.01), 85)
    large = distort.resized(image, round(width * scale), round(height * scale))
    yield "1024 px, WebP 80", distort.compressed(large, 80, "WEBP")


def changes(count: int) -> None:
    luck = np.random.default_rng(20261130)
    found: dict[tuple[str, str], list[float]] = {}
    alarms: list[float] = []
    for n in range(count):
        kind = KINDS[n % len(KINDS)]
        edit = clean_edit(luck, kind, PHOTOGRAPHS[n // len(KINDS) % len(PHOTOGRAPHS)])
        for delivered, image in _as_delivered(edit.image):
            found.setdefault((kind, delivered), []).append(_overlap(edit, image))
        untouched = Edit(edit.name, edit.source, edit.source, edit.mask)
        alarms += [_changed(untouched, image) for _, image in _as_delivered(edit.source)]
    for (kind, delivered), values_ in sorted(found.items()):
        print(f"{kind:10s} {delivered:20s} IoU mean {np.mean(values_):.3f}, median {np.median(values_):.3f}")
    for kind in KINDS:
        every = [value for (k, _), some in found.items() if k == kind for value in some]
        print(f"{kind:10s} {'all':20s} IoU mean {np.mean(every):.3f}")
    visible = [value for (k, _), some in found.items() if k != "smooth" for value in some]
    every = [value for some in found.values() for value in some]
    print(f"replace and recolour: IoU mean {np.mean(visible):.3f}; all: {np.mean(every):.3f}")
    print(f"no edit: changed at most {max(alarms):.1%}, above 2 % in {np.mean(np.array(alarms) > 0.02):.1%}")


def _overlap(edit: Edit, image: RGB) -> float:
    from evalkit.metrics.overlay.geometry import resize_mask

    both = pair(subject(edit, image, masked=False))
    assert isinstance(both, Pair)
    where = both.changes.where
    truth = resize_mask(edit.mask, (where.shape[0], where.shape[1]))
    return float((where & truth).sum() / (where | truth).sum())


def _changed(edit: Edit, image: RGB) -> float:
    both = pair(subject(edit, image, masked=False))
    assert isinstance(both, Pair)
    return both.changes.fraction


def cost(count: int) -> None:
    import cv2

    cv2.setNumThreads(1)
    deliveries: dict[str, Callable[[RGB], RGB]] = {
        "clean edit, PNG": lambda image: image,
        "clean edit, JPEG 92": lambda image: distort.compressed(image, 92),
        "moved and zoomed, JPEG 92": lambda image: distort.compressed(
            distort.moved(image, 7.3, -4.2, 1.01), 92
        ),
    }
    metrics = (Pixels(), Faults(), Delivery())
    for name, deliver in deliveries.items():
        luck = np.random.default_rng(5)
        edits = [
            clean_edit(luck, name=PHOTOGRAPHS[n % len(PHOTOGRAPHS)], long_side=1024) for n in range(count)
        ]
        subjects = [subject(edit, deliver(edit.image)) for edit in edits]
        spent = []
        for one in subjects:
            started = time.process_time()
            for metric in metrics:
                metric.score([one])
            spent.append(time.process_time() - started)
        print(f"{name:28s} CPU-s per pair: median {np.median(spent):.2f}, most {max(spent):.2f}")


PARTS = {
    "displaced": (displacements, 500),
    "faults": (faults, 400),
    "changes": (changes, 54),
    "cost": (cost, 9),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("part", nargs="?", choices=PARTS)
    parser.add_argument("--count", type=int)
    asked = parser.parse_args()
    for name, (part, count) in PARTS.items():
        if asked.part in (None, name):
            print(f"\n== {name}")
            part(asked.count or count)


if __name__ == "__main__":
    main()
