"""`evalkit votes` and `evalkit study withdraw`, as a shell sees them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from evalkit.cli.main import main


@dataclass(frozen=True)
class Result:
    returncode: int
    stdout: str
    stderr: str


Evalkit = Callable[..., Result]
ARENA = (
    "question_id,model_a,model_b,winner,judge,turn,language,tstamp\n"
    "q1,x,y,model_a,u1,1,English,1707000000.5\n"
    "q1,y,x,tie (bothbad),u2,1,German,1707000001.5\n"
)


@pytest.fixture
def evalkit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Evalkit:
    """The command in this process: as a user calls it, without the start of an interpreter each time."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> Result:
        monkeypatch.setattr(sys, "argv", ["evalkit", *arguments, "-w", "w"])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        return Result(code, *capsys.readouterr())

    return call


def test_there_and_back(evalkit: Evalkit, tmp_path: Path) -> None:
    (tmp_path / "arena.csv").write_text(ARENA)
    done = evalkit("votes", "import", "arena.csv", "--study", "arena")
    assert done.returncode == 0, done.stderr
    assert "2 answers added to study arena: 1 left, 1 both_bad" in done.stdout
    assert "kept in extra: turn, language" in done.stdout
    assert "no ids of votes" in done.stderr
    again = evalkit("votes", "import", "arena.csv", "--study", "arena")
    assert (again.returncode, "nothing was added" in again.stdout) == (0, True)
    out = evalkit("votes", "export", "arena", "-o", "out/v.jsonl", "--anonymise")
    assert "2 answers of study arena" in out.stdout
    assert "u1" not in (tmp_path / "out" / "v.jsonl").read_text()
    assert (tmp_path / "out" / "v.jsonl.card.md").exists()
    back = evalkit("votes", "import", "out/v.jsonl", "--study", "back", "--json")
    assert json.loads(back.stdout)["added"] == 2
    query = "SELECT study, extra['language'] AS language, answer FROM votes ORDER BY 1, 2"
    rows = json.loads(evalkit("sql", query, "--json").stdout)
    assert [tuple(row.values())[1:] for row in rows] == [("English", "left"), ("German", "both_bad")] * 2


def test_bad_files_end_with_2_and_skipping_says_what_is_left_out(evalkit: Evalkit, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("l,r,w\na,b,left\na,b,meh\n")
    arguments = ("votes", "import", "v.csv", "--study", "s", "--map", "left=l", "--map", "right=r")
    bad = evalkit(*arguments)
    assert bad.returncode == 2
    assert "--map answer=COLUMN" in bad.stderr
    bad = evalkit(*arguments, "--map", "answer=w")
    assert (bad.returncode, "unknown outcome 'meh'" in bad.stderr) == (2, True)
    assert evalkit(*arguments, "--map", "w").returncode == 2
    assert evalkit(*arguments, "--map", "answer=w", "--systems-file", "nothing").returncode == 2
    (tmp_path / "known.txt").write_text("a\n\nb\n")
    some = evalkit(*arguments, "--map", "answer=w", "--systems-file", "known.txt", "--skip-bad-rows")
    assert some.returncode == 0, some.stderr
    for text in ("1 row (2): has an unknown outcome 'meh'", "do not say whose they are", "what was asked"):
        assert text in some.stderr
    only = evalkit("votes", "import", "v.csv", "--study", "t", "--map", "left=l", "--map", "right=r",
                   "--map", "answer=w", "--known-systems", "a, c", "--skip-bad-rows")  # fmt: skip
    assert (only.returncode, "'b'" in only.stderr) == (2, True)


def test_an_imported_study_is_shown_and_cannot_be_rated(evalkit: Evalkit, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("left,right,winner,left_trial\na,b,left,trial-one\n")
    evalkit("votes", "import", "v.csv", "--study", "s", "--title", "Others")
    status = evalkit("study", "status", "s", "--json")
    (row,) = json.loads(status.stdout)
    assert (row["ballots"], row["imported"], row["run"]) == (1, True, None)
    assert "no pictures here to rate" in status.stderr
    rate = evalkit("rate", "s", "--no-browser")
    assert (rate.returncode, "no pictures" in rate.stderr) == (2, True)
    gone = evalkit("study", "withdraw", "s", "trial-one", "--reason", "leaked")
    assert "1 pictures withdrawn from study s" in gone.stdout
    assert "1 were withdrawn before" in evalkit("study", "withdraw", "s", "trial-one", "--reason", "x").stdout
    assert evalkit("study", "withdraw", "s", "trial-two", "--reason", "x").returncode == 2
    assert evalkit("study", "withdraw", "nosuch", "trial-one", "--reason", "x").returncode == 2
    assert evalkit("votes", "export", "s", "-o", "v.txt").returncode == 2
