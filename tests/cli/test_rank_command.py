"""`evalkit rank` on votes from a file: what a user reads, what a program reads, what goes wrong."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit

from evalkit.cli.main import main
from evalkit.store import Workspace

SYSTEMS = {"best": 0.9, "good": 0.3, "fair": -0.3, "poor": -0.9}
COLUMNS = (
    "ballot",
    "left_system",
    "right_system",
    "answer",
    "rater",
    "case",
    "suite",
    "language",
    "criterion",
)


@dataclass(frozen=True)
class Result:
    returncode: int
    stdout: str
    stderr: str


Evalkit = Callable[..., Result]


def drawn(n: int = 900, raters: int = 30, cases: int = 40, seed: int = 0) -> list[dict[str, Any]]:
    """Votes of honest raters, but for the last two: one always clicks left, one votes against the others."""
    rng = np.random.default_rng(seed)
    names, rows = list(SYSTEMS), []
    for v in range(n):
        left, right = (names[i] for i in rng.permutation(4)[:2])
        rater = int(rng.integers(raters))
        won = rng.random() < expit(2.0 * (SYSTEMS[left] - SYSTEMS[right]))
        won = True if rater == raters - 1 else not won if rater == raters - 2 else won
        answer = "tie" if rng.random() < 0.1 and rater < raters - 2 else "left" if won else "right"
        row = (f"b{v}", left, right, answer, f"r{rater:02d}", f"c{rng.integers(cases)}", "s")
        rows.append(dict(zip(COLUMNS, (*row, ("de", "en")[v % 2], "appeal"), strict=True)))
    return rows


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with one study of imported votes."""
    folder = tmp_path_factory.mktemp("rank")
    write(folder / "votes.csv", drawn())
    call_in(folder, "votes", "import", "votes.csv", "--study", "arena")
    return folder


def call_in(folder: Path, *arguments: str) -> int:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(sys, "argv", ["evalkit", *arguments, "-w", "w"])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
    return 0


@pytest.fixture
def evalkit(workspace: Path, capsys: pytest.CaptureFixture[str]) -> Evalkit:
    def call(*arguments: str) -> Result:
        capsys.readouterr()
        code = call_in(workspace, *arguments)
        return Result(code, *capsys.readouterr())

    return call


def test_a_board_reads_from_the_best_down(evalkit: Evalkit) -> None:
    shown = evalkit("rank")
    assert shown.returncode == 0, shown.stderr
    lines = shown.stdout.splitlines()
    assert "arena, appeal: 900 votes by 30 raters on 40 prompts" in lines[1]
    order = [line.split()[1] for line in lines if line.split()[:1] and line.split()[0][0].isdigit()]
    assert order == list(SYSTEMS)
    for words in ("First: best.", "What limits you:", "Can you trust this?", "each opponent counts alike"):
        assert words in shown.stdout
    assert "●" in shown.stdout


def test_the_same_as_json(evalkit: Evalkit) -> None:
    (board,) = json.loads(evalkit("rank", "arena", "--json").stdout)
    assert (board["votes"], board["raters"], board["cases"]) == (900, 30, 40)
    best = board["ratings"][0]
    assert (best["system"], best["rank_low"], best["rank_high"]) == ("best", 1, 1)
    assert best["rating_low"] < best["rating"] < best["rating_high"]
    assert best["p_best"] > 0.95
    assert sum(line["p_best"] for line in board["ratings"]) == pytest.approx(1.0)
    assert {finding["name"] for finding in board["trust"]["findings"]} >= {"votes", "fit", "flip budget"}
    assert board["limits"]["limit"] in ("votes", "raters", "prompts")
    assert len(board["verdicts"]) == 6


def test_slices_by_a_column_the_votes_came_with(evalkit: Evalkit) -> None:
    shown = evalkit("rank", "--by", "language")
    assert "de" in shown.stdout
    assert "slices rank differently" in shown.stdout
    (record,) = json.loads(evalkit("rank", "--by", "language", "--json").stdout)
    assert [(part["slice"], part["votes"]) for part in record["slices"]] == [("de", 450), ("en", 450)]
    assert "% its own" in evalkit("rank", "--by", "language", "--shrink").stdout


def test_raters_with_receipts(evalkit: Evalkit) -> None:
    shown = evalkit("rank", "--raters")
    assert "chose the picture on the left" in shown.stdout
    assert "without suspects" in shown.stdout
    (record,) = json.loads(evalkit("rank", "--raters", "--json").stdout)
    kinds = {line["rater"]: line["kind"] for line in record["raters"]}
    assert (kinds["r29"], kinds["r28"], kinds["r00"]) == ("left", "adversarial", "honest")
    assert len(record["raters"]) == 30
    gap = [
        lines[0]["rating"] - lines[-1]["rating"] for lines in (record["ratings"], record["ratings_trusted"])
    ]
    assert gap[1] > gap[0]


def test_metrics_cannot_assist_imported_votes_and_say_why(evalkit: Evalkit) -> None:
    assert "Metrics do not assist here" in evalkit("rank", "--assisted").stdout


@pytest.mark.parametrize("model", ["davidson", "rao-kupper"])
def test_other_models(evalkit: Evalkit, model: str) -> None:
    (board,) = json.loads(evalkit("rank", "--model", model, "--opponents", "as-sampled", "--json").stdout)
    assert [line["system"] for line in board["ratings"]] == list(SYSTEMS)
    assert len(board["parameters"]) == 1


