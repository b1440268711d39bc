"""What the harness itself costs per trial, with a provider that does nothing.

    python benchmarks/overhead.py [--trials 1000 10000]

That is journal, object store and bookkeeping. Prints, per number of trials: CPU milliseconds per trial of
a run (durable journal and objects on), of the same run continued when everything is finished, seconds to
the first new request of a continued run, and the memory above that of the imports. No network, no metric.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import evalkit
from evalkit.providers import systems
from evalkit.providers.base import Ledger, Provider
from evalkit.runner.execute import RunOptions, execute
from evalkit.runner.plan import build_plan
from evalkit.runs import save_plan
from evalkit.store import Workspace
from evalkit.types import Case, Delivered, Outcome, Picture, Request, Suite, System

_BMP = bytes.fromhex(
    "424d3a0000000000000036000000280000000100000001000000010018000000000004000000130b0000130b00000000000000000000"
)


class Null(Provider):
    """Answers at once with a one-pixel picture whose bytes differ from trial to trial."""

    name: ClassVar[str] = "null"
    summary: ClassVar[str] = "does nothing"
    replayable: ClassVar[bool] = True
    first: ClassVar[float | None] = None

    async def generate(self, request: Request, ledger: Ledger) -> Outcome:
        del ledger
        if Null.first is None:
            Null.first = time.perf_counter()
        return Delivered((Picture(_BMP + bytes.fromhex(request.trial[:6]) + b"\0" + request.trial.encode()),))


@dataclass(frozen=True, slots=True)
class Line:
    """One row of the table."""

    trials: int
    run_ms: float
    resume_ms: float
    first_s: float
    rss_mb: float


def suite(cases: int) -> Suite:
    """A suite of plain prompts."""
    made = tuple(Case(f"c{n}", f"a thing, number {n}") for n in range(cases))
    return Suite("null", "1", "other", "CC0-1.0", "", ".", made, digest="0" * 64)


def timed(work: Callable[[], object]) -> float:
    """CPU seconds of this process."""
    started = time.process_time()
    work()
    return time.process_time() - started


def measure(trials: int) -> Line:
    """Run, run again, and run a plan with one new case."""
    with tempfile.TemporaryDirectory(prefix="evalkit-overhead-") as folder:
        workspace = Workspace.open(folder)
        before = _rss()

        def run(cases: int) -> None:
            plan, providers = build_plan([suite(cases)], [System("null", "x")])
            execute(workspace, save_plan(workspace, plan), providers, RunOptions(concurrency=8))

        first, again = timed(lambda: run(trials)), timed(lambda: run(trials))
        Null.first = None
        started = time.perf_counter()
        run(trials + 1)
        wait = (Null.first or started) - started
        return Line(trials, first / trials * 1e3, again / trials * 1e3, wait, _rss() - before)


def _rss() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, nargs="+", default=[1000, 10_000])
    known = {**systems.providers(), "null": Null}
    vars(systems)["providers"] = lambda: known
    print(f"evalkit {evalkit.__version__}")
    print("  trials  run ms/trial  again ms/trial  first new s  MB above imports")
    for trials in parser.parse_args(arguments).trials:
        line = measure(trials)
        print(
            f"{line.trials:>8} {line.run_ms:>13.3f} {line.resume_ms:>15.3f} "
            f"{line.first_s:>12.2f} {line.rss_mb:>17.0f}"
        )


if __name__ == "__main__":
    main()
