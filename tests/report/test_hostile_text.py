"""What providers write is shown, never obeyed: by the page, and by the tables of the terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from reportscenario import Scenario, inputs_of, paid_scenario

from evalkit.cli.console import note, show_table
from evalkit.remote.redact import visible
from evalkit.report import Definition, build_report

EVIL = "</style></td><script>alert(1)</script>\x1b[2J\x00\x07\x9b31m\u202egnp.exe[red]<img src=x onerror=y>"
ACTIVE = "\x00\x07\x1b\x9b\u202e"


def hostile() -> Scenario:
    made = paid_scenario()
    made.sample.db.execute(
        "UPDATE outcomes SET reason = $evil, kind = $evil, stage = $evil, model_version = $evil, "
        "degraded = [$evil] || coalesce(degraded, [])",
        {"evil": EVIL.replace("\x00", "")},
    )
    made.sample.db.execute("UPDATE cases SET prompt = $evil", {"evil": EVIL.replace("\x00", "")})
    return made


def test_the_page_shows_it_and_does_nothing(tmp_path: Path) -> None:
    sections = ("summary", "leaderboard", "gallery", "coverage", "cost", "methods")
    report = build_report(inputs_of(hostile(), Definition("R", sections)), tmp_path / "r.html")
    html = report.path.read_text("utf-8")
    assert html.count("</style>") == 1
    assert "<script" not in html
    assert "<img src=x" not in html
    assert not set(ACTIVE) & set(html)
    for place, end in (("gallery", "coverage"), ("coverage", "cost"), ("methods", "footer")):
        part = html[html.index(f'id="{place}"') :].split(f'id="{end}"', 1)[0]
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in part, place


def test_a_table_in_the_terminal_shows_it_and_does_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    show_table("", [{"reason": EVIL, "codes": [EVIL]}], as_json=False)
    note(EVIL)
    seen = capsys.readouterr()
    for text in (seen.out, seen.err):
        assert not set(ACTIVE) & set(text)
        assert "[red]" in text.replace("\n", "")


def test_json_in_the_terminal_keeps_the_text_and_sends_no_control(capsys: pytest.CaptureFixture[str]) -> None:
    import json

    show_table("", [{"reason": EVIL}], as_json=True)
    text = capsys.readouterr().out
    assert json.loads(text) == [{"reason": EVIL}]
    assert not set(ACTIVE) & set(text)


def test_line_breaks_and_joiners_stay() -> None:
    family = "\U0001f468\u200d\U0001f469"
    assert visible(f"one\r\ntwo\t{family}") == f"one\ntwo\t{family}"
    assert visible("\ud800") == "\ufffd"
