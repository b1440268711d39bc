"""The charts of the report: intervals as dots on lines, and quality against price.

Knows how a chart is put together, not where its numbers come from. Every system keeps its colour in the
whole report; marks always stand beside a name, so colour never carries meaning alone.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from evalkit.report.svg import draw, placeholder
from evalkit.types import Estimate

if TYPE_CHECKING:
    import altair as alt

WIDTH = 800
ROW = 24
GAP = 28
COLUMNS = 3
NAMES = 200
PLANE = (350, 210)
SQUARE = (350, 290)
LETTER = 6.1
SCHEMA = "https://vega.github.io/schema/vega-lite/v6.json"


@dataclass(frozen=True, slots=True)
class Panel:
    """One column of a forest plot: estimates by system, on one scale, which starts at 0 if `zero`.

    `reference` is drawn as a line. `domain` fixes the scale. Where rows are no systems, `shade` is the system
    whose colour all of them have. `bars` are more intervals, drawn thick; the estimates' own are thin then.
    """

    title: str
    subtitle: str
    estimates: Mapping[str, Estimate]
    reference: float | None = None
    percent: bool = False
    zero: bool = False
    shade: str | None = None
    domain: tuple[float, float] | None = None
    bars: Mapping[str, Estimate] | None = None


@dataclass(frozen=True, slots=True)
class Plane:
    """Systems by price (x, at least 0) and quality (estimate), with a title and the names of both axes."""

    title: str
    x_title: str
    y_title: str
    points: Mapping[str, tuple[float, Estimate]]


def forest(panels: Sequence[Panel], order: Sequence[str], colours: Mapping[str, int], label: str) -> Markup:
    """Dots with intervals: one row per system in `order`, one column per panel, at most three to a line."""
    columns = 2 if len(panels) == 4 else min(len(panels), COLUMNS)
    width = (WIDTH - _names_width(order) - GAP * (columns - 1)) / columns
    charts = [
        _panel(panel, order, colours, width=min(width, 460), names=i % columns == 0)
        for i, panel in enumerate(panels)
    ]
    return _drawn(charts, columns, label)


def scatter(planes: Sequence[Plane], colours: Mapping[str, int], label: str) -> Markup:
    """Each system as a dot with a vertical interval and its name; two planes to a line."""
    charts = [_plane(plane, colours) for plane in planes]
    return _drawn(charts, 2, label)


def _plane(plane: Plane, colours: Mapping[str, int]) -> alt.LayerChart:
    import altair as alt

    right = 1.3 * max(x for x, _ in plane.points.values()) or 1.0
    rows = [
        {**_row(system, y), "x": x, "before": _is_tight(system, x / right)}
        for system, (x, y) in plane.points.items()
    ]
    base = alt.Chart(alt.InlineData(values=_labelled(rows)), width=PLANE[0], height=PLANE[1])
    x = alt.X("x:Q", title=plane.x_title, axis=alt.Axis(tickCount=4), scale=alt.Scale(domain=[0, right]))
    y = alt.Y("low:Q", title=None, axis=alt.Axis(tickCount=4), scale=alt.Scale(zero=False, padding=10))
    colour = _colour(colours, list(plane.points))
    bars = base.mark_rule(strokeWidth=2.5, opacity=0.45, strokeCap="round")
    dots = base.mark_circle(size=85, opacity=1)
    names = {"baseline": "middle", "color": placeholder("ink"), "fontSize": 11.5}
    after, before = base.mark_text(align="left", dx=9, **names), base.mark_text(align="right", dx=-9, **names)
    text = {"x": x, "y": alt.Y("label:Q"), "text": "system:N"}
    return alt.layer(
        bars.encode(x=x, y=y, y2="high:Q", color=colour),
        dots.encode(x=x, y=alt.Y("value:Q"), color=colour),
        after.transform_filter("!datum.before").encode(**text),
        before.transform_filter("datum.before").encode(**text),
        title=alt.Title(plane.title, subtitle=plane.y_title),
    )


def _is_tight(name: str, place: float) -> bool:
    """Whether a name right of its dot, `place` of the way across the plane, would leave it."""
    return PLANE[0] * place + 9 + LETTER * len(name) > PLANE[0] + 10


def _labelled(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with the height of their name: the dot's, or as much lower as names above it need."""
    span = max(row["high"] for row in rows) - min(row["low"] for row in rows)
    line = span * 14 / PLANE[1]
    below = float("inf")
    placed = []
    for row in sorted(rows, key=lambda row: -row["value"]):
        below = min(row["value"], below - line)
        placed.append({**row, "label": below})
    return placed


