"""Who scores what, where, and in which arithmetic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import pytest

from evalkit.cli.score import at_precision
from evalkit.errors import UnknownName, UsageError
from evalkit.metrics.base import Metric, Output, Subject
from evalkit.metrics.networks import torchrun
from evalkit.metrics.networks.torchrun import Resources, checked_precision, settled_device
from evalkit.metrics.registry import parse, spec
from evalkit.runner import schedule
from evalkit.runner.judge import Job, Task
from evalkit.runner.schedule import Staff, results
from evalkit.types import Case, Value


class Plain(Metric):
    name: ClassVar[str] = "plain"
    version: ClassVar[str] = "1"
    outputs: ClassVar[tuple[Output, ...]] = (Output("plain", "Plain", "neither"),)

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        return [{"plain": Value(1.0)} for _ in subjects]


class Heavy(Plain):
    name: ClassVar[str] = "heavy"
    bench: ClassVar[str] = "pair"
    has_model: ClassVar[bool] = True


class Beside(Plain):
    name: ClassVar[str] = "beside"
    bench: ClassVar[str] = "pair"


class Scoring:
    def __init__(self, metric: Metric) -> None:
        self.metric, self.spec = metric, metric.name

    def task(self, jobs: Sequence[Job], resources: Resources) -> Task:
        return Task("objects", self.metric.name, {}, tuple(jobs), resources)


class Here:
    """A pool that works where it stands; `made` are the sizes of all that were asked for."""

    made: ClassVar[list[int]] = []

    def __init__(self, workers: int) -> None:
        self.made.append(workers)

    def submit(self, work, tasks):
        future: Future = Future()
        future.set_result(work(tasks))
        return future

    def __enter__(self):
        return self

    def __exit__(self, *_: object) -> None:
        pass


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[list[Task]]:
    """What workers were given, in order; every task comes to the digests of its pictures."""
    seen: list[list[Task]] = []

    def judge(tasks: list[Task]) -> list:
        seen.append(list(tasks))
        return [[{"plain": Value(1.0, detail=job.image)} for job in task.jobs] for task in tasks]

    monkeypatch.setattr(schedule, "judge", judge)
    monkeypatch.setattr(schedule, "make_pool", Here)
    Here.made.clear()
    return seen


def jobs(count: int, sources: int = 1) -> list[Job]:
    case = Case("c", "p")
    return [Job(f"k{n}", f"i{n}", case, f"s{n % sources}", None, {}, "") for n in range(count)]


def done(work, staff: Staff) -> dict[str, list[str]]:
    """Every picture that came back, by metric."""
    found: dict[str, list[str]] = {}
    for chunk, outcomes in results(work, staff):
        for (scoring, some), values in zip(chunk, outcomes, strict=True):
            assert [v["plain"].detail for v in values] == [job.image for job in some]
            found.setdefault(scoring.spec, []).extend(job.image for job in some)
    return found


def test_every_picture_comes_back_once(given, tmp_path: Path) -> None:
    work = [(Scoring(metric()), jobs(37, 5)) for metric in (Plain, Heavy, Beside)]
    expected = sorted(job.image for job in jobs(37))
    for workers in (1, 3):
        found = done(work, Staff(tmp_path, workers, "cpu"))
        assert {name: sorted(images) for name, images in found.items()} == dict.fromkeys(
            ("plain", "heavy", "beside"), expected
        )
    assert Here.made == [1, 3]


def test_metrics_of_a_bench_get_the_same_few_pictures(given, tmp_path: Path) -> None:
    """With edits of one source together."""
    work = [(Scoring(metric()), jobs(16, 4)) for metric in (Heavy, Beside)]
    assert len(list(results(work, Staff(tmp_path, 1, "cpu")))) == 2
    for heavy, beside in given:
        assert heavy.jobs == beside.jobs
        assert len(heavy.jobs) == schedule.CHUNK
        assert [job.source for job in heavy.jobs] == sorted(job.source for job in heavy.jobs)


def test_on_a_processor_models_are_told_so(given, tmp_path: Path) -> None:
    list(results([(Scoring(Heavy()), jobs(40))], Staff(tmp_path, 2, "cpu")))
    expected = Resources("cpu", tmp_path, 1, schedule.BATCH)
    assert {task.resources for tasks in given for task in tasks} == {expected}
    assert {len(task.jobs) for tasks in given for task in tasks} == {16, 8}


def test_with_a_gpu_one_process_has_the_models(given, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(schedule, "settled_device", lambda asked: asked)
    work = [(Scoring(metric()), jobs(300)) for metric in (Plain, Heavy, Beside)]
    found = done(work, Staff(tmp_path, 8, "cuda:1"))
    assert {len(images) for images in found.values()} == {300}
    assert Here.made == [1, 7]
    for tasks in given:
        on_gpu = {task.metric == "heavy" for task in tasks}
        assert len(on_gpu) == 1
        for task in tasks:
            assert task.resources.device == ("cuda:1" if task.metric == "heavy" else "cpu")
    heavy = [task for tasks in given for task in tasks if task.metric == "heavy"]
    assert [len(task.jobs) for task in heavy] == [256, 44]
    assert heavy[0].resources.batch == 64
    assert heavy[0].resources.threads == 4


def test_without_work_for_a_model_nobody_asks_for_a_gpu(given, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(schedule, "settled_device", lambda _: pytest.fail("asked"))
    assert list(results([(Scoring(Heavy()), [])], Staff(tmp_path, 2))) == []
    assert len(list(results([(Scoring(Plain()), jobs(3))], Staff(tmp_path, 2)))) == 1


def test_a_device_that_is_not_there_is_an_error_before_any_work(given, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(torchrun, "_has_cuda", lambda: False)
    with pytest.raises(UsageError, match="sees no GPU") as caught:
        list(results([(Scoring(Heavy()), jobs(1))], Staff(tmp_path, 2, "cuda")))
    assert "--device" in caught.value.hint
    assert given == []
    assert Here.made == []


def test_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVALKIT_DEVICE", raising=False)
    monkeypatch.setattr(torchrun, "_has_cuda", lambda: False)
    assert settled_device() == "cpu"
    monkeypatch.setenv("EVALKIT_DEVICE", "cuda:1")
    with pytest.raises(UsageError, match="cuda:1 is asked for"):
        settled_device()
    assert settled_device("cpu") == "cpu"
    with pytest.raises(UsageError, match="'tpu'"):
        settled_device("tpu")
    monkeypatch.setattr(torchrun, "_has_cuda", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert settled_device() == "cuda:1"
    with pytest.raises(UsageError, match="no cuda:2") as caught:
        settled_device("cuda:2")
    assert "cuda:1" in caught.value.hint
    monkeypatch.delenv("EVALKIT_DEVICE")
    assert settled_device() == "cuda"


def test_precision_is_set_where_there_is_one() -> None:
    listed = "clip[model=mini],edit,lpips[trunk=mini],ocr,clip[precision=fp16]"
    found = [spec(at_precision(metric, "bf16")) for metric in parse(listed)]
    assert found == [
        "clip[model=mini,precision=bf16]",
        "edit[precision=bf16]",
        "lpips[precision=bf16,trunk=mini]",
        "ocr",
        "clip[precision=fp16]",
    ]
    assert [spec(at_precision(metric, "fp32")) for metric in parse(listed)] == listed.split(",")
    with pytest.raises(UnknownName):
        checked_precision("int8")


def test_a_failing_pool_is_said_per_metric(given, tmp_path: Path, monkeypatch) -> None:
    def broken(tasks: list[Task]) -> list:
        raise RuntimeError("out of tape")

    class Failing(Here):
        def submit(self, work, tasks):
            future: Future = Future()
            future.set_exception(RuntimeError("out of tape"))
            return future

    monkeypatch.setattr(schedule, "make_pool", Failing)
    ((_, outcomes),) = results([(Scoring(Plain()), jobs(2))], Staff(tmp_path, 2, "cpu"))
    assert outcomes == ["RuntimeError: out of tape"]


def test_resources_never_change_the_key() -> None:
    one, other = parse("clip[model=mini]")[0], parse("clip[model=mini]")[0]
    other.resources = replace(Resources(), device="cuda", batch=64)
    assert one.config == other.config
