"""The chart of how metrics agree with people: dots with intervals between chance and the human ceiling.

Rows are metric outputs, columns are criteria; what is validated is strong, the rest faint. Knows how it
is drawn, not where its numbers come from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from evalkit.report.svg import draw, placeholder
from evalkit.types import Estimate

if TYPE_CHECKING:
    import altair as alt

WIDTH = 800
ROW = 22
GAP = 26
LETTER = 6.6
NAMES = 280


@dataclass(frozen=True, slots=True)
class Mark:
    """One dot: an accuracy from 0 to 1, and whether it is validated."""

    accuracy: Estimate
    validated: bool


@dataclass(frozen=True, slots=True)
class Criterion:
    """One column: marks by row name, a line for chance, and one with a band for the agreement among people.

    `ceiling` has no value where that is not known well enough to be drawn; its note then says why.
    """

    title: str
    marks: Mapping[str, Mark]
    chance: float
    ceiling: Estimate


def agreement_chart(columns: Sequence[Criterion], order: Sequence[str], label: str) -> Markup:
    """One row per name in `order`, all columns on one scale. `label` says what the chart shows."""
    import altair as alt

    room = min(NAMES, 16 + LETTER * max(map(len, order), default=0))
    width = min(420.0, (WIDTH - room - GAP * (len(columns) - 1)) / max(len(columns), 1))
    ends = _ends(columns)
    charts = [_column(c, order, ends, (width, room if i == 0 else 0)) for i, c in enumerate(columns)]
    spec = alt.hconcat(*charts, spacing=GAP).configure(**_config()).to_dict()
    return draw(spec, label)


def _ends(columns: Sequence[Criterion]) -> tuple[float, float]:
    """The common scale: everything that is drawn, rounded outwards to tenths."""
    seen = [c.ceiling.value for c in columns if c.ceiling.value is not None] + [c.chance for c in columns]
    for column in columns:
        for mark in column.marks.values():
            seen += [v for v in (mark.accuracy.low, mark.accuracy.value, mark.accuracy.high) if v is not None]
    return max(0.0, int(min(seen) * 10) / 10), min(1.0, -int(-max(seen) * 10 - 0.999) / 10)


def _column(
    column: Criterion, order: Sequence[str], ends: tuple[float, float], size: tuple[float, float]
) -> alt.LayerChart:
    import altair as alt

    width, room = size
    base = alt.Chart(
        alt.InlineData(values=[_row(name, column.marks.get(name)) for name in order]),
        width=width,
        height=ROW * len(order),
    )
    axis = alt.Axis(title=None, format="~%", tickCount=4, labelFlush=False, labelOverlap="greedy")
    scale = alt.Scale(domain=list(ends), nice=False, zero=False)
    x = alt.X("low:Q", axis=axis, scale=scale)
    y = alt.Y("name:N", sort=list(order), axis=_names(room))
    shades = [placeholder("ink"), placeholder("faint")]
    colour = alt.Color("said:N", legend=None, scale=alt.Scale(domain=["validated", "not"], range=shades))
    none = base.mark_text(align="left", x=4, color=placeholder("muted"), fontSize=11, text="no scores")
    return alt.layer(
        *_lines(column, scale),
        base.mark_rule(strokeWidth=2.5, opacity=0.6, strokeCap="round").encode(
            y=y, x=x, x2="high:Q", color=colour
        ),
        base.mark_circle(size=75, opacity=1).encode(y=y, x="value:Q", color=colour),
        none.transform_filter("datum.value === null").encode(y=y),
        title=alt.Title(column.title, subtitle=_subtitle(column)),
    )


def _subtitle(column: Criterion) -> str:
    if column.ceiling.value is None:
        return column.ceiling.note or "ceiling unknown"
    return f"people among themselves: {column.ceiling.value:.0%}"


def _lines(column: Criterion, scale: alt.Scale) -> list[alt.Chart]:
    import altair as alt

    value, muted = column.ceiling.value, placeholder("muted")
    lines = [(column.chance, [3, 3])] + ([(value, [1, 0])] if value is not None else [])
    drawn = [
        alt.Chart(alt.InlineData(values=[{"at": at}]))
        .mark_rule(strokeDash=dash, color=muted)
        .encode(x=alt.X("at:Q", scale=scale))
        for at, dash in lines
    ]
    if column.ceiling.low is None or column.ceiling.high is None:
        return drawn
    ends = alt.InlineData(values=[{"low": column.ceiling.low, "high": column.ceiling.high}])
    band = alt.Chart(ends).mark_rect(color=muted, opacity=0.13, clip=True)
    return [band.encode(x=alt.X("low:Q", scale=scale), x2="high:Q"), *drawn]


def _row(name: str, mark: Mark | None) -> dict[str, Any]:
    if mark is None or mark.accuracy.value is None:
        return {"name": name, "value": None, "low": None, "high": None, "said": "not"}
    value = mark.accuracy.value
    low, high = (value if end is None else end for end in (mark.accuracy.low, mark.accuracy.high))
    said = "validated" if mark.validated else "not"
    return {"name": name, "value": value, "low": low, "high": high, "said": said}


def _names(room: float) -> alt.Axis:
    import altair as alt

    return alt.Axis(
        title=None, labels=room > 0, ticks=False, domain=False, labelLimit=NAMES, labelPadding=10,
        labelFontSize=12, minExtent=room, maxExtent=room,
    )  # fmt: skip


def _config() -> dict[str, Any]:
    ink, muted, line = placeholder("ink"), placeholder("muted"), placeholder("line")
    axis = {"labelColor": ink, "labelFontSize": 11, "gridColor": line, "domainColor": line, "tickColor": line}
    title = {"anchor": "start", "fontSize": 12.5, "fontWeight": 600, "color": ink, "offset": 8}
    small = {"subtitleColor": muted, "subtitleFontSize": 11.5, "subtitlePadding": 3}
    return {
        "background": "transparent",
        "padding": 4,
        "view": {"stroke": None},
        "axis": axis,
        "title": title | small,
    }
