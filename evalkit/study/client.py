"""What a rater's browser tells about a vote, cut down to what is safe to keep.

Only known names, only finite numbers in range and known words get through: the file of votes is read by
programs that trust it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from evalkit.types import Json

INPUTS = frozenset({"keyboard", "mouse", "touch", "pen", "api"})
NUMBERS = frozenset(
    {
        "visible_ms",
        "decode_ms",
        "zoom_max",
        "blinks",
        "source_views",
        "viewport_width",
        "viewport_height",
        "dpr",
        "resent",
    }
)
_LIMIT = 1e9
_SESSION = re.compile(r"[A-Za-z0-9_-]{1,64}")
"""A sitting of one rater, by any name that tells nothing."""


def telemetry(told: Mapping[str, Json]) -> dict[str, Json]:
    """The known facts among what a client sent; the rest is dropped without a word.

    >>> telemetry({"visible_ms": 1234.6, "input": "keyboard", "name": "x", "dpr": float("nan")})
    {'visible_ms': 1235, 'input': 'keyboard'}
    """
    kept: dict[str, Json] = {}
    for name, value in told.items():
        if _is_known_word(name, value):
            kept[name] = value
        elif name in NUMBERS and (number := _number(value)) is not None:
            kept[name] = round(number) if name.endswith("_ms") else number
    return kept


def visible_ms(told: Mapping[str, Json]) -> float:
    """For how long the pair was on a visible screen, in ms; 0 if the client did not say."""
    return _number(told.get("visible_ms")) or 0.0


def _is_known_word(name: str, value: Json) -> bool:
    if not isinstance(value, str):
        return False
    return value in INPUTS if name == "input" else name == "session" and bool(_SESSION.fullmatch(value))


def _number(value: Json) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return value if math.isfinite(value) and 0 <= value <= _LIMIT else None
