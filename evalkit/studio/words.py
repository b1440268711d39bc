"""A cursor over the words of a prompt, and the error that names what was not understood.

It knows words, quotes and phrases; the grammar above it knows what they mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TypeVar

from evalkit.errors import InvalidInput
from evalkit.studio.vocabulary import OPENERS, SPELLINGS, known_words

T = TypeVar("T")

_TOKEN = re.compile(r'“[^”]*”|"[^"]*"|[\w\-\']+|[,.;]')
_HINT = (
    "The studio draws a small language only, such as “three red apples on a wooden table” or "
    "“a portrait of a woman with long red hair and glasses”; suites/demo-product/README.md lists its words."
)


class NotUnderstood(InvalidInput):
    """A text outside the studio's language; `words` are the words that were not understood."""

    def __init__(self, text: str, words: tuple[str, ...]) -> None:
        listing = ", ".join(f"“{word}”" for word in words)
        super().__init__(f"the studio does not understand {listing} in “{text}”", _HINT)
        self.words = words


class Cursor:
    """The words of `text` in lower case, read from left to right; quoted texts stay as they are."""

    def __init__(self, text: str, extra: Iterable[str] = ()) -> None:
        self.text = text
        self.at = 0
        raw = (_spelled(token) for token in _TOKEN.findall(text))
        self.tokens = [token for token in raw if token]
        self._known = known_words() | frozenset(extra)

    def rest(self) -> list[str]:
        return self.tokens[self.at :]

    def accept(self, phrase: str) -> bool:
        """Move past `phrase` if it comes next."""
        words = phrase.split()
        if self.tokens[self.at : self.at + len(words)] != words:
            return False
        self.at += len(words)
        return True

    def accept_any(self, phrases: Iterable[str]) -> str | None:
        """The longest of `phrases` that comes next, moved past; or None."""
        return next((p for p in sorted(phrases, key=_by_length) if self.accept(p)), None)

    def choose(self, table: Mapping[T, Iterable[str]]) -> T | None:
        """The key of the longest phrase in `table` that comes next, moved past; or None."""
        pairs = [(phrase, key) for key, phrases in table.items() for phrase in phrases]
        pairs.sort(key=lambda pair: _by_length(pair[0]))
        return next((key for phrase, key in pairs if self.accept(phrase)), None)

    def quoted(self) -> str | None:
        """The text inside the quotation marks that come next, or None."""
        if self.at < len(self.tokens) and self.tokens[self.at][0] in '“"':
            self.at += 1
            return self.tokens[self.at - 1][1:-1]
        return None

    def skip(self, *fillers: str) -> None:
        """Move past any run of `fillers`."""
        while self.at < len(self.tokens) and self.tokens[self.at] in fillers:
            self.at += 1

    def problem(self) -> NotUnderstood:
        """Names the words outside the vocabulary, or else those where reading stopped."""
        unknown = [word for word in self.tokens if self._is_unknown(word)]
        stuck = self.rest()[:4] or self.tokens[-1:] or [self.text]
        return NotUnderstood(self.text, tuple(dict.fromkeys(unknown or stuck)))

    def _is_unknown(self, word: str) -> bool:
        return word[0] not in '“",.;' and word not in self._known


def _by_length(phrase: str) -> int:
    return -len(phrase.split())


def _spelled(token: str) -> str:
    if token[0] in '“"':
        return token
    return SPELLINGS.get(token.lower(), token.lower())


def opener(cursor: Cursor) -> str | None:
    """`close`, `sketch`, `mono`, `wide` or None, from how the prompt begins."""
    return cursor.choose(OPENERS)
