"""Colours of the page: readable in both themes (WCAG 2.2: 4.5 for text, 3 for marks)."""

from __future__ import annotations

import re

import pytest

from evalkit.report.context import COLOURS
from evalkit.report.page import TEMPLATES

CSS = (TEMPLATES / "style.css").read_text("utf-8")
BLOCKS = [CSS.split("@media", 1)[0], CSS.split("prefers-color-scheme: dark", 1)[1].split("* {", 1)[0]]
LIGHT, DARK = (dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", block)) for block in BLOCKS)


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_text_is_readable(theme: dict[str, str]) -> None:
    for name in ("ink", "muted", "accent", "warn"):
        assert contrast(theme[name], theme["paper"]) >= 4.5, name
        assert contrast(theme[name], theme["card"]) >= 4.5, name
    assert contrast(theme["warn"], theme["warnbg"]) >= 4.5
    assert contrast(theme["good"], theme["goodbg"]) >= 4.5
    assert contrast(theme["ink"], theme["warnbg"]) >= 4.5


@pytest.mark.parametrize("theme", [LIGHT, DARK])
def test_marks_are_visible_and_there_is_one_per_system(theme: dict[str, str]) -> None:
    shades = [theme[f"s{i}"] for i in range(COLOURS)]
    assert len(set(shades)) == COLOURS
    assert f"s{COLOURS}" not in theme
    assert all(contrast(shade, theme["paper"]) >= 3 for shade in shades)
