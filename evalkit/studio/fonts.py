"""Choosing a font by what it can write: the only place that knows where fonts come from.

Machines differ in what is installed, so only fonts that come with our own dependencies are used: the
variable fonts inside the streamlit package (Latin with diacritics, Greek, Cyrillic, currency signs), if
this Pillow can read them, else the one inside Pillow (ASCII and a few more).
"""

from __future__ import annotations

import functools
import importlib.util
from pathlib import Path

from PIL import ImageFont

from evalkit.errors import InvalidInput

Font = ImageFont.FreeTypeFont

_PATTERNS = ("SourceSansVF-Upright*", "SourceSerifVariable-Roman*")
_UNASSIGNED = "\ue123"


def font_for(text: str, size: float) -> Font:
    """The first font that has every character of `text`, at `size` pixels per em.

    Raises `InvalidInput` naming the characters that no font here can write.
    """
    for name in families():
        if not missing(name, text):
            return _sized(name, max(4, round(size)))
    lacking = min((missing(name, text) for name in families()), key=len)
    raise InvalidInput(
        f"no font here can write {lacking!r}",
        "Use Latin, Greek or Cyrillic letters, digits and punctuation in studio signs.",
    )


@functools.cache
def families() -> tuple[str, ...]:
    """The usable fonts, best first: paths, and `builtin` for Pillow's own."""
    return (*(path for path in _streamlit_fonts() if _opens(path)), "builtin")


@functools.cache
def identity() -> str:
    """What the letters' look depends on; part of the drawing recipe."""
    return "+".join(" ".join(str(part) for part in _sized(name, 20).getname()) for name in families())


def missing(name: str, text: str) -> str:
    """The characters of `text` that this font would draw as an empty box."""
    return "".join(sorted(char for char in set(text) if not char.isspace() and not _has(name, char)))


@functools.lru_cache(maxsize=4096)
def _has(name: str, char: str) -> bool:
    font = _sized(name, 20)
    same_width = font.getlength(char) == font.getlength(_UNASSIGNED)
    return not (same_width and bytes(font.getmask(char)) == bytes(font.getmask(_UNASSIGNED)))


@functools.lru_cache(maxsize=64)
def _sized(name: str, size: int) -> Font:
    if name == "builtin":
        font = ImageFont.load_default(size)
        assert isinstance(font, ImageFont.FreeTypeFont)
        return font
    font = ImageFont.truetype(name, size, layout_engine=ImageFont.Layout.BASIC)
    font.set_variation_by_name("Bold")
    return font


def _opens(path: str) -> bool:
    try:
        return bool(_sized(path, 20).getlength("a"))
    except (OSError, ValueError):
        return False


def _streamlit_fonts() -> list[str]:
    found = importlib.util.find_spec("streamlit")
    folders = [Path(place) for place in (found.submodule_search_locations or ())] if found else []
    return [
        str(path)
        for pattern in _PATTERNS
        for folder in folders
        for path in sorted((folder / "static" / "static" / "media").glob(pattern))
    ]
