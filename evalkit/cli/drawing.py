"""Intervals drawn with characters: tables of boards share one scale per table."""

from __future__ import annotations

from collections.abc import Sequence

from evalkit.types import Estimate

WIDTH = 24


def span_of(estimates: Sequence[Estimate]) -> tuple[float, float]:
    """From the lowest to the highest number that has to fit."""
    ends = [v for e in estimates for v in (e.low, e.high, e.value) if v is not None]
    return (min(ends), max(ends)) if ends else (0.0, 1.0)


def bar(estimate: Estimate, span: tuple[float, float]) -> str:
    """The interval as a line and the estimate as a dot, on the scale of the table."""
    if estimate.value is None:
        return ""
    low = estimate.low if estimate.low is not None else estimate.value
    high = estimate.high if estimate.high is not None else estimate.value
    at = [_column(value, span) for value in (low, estimate.value, high)]
    marks = [" "] * WIDTH
    marks[at[0] : at[2] + 1] = "─" * (at[2] - at[0] + 1)
    marks[at[1]] = "●"
    return "".join(marks)


def number(value: float | None) -> str:
    """A rating as a whole number, a score to three decimals."""
    return "-" if value is None else f"{value:.0f}" if abs(value) >= 100 else f"{value:.3f}"


def interval(estimate: Estimate) -> str:
    """[low, high]."""
    if estimate.low is None or estimate.high is None:
        return "no interval"
    return f"[{number(estimate.low)}, {number(estimate.high)}]"


def percent(estimate: Estimate) -> str:
    """A share with its interval, in per cent."""
    if estimate.value is None:
        return "-"
    alone = f"{100 * estimate.value:.0f} %"
    if estimate.low is None or estimate.high is None:
        return alone
    return f"{alone} [{100 * estimate.low:.0f}, {100 * estimate.high:.0f}]"


def _column(value: float, span: tuple[float, float]) -> int:
    width = span[1] - span[0] or 1.0
    return round((value - span[0]) / width * (WIDTH - 1))
