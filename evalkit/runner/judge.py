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
from evalkit.images import ImageProblem, decode
from evalkit.metrics.base import RGB, Bits, Metric, Subject
from evalkit.metrics.registry import make
from evalkit.store import ObjectStore
from evalkit.types import Case, Value


@dataclass(frozen=True, slots=True)
class Job:
    """One picture to judge by one metric. `key` is the score's, `root` the object store's folder."""

    key: str
    root: str
    metric: str
    options: Mapping[str, str]
    image: str
    case: Case
    source: str | None
    mask: str | None


def judge(jobs: Sequence[Job]) -> list[Mapping[str, Value]]:
    """The values of each job, in order; all jobs are of one metric."""
    metric = _metric(jobs[0].metric, tuple(sorted(jobs[0].options.items())))
    return list(metric.score([_subject(job) for job in jobs]))


@cache
def _metric(name: str, options: tuple[tuple[str, str], ...]) -> Metric:
    return make(name, dict(options))


def _subject(job: Job) -> Subject:
    objects = ObjectStore(Path(job.root))
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
    )


def _load(objects: ObjectStore, sha: str) -> tuple[RGB | None, str | None]:
    try:
        return decode(objects.get(sha)), None
    except ImageProblem as problem:
        return None, problem.reason
    except StorageError:
        return None, "object_missing"


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
