"""Which text a picture is judged by, and how a text that is too long for a model is cut into parts.

It knows cases and sentences, and no model: whether a part fits is for the caller to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from evalkit.types import Case

_ENDS = (
    r"(?<=[.!?…])[\"'”’)\]]*\s+|(?<=[。！？｡])|\n+",
    r"(?<=[,;:])\s+|(?<=[，；：、])",
    r"\s+",
    r"(?<=.)(?=.)",
)
"""Where to cut, best first: after sentences, after clauses, between words, anywhere."""


def by_caption(case: Case) -> bool:
    """Whether the caption of an edit's target is judged instead of the prompt."""
    return case.task == "edit" and bool((case.target_caption or "").strip())


def judged_text(case: Case) -> str:
    """What the picture should show: an edit's target caption where there is one, else the prompt."""
    return (case.target_caption or "") if by_caption(case) else case.prompt


def judged(case: Case) -> Mapping[str, str]:
    """The text judged, and which field of the case it is: what a score's key must hold."""
    return {"text": judged_text(case), "of": "target_caption" if by_caption(case) else "prompt"}


def parts(text: str, fits: Callable[[str], bool]) -> list[str]:
    """`text` in as few consecutive parts as its sentences allow, each of which `fits`; nothing is lost.

    A text that fits is returned as it is. Sentences are kept together; one that is too long by itself is cut
    after a clause, then between words, then anywhere. A single character is returned whether it fits or not.

    >>> parts("One cup. Two cups. Three.", lambda part: len(part) <= 18)
    ['One cup. Two cups.', 'Three.']
    """
    return _parts(text, fits, _ENDS)


def _parts(text: str, fits: Callable[[str], bool], ends: Sequence[str]) -> list[str]:
    if fits(text) or not ends:
        return [text]
    found: list[str] = []
    open_part = ""
    for piece in _pieces(text, ends[0]):
        if fits((open_part + piece).strip()):
            open_part += piece
            continue
        found += [open_part]
        fitting = fits(piece.strip())
        found += [] if fitting else _parts(piece.strip(), fits, ends[1:])
        open_part = piece if fitting else ""
    return [part.strip() for part in [*found, open_part] if part.strip()]


def _pieces(text: str, end: str) -> Iterator[str]:
    """Consecutive pieces that give the text when joined, each with the white space behind it."""
    start = 0
    for match in re.finditer(end, text):
        yield text[start : match.end()]
        start = match.end()
    yield text[start:]
