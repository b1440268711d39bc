"""What a score costs: per picture, beside the bare model loop, when it is cached, and when it is known.

    python benchmarks/metrics.py [plain] [models] [cached] [rescoring] [--pictures 32] [--threads 1]

plain      CPU seconds per picture of the metrics that have no model.
models     CLIP and LPIPS beside the bare model loop: the same weights, threads, batches and pictures,
           decoding included, in turns; CPU and wall seconds per picture, the best of three. The ratio is
           the bare loop's time divided by ours. Registering an edit is also taken out: `pixels` shares it.
cached     Forward passes and seconds of `edit` after `clip` has seen the same pictures, in another process.
rescoring  Seconds of scoring 10,000 pictures again by four metrics, with nothing left to judge.

Pictures are photographs that scikit-image brings, edited; models have seeded random weights of the real
architecture, because the time does not depend on the weights.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import logging
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import torch
from PIL import Image

from evalkit.metrics.base import RGB, Metric
from evalkit.metrics.clip import Clip
from evalkit.metrics.edit import Edit
from evalkit.metrics.lpips import Lpips
from evalkit.metrics.networks.embedder import Embedder
from evalkit.metrics.networks.encoders import Encoder, load_open_clip
from evalkit.metrics.networks.perceivers import blank_lpips, lpips_perceiver
from evalkit.metrics.networks.torchrun import Resources
from evalkit.metrics.ocr import Ocr
from evalkit.metrics.overlay.pairs import Pair, pair
from evalkit.metrics.pixels import Pixels
from evalkit.metrics.registry import make, parse
from evalkit.runner import schedule
from evalkit.runner.judge import Job, LazySubject, Task
from evalkit.runner.pictures import Pictures
from evalkit.runner.score import score_run
from evalkit.runs import Plan, PlannedCase, PlannedSystem, SuiteFacts, Trials, load_plan, save_plan
from evalkit.store import Journal, ObjectStore, Workspace
from evalkit.suite import load_suite, resolve_source
from evalkit.types import Case, System, Value

CASE = Case(
    "c",
    "a cup of coffee on a table",
    task="edit",
    expected_text=("OPEN LATE", "Tuesday 10-18"),
    source_caption="a cup of coffee on a table",
    target_caption="a cup of coffee on a table with a sign",
)
BATCH = 16


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds per picture."""

    cpu: float
    wall: float


@dataclass(frozen=True, slots=True)
class Album:
    """PNG pictures in an object store: edits of the first one, with a mask over its middle."""

    store: ObjectStore
    pictures: tuple[str, ...]
    mask: str

    def subjects(self) -> list[LazySubject]:
        """As a scoring worker has them, with nothing decoded yet."""
        shown = Pictures(self.store)
        source = self.pictures[0]
        jobs = [Job(sha, sha, CASE, source, self.mask, {}, "") for sha in self.pictures]
        return [LazySubject(shown, job) for job in jobs]

    def data(self, number: int) -> bytes:
        return self.store.path(self.pictures[number]).read_bytes()


