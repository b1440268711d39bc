from __future__ import annotations

import math

import pytest

from evalkit.study.client import telemetry, visible_ms


def test_known_facts_are_kept() -> None:
    told = {"visible_ms": 1200.6, "input": "touch", "dpr": 1.5, "blinks": 3}
    assert telemetry(told) == {"visible_ms": 1201, "input": "touch", "dpr": 1.5, "blinks": 3}


@pytest.mark.parametrize(
    "told",
    [
        {"visible_ms": "1200"},
        {"visible_ms": True},
        {"visible_ms": -1},
        {"visible_ms": math.nan},
        {"visible_ms": math.inf},
        {"visible_ms": 1e300},
        {"input": "mind"},
        {"input": ["keyboard"]},
        {"rater": "somebody"},
        {"dpr": {"a": 1}},
    ],
)
def test_everything_else_is_dropped(told: dict[str, object]) -> None:
    assert telemetry(told) == {}


def test_no_word_about_the_time_is_no_time() -> None:
    assert visible_ms({}) == 0
    assert visible_ms({"visible_ms": 12}) == 12
