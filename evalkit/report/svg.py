"""Vega-Lite charts as small inline SVG that takes its colours from the page.

Charts are drawn in placeholder colours; the SVG gets CSS variables instead, so one drawing serves light and
dark. What only a screen reader would see inside a chart is replaced by one label: the numbers are in the
table beside it.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

from markupsafe import Markup

ROLES = ("ink", "muted", "faint", "line", "paper")
"""Colours of the page that charts use, besides those of the systems (`s0`, `s1`, ...)."""

_ROOT = re.compile(r"<svg [^>]*?width=\"([\d.]+)\" height=\"([\d.]+)\"[^>]*>")
_SEMANTICS = re.compile(r" (?:role|class|pointer-events|aria-[a-z]+)=\"[^\"]*\"")
_EMPTY_PATH = re.compile(r"<path(?: [a-z-]+=\"[^\"]*\")*? d=\"(?:|M0,0h0v0h0Z)\"[^>]*/>")
_LONG_NUMBER = re.compile(r"(\d+\.\d{2})\d+")
_FONT = re.compile(r" font-family=\"[^\"]*\"")


def placeholder(name: str) -> str:
    """The colour to draw with where the page's variable `name` is meant.

    >>> placeholder("ink"), placeholder("s3")
    ('#010000', '#010203')
    """
    if name in ROLES:
        return f"#0100{ROLES.index(name):02x}"
    return f"#0102{int(name[1:]):02x}"


def draw(spec: dict[str, Any], label: str) -> Markup:
    """A Vega-Lite specification as inline SVG. `label` says what the chart shows."""
    import vl_convert

    return Markup(inline(vl_convert.vegalite_to_svg(spec), label))


def inline(svg: str, label: str) -> str:
    """Make a stand-alone SVG fit for a page: scalable, labelled, in the page's colours and font."""
    body = _SEMANTICS.sub("", svg)
    body = _EMPTY_PATH.sub("", _FONT.sub("", _LONG_NUMBER.sub(r"\1", body)))
    body = re.sub(r"#0100([0-9a-f]{2})", lambda m: f"var(--{ROLES[int(m[1], 16)]})", body)
    body = re.sub(r"#0102([0-9a-f]{2})", lambda m: f"var(--s{int(m[1], 16)})", body)
    head = _ROOT.match(body)
    if head is None:
        return body
    width, height = head[1], head[2]
    root = (
        f'<svg role="img" aria-label="{escape(label)}" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" style="min-width:{0.68 * float(width):.0f}px">'
    )
    return root + body[head.end() :]
