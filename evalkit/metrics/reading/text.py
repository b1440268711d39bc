"""Comparing texts: two normal forms, edit distances, and words as a bag.

It knows nothing of pictures. `strict` is what a proofreader sees: case, accents and punctuation count.
`lenient` is what a passer-by reads: only letters, digits and marks of any script, case folded, look-alikes
of other scripts read as the script that was expected. In scripts that put no spaces between words (Chinese,
Japanese, Thai, Lao, Khmer, Burmese, Tibetan) every character counts as a word.
"""

from __future__ import annotations

import functools
import unicodedata
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

from rapidfuzz.distance import Levenshtein

_LOOKALIKES = (
    # Latin, Greek, Cyrillic: letters drawn alike; a space where a script has no such letter
    ("A", "Α", "А"),
    ("B", "Β", "В"),
    ("E", "Ε", "Е"),
    ("Z", "Ζ", " "),
    ("H", "Η", "Н"),
    ("I", "Ι", "І"),
    ("K", "Κ", "К"),
    ("M", "Μ", "М"),
    ("N", "Ν", " "),
    ("O", "Ο", "О"),
    ("P", "Ρ", "Р"),
    ("C", " ", "С"),
    ("T", "Τ", "Т"),
    ("Y", "Υ", "У"),
    ("X", "Χ", "Х"),
    ("S", " ", "Ѕ"),
    ("J", " ", "Ј"),
    ("a", "α", "а"),
    ("e", " ", "е"),
    ("i", "ι", "і"),
    ("k", "κ", "к"),
    ("o", "ο", "о"),
    ("p", "ρ", "р"),
    ("c", " ", "с"),
    ("u", "υ", " "),
    ("v", "ν", " "),
    ("y", " ", "у"),
    ("x", "χ", "х"),
    ("s", " ", "ѕ"),
    ("j", " ", "ј"),
)
_SCRIPTS = ("LATIN", "GREEK", "CYRILLIC")
_QUOTES_AND_DASHES = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛ʼʹ′`´", "'"),
        **dict.fromkeys("“”„‟«»″", '"'),
        **dict.fromkeys("‐‑‒–—―−", "-"),
        "⁄": "/",
    }
)
_INVISIBLE = dict.fromkeys(
    code
    for first, last in (
        (0x00AD, 0x00AD),
        (0x061C, 0x061C),
        (0x180E, 0x180E),
        (0x200B, 0x200B),
        (0x200E, 0x200F),
        (0x202A, 0x202E),
        (0x2060, 0x2064),
        (0x2066, 0x2069),
        (0xFE00, 0xFE0F),
        (0xFEFF, 0xFEFF),
    )
    for code in range(first, last + 1)
)
"""Soft hyphens, zero-width spaces, marks of direction, variation selectors: nobody can draw or read them."""
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "BOPOMOFO", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")


@dataclass(frozen=True, slots=True)
class WordMatch:
    """Words as a multiset: how many of `expected` and `read` words are the same."""

    common: int
    expected: int
    read: int

    @property
    def recall(self) -> float | None:
        """Share of expected words that were read, 0 to 1; None where nothing was expected."""
        return self.common / self.expected if self.expected else None

    @property
    def precision(self) -> float | None:
        """Share of read words that were expected, 0 to 1; None where nothing was read."""
        return self.common / self.read if self.read else None

    @property
    def f1(self) -> float | None:
        """Harmonic mean of precision and recall, 0 to 1; None where nothing was expected."""
        return 2 * self.common / (self.expected + self.read) if self.expected else None


def strict(text: str) -> str:
    """NFC, runs of white space as one space, trimmed, nothing invisible; everything else counts."""
    return " ".join(unicodedata.normalize("NFC", text.translate(_INVISIBLE)).split())


def lenient(text: str, expected: str | None = None) -> str:
    """NFKC, case folded, quotes and dashes plain, look-alikes in the script of `expected`, no punctuation.

    Punctuation becomes a space except between two digits (9:30, 4.50). Letters, digits and combining marks
    of every script stay. `expected` defaults to `text` itself.
    """
    script = _script(text if expected is None else expected)
    plain = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).translate(_QUOTES_AND_DASHES)
    # Before case folding, because a capital and its small letter can look like different letters: Ν and ν.
    folded = _read_as(plain, script).casefold()
    settled = _read_as(unicodedata.normalize("NFKC", folded), script)
    return " ".join(_without_punctuation(settled).split())


def nospace(text: str) -> str:
    """Without any white space: readers often lose the gaps between words."""
    return "".join(text.split())


def error_rate(expected: str, read: str) -> float | None:
    """Edit distance over the length of `expected`: 0 is exact, above 1 is possible; None if it is empty."""
    return Levenshtein.distance(expected, read) / len(expected) if expected else None


def similarity(one: str, other: str) -> float:
    """1 - edit distance over the longer length: 1 is equal, 0 has nothing in common. Two empty texts: 1."""
    return float(Levenshtein.normalized_similarity(one, other))


def words(text: str) -> list[str]:
    """Split at spaces; each character of a script without spaces is a word, its marks stay with it."""
    found: list[str] = []
    for piece in text.split():
        start = len(found)
        for char in piece:
            mark = unicodedata.category(char)[0] == "M"
            fresh = len(found) == start or (not mark and (_unspaced(char) or _unspaced(found[-1][0])))
            if fresh:
                found.append(char)
            else:
                found[-1] += char
    return found


def word_error_rate(expected: str, read: str) -> float | None:
    """Edit distance in words over the number of expected words, order counts; None if there are none."""
    wanted = words(expected)
    return Levenshtein.distance(wanted, words(read)) / len(wanted) if wanted else None


def match_words(expected: str, read: str) -> WordMatch:
    """Both as bags of words: order does not matter, repeats do."""
    wanted, got = Counter(words(expected)), Counter(words(read))
    return WordMatch((wanted & got).total(), wanted.total(), got.total())


@functools.lru_cache(maxsize=4096)
def _unspaced(char: str) -> bool:
    return unicodedata.name(char, "").startswith(_UNSPACED)


def _script(text: str) -> str | None:
    """The one script of `_SCRIPTS` that `text` uses; None if it uses none or mixes them."""
    names = {unicodedata.name(char, "").split(" ")[0] for char in text if char.isalpha()}
    used = names.intersection(_SCRIPTS)
    return used.pop() if len(used) == 1 else None


def _read_as(text: str, script: str | None) -> str:
    return text if script is None else text.translate(_TABLES[script])


def _table(script: str) -> dict[int, str]:
    target = _SCRIPTS.index(script)
    return {
        ord(char): row[target]
        for row in _LOOKALIKES
        if row[target] != " "
        for char in row
        if char not in (" ", row[target])
    }


_TABLES = {script: _table(script) for script in _SCRIPTS}


def _without_punctuation(text: str) -> str:
    padded = f" {text} "
    kept = []
    for (before, char), (_, after) in pairwise(pairwise(padded)):
        between_digits = before.isdecimal() and after.isdecimal()
        kept.append(char if between_digits or unicodedata.category(char)[0] in "LMN" else " ")
    return "".join(kept)
