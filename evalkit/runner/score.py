"""Judge the pictures of a run: only what has not been judged, by as many processes as there are cores.

A score is kept under a key made of the image, what it was judged against, the metric's version and
configuration and its weights. So scoring again costs nothing, two trials with the same picture are judged
once, and a changed caption or model judges anew. A metric that fails marks its scores NULL with the
reason, and the others go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from evalkit.clock import now
from evalkit.errors import Locked, WeightsMissing
from evalkit.ids import digest, score_key
from evalkit.metrics.base import Metric, Need, Output
from evalkit.metrics.registry import spec
from evalkit.progress import SILENT, Progress
from evalkit.runner.judge import Job, Task, judge
from evalkit.runs import Plan, PlannedCase, PlannedSystem, read_generations
from evalkit.store import Journal, Record, Workspace, read_records
from evalkit.types import Generation, Json, Value
from evalkit.workers import cpu_count, make_pool

CHUNK = 8
"""Pictures that one worker takes at a time, for all metrics of one bench."""

PASSING = frozenset({"weights_missing", "metric_error"})
"""Reasons that say nothing about the picture: such a score is tried again next time."""

Values = Mapping[str, Value]
Place = tuple[str, int, str, str]
"""(trial, image index, metric, key)."""


@dataclass(slots=True)
class ScoreReport:
    """What scoring came to, per metric: pictures judged now, known before, and NULLs by reason."""

    run: str
    judged: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    nulls: dict[str, Counter[str]] = field(default_factory=dict)
    hints: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Target:
    """One picture of one trial."""

    trial: str
    index: int
    image: str
    planned: PlannedCase
    asked: Mapping[str, str]
    category: str


@dataclass(slots=True)
class _Known:
    """What earlier scorings left: values by key, and which pictures have them."""

    values: dict[str, Values] = field(default_factory=dict)
    places: set[Place] = field(default_factory=set)
    declared: set[str] = field(default_factory=set)


def score_run(
    workspace: Workspace,
    plan: Plan,
    metrics: Sequence[Metric],
    *,
    workers: int | None = None,
    progress: Progress = SILENT,
) -> ScoreReport:
    """Score every delivered picture of a run by every metric that applies to its case."""
    report = ScoreReport(plan.run)
    targets = _targets(workspace, plan)
    known = _read_known(workspace)
    with ExitStack() as stack:
        journal = stack.enter_context(open_writer(workspace.scores))
        count = workers or cpu_count()
        pool = stack.enter_context(make_pool(count)) if count > 1 else None
        try:
            scorings = [_Scoring(metric, workspace, journal, known, report, progress) for metric in metrics]
            work = [(scoring, scoring.begin(targets)) for scoring in scorings]
            for chunk, results in _results(_interleaved(_chunks(work)), pool, count):
                for (scoring, jobs), result in zip(chunk, results, strict=True):
                    scoring.take(jobs, result)
        except BaseException:
            if pool is not None:
                pool.shutdown(wait=False, cancel_futures=True)
            raise
        for scoring in scorings:
            progress.finish(scoring.stage)
    return report


def open_writer(folder: Path) -> Journal:
    """The first journal of a folder that no other process is writing: 1.jsonl, 2.jsonl, ..."""
    for number in range(1, 1000):
        try:
            return Journal(folder / f"{number}.jsonl", what="score file")
        except Locked:
            continue
    raise Locked(f"1000 processes are writing to {folder}", "Wait for some of them to finish.")


class _Scoring:
    """One metric at work on one run."""

    def __init__(
        self,
        metric: Metric,
        workspace: Workspace,
        journal: Journal,
        known: _Known,
        report: ScoreReport,
        progress: Progress,
    ) -> None:
        self.metric, self.spec = metric, spec(metric)
        self.stage = f"score {self.spec}"
        self.objects = workspace.objects
        self.journal, self.known, self.report, self.progress = journal, known, report, progress
        self.waiting: dict[str, list[_Target]] = {}
        self.report.nulls[self.spec] = Counter()

    def begin(self, targets: Iterable[_Target]) -> list[Job]:
        """Declare the metric, take over what is known, and say what has to be judged."""
        weights, missing = self._weights()
        self._declare(weights)
        for target in targets:
            if self._applies(target):
                self.waiting.setdefault(self._key(target, weights), []).append(target)
        self.progress.start(self.stage, len(self.waiting))
        todo = [key for key in self.waiting if not self._reuse(key)]
        if missing:
            for key in todo:
                self._write(key, self.metric.missing("weights_missing"))
            return []
        return [self._job(key) for key in todo]

    def task(self, jobs: Sequence[Job]) -> Task:
        """The jobs as what a worker is given."""
        return Task(str(self.objects.root), self.metric.name, self.metric.options, tuple(jobs))

    def take(self, jobs: Sequence[Job], result: Sequence[Values] | str) -> None:
        """Write what a worker found, or NULLs if it failed."""
        if isinstance(result, str):
            self._hint(f"{self.spec} failed: {result}")
            result = [self.metric.missing("metric_error")] * len(jobs)
        for job, values in zip(jobs, result, strict=True):
            self._write(job.key, values)
            self.report.judged[self.spec] += 1

    def _weights(self) -> tuple[str | None, bool]:
        try:
            return self.metric.weights_digest(), False
        except WeightsMissing as error:
            self._hint(f"{self.spec}: {error.message}. {error.hint}")
            return None, True

    def _hint(self, text: str) -> None:
        if text not in self.report.hints:
            self.report.hints.append(text)

    def _applies(self, target: _Target) -> bool:
        has = _has(target.planned)
        return any(
            output.needs <= has and (not output.categories or target.category in output.categories)
            for output in self.metric.outputs
        )

    def _key(self, target: _Target, weights: str | None) -> str:
        planned, metric = target.planned, self.metric
        subject = {
            "source": planned.source_sha,
            "mask": planned.mask_sha,
            "texts": dict(metric.against(planned.case)),
        }
        if metric.reads_asked:
            subject["asked"] = dict(target.asked)
        return score_key(
            image=target.image,
            subject=subject,
            metric=metric.name,
            version=metric.version,
            config=metric.config,
            weights=weights,
        )

    def _job(self, key: str) -> Job:
        target = self.waiting[key][0]
        planned = target.planned
        return Job(
            key,
            target.image,
            planned.case,
            planned.source_sha,
            planned.mask_sha,
            target.asked,
            target.category,
        )

    def _reuse(self, key: str) -> bool:
        values = self.known.values.get(key)
        if values is None:
            return False
        self._write(key, values)
        self.report.known[self.spec] += 1
        return True

    def _write(self, key: str, values: Values) -> None:
        """One record per picture that has this key and does not have this score yet."""
        listed = [_as_json(name, value) for name, value in values.items()]
        for target in self.waiting[key]:
            place = (target.trial, target.index, self.spec, key)
            if place in self.known.places:
                continue
            self.journal.append(
                {
                    "type": "score",
                    "t": now(),
                    "trial": target.trial,
                    "image_index": target.index,
                    "image": target.image,
                    "metric": self.spec,
                    "version": self.metric.version,
                    "key": key,
                    "values": listed,
                }
            )
        self.report.nulls[self.spec].update(v.reason for v in values.values() if v.value is None and v.reason)
        self.progress.advance(self.stage)

    def _declare(self, weights: str | None) -> None:
        metric = self.metric
        facts = {
            "type": "metric",
            "run": self.report.run,
            "metric": self.spec,
            "family": metric.name,
            "version": metric.version,
            "config": dict(metric.config),
            "weights": weights,
            "caveat": metric.caveat,
            "outputs": [_declared(output) for output in metric.outputs],
        }
        if digest(facts) not in self.known.declared:
            self.journal.append({"t": now(), **facts})


def _targets(workspace: Workspace, plan: Plan) -> list[_Target]:
    generations = read_generations(workspace)
    categories = {suite.name: suite.category for suite in plan.suites}
    found = []
    for trial, planned, system in plan:
        made = generations.get(trial.id)
        if made is None:
            continue
        asked, category = _asked(planned, system, made), categories.get(planned.suite, "")
        found += [
            _Target(trial.id, index, image.sha256, planned, asked, category)
            for index, image in enumerate(made.images)
        ]
    return found


def _asked(planned: PlannedCase, system: PlannedSystem, made: Generation) -> Mapping[str, str]:
    """What the system was asked for; the shape only where the picture should have the case's own."""
    params = dict(system.system.params)
    shaped = planned.case.task == "t2i" and not made.facts.get("degraded")
    return {**params, "aspect_ratio": planned.case.aspect_ratio} if shaped else params


