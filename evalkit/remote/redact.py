"""What has to go from a text before it is shown, logged or written down.

Signed URLs carry a credential in their query, answers may repeat a key, and a data URI is a picture in
letters. Which texts are cleaned is for the callers.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable

_QUERY = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s?#\"'<>]*)[?#][^\s\"'<>]*")
_LOGIN = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://)[^\s/?#@\"'<>]+@")
_ACTIVE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_DATA = re.compile(r"(?i)\bdata:[a-z0-9/+.;=-]{0,80},[a-z0-9+/=_%-]*")


def cut_urls(text: str) -> str:
    """URLs without query, fragment, user and password; data URIs without data.

    >>> cut_urls("see https://cdn.example/a.png?sig=secret now")
    'see https://cdn.example/a.png now'
    """
    return _LOGIN.sub(r"\1", _QUERY.sub(r"\1", _DATA.sub("data:...", text)))


def without(text: str, secrets: Iterable[str]) -> str:
    """The text with every secret replaced by `***`, and the halves of an `id:secret` pair too.

    Anything under four characters stays: taking it out would garble the text and protect nothing.
    """
    parts = {part for secret in secrets for part in (secret, *secret.split(":")) if len(part) >= 4}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***")
    return text


def visible(text: str) -> str:
    """The text without anything that a terminal or a page would act on; line breaks and tabs stay.

    Control characters, lone surrogates and overrides of the direction of writing become U+FFFD. Joiners stay:
    emoji and some scripts need them.

    >>> visible("ok\\x1b[2J")
    'ok\ufffd[2J'
    """
    return hushed(text.replace("\r\n", "\n"), lambda _: "\N{REPLACEMENT CHARACTER}")


def hushed(text: str, say: Callable[[str], str]) -> str:
    """The text with `say(character)` in the place of every character that `visible` takes out."""
    return _ACTIVE.sub(lambda found: say(found[0]), text)


def plain(text: str, limit: int) -> str:
    """One line of at most `limit` characters: no control, format or surrogate characters.

    >>> plain("bad\\x1b[31m key\\r\\n", 100)
    'bad [31m key'
    """
    seen = "".join(" " if unicodedata.category(c).startswith("C") else c for c in text[: 20 * limit])
    line = " ".join(seen.split())
    return line if len(line) <= limit else line[: limit - 3].rstrip() + "..."
