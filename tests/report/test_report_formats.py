from __future__ import annotations

from decimal import Decimal

import pytest

from evalkit.report.formats import (
    chance,
    count,
    decimals_for,
    money,
    number,
    p_value,
    percent,
    percent_span,
    seconds,
    span,
)
from evalkit.report.svg import inline, placeholder
from evalkit.types import Estimate

NARROW = "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (None, 2, "–"),
        (0.123, 2, "0.12"),
        (-0.5, 1, "−0.5"),
        (-0.0001, 2, "0.00"),
        (1166.4, 0, "1166"),
        (12345.6, 0, "12,346"),
    ],
)
def test_numbers(value: float | None, decimals: int, text: str) -> None:
    assert number(value, decimals) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0.0, f"<1{NARROW}%"),
        (0.012, f"1{NARROW}%"),
        (0.5, f"50{NARROW}%"),
        (1.0, f">99{NARROW}%"),
    ],
)
def test_a_chance_that_was_drawn_is_never_certain(value: float | None, text: str) -> None:
    assert chance(value) == text


@pytest.mark.parametrize(("p", "text"), [(0.0002, "p < 0.001"), (0.0684, "p = 0.068"), (1.0, "p = 1.000")])
def test_a_p_value_is_never_zero(p: float, text: str) -> None:
    assert p_value(p).replace("\N{NO-BREAK SPACE}", " ") == text


def test_spans() -> None:
    assert span(Estimate(0.5, -0.25, 0.75), 2) == "−0.25 to 0.75"
    assert span(Estimate(0.5)) == "–"
    assert percent_span(Estimate(0.5, 0.123, 0.456), 1) == "12.3 to 45.6"
    assert percent_span(Estimate(0.5)) == "–"


def test_percent_money_seconds_count() -> None:
    assert percent(0.124) == f"12{NARROW}%"
    assert [money(v if v is None else Decimal(v)) for v in (None, "0", "0.0039", "0.04", "12.5", "1234")] == [
        "–",
        "$0",
        "$0.0039",
        "$0.040",
        "$12.50",
        "$1,234.00",
    ]
    assert [seconds(v) for v in (None, 0.123, 4.56, 61.2)] == [
        "–",
        f"0.12{NARROW}s",
        f"4.6{NARROW}s",
        f"61{NARROW}s",
    ]
    assert (count(1, "category", "categories"), count(2, "category", "categories")) == (
        "1 category",
        "2 categories",
    )


@pytest.mark.parametrize(
    ("low", "high", "decimals"),
    [(0.0, 120.0, 0), (900.0, 950.0, 0), (0.1, 0.3, 2), (0.2, 0.21, 3), (0, 1e-9, 6)],
)
def test_decimals_show_two_digits_of_the_interval(low: float, high: float, decimals: int) -> None:
    assert decimals_for([Estimate(low, low, high)]) == decimals


def test_decimals_without_any_interval() -> None:
    assert decimals_for([Estimate(0.5), Estimate(None)]) == 2


def test_svg_loses_what_a_page_does_not_need() -> None:
    raw = (
        '<svg xmlns="http://www.w3.org/2000/svg" class="marks" width="100" height="50" viewBox="0 0 100 50">'
        f'<g class="x" role="y" aria-label="z"><path d="M1,2" fill="{placeholder("s3")}"/>'
        f'<text font-family="sans-serif" x="1.23456" fill="{placeholder("ink")}">a &amp; b</text></g></svg>'
    )
    made = inline(raw, 'What "it" shows')
    assert made.startswith('<svg role="img" aria-label="What &quot;it&quot; shows" viewBox="0 0 100 50"')
    assert 'fill="var(--s3)"' in made
    assert 'fill="var(--ink)"' in made
    assert 'x="1.23"' in made
    assert "font-family" not in made
    assert "class=" not in made