def test_other_intervals_are_of_other_lengths(evalkit: Evalkit) -> None:
    found = {}
    for kind in ("two-way", "votes", "bootstrap"):
        (board,) = json.loads(evalkit("rank", "--intervals", kind, "--json").stdout)
        found[kind] = board["ratings"][0]["rating_high"] - board["ratings"][0]["rating_low"]
    assert found["votes"] < found["two-way"]
    assert found["bootstrap"] == pytest.approx(found["two-way"], rel=0.25)


def test_a_file_is_ranked_where_it_lies(evalkit: Evalkit, workspace: Path) -> None:
    assert evalkit("votes", "export", "arena", "-o", "out.parquet").returncode == 0
    (alone,) = json.loads(evalkit("rank", str(workspace / "out.parquet"), "--json").stdout)
    (board,) = json.loads(evalkit("rank", "arena", "--json").stdout)
    assert alone["ratings"] == board["ratings"]


def test_a_file_of_two_questions_is_two_boards(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{**row, "criterion": ("appeal", "alignment")[v % 2]} for v, row in enumerate(drawn(400))]
    rows = [{**row, "ballot": f"x{v}"} for v, row in enumerate(rows)]
    write(tmp_path / "two.csv", rows)
    assert call_in(tmp_path, "votes", "import", "two.csv", "--study", "two") == 0
    assert call_in(tmp_path, "votes", "export", "two", "-o", "two.parquet") == 0
    capsys.readouterr()
    assert call_in(tmp_path, "rank", "two.parquet", "--json") == 0
    boards = json.loads(capsys.readouterr().out)
    assert [(board["criterion"], board["votes"]) for board in boards] == [("alignment", 200), ("appeal", 200)]
    assert call_in(tmp_path, "rank", "two.parquet", "--criterion", "appeal", "--json") == 0
    (alone,) = json.loads(capsys.readouterr().out)
    assert alone["ratings"] == boards[1]["ratings"]
    assert call_in(tmp_path, "rank", "two.parquet", "--criterion", "taste") == 2
    assert "unknown criterion 'taste'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["nowhere"], "unknown study or run 'nowhere'", "arena"),
        (["--criterion", "taste"], "unknown criterion 'taste'", "appeal"),
        (["--category", "food"], "unknown category with votes 'food'", "no category with votes"),
        (["--by", "langauge"], "unknown column to slice by 'langauge'", "language"),
        (["--model", "elo"], "unknown model 'elo'", "bradley-terry"),
        (["--opponents", "all"], "way to weight opponents", "as-sampled"),
        (["--intervals", "wide"], "kind of interval", "two-way"),
        (["--level", "95"], "not between 0 and 1", "0.95"),
        (["--model", "davidson", "--intervals", "bootstrap"], "no bootstrap", "two-way"),
        (["--raters", "--assisted"], "different tables", "one of them"),
        (["--shrink"], "nothing to shrink", "--by"),
        (["votes.csv"], "has to be brought in first", "evalkit votes import votes.csv"),
        (["--by", "language", "--model", "davidson"], "slices are not rated by davidson", "--model"),
        (["votes.parquet"], "cannot be read as votes", "votes import"),
        (["votes.parquet", "--raters"], "only the board itself", "votes import"),
    ],
)
def test_wrong_usage_says_what_to_do(evalkit: Evalkit, arguments: list[str], message: str, hint: str) -> None:
    result = evalkit("rank", *arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert hint in result.stderr


def test_no_votes_yet(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Workspace.open(tmp_path / "w")
    assert call_in(tmp_path, "rank") == 2
    assert "no votes in this workspace yet" in capsys.readouterr().err


def test_votes_that_say_little(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Neither raters nor prompts: the board says so, and never that the interval is right."""
    few = [{name: row[name] for name in ("left_system", "right_system", "answer")} for row in drawn(200)]
    write(tmp_path / "bare.csv", few)
    call_in(tmp_path, "votes", "import", "bare.csv", "--study", "bare", "--criterion", "appeal")
    capsys.readouterr()
    assert call_in(tmp_path, "rank") == 0
    shown = capsys.readouterr().out
    assert "Neither raters nor prompts are known" in shown
    assert "raters on" not in shown
    assert call_in(tmp_path, "rank", "--raters") == 0
    assert "No vote says whose it is." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answers", "caveat"),
    [
        (["left"] * 12, "No common scale"),
        (["tie"] * 12, "All votes say the same"),
        (["both_bad"] * 12, "100 % both bad"),
    ],
)
def test_boards_that_are_no_boards(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answers: list[str], caveat: str
) -> None:
    """Undefeated, all ties, all bad: a result with a caveat, never an error or an endless rating."""
    rows = [
        {"left_system": "a", "right_system": "b", "answer": answer, "rater": f"r{v % 3}", "case": f"c{v % 4}"}
        for v, answer in enumerate(answers)
    ]
    write(tmp_path / "odd.csv", rows)
    call_in(tmp_path, "votes", "import", "odd.csv", "--study", "odd", "--criterion", "appeal")
    capsys.readouterr()
    assert call_in(tmp_path, "rank") == 0
    assert caveat in capsys.readouterr().out
