"""Judge the pictures of a run: only what has not been judged, by as many processes as there are cores.

A score is kept under a key made of the image, what it was judged against, the metric's version and
configuration and its weights. So scoring again costs nothing, two trials with the same picture are judged
once, and a changed caption or model judges anew. A metric that fails marks its scores NULL with the
reason, and the others go on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

from evalkit.clock import now
from evalkit.errors import Locked, WeightsMissing
from evalkit.ids import digest, score_key
from evalkit.metrics.base import Metric, Need
from evalkit.metrics.networks.torchrun import Resources
from evalkit.metrics.registry import spec
from evalkit.progress import SILENT, Progress
from evalkit.runner.judge import Job, Task
from evalkit.runner.schedule import Staff, results
from evalkit.runner.scored import Known, as_json, declaration, declared, read_known
from evalkit.runs import Plan, PlannedCase, PlannedSystem, read_generations
from evalkit.store import Journal, Workspace
from evalkit.types import Generation, Json, Value

__all__ = ["ScoreReport", "as_json", "declared", "open_writer", "score_run"]

Values = Mapping[str, Value]


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


def score_run(
    workspace: Workspace,
    plan: Plan,
    metrics: Sequence[Metric],
    *,
    workers: int | None = None,
    device: str = "",
    progress: Progress = SILENT,
) -> ScoreReport:
    """Score every delivered picture of a run by every metric that applies to its case.

    `device` is where models run: cpu, cuda or cuda:N; empty for EVALKIT_DEVICE, or the best there is. Raises
    `UsageError` if it does not exist.
    """
    report = ScoreReport(plan.run)
    staff = Staff(workspace.cache, workers, device)
    targets = _targets(workspace, plan)
    known = read_known(workspace)
    with ExitStack() as stack:
        journal = stack.enter_context(open_writer(workspace.scores))
        scorings = [_Scoring(metric, workspace, journal, known, report, progress) for metric in metrics]
        work = [(scoring, scoring.begin(targets)) for scoring in scorings]
        for chunk, found in stack.enter_context(closing(results(work, staff))):
            for (scoring, jobs), result in zip(chunk, found, strict=True):
                scoring.take(jobs, result)
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
        known: Known,
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
        keys = _Keys(self.metric, weights)
        for target in targets:
            if keys.apply_to(target):
                self.waiting.setdefault(keys.of(target), []).append(target)
        self.progress.start(self.stage, len(self.waiting))
        todo = [key for key in self.waiting if not self._reuse(key)]
        if missing:
            for key in todo:
                self._write(key, self.metric.missing("weights_missing"))
            return []
        return [self._job(key) for key in todo]

    def task(self, jobs: Sequence[Job], resources: Resources) -> Task:
        """The jobs as what a worker is given."""
        return Task(str(self.objects.root), self.metric.name, self.metric.options, tuple(jobs), resources)

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
        values = self.known.values(key)
        if values is None:
            return False
        self._write(key, values)
        self.report.known[self.spec] += 1
        return True

    def _write(self, key: str, values: Values) -> None:
        """One record per picture that has this key and does not have this score yet."""
        for target in self.waiting[key]:
            if (target.trial, target.index, self.spec, key) in self.known.places:
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
                    "values": [as_json(name, value) for name, value in values.items()],
                }
            )
        self.report.nulls[self.spec].update(v.reason for v in values.values() if v.value is None and v.reason)
        self.progress.advance(self.stage)

    def _declare(self, weights: str | None) -> None:
        facts = declaration(self.report.run, self.metric, weights)
        if digest(facts) not in self.known.declared:
            self.journal.append({"t": now(), **facts})


class _Keys:
    """Which pictures a metric scores, under which keys; what those of a case have in common is asked once."""

    def __init__(self, metric: Metric, weights: str | None) -> None:
        self._metric, self._weights, self._config = metric, weights, metric.config
        self._subjects: dict[int, dict[str, Json]] = {}
        self._applying: dict[tuple[int, str], bool] = {}

    def apply_to(self, target: _Target) -> bool:
        """Whether any output of the metric is expected of the picture."""
        case = (id(target.planned), target.category)
        if case not in self._applying:
            has = _has(target.planned)
            self._applying[case] = any(
                output.needs <= has and (not output.categories or target.category in output.categories)
                for output in self._metric.outputs
            )
        return self._applying[case]

    def of(self, target: _Target) -> str:
        """The key of a picture's score."""
        subject = self._subject(target.planned)
        if self._metric.reads_asked:
            subject = {**subject, "asked": dict(target.asked)}
        return score_key(
            image=target.image,
            subject=subject,
            metric=self._metric.name,
            version=self._metric.version,
            config=self._config,
            weights=self._weights,
        )

    def _subject(self, planned: PlannedCase) -> dict[str, Json]:
        """What the pictures of a case are judged against; a plan holds each case once."""
        found = self._subjects.get(id(planned))
        if found is None:
            texts = dict(self._metric.against(planned.case))
            found = {"source": planned.source_sha, "mask": planned.mask_sha, "texts": texts}
            self._subjects[id(planned)] = found
        return found


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
        "questions": any(check.get("kind") == "question" for check in case.checks),
    }
    return frozenset(need for need, there in having.items() if there)
