"""The example in docs/extending/metrics.md is taken out of the page, plugged in and run."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import numpy as np
import pytest

from evalkit import plugins
from evalkit.metrics.registry import GROUP, known, parse, spec

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIAL = (DOCS / "extending" / "metrics.md").read_text("utf-8")
REFERENCE = (DOCS / "metrics.md").read_text("utf-8")


def block(opening: str) -> str:
    (only,) = re.findall(rf"^```{opening}\n(.*?)^```$", TUTORIAL, re.MULTILINE | re.DOTALL)
    return only


@pytest.fixture
def plugged_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "frame_white.py").write_text(block("python title=frame_white.py"), "utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    declared = tomllib.loads(block("toml title=pyproject.toml"))["project"]["entry-points"][GROUP]
    points = [EntryPoint(name, value, GROUP) for name, value in declared.items()]
    monkeypatch.setattr(plugins, "entry_points", lambda **_: points)
    known.cache_clear()
    yield
    known.cache_clear()
    sys.modules.pop("frame_white", None)


@pytest.mark.usefixtures("plugged_in")
def test_the_example_measures_what_it_says(make_subject) -> None:
    (metrics,) = re.findall(r'--metrics "(.+)"', block("console"))
    metric = parse(metrics)[0]
    assert spec(metric) == "frame_white[level=240]"
    white = np.full((100, 100, 3), 255, np.uint8)
    half = white.copy()
    half[:, 50:] = 0
    subjects = [make_subject(image) for image in (white, half, 0 * white, white[:1, :1], None)]
    values = [found["frame_white"] for found in metric.score(subjects)]
    assert [value.value for value in values] == [1, pytest.approx(0.5), 0, 1, None]
    assert values[-1].reason == "decode_error"


def test_the_reference_lists_every_output_and_no_other() -> None:
    ours = {output.name for metric in known().values() for output in metric.outputs}
    section = REFERENCE.split("## The numbers")[1].split("\n## ")[0]
    cells = re.findall(r"^\| (?:`\w+`)? ?\| (`[^|]*) \|", section, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", " ".join(cells))) == ours


def test_the_reference_lists_every_reason_in_the_code() -> None:
    folder = Path(sys.modules["evalkit.metrics"].__file__ or "").parent
    code = " ".join(" ".join(path.read_text("utf-8").split()) for path in folder.rglob("*.py"))
    given = set(re.findall(r'(?:missing|Unusable|Value|_or)\([^"]{0,90}?"([a-z]+(?:_[a-z]+)+)"[,)]', code))
    listed = set(re.findall(r"`([a-z_]+)`", REFERENCE.split("## Reasons for NULL")[1].split("\n## ")[0]))
    assert given >= {"no_mask", "mask_size", "no_text_found"}
    assert given - {output for metric in known().values() for output in metric.defaults} <= listed
