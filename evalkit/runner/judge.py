"""What a scoring worker does: look up pictures and hand them to metrics.

It runs in a process of its own and gets only names and digests; a metric and its model are loaded once
per process, and pictures are decoded by whichever thread of a metric looks at them first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import EvalkitError
from evalkit.images import ImageProblem
from evalkit.metrics.base import RGB, Bits, Metric, Subject
from evalkit.metrics.networks.torchrun import Resources
from evalkit.metrics.registry import make
from evalkit.runner.pictures import Pictures
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
    """Pictures for one metric. `root` is the object store's folder; `resources` are the metric's."""

    root: str
    metric: str
    options: Mapping[str, str]
    jobs: tuple[Job, ...]
    resources: Resources = field(default_factory=Resources)


def judge(tasks: Sequence[Task]) -> list[list[Values] | str]:
    """For each task the values of its jobs, in order, or what went wrong with it.

    Tasks that come together are about the same pictures: what their metrics share is worked out once.
    """
    return [_outcome(task) for task in tasks]


def _outcome(task: Task) -> list[Values] | str:
    pictures = _pictures(task.root)
    try:
        metric = _metric(task.metric, tuple(sorted(task.options.items())), task.resources)
        return list(metric.score([LazySubject(pictures, job) for job in task.jobs]))
    except EvalkitError as error:
        return f"{error.message}. {error.hint}".rstrip()
    except Exception as error:
        return f"{type(error).__name__}: {error}"


@cache
def _pictures(root: str) -> Pictures:
    return Pictures(ObjectStore(Path(root)))


@cache
def _metric(name: str, options: tuple[tuple[str, str], ...], resources: Resources) -> Metric:
    metric = make(name, dict(options))
    metric.resources = resources
    return metric


class LazySubject(Subject):
    """A subject whose picture is read and decoded when it is looked at, and not held on to."""

    __slots__ = ("_pictures",)

    def __init__(self, pictures: Pictures, job: Job) -> None:
        facts = {
            "_pictures": pictures,
            "image_sha": job.image,
            "case": job.case,
            "source_sha": job.source,
            "mask_sha": job.mask,
            "load_source": lambda: _source(pictures, job.source),
            "load_mask": lambda: _bits(pictures, job.mask),
            "asked": job.asked,
            "category": job.category,
        }
        for name, value in facts.items():
            object.__setattr__(self, name, value)

    def __getattr__(self, name: str) -> Any:
        """Called for fields that were left empty: those that have to be read."""
        match name:
            case "image":
                return self._pictures.pixels(self.image_sha)[0]
            case "image_problem":
                return self._pictures.pixels(self.image_sha)[1]
            case "header":
                return self._pictures.header(self.image_sha)
        raise AttributeError(name)


def _source(pictures: Pictures, sha: str | None) -> RGB | None:
    """The source picture; a metric turns the `ImageProblem` into its reason."""
    if sha is None:
        return None
    pixels, problem = pictures.pixels(sha)
    if problem:
        raise ImageProblem(problem, f"the source {sha[:12]} cannot be read")
    return pixels


def _bits(pictures: Pictures, sha: str | None) -> Bits | None:
    if sha is None:
        return None
    pixels, _ = pictures.pixels(sha)
    return None if pixels is None else np.asarray(pixels[..., 0] >= 128)
