"""How far the text scores can be trusted: pictures whose every letter is known, read and scored.

    python benchmarks/typography.py [--posters 300] [--arcs 40] [--first 0]

Prints what docs/metrics.md claims: posters with typing errors (is the share of right words reported as it
is?), text on arcs and badges, the golden set, pictures without text, and the cost. Everything is drawn here,
in type faces that come with our dependencies: pictures by generators are harder. CPU seconds, one thread. The
reader's thresholds were set on the first posters and arcs; `--first 1000` draws others.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import skimage.data

from evalkit.metrics.base import RGB, Subject
from evalkit.metrics.ocr import Ocr
from evalkit.metrics.reading import text
from evalkit.metrics.reading.layout import joined
from evalkit.metrics.reading.looks import Reading, read
from evalkit.types import Case

sys.path.append(str(Path(__file__).parents[1] / "tests" / "metrics"))
drawn_text = importlib.import_module("drawn_text")
golden_text = importlib.import_module("golden_text")


def letters(lines: Sequence[str]) -> int:
    """How many characters are expected."""
    return len(text.nospace(text.strict("\n".join(lines))))


def words(picture: Any, found: Reading) -> text.WordMatch:
    """What was read against what really stands there, lenient."""
    target = "\n".join(picture.drawn)
    return text.match_words(text.lenient(target), text.lenient(joined(found.lines), target))


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    """The result and the CPU seconds of this process."""
    started = time.process_time()
    result = work()
    return result, time.process_time() - started


def posters(count: int, first: int) -> None:
    """Reported against true word recall: the metric knows only the picture and the expected text."""
    true, reported, seconds = [], [], []
    metric = Ocr()
    for number in range(first, first + count):
        picture = drawn_text.poster(number)
        case = Case("c", "a poster", expected_text=picture.expected)
        subject = Subject(str(number), picture.image, None, case)
        (values,), cost = timed(partial(metric.score, [subject]))
        target = "\n".join(picture.expected)
        drawn = text.lenient("\n".join(picture.drawn), target)
        true.append(text.match_words(text.lenient(target), drawn).recall or 0.0)
        reported.append(values["ocr_word_recall"].value or 0.0)
        seconds.append(cost)
    error = np.asarray(reported) - np.asarray(true)
    pearson = np.corrcoef(true, reported)[0, 1]
    print(f"posters             {count}, true word accuracy {np.mean(true):.3f}")
    print(f"  Pearson           {pearson:.4f}")
    print(f"  bias              {error.mean():+.4f}, largest error {abs(error).max():.3f}")
    print(f"  posters off       {int((abs(error) > 1e-9).sum())}")
    print(f"  CPU-s, whole score, own rendering included  {np.mean(seconds):.2f}")


def recall(name: str, pictures: Iterable[Any]) -> None:
    """Word recall and precision over pictures whose text is known, all looks allowed, per group."""
    totals: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    seconds = []
    for picture in pictures:
        found, cost = timed(partial(read, picture.image, letters(picture.expected)))
        match = words(picture, found)
        totals[picture.group] = [
            a + b
            for a, b in zip(totals[picture.group], (1, match.common, match.expected, match.read), strict=True)
        ]
        seconds.append(cost)
    pages, common, expected, got = (sum(column) for column in zip(*totals.values(), strict=True))
    print(f"{name:20s}{pages} pictures, {expected} words, CPU-s {np.mean(seconds):.2f}")
    print(f"  word recall       {common / expected:.3f}, precision {common / got:.3f}")
    for group, (count, right, wanted, seen) in totals.items() if len(totals) > 1 else ():
        share = f"{right / wanted:.3f}" if wanted else f"{seen} words read"
        print(f"  {group:17s} {share} ({count})")


def without_text() -> list[RGB]:
    """Photographs and drawings in which nothing is written."""
    photos = [skimage.data.coffee(), skimage.data.chelsea(), skimage.data.rocket()]
    drawn = [picture.image for picture in golden_text.golden() if picture.group == "empty"]
    clouds = [drawn_text.pixels(drawn_text.clouds(1024, seed, 0, 255)) for seed in range(20, 28)]
    return [*(np.ascontiguousarray(photo) for photo in photos), *drawn, *clouds]


def invented() -> None:
    """Words read where there is none, although some are expected and every look is taken."""
    pictures = without_text()
    found, cost = timed(lambda: [read(image, letters=9) for image in pictures])
    lines = [line.text for reading in found for line in reading.lines]
    print(f"without text        {len(pictures)} pictures, CPU-s {cost / len(pictures):.2f}")
    print(f"  words read        {sum(len(line.split()) for line in lines)} {lines or ''}")


def plain() -> None:
    """The cost of one plain look at 1024 x 1024 px."""
    seconds = [timed(partial(read, picture.image))[1] for picture in golden_text.golden()]
    print("plain look          48 pictures of 1024 px")
    print(f"  CPU-s             mean {np.mean(seconds):.2f}, median {np.median(seconds):.2f}")


def main() -> None:
    """Everything in turn."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--posters", type=int, default=300)
    arguments.add_argument("--arcs", type=int, default=40)
    arguments.add_argument("--first", type=int, default=0, help="number of the first poster and arc")
    options = arguments.parse_args()
    read(golden_text.golden()[0].image)
    plain()
    recall("golden set", golden_text.golden())
    recall("arcs", [drawn_text.arc_picture(options.first + number) for number in range(options.arcs)])
    recall("badges", [drawn_text.badge(number) for number in range(12)])
    invented()
    posters(options.posters, options.first)


if __name__ == "__main__":
    main()
