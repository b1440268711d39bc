"""What the harness costs: per trial, per request, in memory, and when a run is continued.

    python benchmarks/runner.py [overhead] [http] [memory] [resume] [inspect] [--quick]

overhead  CPU milliseconds per trial with a provider that answers at once, everything durable: intent on the
          disk before the request, accepted before the poll, the picture before `done`. Decoding pictures is
          taken out, as it is not the harness's. On a memory disk and on the one of the current folder, beside
          what that asks for a bare durable file.
http      trials per second over loopback fakes, beside a plain asyncio + httpx loop that sends the same
          requests to the same server with the same number in flight, and keeps nothing.
memory    megabytes above imports when a run of 1k to 1M planned trials is ready to ask.
resume    seconds from nothing to the first new request of a run of which 100k trials are finished.
inspect   inspect_ai with its mock model, one trivial sample per trial, where it is installed; both write to a
          memory disk.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import multiprocessing
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from typing import Any, ClassVar

import evalkit
from evalkit.fakes import FakeServer
from evalkit.http import AsyncClient
from evalkit.http import Limits as Connections
from evalkit.images import check
from evalkit.providers import systems
from evalkit.providers.base import Ledger, Limits, Provider
from evalkit.runner.execute import RunOptions, execute
from evalkit.runner.plan import build_plan
from evalkit.runs import Plan, save_plan
from evalkit.store import Workspace
from evalkit.types import (
    Case,
    Delivered,
    Job,
    Outcome,
    Picture,
    Price,
    Quote,
    Request,
    Suite,
    System,
)

_BMP = bytes.fromhex(
    "424d3a0000000000000036000000280000000100000001000000010018000000000004000000130b0000130b00000000000000000000"
)
CENT = Price(Decimal("0.01"), "list")
IN_FLIGHT = 50
MOST_FILES = 100_000
"""More files than that are not asked of a real disk; a million need 4 GB of a memory disk."""
SHARED_MEMORY = Path("/dev/shm")


class Null(Provider):
    """Takes every job, charges a cent and answers at once with a picture of one pixel and 1 KB."""

    name: ClassVar[str] = "null"
    summary: ClassVar[str] = "does nothing"
    first: ClassVar[float] = 0.0

    @property
    def limits(self) -> Limits:
        return Limits(IN_FLIGHT, IN_FLIGHT)

    def quote(self, request: Request) -> Quote:
        del request
        return Quote(CENT.usd, CENT.usd, "list")

    async def generate(self, request: Request, ledger: Ledger) -> Outcome:
        Null.first = Null.first or time.perf_counter()
        await ledger.accepted(Job(request.trial[:16], {"status_url": f"https://example.org/{request.trial}"}))
        return Delivered((Picture(picture(request.trial)),), price=CENT)


def picture(trial: str) -> bytes:
    """One pixel, and bytes that differ from trial to trial."""
    return _BMP + bytes.fromhex(trial[:6]) + b"\0" + trial.encode() * 15


def suite(cases: int, fault: str = "") -> Suite:
    """A suite of plain prompts, each with the same directive for the fakes."""
    made = tuple(Case(f"c{n}", f"a thing, number {n}, on a table by the window{fault}") for n in range(cases))
    return Suite("null", "1", "other", "CC0-1.0", "", ".", made, digest="0" * 64)


def planned(trials: int, replicates: int = 10) -> tuple[Plan, Any]:
    """A plan of so many trials for the provider that does nothing."""
    return build_plan([suite(trials // replicates)], [System("null", "x")], replicates=replicates)


@contextmanager
def workspace(memory: bool = False) -> Iterator[Workspace]:
    """A new workspace in the current folder, or in memory where the system has a place for that."""
    here = SHARED_MEMORY if memory and SHARED_MEMORY.is_dir() else Path.cwd()
    with tempfile.TemporaryDirectory(prefix="evalkit-bench-", dir=here) as folder:
        yield Workspace.open(folder)


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds of this process, all threads."""
    started = time.process_time()
    work()
    return time.process_time() - started


