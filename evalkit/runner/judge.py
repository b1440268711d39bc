"""What a scoring worker does: load pictures and hand them to one metric.

It runs in a process of its own and gets only names and digests; a metric and its model are loaded once
per process.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from evalkit.errors import StorageError
from evalkit.images import Header, ImageProblem, decode, read_header
from evalkit.metrics.base import RGB, Bits, Metric, Subject
from evalkit.metrics.registry import make
from evalkit.store import ObjectStore
from evalkit.types import Case, Value

Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to judge. `key` is the score's; `asked` and `category` are as in `Subject`."""

    key: str
    image: str
    case: Case
    source: str | None
    mask: str | None
    asked: Mapping[str, str]
    category: str


@dataclass(frozen=True, slots=True)
class Task:
    """Pictures for one metric. `root` is the object store's folder."""

    root: str
    metric: str
    options: Mapping[str, str]
    jobs: tuple[Job, ...]


def judge(tasks: Sequence[Task]) -> list[list[Values] | str]:
    """For each task the values of its jobs, in order, or what went wrong with it.

    Tasks that come together are about the same pictures: what their metrics share is worked out once.
    """
    return [_outcome(task) for task in tasks]


def _outcome(task: Task) -> list[Values] | str:
    objects = ObjectStore(Path(task.root))
    try:
        metric = _metric(task.metric, tuple(sorted(task.options.items())))
        return list(metric.score([_subject(objects, job) for job in task.jobs]))
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@cache
def _metric(name: str, options: tuple[tuple[str, str], ...]) -> Metric:
    return make(name, dict(options))


def _subject(objects: ObjectStore, job: Job) -> Subject:
    image, problem = _load(objects, job.image)
    return Subject(
        image_sha=job.image,
        image=image,
        image_problem=problem,
        case=job.case,
        source_sha=job.source,
        mask_sha=job.mask,
        load_source=lambda: _source(objects, job.source),
        load_mask=lambda: _bits(objects, job.mask),
        header=_header(objects, job.image),
        asked=job.asked,
        category=job.category,
    )


def _load(objects: ObjectStore, sha: str) -> tuple[RGB | None, str | None]:
    try:
        return decode(objects.get(sha)), None
    except ImageProblem as problem:
        return None, problem.reason
    except StorageError:
        return None, "object_missing"


def _header(objects: ObjectStore, sha: str) -> Header | None:
    try:
        return read_header(objects.get(sha))
    except (ImageProblem, StorageError):
        return None


def _source(objects: ObjectStore, sha: str | None) -> RGB | None:
    """The source picture; a metric turns the `ImageProblem` into its reason."""
    if sha is None:
        return None
    try:
        return decode(objects.get(sha))
    except StorageError as error:
        raise ImageProblem("object_missing", error.message) from error


def _bits(objects: ObjectStore, sha: str | None) -> Bits | None:
    if sha is None:
        return None
    pixels, _ = _load(objects, sha)
    return None if pixels is None else np.asarray(pixels[..., 0] >= 128)
