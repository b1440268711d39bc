"""Whatever stands in the two files, checking a suite answers with problems and never with a crash."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evalkit.suite import check_suite
from evalkit.suite.fields import CASE_READERS

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
known = st.sampled_from(
    ["t2i", "edit", "1:1", "skimage:coffee", "rect", "polygon", "add", "inputs/square.png"]
)
values = st.recursive(
    scalars | known,
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(st.sampled_from(["shapes", "kind", "points", "file", "invert"]), inner)
    ),
    max_leaves=12,
)
keys = st.sampled_from(sorted(CASE_READERS)) | st.text(max_size=5)
quick = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def path(folder: Any) -> Path:
    root: Path = folder.path
    return root


@quick
@given(st.dictionaries(keys, values, max_size=8))
def test_any_json_object(path: Path, raw: dict[str, Any]) -> None:
    (path / "cases.jsonl").write_text(json.dumps(raw), "utf-8")
    for problem in check_suite(path):
        assert problem.line == 1


@quick
@given(st.binary(max_size=60))
def test_any_bytes_as_cases(path: Path, data: bytes) -> None:
    (path / "cases.jsonl").write_bytes(data)
    assert check_suite(path) != []


@quick
@given(st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_as_head(path: Path, data: bytes) -> None:
    (path / "suite.toml").write_bytes(data)
    assert check_suite(path) != []