def overhead(quick: bool) -> None:
    """CPU per trial, flat or not."""
    print("\noverhead: CPU ms per trial, durable, without decoding")
    print("  trials   in memory   on this disk   of which a bare durable file")
    for trials in [1000, 10_000] if quick else [1000, 10_000, 100_000, 1_000_000]:
        with workspace(memory=True) as folder:
            light = _measure_overhead(folder, trials)
        if trials > MOST_FILES:
            print(f"{trials:>8} {light:>11.3f}")
            continue
        with workspace() as folder:
            heavy = _measure_overhead(folder, trials)
        with workspace() as folder:
            file = _bare_files(folder.root, min(trials, 10_000))
        print(f"{trials:>8} {light:>11.3f} {heavy:>14.3f} {file:>30.3f}")


def _measure_overhead(folder: Workspace, trials: int) -> float:
    def work() -> None:
        plan, providers = planned(trials)
        execute(folder, save_plan(folder, plan), providers, RunOptions(budget=Decimal(10**6)))

    sample = [picture(f"{n:064x}") for n in range(2000)]
    decode_s = cpu(partial(list, map(check, sample))) / len(sample)
    return (cpu(work) / trials - decode_s) * 1e3


def _bare_files(folder: Path, count: int) -> float:
    """Milliseconds of CPU to make, sync and rename a file of 1 KB in one of 256 folders, in a bare loop."""
    for shelf in range(256):
        (folder / f"{shelf:02x}").mkdir()

    def work() -> None:
        for n in range(count):
            aside = f"{folder}/{n % 256:02x}/{n}.tmp"
            handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
            os.write(handle, b"x" * 1000)
            os.fdatasync(handle)
            os.close(handle)
            Path(aside).replace(aside[:-4])

    return cpu(work) / count * 1e3


def http(quick: bool) -> None:
    """Our trials per second against those of a bare loop."""
    trials = 300 if quick else 2000
    print(f"\nhttp: trials per second over loopback, {trials} trials, pictures of 64 px, nothing on a disk")
    print("  protocol  server answers  in flight   evalkit   bare loop   ratio")
    lanes: tuple[tuple[str, Bare], ...] = (
        ("openai:gpt-image-1-mini", bare_openai),
        ("bfl:flux-2-pro", bare_bfl),
    )
    with fake_process() as environment:
        os.environ.update(environment)
        for (system, bare), delay, flying in product(lanes, (0.0, 0.05), (20, 100)):
            load = Load(trials, flying, delay)
            pairs = [(ours(system, load), bare(load)) for _ in range(3)]
            best, ratio = max(pairs), statistics.median(one / other for one, other in pairs)
            when = f"after {delay * 1000:.0f} ms" if delay else "at once"
            print(
                f"  {system.split(':')[0]:<9} {when:<14} {flying:>10} {best[0]:>9.0f} {best[1]:>11.0f} "
                f"{ratio:>7.2f}"
            )


@dataclass(frozen=True, slots=True)
class Load:
    """How many trials, how many at a time, and how many seconds the server takes for a submit."""

    trials: int
    flying: int
    delay: float

    @property
    def cases(self) -> Suite:
        return suite(self.trials, f" [[submit:slow={self.delay}]]" if self.delay else "")


Bare = Callable[[Load], float]


def ours(system: str, load: Load) -> float:
    """Trials per second of a whole run, plan excluded."""
    parsed = systems.parse_system(system)
    with workspace(memory=True) as folder:
        plan, providers = build_plan([load.cases], [parsed])
        saved = save_plan(folder, plan)
        started = time.perf_counter()
        execute(folder, saved, providers, RunOptions(concurrency=load.flying, budget=Decimal(10**6)))
        return load.trials / (time.perf_counter() - started)


def bare_openai(load: Load) -> float:
    """POST, read the picture out of the answer."""

    async def one(client: AsyncClient, base: str, headers: dict[str, str], prompt: str) -> None:
        body = {"model": "gpt-image-1-mini", "prompt": prompt, "n": 1, "size": "1024x1024"}
        answer = await client.post(f"{base}/images/generations", json=body, headers=headers)
        base64.b64decode(answer.json()["data"][0]["b64_json"])

    headers = {"Authorization": f"Bearer {os.environ['OPENAI_API_KEY']}"}
    return asyncio.run(bare(one, os.environ["EVALKIT_OPENAI_BASE"], headers, load))


