"""What docs/votes.md shows is done, in its order, on a small study and files of the kinds it speaks of."""

from __future__ import annotations

import json
import re
import shlex
import sys
from contextlib import closing
from pathlib import Path

import pytest
from make_run import cases, make_run

from evalkit.cli.main import main
from evalkit.store import Workspace
from evalkit.study.define import create_study, load_study
from evalkit.study.simulate import Panel, simulate_votes
from evalkit.study.votefiles.columns import COLUMNS
from evalkit.warehouse import connect

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "votes.md").read_text("utf-8")
FILES = {
    "battles.csv": "question_id,model_a,model_b,winner,judge,language\nq1,x,y,tie,u1,English\n",
    "beds.csv": "option_1,option_2,verdict,nurse\nx,y,left,n1\n",
    "items.csv": "id,left,right,winner\nk1,x,y,left\nk1,x,y,right\n",
    "battles.jsonl": '{"model_a": "flux", "model_b": "sd3", "winner": "model_b"}\n'
    '{"model_a": "flux", "model_b": "sd4", "winner": "model_b"}\n',
    "kwise.jsonl": '{"ranking": ["a", ["b", "c"], "d"]}\n',
}


def blocks(opening: str) -> list[str]:
    return re.findall(rf"^```{opening}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.fixture
def taste(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    workspace = Workspace.open(tmp_path / "evalkit-workspace")
    make_run(workspace, cases(6), systems=("one", "two"))
    create_study(workspace, "taste", "r1")
    simulate_votes(workspace, "taste", {"one": 1.0, "two": 0.0}, Panel(raters=3, votes=12))
    return workspace


def test_the_commands_and_queries_of_the_page_run(
    taste: Workspace, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    trial = load_study(taste, "taste").comparisons[0].trial_a
    lines = [
        line for block in blocks("console") for line in re.findall(r"^\$ evalkit (.*)$", block, re.MULTILINE)
    ]
    assert len(lines) >= 7
    for line in lines:
        monkeypatch.setattr(sys, "argv", ["evalkit", *shlex.split(line.replace("4f1c09ab", trial[:8]))])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        assert code == 0, f"{line}: {capsys.readouterr().err}"
    with closing(connect(taste)) as db:
        answers = [db.execute(query).fetchall() for query in blocks("sql")]
    assert [row for row in answers[0] if row[0] == "English"] == [("English", "tie", 1)]
    ((one, two, votes, share),) = answers[1]
    assert (one, two) == ("one", "two")
    assert 0 < votes <= 12
    assert 0 <= share <= 1
    assert answers[2][0] == ("a", 1.0, 1)


def test_the_page_names_every_column_and_record() -> None:
    table = PAGE.split("## One row per answer")[1].split("\n## ")[0]
    named = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| ([^|]*) \|", table, re.MULTILINE))))
    assert named == {column.name for column in COLUMNS}
    aliases = set(re.findall(r"`(\w+)`", PAGE.split("go by these names:")[1].split("Anything else")[0]))
    assert {alias for column in COLUMNS for alias in column.aliases} <= aliases
    for record in re.findall(r"^ {4}(\{\"type\".*?\})\n\n", PAGE, re.MULTILINE | re.DOTALL):
        assert json.loads(record.replace("...", "0"))["type"] in {"undo", "ranking"}
