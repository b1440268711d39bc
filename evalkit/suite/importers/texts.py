"""What importers read out of prompts: quoted words, languages, families, names fit for ids and tags."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable

QUOTED = re.compile(r'“([^“”]+)”|(?<!\d)"([^"]+)"|『([^『』]+)』')
APOSTROPHES = re.compile(r"(?<![\w'])'(?=\S)(.+?)(?<=\S)'(?![\w'])")
MAX_ID = 80
"""Longer ids are cut: they become file names and stand in tables."""

_CJK = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\u3040-\u30ff\uac00-\ud7af]")
_UNTEXT = re.compile(r"[\0\ud800-\udfff]")


def quoted(prompt: str) -> tuple[str, ...]:
    """The texts in quotation marks that cannot be apostrophes: “ ”, " " and 『』.

    A straight mark after a digit is a measure in inches and opens nothing.

    >>> quoted('a sign that says "Very Deep Learning" by the dog\\'s bowl')
    ('Very Deep Learning',)
    """
    return _stripped(next(filter(None, match)) for match in QUOTED.findall(prompt))


def between_apostrophes(prompt: str) -> tuple[str, ...]:
    """The texts between single marks, for formats whose convention that is. A mark inside a word is none.

    >>> between_apostrophes("the dogs' bowl says 'Let's eat', twice")
    ("Let's eat",)
    """
    return _stripped(APOSTROPHES.findall(prompt))


def language(text: str) -> str:
    """`zh` where the text has Chinese, Japanese or Korean characters, else `en`: all that the formats mix."""
    return "zh" if _CJK.search(text) else "en"


def is_text(prompt: str) -> bool:
    """Whether every character can be sent: no NUL, no half of a surrogate pair."""
    return not _UNTEXT.search(prompt)


def tag(key: str, value: object) -> str:
    """`key:value`, lower case, `-` for everything but letters, digits, `.` and `_`.

    >>> tag("challenge", "Writing & Symbols")
    'challenge:writing-and-symbols'
    """
    return f"{key}:{slug(str(value))}"


def slug(text: str) -> str:
    """Lower-case words joined by `-`; letters of every script are kept."""
    return re.sub(r"[^\w.]+", "-", text.replace("&", " and ").casefold()).strip("-.")


def case_id(text: str) -> str:
    """`text` as the id of a case: ASCII, at most 80 characters. What was cut ends with a digest of the whole.

    >>> case_id("Animal/000342021.jpg"), case_id("标志")
    ('animal-000342021.jpg', 'case-09c53d52')
    """
    plain = re.sub(r"[^a-z0-9._]+", "-", text.lower()).strip("-._")
    code = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
    if not plain:
        return f"case-{code}"
    return plain if len(plain) <= MAX_ID else f"{plain[: MAX_ID - 9].rstrip('-._')}-{code}"


def opening(prompt: str, words: int = 6) -> str:
    """The first words of a prompt, if it has so many: prompts that only end differently share them."""
    found = re.findall(r"\w+", prompt.casefold())
    return "-".join(found[:words]) if len(found) >= words else ""


def word_bag(prompt: str) -> str:
    """The words of a prompt in alphabetical order: prompts that only swap two words share them."""
    return " ".join(sorted(re.findall(r"\w+", prompt.casefold())))


def _stripped(found: Iterable[str]) -> tuple[str, ...]:
    return tuple(text.strip() for text in found if text.strip())