def _has(planned: PlannedCase) -> frozenset[Need]:
    case = planned.case
    having: dict[Need, bool] = {
        "prompt": True,
        "source": planned.source_sha is not None,
        "mask": planned.mask_sha is not None,
        "expected_text": bool(case.expected_text),
        "captions": bool(case.source_caption and case.target_caption),
        "t2i": case.task == "t2i",
    }
    return frozenset(need for need, there in having.items() if there)


def _read_known(workspace: Workspace) -> _Known:
    known = _Known()
    for path in sorted(workspace.scores.glob("*.jsonl")):
        for record in read_records(path):
            if record.get("type") == "metric":
                known.declared.add(digest({key: value for key, value in record.items() if key != "t"}))
            elif record.get("type") == "score":
                _remember(known, record)
    return known


def _remember(known: _Known, record: Record) -> None:
    values = {
        v["output"]: Value(v["value"], v["reason"], v.get("detail", ""), v.get("flag"))
        for v in record["values"]
    }
    if not any(value.reason in PASSING for value in values.values()):
        known.values[record["key"]] = values
        known.places.add((record["trial"], record["image_index"], record["metric"], record["key"]))


def _as_json(output: str, value: Value) -> dict[str, Json]:
    """An output's value as a record; detail and flag only where there are any."""
    beside: dict[str, Json] = {"detail": value.detail} if value.detail else {}
    if value.flag:
        beside["flag"] = value.flag
    return {"output": output, "value": value.value, "reason": value.reason, **beside}


