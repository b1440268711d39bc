"""Who scores what: pictures dealt out to worker processes.

Metrics of one bench get the same pictures at the same time, so that what they share is worked out once.
Without a GPU every processor has one worker, which does everything in one thread. With one, a single process
has the models and takes many pictures at a time, as it has to keep the GPU busy, and the other processors
have the rest.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from evalkit.metrics.base import Metric
from evalkit.metrics.networks.torchrun import Resources, settled_device
from evalkit.metrics.overlay.pairs import KEPT
from evalkit.runner.judge import Job, Task, Values, judge
from evalkit.workers import cpu_count, make_pool

CHUNK = KEPT
"""Pictures that one worker takes at a time, for all metrics of one bench; pairs are remembered as long."""

MODEL_CHUNK, BATCH = 16, 16
"""The same where all metrics have a model, and how many pictures go through it at once."""

ALONE = 32
"""The same without workers: half of them are prepared while the model is busy with the others."""

GPU_CHUNK, GPU_BATCH = 256, 64

Found = Sequence[Sequence[Values] | str]
"""Of a chunk: for each metric its values, or what went wrong."""


class Scoring(Protocol):
    """A metric at work, as far as the schedule knows it."""

    metric: Metric
    spec: str

    def task(self, jobs: Sequence[Job], resources: Resources) -> Task:
        """The jobs as what a worker is given."""


S = TypeVar("S", bound=Scoring)
Work = Sequence[tuple[S, Sequence[Job]]]
Chunk = list[tuple[S, list[Job]]]
"""What one worker takes at a time: the same pictures for each metric of a bench."""


@dataclass(frozen=True, slots=True)
class Staff:
    """What there is to work with. `workers` is None for one per processor; `device` as in `score_run`."""

    cache: Path
    workers: int | None = None
    device: str = ""

    @property
    def count(self) -> int:
        return self.workers or cpu_count()


@dataclass(slots=True)
class _Lane(Generic[S]):
    """Chunks in turn for workers of one kind; without a pool, this process does them."""

    chunks: Iterator[Chunk[S]]
    resources: Resources
    workers: int
    pool: ProcessPoolExecutor | None = None
    busy: int = field(default=0)

    def tasks(self, chunk: Chunk[S]) -> list[Task]:
        return [scoring.task(jobs, self.resources) for scoring, jobs in chunk]


def results(work: Work[S], staff: Staff) -> Generator[tuple[Chunk[S], Found], None, None]:
    """Each chunk of work with what came of it, as it comes.

    Raises `UsageError` if the device that is asked for does not exist.
    """
    work = [(scoring, jobs) for scoring, jobs in work if jobs]
    has_models = any(scoring.metric.has_model for scoring, _ in work)
    where = settled_device(staff.device) if has_models or staff.device else "cpu"
    lanes = [_cpu_lane(work, staff)] if where == "cpu" else _gpu_lanes(work, staff, where)
    with _pools(lanes):
        yield from _in_pools(lanes) if staff.count > 1 else _here(lanes)


def _cpu_lane(work: Work[S], staff: Staff) -> _Lane[S]:
    resources = Resources("cpu", staff.cache, threads=1, batch=BATCH)
    chunks = _chunks(work, MODEL_CHUNK if staff.count > 1 else ALONE)
    return _Lane(_interleaved(chunks), resources, staff.count)


def _gpu_lanes(work: Work[S], staff: Staff, where: str) -> list[_Lane[S]]:
    models = [(scoring, jobs) for scoring, jobs in work if scoring.metric.has_model]
    rest = [(scoring, jobs) for scoring, jobs in work if not scoring.metric.has_model]
    resources = Resources(where, staff.cache, threads=max(2, staff.count // 2), batch=GPU_BATCH)
    others = _cpu_lane(rest, staff)
    others.workers = max(1, staff.count - 1)
    return [_Lane(iter(_chunks(models, GPU_CHUNK)), resources, 1), others]


def _chunks(work: Work[S], with_model: int) -> list[Chunk[S]]:
    """Jobs by bench; metrics without a bench go alone. `with_model` pictures each if all have a model."""
    benches: dict[str, list[tuple[S, Sequence[Job]]]] = {}
    for scoring, jobs in work:
        benches.setdefault(scoring.metric.bench or scoring.spec, []).append((scoring, jobs))
    found = []
    for bench in benches.values():
        size = with_model if all(scoring.metric.has_model for scoring, _ in bench) else CHUNK
        found += list(_shared(bench, size))
    return found


def _shared(bench: Work[S], size: int) -> Iterator[Chunk[S]]:
    """Cut by picture and source; edits of one source come together, as metrics remember the latest source."""
    listed = [(scoring, _by_picture(jobs)) for scoring, jobs in bench]
    pictures = list(dict.fromkeys(picture for _, by_picture in listed for picture in by_picture))
    order = {source: place for place, source in enumerate(dict.fromkeys(source for _, source in pictures))}
    pictures.sort(key=lambda picture: order[picture[1]])
    for start in range(0, len(pictures), size):
        some = pictures[start : start + size]
        parts = [
            (scoring, [job for picture in some for job in jobs.get(picture, ())]) for scoring, jobs in listed
        ]
        yield [(scoring, jobs) for scoring, jobs in parts if jobs]


def _by_picture(jobs: Sequence[Job]) -> dict[tuple[str, str | None], list[Job]]:
    found: dict[tuple[str, str | None], list[Job]] = {}
    for job in jobs:
        found.setdefault((job.image, job.source), []).append(job)
    return found


def _interleaved(chunks: Sequence[Chunk[S]]) -> Iterator[Chunk[S]]:
    """From both ends in turn, so that the workers do not all load the same model at the same time."""
    for front, back in zip(chunks[: (len(chunks) + 1) // 2], reversed(chunks), strict=False):
        yield front
        if back is not front:
            yield back


@contextmanager
def _pools(lanes: Sequence[_Lane[S]]) -> Iterator[None]:
    """Workers for every lane while the block runs; a pool starts none before it is given work."""
    with ExitStack() as stack:
        for lane in lanes:
            lane.pool = stack.enter_context(make_pool(lane.workers))
        try:
            yield
        except BaseException:
            for lane in lanes:
                if lane.pool is not None:
                    lane.pool.shutdown(wait=False, cancel_futures=True)
            raise


def _here(lanes: Sequence[_Lane[S]]) -> Iterator[tuple[Chunk[S], Found]]:
    for lane in lanes:
        for chunk in lane.chunks:
            yield chunk, judge(lane.tasks(chunk))


def _in_pools(lanes: Sequence[_Lane[S]]) -> Iterator[tuple[Chunk[S], Found]]:
    """A few chunks per worker are under way at a time."""
    under_way: dict[Future[list[list[Values] | str]], tuple[_Lane[S], Chunk[S]]] = {}
    while True:
        for lane in lanes:
            assert lane.pool is not None
            for chunk in islice(lane.chunks, 2 * lane.workers - lane.busy):
                under_way[lane.pool.submit(judge, lane.tasks(chunk))] = lane, chunk
                lane.busy += 1
        if not under_way:
            return
        for future in wait(under_way, return_when=FIRST_COMPLETED).done:
            lane, chunk = under_way.pop(future)
            lane.busy -= 1
            yield chunk, _outcomes(future, len(chunk))


def _outcomes(future: Future[list[list[Values] | str]], tasks: int) -> Found:
    try:
        return future.result()
    except BrokenProcessPool:
        return ["a worker process died (out of memory?); score again with --workers 1"] * tasks
    except Exception as error:
        return [f"{type(error).__name__}: {error}"] * tasks
