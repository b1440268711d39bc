"""Runs plans in child processes and kills them when told: crashes without slow starts.

Each line on standard input is `WORKSPACE SUITE SECONDS`: fork, run, kill -9 after that long (`end`: let it
finish). Answers with the child's exit status and, if it ended, its report as JSON. Arguments: systems.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from decimal import Decimal
from pathlib import Path

from evalkit.providers import base
from evalkit.providers.base import Provider
from evalkit.providers.systems import make_provider, parse_system, parse_systems
from evalkit.runner.execute import RunOptions, execute
from evalkit.runner.plan import build_plan
from evalkit.runs import save_plan
from evalkit.store import Workspace
from evalkit.suite import load_suite

IN_FLIGHT_PER_ACCOUNT = 4


def run(root: str, suite: str, systems: list[str], said: Path) -> int:
    workspace = Workspace.open(root)
    plan, providers = build_plan(
        [load_suite(Path(suite))], parse_systems(systems), keep=workspace.objects.put
    )
    options = RunOptions(concurrency=IN_FLIGHT_PER_ACCOUNT, budget=Decimal(100))
    report = execute(workspace, save_plan(workspace, plan), providers, options)
    unknown = [{"trial": trial.trial, "usd": str(trial.usd)} for trial in report.unknown]
    facts = {"made": report.made, "reused": report.reused, "unknown": unknown, "spent": str(report.spent_usd)}
    said.write_text(json.dumps(facts))
    return report.exit_code


def child(root: str, suite: str, systems: list[str], said: Path) -> None:
    code = 70
    try:
        code = run(root, suite, systems, said)
    except BaseException as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
    os._exit(code)


def main() -> None:
    systems = sys.argv[1:]
    vars(base)["cpu_count"] = lambda: IN_FLIGHT_PER_ACCOUNT
    for system in systems:
        type(make_provider(parse_system(system))).limits = Provider.limits
    for line in sys.stdin:
        root, suite, seconds = line.split()
        said = Path(root).with_suffix(".json")
        said.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:
            child(root, suite, systems, said)
        if seconds != "end":
            time.sleep(float(seconds))
            os.kill(pid, signal.SIGKILL)
        _, status = os.waitpid(pid, 0)
        report = said.read_text() if said.exists() and status != signal.SIGKILL else "null"
        sys.stdout.write(json.dumps({"status": status, "report": json.loads(report)}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