def _panel(
    panel: Panel, order: Sequence[str], colours: Mapping[str, int], *, width: float, names: bool
) -> alt.LayerChart:
    import altair as alt

    rows = [_row(system, panel.estimates.get(system)) for system in order]
    base = alt.Chart(alt.InlineData(values=rows), width=width, height=ROW * len(order))
    room = _names_width(order) if names else 0
    y = alt.Y("system:N", sort=list(order), axis=_names_axis(room))
    x, colour = _scale(panel), _colour(colours, order)
    if panel.shade is not None:
        # A scale would be shared with the other panels, and with it the first one's colour.
        colour = alt.ColorValue(placeholder(f"s{colours.get(panel.shade, 0)}"))
    line = {"strokeWidth": 1.4, "opacity": 0.9} if panel.bars else {"strokeWidth": 2.5, "opacity": 0.55}
    bars = base.mark_rule(strokeCap="round", **line)
    dots = base.mark_circle(size=85, opacity=1)
    gaps = base.mark_text(align="left", x=4, color=placeholder("muted"), fontSize=11, text="no value")
    layers = [
        *_reference(panel),
        *_thick(panel, order, y, colour),
        bars.encode(y=y, x=x, x2="high:Q", color=colour),
        dots.encode(y=y, x=alt.X("value:Q"), color=colour),
        gaps.transform_filter("datum.value === null").encode(y=y),
    ]
    lines = textwrap.wrap(panel.title, max(12, int((width + room) / 7.4)))
    return alt.layer(*layers, title=alt.Title(lines, subtitle=panel.subtitle))


def _thick(
    panel: Panel, order: Sequence[str], y: alt.Y, colour: alt.Color | alt.ColorValue
) -> list[alt.Chart]:
    import altair as alt

    if not panel.bars:
        return []
    base = alt.Chart(alt.InlineData(values=[_row(system, panel.bars.get(system)) for system in order]))
    mark = base.mark_rule(strokeWidth=8, opacity=0.38)
    return [mark.encode(y=y, x=_scale(panel), x2="high:Q", color=colour)]


def _names_axis(room: float) -> alt.Axis:
    import altair as alt

    return alt.Axis(
        title=None,
        labels=room > 0,
        ticks=False,
        domain=False,
        labelLimit=NAMES,
        labelPadding=10,
        labelFontSize=12,
        minExtent=room,
        maxExtent=room,
    )


def _reference(panel: Panel) -> list[alt.Chart]:
    import altair as alt

    if panel.reference is None:
        return []
    mark = alt.Chart(alt.InlineData(values=[{"at": panel.reference}]))
    line = mark.mark_rule(strokeDash=[3, 3], color=placeholder("muted"))
    return [line.encode(x=alt.X("at:Q"))]


def _names_width(order: Sequence[str]) -> float:
    """Room for the names of the systems, in pixels: fonts differ, so it is ample."""
    return min(NAMES, 18 + 7.4 * max(map(len, order), default=0))


def _scale(panel: Panel) -> alt.X:
    import altair as alt

    form = "~%" if panel.percent else ".4~r"
    axis = alt.Axis(title=None, tickCount=4, format=form, labelFlush=False, labelOverlap="greedy")
    if panel.domain is not None:
        return alt.X("low:Q", axis=axis, scale=alt.Scale(domain=list(panel.domain), nice=False))
    return alt.X("low:Q", axis=axis, scale=alt.Scale(zero=panel.zero, nice=True, padding=8))