def bare_bfl(load: Load) -> float:
    """POST, poll until it is ready, fetch the picture: as often and as fast as the engine does."""

    async def one(client: AsyncClient, base: str, headers: dict[str, str], prompt: str) -> None:
        body = {"prompt": prompt, "width": 1024, "height": 1024}
        job = (await client.post(f"{base}/v1/flux-2-pro", json=body, headers=headers)).json()
        while True:
            state = (await client.get(job["polling_url"], headers=headers)).json()
            if state["status"] == "Ready":
                break
            await asyncio.sleep(0.5)
        await client.get(state["result"]["sample"])

    headers = {"x-key": os.environ["BFL_API_KEY"]}
    return asyncio.run(bare(one, os.environ["EVALKIT_BFL_BASE"], headers, load))


async def bare(one: Callable[..., Any], base: str, headers: dict[str, str], load: Load) -> float:
    """The plain loop: clients of ten connections, a queue of prompts, as many workers as may be in flight."""
    most = Connections(max_connections=10, max_keepalive_connections=10)
    clients = [AsyncClient(limits=most, timeout=60) for _ in range(load.flying // 10)]
    prompts = iter([case.prompt for case in load.cases.cases])

    async def worker(client: AsyncClient) -> None:
        for prompt in prompts:
            await one(client, base, headers, prompt)

    started = time.perf_counter()
    await asyncio.gather(*(worker(clients[n % len(clients)]) for n in range(load.flying)))
    took = time.perf_counter() - started
    for client in clients:
        await client.aclose()
    return load.trials / took


@contextmanager
def fake_process() -> Iterator[dict[str, str]]:
    """The fakes in a process of their own; a job is ready at its first poll."""
    ours_, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,), daemon=True)
    process.start()
    try:
        yield ours_.recv()
    finally:
        ours_.send("stop")
        process.join()


def _serve(pipe: Any) -> None:
    with FakeServer(polls=1, side=64) as fake:
        pipe.send(fake.environment())
        pipe.recv()


def memory(quick: bool) -> None:
    """What a planned run holds; each size in a process of its own."""
    print("\nmemory: MB above imports when a run is ready to ask; ten trials a case, at most 10k cases")
    print("   trials   planned   ready    peak")
    for trials in [1000, 10_000] if quick else [1000, 10_000, 100_000, 1_000_000]:
        rows = _in_a_process(_measure_memory, trials)
        print(f"{trials:>9} {rows[0]:>9.0f} {rows[1]:>7.0f} {rows[2]:>7.0f}")


