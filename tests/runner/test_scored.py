"""Scores as records: plain numbers, whatever a metric returns."""

from __future__ import annotations

import json

import numpy as np
import pytest

from evalkit.runner.scored import as_json
from evalkit.types import Value


def test_numbers_of_numpy_become_plain() -> None:
    record = as_json("x", Value(np.float32(0.5)))  # type: ignore[arg-type]
    assert json.loads(json.dumps(record)) == {"output": "x", "value": 0.5, "reason": None}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), np.float64("-inf")])
def test_what_is_no_finite_number_is_missing(value: float) -> None:
    assert as_json("x", Value(value)) == {"output": "x", "value": None, "reason": "not_finite"}


def test_detail_and_flag_only_where_there_are_any() -> None:
    record = as_json("x", Value(1.0, detail="read: OPEN", flag="unreliable"))
    assert (record["detail"], record["flag"]) == ("read: OPEN", "unreliable")