def _row(system: str, estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None or estimate.value is None:
        return {"system": system, "value": None, "low": None, "high": None}
    low = estimate.value if estimate.low is None else estimate.low
    high = estimate.value if estimate.high is None else estimate.high
    return {"system": system, "value": estimate.value, "low": low, "high": high}


def _colour(colours: Mapping[str, int], systems: Sequence[str]) -> alt.Color | alt.ColorValue:
    import altair as alt

    shades = [placeholder(f"s{colours.get(system, 0)}") for system in systems]
    return alt.Color("system:N", legend=None, scale=alt.Scale(domain=list(systems), range=shades))


def _drawn(charts: Sequence[alt.LayerChart], columns: int, label: str) -> Markup:
    """Charts side by side, `columns` to a line.

    They are put together as plain dictionaries: altair's own concatenation copies all of them at every step.
    """
    parts = [chart.to_dict() for chart in charts]
    datasets = {name: rows for part in parts for name, rows in part.pop("datasets", {}).items()}
    for part in parts:
        del part["$schema"], part["config"]
    lines = [{"hconcat": parts[i : i + columns], "spacing": GAP} for i in range(0, len(parts), columns)]
    spec = {"$schema": SCHEMA, "vconcat": lines, "spacing": 22, "datasets": datasets, "config": _config()}
    return draw(spec, label)


def _config() -> dict[str, Any]:
    ink, muted, line = placeholder("ink"), placeholder("muted"), placeholder("line")
    title = {
        "anchor": "start",
        "fontSize": 12.5,
        "fontWeight": 600,
        "lineHeight": 16,
        "color": ink,
        "offset": 8,
    }
    subtitle = {"subtitleColor": muted, "subtitleFontSize": 11.5, "subtitlePadding": 3}
    axis = {"labelColor": ink, "labelFontSize": 11, "gridColor": line, "domainColor": line, "tickColor": line}
    axis_title = {"titleColor": muted, "titleFontWeight": "normal", "titleFontSize": 12, "titlePadding": 8}
    return {
        "background": "transparent",
        "padding": 4,
        "view": {"stroke": None},
        "title": title | subtitle,
        "axis": axis | axis_title,
    }


@dataclass(frozen=True, slots=True)
class Tradeoff:
    """Systems by two numbers, both with intervals, more being better on both. `front`: the Pareto front."""

    title: str
    x_title: str
    y_title: str
    points: Mapping[str, tuple[Estimate, Estimate]]
    front: tuple[str, ...] = ()


def tradeoffs(planes: Sequence[Tradeoff], colours: Mapping[str, int], label: str) -> Markup:
    """Each system as a dot with its intervals and its name, ringed if on the front; two planes to a line."""
    return _drawn([_tradeoff(plane, colours) for plane in planes], 2, label)


def _tradeoff(plane: Tradeoff, colours: Mapping[str, int]) -> alt.LayerChart:
    import altair as alt

    across = {system: _row(system, x) for system, (x, _) in plane.points.items()}
    right = max(row["high"] for row in across.values())
    left = min(row["low"] for row in across.values())
    span = (right - left) or 1.0
    rows = [
        {
            **_row(system, y),
            **{f"x_{key}": across[system][key] for key in ("value", "low", "high")},
            "front": system in plane.front,
            "before": _is_tight(system, (across[system]["value"] - left) / span),
        }
        for system, (_, y) in plane.points.items()
    ]
    base = alt.Chart(alt.InlineData(values=_apart(rows, span)), width=SQUARE[0], height=SQUARE[1])
    axis, room = alt.Axis(tickCount=4), alt.Scale(zero=False, padding=14)
    x, y = (
        alt.X("x_value:Q", title=plane.x_title, axis=axis, scale=room),
        alt.Y("value:Q", title=None, axis=axis, scale=room),
    )
    colour = _colour(colours, list(plane.points))
    bars = base.mark_rule(strokeWidth=2.2, opacity=0.4, strokeCap="round")
    names = {"baseline": "middle", "color": placeholder("ink"), "fontSize": 11.5}
    text = {"x": x, "y": alt.Y("label:Q"), "text": "system:N"}
    ring = base.mark_point(size=210, strokeWidth=1.6, filled=False, opacity=1, color=placeholder("ink"))
    return alt.layer(
        bars.encode(x=alt.X("x_low:Q"), x2="x_high:Q", y=y, color=colour),
        bars.encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=colour),
        base.mark_circle(size=85, opacity=1).encode(x=x, y=y, color=colour),
        ring.transform_filter("datum.front").encode(x=x, y=y),
        base.mark_text(align="left", dx=11, **names).transform_filter("!datum.before").encode(**text),
        base.mark_text(align="right", dx=-11, **names).transform_filter("datum.before").encode(**text),
        title=alt.Title(plane.title, subtitle=plane.y_title),
    )


def _apart(rows: Sequence[dict[str, Any]], across: float) -> list[dict[str, Any]]:
    """Rows with the height of their name: the dot's, or below the names of dots that are near it."""
    line = (max(row["high"] for row in rows) - min(row["low"] for row in rows)) * 19 / SQUARE[1]
    placed: list[dict[str, Any]] = []
    for row in sorted(rows, key=lambda row: -row["value"]):
        near = [one["label"] for one in placed if abs(one["x_value"] - row["x_value"]) < 0.6 * across]
        label = row["value"]
        while any(abs(label - taken) < line * 0.999 for taken in near):
            label -= line / 4
        placed.append({**row, "label": label})
    return placed
