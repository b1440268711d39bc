"""kill -9 at 50 random moments: nothing lost, nothing done twice, the same totals as without a crash."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

from evalkit.runs import load_plan, read_generations, read_history
from evalkit.store import Dropped, Workspace, read_records
from evalkit.warehouse import connect

KILLS = 50
COMMAND = (
    "run", "demo-product", "demo-portrait", "demo-typography", "demo-edit",
    "-s", "studio:clean?size=512", "-s", "studio:soft?size=512", "-s", "studio:refuser?size=512",
    "-s", "studio:flaky?size=512", "--replicates", "4", "--name", "crash",
)  # fmt: skip


def start(workspace: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "evalkit", *COMMAND, "--workspace", str(workspace)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(workspace: Path) -> None:
    process = start(workspace)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 3, errors.decode()


def done_records(workspace: Workspace) -> list[dict[str, object]]:
    journal = workspace.runs / "crash" / "journal.jsonl"
    return [record for record in read_records(journal) if record["type"] == "done"]


def totals(workspace: Workspace) -> list[tuple[object, ...]]:
    query = """
        SELECT category, system, planned, delivered, partial, refused, failed, unknown, open, cost_usd
        FROM reliability ORDER BY category, system"""
    with connect(workspace) as db:
        return db.execute(query).fetchall()


def pictures(workspace: Workspace) -> dict[str, list[str]]:
    made = read_generations(workspace)
    return {trial: [image.sha256 for image in generation.images] for trial, generation in made.items()}


def seconds_to_work(workspace: Workspace) -> float:
    """How long this machine takes from the start to the first finished trial; ends with a kill."""
    began = time.monotonic()
    process = start(workspace.root)
    journal = workspace.runs / "crash" / "journal.jsonl"
    while process.poll() is None and not (journal.exists() and done_records(workspace)):
        time.sleep(0.02)
    process.kill()
    process.communicate(timeout=30)
    return time.monotonic() - began


def test_fifty_kills(tmp_path: Path) -> None:
    calm = Workspace.open(tmp_path / "calm")
    finish(calm.root)
    stormy = Workspace.open(tmp_path / "stormy")
    chance = random.Random(20)
    killed_at_work = 0
    latest = 1.2 * seconds_to_work(stormy)
    for _ in range(KILLS):
        before = len(done_records(stormy))
        process = start(stormy.root)
        time.sleep(chance.uniform(0.1, latest))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=30)
        killed_at_work += len(done_records(stormy)) > before
    finish(stormy.root)

    done = Counter(str(record["trial"]) for record in done_records(stormy))
    assert max(done.values()) == 1
    assert pictures(stormy) == pictures(calm)
    assert totals(stormy) == totals(calm)
    assert all(sha in stormy.objects for shas in pictures(stormy).values() for sha in shas)
    assert {p.name for p in stormy.objects.root.glob("??/*")} == {
        p.name for p in calm.objects.root.glob("??/*")
    }
    assert killed_at_work >= 5

    dropped: list[Dropped] = []
    list(read_records(stormy.runs / "crash" / "journal.jsonl", dropped))
    assert read_history(stormy, load_plan(stormy, "crash").trials).dropped == dropped
