"""The reader's ceiling: how well the reader reads the expected text where nothing is wrong with it.

The text is set by us in a plain face on a plain sheet and read like any picture. What the reader misses there
it would miss in a perfect picture too, so a score is to be read beside it: 0.91 of a possible 0.99.
"""

from __future__ import annotations

import functools
import textwrap

import numpy as np
from PIL import Image, ImageDraw

from evalkit.errors import InvalidInput
from evalkit.metrics.base import RGB
from evalkit.metrics.reading import text
from evalkit.metrics.reading.layout import joined
from evalkit.metrics.reading.looks import read
from evalkit.studio.fonts import font_for

SIDE = 1024
"""The sheet is square and this many pixels wide."""

_MARGIN = 64
_LARGEST, _SMALLEST = 96, 14
_LEADING = 1.5
_WIDEST = 46
"""Characters after which a line is broken."""
_PAPER, _INK = (244, 241, 232), (28, 30, 46)


@functools.lru_cache(maxsize=4096)
def ceiling(expected: tuple[str, ...]) -> float | None:
    """Word F1 (lenient) of our own rendering of these lines, 0 to 1; None if no font here can write them.

    The same text always gives the same number, so it is read once per process.
    """
    sheet = typeset(expected)
    if sheet is None:
        return None
    whole = "\n".join(expected)
    lines = read(sheet, letters=len(text.nospace(text.strict(whole)))).lines
    return text.match_words(text.lenient(whole), text.lenient(joined(lines), whole)).f1


def typeset(expected: tuple[str, ...]) -> RGB | None:
    """The lines on one sheet, long ones broken, as large as fits; None if no font here can write them."""
    lines = [piece for line in expected for piece in textwrap.wrap(line, _WIDEST)]
    size = _size(lines)
    image = Image.new("RGB", (SIDE, SIDE), _PAPER)
    draw = ImageDraw.Draw(image)
    try:
        for row, line in enumerate(lines):
            place = (_MARGIN, _MARGIN + row * _LEADING * size)
            draw.text(place, line, font=font_for(line, size), fill=_INK)
    except InvalidInput:
        return None
    return np.asarray(image)


def _size(lines: list[str]) -> float:
    """Pixels per em: from the number of lines and the longest of them."""
    room = SIDE - 2 * _MARGIN
    longest = max((len(line) for line in lines), default=1)
    by_height, by_width = room / (_LEADING * max(len(lines), 1)), room / (0.62 * max(longest, 1))
    return max(_SMALLEST, min(_LARGEST, by_height, by_width))