def album(folder: Path, count: int, width: int, height: int) -> Album:
    """`count` different pictures of `width` x `height` pixels."""
    suite = load_suite("edit-preservation")
    source = resolve_source(suite, suite.cases[0])
    assert source is not None
    photo = (
        Image.open(io.BytesIO(source.data)).convert("RGB").resize((width, height), Image.Resampling.LANCZOS)
    )
    pixels, rng = np.asarray(photo), np.random.default_rng(0)
    store = ObjectStore(folder / f"{width}x{height}")
    noisy = (np.clip(pixels + rng.normal(0, 2 + n / 8, pixels.shape), 0, 255) for n in range(count))
    mask = np.zeros((height, width, 3), np.uint8)
    mask[height // 3 : height * 2 // 3] = 255
    shas = tuple(store.put(_png(_with_text(picture.astype(np.uint8)))) for picture in noisy)
    return Album(store, shas, store.put(_png(mask)))


def _with_text(pixels: RGB) -> RGB:
    for row, line in enumerate(CASE.expected_text):
        cv2.putText(pixels, line, (60, 120 + 90 * row), cv2.FONT_HERSHEY_DUPLEX, 2.0, (255, 255, 255), 4)
    return pixels


def _png(pixels: RGB) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def costs(works: Sequence[Callable[[], object]], pictures: int, rounds: int = 3) -> list[Cost]:
    """The best of several rounds of each, in turns, so that what else the machine does hits all alike."""
    cpu, wall = [float("inf")] * len(works), [float("inf")] * len(works)
    for _ in range(rounds):
        for n, work in enumerate(works):
            started = time.process_time(), time.perf_counter()
            work()
            cpu[n] = min(cpu[n], time.process_time() - started[0])
            wall[n] = min(wall[n], time.perf_counter() - started[1])
    return [Cost(c / pictures, w / pictures) for c, w in zip(cpu, wall, strict=True)]


def scored(make_metric: Callable[[], Metric], pictures: Album) -> None:
    """A fresh metric each time, as what it has seen would be remembered; the model is shared."""
    metric = make_metric()
    metric.resources = Resources("cpu", threads=1, batch=BATCH)
    metric.score(pictures.subjects())


def bare_clip(encoder: Encoder, pictures: Album) -> None:
    """open_clip in a plain loop of batches."""
    model, preprocess = encoder.model, encoder.preprocess
    count = len(pictures.pictures)
    with torch.inference_mode():
        model.encode_text(encoder.tokenizer([CASE.prompt, "A photo depicts " + CASE.prompt]))
        for start in range(0, count, BATCH):
            numbers = range(start, min(start + BATCH, count))
            batch = [preprocess(Image.open(io.BytesIO(pictures.data(n))).convert("RGB")) for n in numbers]
            model.encode_image(torch.stack(batch))


def bare_lpips(network: torch.nn.Module, pictures: Album) -> None:
    """The lpips package in a plain loop, pictures reduced to 512 pixels as the metric does."""

    def tensor(n: int) -> torch.Tensor:
        picture = Image.open(io.BytesIO(pictures.data(n))).convert("RGB")
        small = picture.resize((512, 512), Image.Resampling.LANCZOS)
        return torch.from_numpy(np.array(small)).permute(2, 0, 1)[None].float() / 127.5 - 1

    with torch.inference_mode():
        for n in range(len(pictures.pictures)):
            network(tensor(0), tensor(n))


def laid(pictures: Album, registered: bool) -> None:
    """Every picture laid over its source, and registered."""
    for subject in pictures.subjects():
        both = pair(subject)
        assert isinstance(both, Pair)
        _ = both.registered if registered else None


def plain(folder: Path, count: int) -> None:
    print(f"{'metric':<12}{'size':>12}{'CPU-s':>9}")
    for side in (768, 1024):
        pictures = album(folder, count, side, side)
        for metric in (Pixels, Ocr):
            (cost,) = costs([partial(scored, metric, pictures)], count, 2)
            print(f"{metric.name:<12}{side:>8} px{cost.cpu:>9.3f}")


def models(folder: Path, count: int) -> None:
    """Both in one run, in turns."""
    print(
        f"{'metric':<18}{'size':>12}{'CPU-s':>8}{'bare':>8}{'ratio':>7}{'wall-s':>9}{'bare':>8}{'ratio':>7}"
    )
    pictures = album(folder, count, 768, 768)
    encoder = load_open_clip("ViT-B-32", None)
    ours, bare = costs(
        [partial(scored, lambda: Clip(encoder=encoder), pictures), partial(bare_clip, encoder, pictures)],
        count,
    )
    _compare("clip ViT-B-32", ours, bare)
    network = blank_lpips("alex")
    mine = lpips_perceiver(network)
    ours, bare, moved, still = costs(
        [
            partial(scored, lambda: Lpips(perceiver=mine), pictures),
            partial(bare_lpips, network, pictures),
            partial(laid, pictures, True),
            partial(laid, pictures, False),
        ],
        count,
    )
    _compare("lpips alex", ours, bare)
    registering = Cost(moved.cpu - still.cpu, moved.wall - still.wall)
    rest = Cost(ours.cpu - registering.cpu, ours.wall - registering.wall)
    _compare("  registered before", rest, bare)


def _compare(name: str, ours: Cost, bare: Cost) -> None:
    cpu = f"{ours.cpu:>8.3f}{bare.cpu:>8.3f}{bare.cpu / ours.cpu:>7.2f}"
    print(f"{name:<18}{'768 px':>12}{cpu}{ours.wall:>9.3f}{bare.wall:>8.3f}{bare.wall / ours.wall:>7.2f}")


def cached(folder: Path, count: int) -> None:
    """Two embedders over one cache are what two processes are."""
    pictures = album(folder, count, 1024, 768)
    encoder = load_open_clip("ViT-B-32", None)
    seen = 0

    class Counting:
        def __getattr__(self, name: str) -> Any:
            return getattr(encoder, name)

        def embed(self, tensors: Sequence[Any]) -> Any:
            nonlocal seen
            seen += len(tensors)
            return encoder.embed(tensors)

    print(f"{'metric':<24}{'pictures':>10}{'forward passes':>16}{'seconds':>9}")
    for metric in (Clip, Edit, Clip, Edit):
        seen, started = 0, time.perf_counter()
        one = metric()
        one._own = Embedder(Counting(), "space", Resources("cpu", folder / "cache", batch=BATCH))  # type: ignore[arg-type]
        one.score(pictures.subjects())
        print(f"{metric.name:<24}{count:>10}{seen:>16}{time.perf_counter() - started:>9.2f}")


def rescoring(folder: Path, count: int) -> None:
    """Fill a workspace with scores that nobody worked out, then score it again."""
    workspace = Workspace.open(folder / "rescored")
    metrics = "clip[model=mini],lpips[trunk=mini],ocr,pixels"
    _finished_run(workspace, count)
    plan = load_plan(workspace, "rescored")
    with mock.patch.object(schedule, "judge", _guess):
        score_run(workspace, plan, parse(metrics), workers=1)
    started = time.perf_counter(), time.process_time()
    report = score_run(workspace, load_plan(workspace, "rescored"), parse(metrics), workers=1)
    wall, cpu = time.perf_counter() - started[0], time.process_time() - started[1]
    assert not report.judged
    known = sum(report.known.values())
    print(f"{count} pictures, {known} scores known: {wall:.2f} s, {cpu:.2f} CPU-s")


def _guess(tasks: Sequence[Task]) -> list[list[dict[str, Value]] | str]:
    """A worker that judges without looking."""
    return [
        [
            {output.name: Value(0.123456) for output in make(task.metric, task.options).outputs}
            for _ in task.jobs
        ]
        for task in tasks
    ]


def _finished_run(workspace: Workspace, count: int, systems: int = 20) -> None:
    cases = tuple(_planned(n) for n in range(count // systems))
    made = tuple(PlannedSystem(System("acme", f"model-{k}"), False) for k in range(systems))
    rows = Trials((_sha(f"{n}/{k}"), n, k, 0) for n in range(len(cases)) for k in range(systems))
    facts = SuiteFacts("s", "1", "d", "edit-preservation", "CC0-1.0", "", False)
    save_plan(workspace, Plan("rescored", "2026-01-01T00:00:00Z", (facts,), cases, made, rows, "d"))
    with Journal(workspace.runs / "rescored" / "journal.jsonl") as journal:
        for record in _records(rows):
            journal.append(record)


def _planned(n: int) -> PlannedCase:
    prompt = f"A photograph of thing number {n} with a sign, on a table beside a window, in evening light"
    case = Case(f"c{n}", prompt, "edit", source="s.png", target_caption=prompt, expected_text=("OPEN",))
    return PlannedCase("s", case, _sha(f"source {n}"), _sha(f"mask {n}"))


def _records(rows: Trials) -> Iterator[dict[str, Any]]:
    for n, (trial, *_) in enumerate(rows):
        image = {"sha256": _sha(f"image {n}"), "width": 1024, "height": 1024, "format": "png", "bytes": 1}
        about = {"trial": trial, "t": "2026-01-01T00:00:00Z", "usd": "0", "attempt": 1}
        yield {"type": "intent", **about}
        yield {"type": "done", "status": "ok", "images": [image], **about}


def _sha(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


PARTS: dict[str, Callable[[Path, int], None]] = {"plain": plain, "models": models, "cached": cached}


def main() -> None:
    parser = argparse.ArgumentParser(description="What a score costs")
    parser.add_argument("parts", nargs="*", choices=[*PARTS, "rescoring", []], metavar="PART")
    parser.add_argument("--pictures", type=int, default=32)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--scored", type=int, default=10_000)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    cv2.setNumThreads(args.threads)
    torch.manual_seed(0)
    logging.disable(logging.WARNING)  # open_clip warns that random weights are random
    with tempfile.TemporaryDirectory() as folder:
        for name in args.parts or [*PARTS, "rescoring"]:
            if name == "rescoring":
                rescoring(Path(folder), args.scored)
            else:
                PARTS[name](Path(folder), args.pictures)


if __name__ == "__main__":
    main()
