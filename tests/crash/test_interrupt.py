"""Ctrl-C: what is in flight finishes, the exit code says so, and the same command continues."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from evalkit.runs import Step, load_plan, read_history
from evalkit.store import Workspace, read_records

COMMAND = (sys.executable, "-m", "evalkit", "run", "demo-product", "-s", "studio:clean?size=512")


def start(workspace: Path) -> subprocess.Popen[str]:
    command = [*COMMAND, "--replicates", "30", "--name", "stop", "--workspace", str(workspace)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def done(workspace: Path) -> int:
    journal = workspace / "runs" / "stop" / "journal.jsonl"
    return sum(record["type"] == "done" for record in read_records(journal))


def test_ctrl_c_and_again(tmp_path: Path) -> None:
    process = start(tmp_path)
    while done(tmp_path) < 5:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "still open; the same command continues" in errors
    assert "Traceback" not in printed + errors
    first = done(tmp_path)
    assert 5 <= first < 300
    workspace = Workspace.open(tmp_path)
    steps = Counter(read_history(workspace, load_plan(workspace, "stop").trials).steps)
    assert set(steps) == {Step.NONE, Step.OK}, "what was in flight was finished"

    again = start(tmp_path)
    printed, errors = again.communicate(timeout=200)
    assert again.returncode == 0, errors
    assert done(tmp_path) == 300
