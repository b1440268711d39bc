"""kill -9 at 200 random moments of runs that cost money: no job is billed twice, and none is lost.

The providers are the fakes, whose ledger survives every crash. Each round is a new workspace: 50 trials on
five accounts, 20 in flight; every submit takes a moment, so that many crashes fall between sending and
knowing. A run is killed again and again until one comes to its end.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

from evalkit.fakes import FakeServer
from evalkit.runs import read_generations
from evalkit.store import Workspace
from evalkit.warehouse import connect

KILLS = 200
CASES = 10
SYSTEMS = (
    "fal:mai-image-2.5",
    "openai:gpt-image-1-mini",
    "bfl:flux-2-pro",
    "replicate:black-forest-labs/flux-schnell",
    "stability:core",
)
DRIVER = Path(__file__).with_name("driver.py")
MOST_KILLS_A_ROUND = 12
SLOW = "[[submit:slow=0.05]]"


def write_suite(folder: Path, round_: int) -> Path:
    folder.mkdir()
    head = {
        "name": folder.name,
        "version": "1",
        "category": "product",
        "licence": "CC0-1.0",
        "description": "x",
    }
    (folder / "suite.toml").write_text("".join(f'{key} = "{value}"\n' for key, value in head.items()))
    (folder / "README.md").write_text("# paid\n")
    prompts = [f"Round {round_}, thing {n} {SLOW}" for n in range(CASES)]
    cases = [json.dumps({"id": f"c{n}", "prompt": prompt}) for n, prompt in enumerate(prompts)]
    (folder / "cases.jsonl").write_text("\n".join(cases) + "\n")
    return folder


class Driver:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process

    def __call__(self, workspace: Path, suite: Path, when: str) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{workspace} {suite} {when}\n")
        self.process.stdin.flush()
        return dict(json.loads(self.process.stdout.readline()))


@contextmanager
def driver(fake: FakeServer) -> Iterator[Driver]:
    command = [sys.executable, str(DRIVER), *SYSTEMS]
    environment = {**os.environ, **fake.environment()}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        yield Driver(process)
        assert process.stdin is not None
        process.stdin.close()


def one_round(
    run: Driver, fake: FakeServer, folder: Path, round_: int, chance: random.Random
) -> Counter[str]:
    root, suite = folder / f"ws{round_}", write_suite(folder / f"paid{round_}", round_)
    before, killed = len(fake.ledger()), 0
    while (last := run(root, suite, str(chance.uniform(0.05, 0.5))))["status"] == signal.SIGKILL:
        killed += 1
        if killed == MOST_KILLS_A_ROUND:
            last = run(root, suite, "end")
            break
    assert last["report"] is not None, "the last run came to its end"
    return check(Workspace.open(root), last["report"], fake, before) + Counter(kills=killed)


def check(workspace: Workspace, report: dict[str, Any], fake: FakeServer, before: int) -> Counter[str]:
    """The oracles: one bill per trial, everything billed is there or listed, every trial has one end."""
    billed = Counter((job.provider, job.prompt) for job in fake.ledger()[before:])
    assert max(billed.values()) == 1, "billed twice"
    outcomes = Counter(report["made"]) + Counter(report["reused"])
    assert sum(outcomes.values()) == CASES * len(SYSTEMS)
    assert set(outcomes) <= {"ok", "unknown"}, outcomes
    assert outcomes["ok"] <= len(billed) <= outcomes["ok"] + outcomes["unknown"], "a billed job was lost"
    assert len(report["unknown"]) == outcomes["unknown"]
    assert all(Decimal(trial["usd"]) > 0 for trial in report["unknown"]), "each unknown has its price"
    made = read_generations(workspace)
    assert all(image.sha256 in workspace.objects for g in made.values() for image in g.images)
    text = "".join(path.read_text() for path in workspace.runs.glob("*/*"))
    assert "SENTINEL-KEY" not in text
    with connect(workspace) as db:
        (spent,) = db.execute("SELECT sum(cost_usd) FROM generations").fetchone() or (None,)
    assert spent == Decimal(report["spent"])
    lost = outcomes["ok"] + outcomes["unknown"] - len(billed)
    return outcomes + Counter(billed=len(billed), never_sent=lost)


def test_two_hundred_kills(tmp_path: Path) -> None:
    chance = random.Random(3)
    total: Counter[str] = Counter()
    with FakeServer(polls=2, side=32) as fake, driver(fake) as run:
        while total["kills"] < KILLS:
            total += one_round(run, fake, tmp_path, total["rounds"], chance) + Counter(rounds=1)
        fetched = [seen for seen in fake.requests() if seen.path.startswith("/files")]
    assert fetched
    assert not any("SENTINEL" in str(seen.headers) for seen in fetched)
    sys.stdout.write(f"{dict(total)}\n")
    assert total["unknown"] >= KILLS / 10, "many crashes fell between sending and knowing"
    assert total["ok"] >= KILLS, "and many did not"
