"""The command line: every command explains itself, errors say what to do, exit codes are as documented."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from evalkit.cli.main import COMMANDS

Result = subprocess.CompletedProcess[str]
Evalkit = Callable[..., Result]


@pytest.fixture
def evalkit(tmp_path: Path) -> Evalkit:
    def call(*arguments: str) -> Result:
        command = [sys.executable, "-W", "error", "-m", "evalkit", *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)

    return call


@pytest.fixture
def pictures(tmp_path: Path, evalkit: Evalkit) -> Path:
    """A suite of two cases, `mine`, and a folder with a picture for one of them and one for nobody."""
    assert evalkit("suite", "new", "mine").returncode == 0
    folder = tmp_path / "pictures"
    folder.mkdir()
    for name in ("mug-on-oak.png", "stray.png"):
        Image.new("RGB", (32, 24), "green").save(folder / name)
    return folder


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(evalkit: Evalkit, command: str) -> None:
    result = evalkit(command, "--help")
    assert result.returncode == 0, result.stderr
    assert "Usage:" in result.stdout


def test_help_and_version(evalkit: Evalkit) -> None:
    result = evalkit("--help")
    assert all(command in result.stdout for command in COMMANDS)
    assert evalkit("--version").stdout.startswith("evalkit 0.")


def test_help_is_quick(evalkit: Evalkit) -> None:
    """The budget is 0.2 s; twice that here, as other processes may be at work."""
    best = min(_seconds(lambda: evalkit("--help")) for _ in range(5))
    assert best < 0.4


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@pytest.mark.parametrize(
    ("arguments", "message", "hint"),
    [
        (["rnu"], "unknown command 'rnu'", "Did you mean run or rank?"),
        (["plan", "produkt", "-s", "studio:clean"], "unknown suite 'produkt'", "product"),
        (["plan", "product", "-s", "stduio:clean"], "unknown provider 'stduio'", "Did you mean studio?"),
        (["plan", "product", "-s", "studio:claen"], "unknown studio variant 'claen'", "Did you mean clean?"),
        (["plan", "product", "-s", "studio:clean?sise=512"], "sise", "size"),
        (["plan", "product", "-s", "studio"], "is not a system", "provider:model"),
        (["run", "product", "-s", "studio:clean", "--budget", "lots"], "not an amount", "--budget 2.50"),
        (["score"], "no workspace", "evalkit demo"),
        (["sql", "select 1"], "no workspace", "evalkit demo"),
        (["weights", "pull", "clip-vit-b-23"], "clip-vit-b-23", "clip-vit-b-32"),
    ],
)
def test_wrong_usage_says_what_to_do(evalkit: Evalkit, arguments: list[str], message: str, hint: str) -> None:
    result = evalkit(*arguments)
    assert result.returncode == 2
    assert message in result.stderr
    assert hint in result.stderr
    assert "Traceback" not in result.stderr


def test_your_own_pictures(evalkit: Evalkit, pictures: Path) -> None:
    plan = evalkit("plan", "./mine", "-s", "me=folder:pictures", "--json")
    assert json.loads(plan.stdout)["systems"][0]["to do"] == 2
    assert (
        "1 files that match no case: stray.png"
        in evalkit("plan", "./mine", "-s", "me=folder:pictures").stderr
    )
    run = evalkit("run", "./mine", "-s", "me=folder:pictures", "--json")
    assert run.returncode == 3
    made = {row["outcome"]: row["now"] for row in json.loads(run.stdout)["outcomes"]}
    assert made == {"ok": 1, "failed": 1}
    rows = json.loads(
        evalkit("sql", 'select "case", status, kind from generations order by 1', "--json").stdout
    )
    assert rows == [
        {"case": "mug-on-oak", "status": "ok", "kind": None},
        {"case": "two-bottles", "status": "failed", "kind": "missing_file"},
    ]
    again = evalkit("run", "./mine", "-s", "me=folder:pictures", "--json")
    assert json.loads(again.stdout)["outcomes"][0] == {"outcome": "ok", "now": 0, "before": 1}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "the file is empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not a picture of a known format"),
        ("truncated", "broken"),
        ("bomb", "at most"),
    ],
)
def test_a_bad_picture_is_a_failure_with_a_reason(
    evalkit: Evalkit, pictures: Path, content: bytes | str, reason: str
) -> None:
    (pictures / "mug-on-oak.png").write_bytes(content if isinstance(content, bytes) else bad_picture(content))
    assert evalkit("run", "./mine", "-s", "me=folder:pictures").returncode == 3
    assert evalkit("score", "-m", "pixels,ocr").returncode == 0
    row = evalkit("sql", "select status, reason from generations where \"case\" = 'mug-on-oak'", "--json")
    (found,) = json.loads(row.stdout)
    assert found["status"] == "failed"
    assert reason in found["reason"]


def bad_picture(kind: str) -> bytes:
    if kind == "truncated":
        buffer = io.BytesIO()
        Image.effect_noise((200, 200), 60).save(buffer, "PNG")
        return buffer.getvalue()[:8000]
    buffer = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(buffer, "PNG")
    return buffer.getvalue()


def test_every_problem_of_a_suite_at_once(evalkit: Evalkit, pictures: Path) -> None:
    cases = pictures.parent / "mine" / "cases.jsonl"
    cases.write_text('{"id": "a", "prompt": ""}\n{"id": "a", "prompt": "x", "promt": "y"}\n{oops\n')
    result = evalkit("suite", "validate", "./mine")
    assert result.returncode == 2
    assert all(f"cases.jsonl:{line}" in result.stderr for line in (1, 2, 3))
    assert "Did you mean" in result.stderr or "did you mean" in result.stderr


def test_a_workspace_of_a_newer_version(evalkit: Evalkit, pictures: Path) -> None:
    evalkit("run", "./mine", "-s", "me=folder:pictures")
    (pictures.parent / "evalkit-workspace" / "workspace.json").write_text('{"format": 7}')
    result = evalkit("score")
    assert result.returncode == 2
    assert "Upgrade evalkit" in result.stderr


def test_wrong_sql_is_explained(evalkit: Evalkit, pictures: Path) -> None:
    evalkit("run", "./mine", "-s", "me=folder:pictures")
    result = evalkit("sql", "select * from nothing")
    assert result.returncode == 2
    assert "show all tables" in result.stderr
    assert evalkit("sql", "delete from outcomes").returncode == 2


def test_a_study_from_the_command_line(evalkit: Evalkit, pictures: Path) -> None:
    run = evalkit("run", "demo-product", "-s", "studio:clean", "-s", "studio:soft", "-w", "w")
    assert run.returncode == 0, run.stderr
    assert evalkit("study", "new", "first", "-w", "w").returncode == 0
    cast = evalkit(
        "votes",
        "simulate",
        "first",
        "-u",
        "studio:clean=2",
        "-u",
        "studio:soft=0",
        "--votes",
        "40",
        "-w",
        "w",
    )
    assert "40 simulated ballots" in cast.stdout
    (row,) = json.loads(evalkit("study", "status", "--json", "-w", "w").stdout)
    assert (row["ballots"], row["raters"]) == (40, 12)
    assert evalkit("votes", "simulate", "first", "-u", "studio:clean", "-w", "w").returncode == 2
    unknown = evalkit("rate", "frist", "-w", "w")
    assert unknown.returncode == 2
    assert "Did you mean first?" in unknown.stderr


def test_sql_while_a_run_is_going_on(evalkit: Evalkit, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "evalkit",
        "run",
        "demo-product",
        "-s",
        "studio:clean",
        "--replicates",
        "20",
    ]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        counts = []
        while run.poll() is None:
            result = evalkit("sql", "select count(*) as n from generations where status = 'ok'", "--json")
            if result.returncode == 0:
                counts.append(json.loads(result.stdout)[0]["n"])
    assert run.returncode == 0
    assert counts == sorted(counts)
    assert any(0 < count < 200 for count in counts)