def _declared(output: Output) -> dict[str, Json]:
    sets = {"needs": sorted(output.needs), "categories": sorted(output.categories)}
    return asdict(output) | sets


Chunk = list[tuple[_Scoring, list[Job]]]
"""What one worker takes at a time: the same pictures for each metric of a bench."""


def _chunks(work: Sequence[tuple[_Scoring, list[Job]]]) -> list[Chunk]:
    """Jobs by bench, `CHUNK` pictures each; metrics without a bench go alone."""
    benches: dict[str, list[tuple[_Scoring, list[Job]]]] = {}
    for scoring, jobs in work:
        benches.setdefault(scoring.metric.bench or scoring.spec, []).append((scoring, jobs))
    return [chunk for bench in benches.values() for chunk in _shared(bench)]


def _shared(bench: Sequence[tuple[_Scoring, list[Job]]]) -> Iterator[Chunk]:
    """Cut by picture and source, in the order in which they first appear."""
    pictures = list(dict.fromkeys((job.image, job.source) for _, jobs in bench for job in jobs))
    for start in range(0, len(pictures), CHUNK):
        some = frozenset(pictures[start : start + CHUNK])
        parts = [(scoring, [j for j in jobs if (j.image, j.source) in some]) for scoring, jobs in bench]
        yield [(scoring, jobs) for scoring, jobs in parts if jobs]


def _interleaved(chunks: Sequence[Chunk]) -> Iterator[Chunk]:
    """From both ends in turn, so that the workers do not all load the same model at the same time."""
    for front, back in zip(chunks[: (len(chunks) + 1) // 2], reversed(chunks), strict=False):
        yield front
        if back is not front:
            yield back


def _results(
    chunks: Iterator[Chunk], pool: ProcessPoolExecutor | None, workers: int
) -> Iterator[tuple[Chunk, Sequence[Sequence[Values] | str]]]:
    """Each chunk with the values of its metrics, or with what went wrong; a few are under way at a time."""
    if pool is None:
        for chunk in chunks:
            yield chunk, judge(_tasks(chunk))
        return
    under_way: dict[Future[Any], Chunk] = {}
    while True:
        for chunk in islice(chunks, 2 * workers - len(under_way)):
            under_way[pool.submit(judge, _tasks(chunk))] = chunk
        if not under_way:
            return
        for future in wait(under_way, return_when=FIRST_COMPLETED).done:
            chunk = under_way.pop(future)
            yield chunk, _outcomes(future, len(chunk))


def _tasks(chunk: Chunk) -> list[Task]:
    return [scoring.task(jobs) for scoring, jobs in chunk]


def _outcomes(future: Future[list[list[Values] | str]], tasks: int) -> Sequence[Sequence[Values] | str]:
    try:
        return future.result()
    except BrokenProcessPool:
        return ["a worker process died (out of memory?); score again with --workers 1"] * tasks
    except Exception as error:
        return [f"{type(error).__name__}: {error}"] * tasks