def _measure_memory(trials: int) -> list[float]:
    import numpy as np

    np.arange(2).argsort()
    before = _rss()
    cases = min(trials // 10, 10_000)
    with workspace() as folder:
        plan, providers = build_plan([suite(cases)], [System("null", "x")], replicates=trials // cases)
        after_plan = _rss() - before
        plan = save_plan(folder, plan)
        ready: list[float] = []

        class Stop(Null):
            async def prepare(self) -> None:
                ready.append(_rss() - before)
                raise KeyboardInterrupt

        (old,) = providers.values()
        execute(folder, plan, {plan.systems[0].name: Stop(old.system)}, RunOptions(budget=Decimal(10**6)))
        return [after_plan, ready[0], _peak() - before]


def resume(quick: bool) -> None:
    """How long until a continued run asks for something new."""
    finished = 10_000 if quick else 100_000
    seconds = [_in_a_process(_measure_resume, finished)[0] for _ in range(3)]
    print(
        f"\nresume: {finished} finished trials, first new request after {min(seconds):.2f} s (best of three)"
    )


def _measure_resume(finished: int) -> list[float]:
    with workspace() as folder:
        plan, providers = planned(finished + 10)
        save_plan(folder, plan)
        write_journal(folder, plan, finished)
        Null.first = 0.0
        started = time.perf_counter()
        plan, providers = planned(finished + 10)
        execute(folder, save_plan(folder, plan), providers, RunOptions(budget=Decimal(10**6)))
        return [Null.first - started]


def write_journal(folder: Workspace, plan: Plan, finished: int) -> None:
    """The three records of every finished trial, as a run writes them."""
    with (folder.runs / plan.run / "journal.jsonl").open("w", encoding="utf-8") as journal:
        for trial, *_ in plan.trials[:finished]:
            head = {"trial": trial, "attempt": 1, "t": "2026-01-01T00:00:00.000000Z"}
            image = {"sha256": trial, "width": 1024, "height": 1024, "format": "png", "bytes": 1_400_000}
            timings = {"total": 12.125, "submit": 0.2, "queue": 1.5, "run": 9.0, "download": 1.4}
            for step in (
                {"type": "intent", "usd": "0.01"},
                {"type": "accepted", "note": trial[:16], "facts": {"status_url": f"https://x/{trial}"}},
                {"type": "done", "status": "ok", "usd": "0.01", "images": [image], "timings": timings},
            ):
                journal.write(json.dumps(head | step) + "\n")


def inspect(quick: bool) -> None:
    """The same number of trivial trials in inspect_ai."""
    if find_spec("inspect_ai") is None:
        print("\ninspect: inspect_ai is not installed; pip install inspect_ai adds this comparison")
        return
    print("\ninspect: CPU ms per trial, inspect_ai's mock model beside ours")
    for trials in [500] if quick else [2000, 10_000]:
        theirs = _in_a_process(_measure_inspect, trials)[0]
        mine = _in_a_process(_measure_null, trials)[0]
        print(f"{trials:>8}  inspect_ai {theirs:.2f}   evalkit {mine:.3f}   ratio {theirs / mine:.0f}")


def _measure_null(trials: int) -> list[float]:
    with workspace(memory=True) as folder:

        def run() -> None:
            plan, providers = planned(trials)
            execute(folder, save_plan(folder, plan), providers, RunOptions(budget=Decimal(10**6)))

        return [cpu(run) / trials * 1e3]


def _measure_inspect(trials: int) -> list[float]:
    from inspect_ai import Task
    from inspect_ai import eval as inspect_eval
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.model import ModelOutput, ModelUsage, get_model
    from inspect_ai.scorer import match

    def answers() -> Iterator[Any]:
        while True:
            output = ModelOutput.from_content("mockllm/model", "yes")
            output.usage = ModelUsage(input_tokens=8, output_tokens=1, total_tokens=9)
            yield output

    samples = [Sample(input=f"a thing, number {n}", target="yes") for n in range(trials)]
    task = Task(dataset=MemoryDataset(samples), scorer=match())
    model = get_model("mockllm/model", custom_outputs=answers())
    with workspace(memory=True) as folder:
        logs = str(folder.root / "logs")
        seconds = cpu(
            lambda: inspect_eval(task, model=model, log_dir=logs, display="none", max_connections=IN_FLIGHT)
        )
    return [seconds / trials * 1e3]


def _in_a_process(work: Callable[[int], list[float]], argument: int) -> list[float]:
    with multiprocessing.get_context("spawn").Pool(1, initializer=_know_null) as pool:
        return pool.apply(work, (argument,))


def _know_null() -> None:
    known = {**systems.providers(), "null": Null}
    vars(systems)["providers"] = lambda: known


def _rss() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20


def _peak() -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


PARTS = {"overhead": overhead, "http": http, "memory": memory, "resume": resume, "inspect": inspect}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[*PARTS], help="which parts; all if none is named")
    parser.add_argument("--quick", action="store_true", help="small numbers, to see that it works")
    chosen = parser.parse_args(arguments)
    unknown = [part for part in chosen.parts if part not in PARTS]
    if unknown:
        parser.error(f"no part is called {unknown[0]}; there are {', '.join(PARTS)}")
    _know_null()
    print(f"evalkit {evalkit.__version__}, {os.cpu_count()} processors")
    for part in chosen.parts or PARTS:
        PARTS[part](chosen.quick)


if __name__ == "__main__":
    main()
