"""Numbers as people read them: a true minus, honest decimals, a dash for what is not there."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from evalkit.types import Estimate

MISSING = "–"
_MINUS = "\N{MINUS SIGN}"


def number(value: float | None, decimals: int = 2) -> str:
    """`value` with that many decimals.

    >>> number(-0.5, 1)
    '−0.5'
    """
    if value is None:
        return MISSING
    grouping = "," if abs(value) >= 10_000 else ""
    text = f"{value:{grouping}.{decimals}f}"
    zero = not any(digit in text for digit in "123456789")
    return text.lstrip("-") if zero else text.replace("-", _MINUS)


def span(estimate: Estimate, decimals: int = 2) -> str:
    """The interval as "low to high", or a dash."""
    if estimate.low is None or estimate.high is None:
        return MISSING
    return f"{number(estimate.low, decimals)} to {number(estimate.high, decimals)}"


def percent(value: float | None, decimals: int = 0) -> str:
    """A share as a percentage."""
    return MISSING if value is None else f"{number(100 * value, decimals)}\N{NARROW NO-BREAK SPACE}%"


def chance(value: float | None) -> str:
    """A chance in whole per cent; one that was drawn is never said to be certain.

    >>> chance(0.004), chance(0.996)
    ('<1\u202f%', '>99\u202f%')
    """
    if value is None:
        return MISSING
    return f"<{percent(0.01)}" if value < 0.01 else f">{percent(0.99)}" if value > 0.99 else percent(value)


def p_value(p: float) -> str:
    """Three decimals, and no zero.

    >>> p_value(0.0002)
    'p\xa0<\xa00.001'
    """
    said = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
    return said.replace(" ", "\N{NO-BREAK SPACE}")


def percent_span(estimate: Estimate, decimals: int = 0) -> str:
    """The interval of a share in per cent, or a dash."""
    if estimate.low is None or estimate.high is None:
        return MISSING
    return f"{number(100 * estimate.low, decimals)} to {number(100 * estimate.high, decimals)}"


def money(value: Decimal | None) -> str:
    """US dollars: cents from a dollar on, else enough places to show two digits."""
    if value is None:
        return MISSING
    if value == 0:
        return "$0"
    places = 2 if abs(value) >= 1 else min(6, 1 - math.floor(math.log10(abs(value))))
    return f"${value:,.{places}f}"


def seconds(value: float | None) -> str:
    """Seconds with one decimal below 10 s and two below 1 s."""
    if value is None:
        return MISSING
    return f"{value:.{0 if value >= 10 else 1 if value >= 1 else 2}f}\N{NARROW NO-BREAK SPACE}s"


def decimals_for(estimates: Iterable[Estimate]) -> int:
    """How many decimals show two digits of the typical interval width; 0 to 6.

    One number for a whole column, so that its figures stand under each other.
    """
    widths = [e.high - e.low for e in estimates if e.low is not None and e.high is not None]
    positive = sorted(width for width in widths if width > 0)
    if not positive:
        return 2
    size = round(math.log10(positive[len(positive) // 2]), 9)
    return min(6, max(0, 1 - math.floor(size)))


def count(n: int, one: str, many: str = "") -> str:
    """A number with its noun.

    >>> count(1, "case"), count(1200, "case")
    ('1 case', '1,200 cases')
    """
    return f"{n:,} {one if n == 1 else many or one + 's'}"


def day(moment: datetime) -> str:
    """Date and minute.

    >>> day(datetime(2026, 5, 4, 9, 7))
    '4 May 2026, 09:07'
    """
    return f"{moment.day} {moment:%B %Y, %H:%M}"


def arrows(note: str) -> str:
    """A note on a mapping with a real arrow.

    >>> arrows("aspect ratio 4:3 -> 3:2")
    'aspect ratio 4:3 → 3:2'
    """
    return note.replace("->", "→")


FILTERS: dict[str, Any] = {
    "number": number,
    "span": span,
    "percent": percent,
    "chance": chance,
    "p_value": p_value,
    "percent_span": percent_span,
    "money": money,
    "seconds": seconds,
    "count": count,
    "day": day,
    "arrows": arrows,
}
