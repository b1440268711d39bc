"""`evalkit suite import` and `formats`, as they are typed."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from foreignfiles import jsonl, write


def evalkit(*args: str | Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "evalkit", "suite", *map(str, args)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


@pytest.fixture
def here(tmp_path: Path) -> Path:
    rows = [{"tag": "colors", "include": [], "prompt": prompt} for prompt in ("a mug", "", "a cup")]
    csv = "Prompts,Category\na mug,Colors\n"
    return write(tmp_path, {"g.jsonl": jsonl(*rows), "d.csv": csv})


def test_it_tells_what_became_of_every_record(here: Path) -> None:
    done = evalkit("import", "geneval", "g.jsonl", "-o", "suites", "--name", "mine", cwd=here)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "wrote suites/mine: 2 cases of 3 records",
        "  skipped 1: the prompt is empty (00001)",
    ]
    assert evalkit("validate", "suites/mine", cwd=here).returncode == 0
    assert "a cup" in evalkit("show", "suites/mine", cwd=here).stdout


def test_it_speaks_json(here: Path) -> None:
    done = evalkit(
        "import", "geneval", "g.jsonl", "-o", "mine", "--limit", "1", "--seed", "3", "--json", cwd=here
    )
    told = json.loads(done.stdout)
    assert (told["read"], told["cases"], told["left_out"]) == (3, 1, {"beyond the limit of 1": 1})
    assert (told["suite"], told["licence"], told["redistributable"]) == ("mine", "MIT", True)


def test_a_licence_is_asked_for_and_accepted(here: Path) -> None:
    refused = evalkit("import", "drawbench", "d.csv", "-o", "draw", cwd=here)
    assert refused.returncode == 2
    assert "--accept-licence LicenseRef-DrawBench-unstated" in refused.stderr
    assert not (here / "draw").exists()
    done = evalkit(
        "import",
        "drawbench",
        "d.csv",
        "-o",
        "draw",
        "--accept-licence",
        "LicenseRef-DrawBench-unstated",
        cwd=here,
    )
    assert done.returncode == 0
    assert "do not pass this folder on" in done.stdout


def test_errors_name_file_and_line(here: Path) -> None:
    write(here, {"bad.jsonl": '{"tag": "a"}\n'})
    done = evalkit("import", "geneval", "bad.jsonl", "-o", "mine", cwd=here)
    assert done.returncode == 2
    assert "bad.jsonl:1: expected the keys tag, include, prompt; found tag" in done.stderr
    assert "nothing was written" in done.stderr


def test_formats_are_listed(here: Path) -> None:
    rows = json.loads(evalkit("formats", "--json", cwd=here).stdout)
    by_name = {row["format"]: row for row in rows}
    assert len(rows) >= 16
    assert by_name["geneval"]["licence"] == "MIT"
    assert by_name["oneig-bench"]["may be passed on"] == "no"
