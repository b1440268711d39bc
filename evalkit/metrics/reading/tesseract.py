"""A second reader: the program `tesseract`, if it is installed. It reads the lines that the first has found.

It is weak on coloured grounds, turned and bent text, so it gets every line cut out, upright and in grey. It
says whether another reader agrees and never changes what was read.
"""

from __future__ import annotations

import functools
import io
import os
import shutil
import subprocess
import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageOps

from evalkit.errors import WeightsMissing
from evalkit.metrics.base import RGB
from evalkit.metrics.reading import text
from evalkit.metrics.reading.layout import Line, joined
from evalkit.metrics.reading.reader import cut

LANGUAGE = "eng"
"""Its model: Latin letters. Accents are left out of the comparison, because it knows few of them."""

_HEIGHT, _GAP = 48, 28
_SECONDS = 60


def program() -> str:
    """Where the program is. Raises `WeightsMissing`."""
    found = shutil.which("tesseract")
    if found is None:
        raise WeightsMissing("tesseract is not installed", "On Debian: apt-get install tesseract-ocr")
    return found


@functools.cache
def version(path: str) -> str:
    """What the program calls its version; '' if it does not start."""
    try:
        said = subprocess.run([path, "--version"], capture_output=True, timeout=_SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return said.stdout.decode(errors="replace").partition("\n")[0].strip()


def can_read(words: str) -> bool:
    """Whether every letter is a Latin one."""
    return all(unicodedata.name(char, "").startswith("LATIN") for char in words if char.isalpha())


def second_reading(image: RGB, lines: Sequence[Line]) -> str:
    """What tesseract makes of the lines, in their order; '' if it fails."""
    cuts = [line.straight if line.straight is not None else cut(image, line.corners) for line in lines]
    command = [program(), "stdin", "stdout", "--psm", "6", "-l", LANGUAGE]
    environment = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    page = _page(cuts)
    try:
        said = subprocess.run(
            command, input=page, capture_output=True, timeout=_SECONDS, check=True, env=environment
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return " ".join(said.stdout.decode(errors="replace").split())


def agreement(lines: Sequence[Line], other: str) -> float:
    """1 - normalised edit distance of the two readings, lenient, without spaces and accents: 0 to 1."""
    return text.similarity(_bare(joined(lines)), _bare(other))


def _bare(words: str) -> str:
    apart = unicodedata.normalize("NFD", text.nospace(text.lenient(words)))
    return "".join(char for char in apart if unicodedata.category(char)[0] != "M")


def _page(cuts: Sequence[RGB]) -> bytes:
    """The lines below each other, dark on white, as a PNG file."""
    grey = [_dark_on_light(one) for one in cuts]
    width = max(one.width for one in grey) + 2 * _GAP
    page = Image.new("L", (width, _GAP + len(grey) * (_HEIGHT + _GAP)), 255)
    for row, one in enumerate(grey):
        page.paste(one, (_GAP, _GAP + row * (_HEIGHT + _GAP)))
    buffer = io.BytesIO()
    page.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def _dark_on_light(line: RGB) -> Image.Image:
    """In grey, full contrast; the ground is what the edge shows."""
    width = max(1, round(_HEIGHT * line.shape[1] / line.shape[0]))
    grey = ImageOps.autocontrast(Image.fromarray(line).convert("L").resize((width, _HEIGHT)), cutoff=1)
    values = np.asarray(grey)
    edge = np.concatenate([values[:2].ravel(), values[-2:].ravel()])
    return ImageOps.invert(grey) if np.median(edge) < 128 else grey
