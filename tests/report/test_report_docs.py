"""The tutorial works as printed."""

from __future__ import annotations

import re
from pathlib import Path

from reportscenario import Scenario, inputs_of

from evalkit.report import build_report, load_definition

PAGE = Path(__file__).parents[2] / "docs" / "extending" / "report-sections.md"


def test_the_example_section_of_the_tutorial(made: Scenario, tmp_path: Path) -> None:
    blocks = re.findall(r"^```\w+ title=(\S+)\n(.*?)^```", PAGE.read_text("utf-8"), re.S | re.M)
    names = [name for name, _ in blocks]
    assert names == [
        "my-report/report.toml",
        "my-report/sections/slowest.py",
        "my-report/sections/slowest.html",
    ]
    for name, text in blocks:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    definition = load_definition(tmp_path / "my-report" / "report.toml")
    report = build_report(inputs_of(made, definition), tmp_path / "out.html")
    text = report.path.read_text("utf-8")
    assert '<section id="slowest"' in text
    assert text.count("<tr>") > 3
    assert report.left_out == ()
