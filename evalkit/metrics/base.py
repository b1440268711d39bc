"""What a metric is: a small class that judges pictures and says what its numbers mean.

A metric knows one family of numbers. It does not know runs, stores or databases: it gets a batch of
`Subject`s and returns, for each, a `Value` per declared output: a number, or None with a reason.
It never raises for bad pictures, never returns 0 for a missing one, and never falls back to another model.
Adding a metric is adding a file: docs/extending/metrics.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from evalkit.images import Header
from evalkit.metrics.networks.torchrun import Resources
from evalkit.types import Case, Json, Value

Need = Literal["prompt", "source", "mask", "expected_text", "captions", "t2i", "questions"]
RGB = NDArray[np.uint8]
Bits = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Output:
    """One number of a metric, and how to read it.

    `better` is the direction a reader should want, or "neither". `low`/`high` bound the scale where it has
    bounds. `needs` says what a case must have for this output to be expected of it at all: a case without
    expected text has no OCR score, and is not counted as missing one. `categories` does the same for suites:
    a framing score is expected of product pictures only; empty means of all.
    """

    name: str
    label: str
    better: Literal["higher", "lower", "neither"]
    unit: str = ""
    low: float | None = None
    high: float | None = None
    needs: frozenset[Need] = frozenset()
    headline: bool = False
    categories: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Subject:
    """One picture to judge and what it is judged against.

    `image` is H x W x 3 uint8 sRGB, loaded by the canonical rules of `evalkit.images`, or None with
    `image_problem` (a reason) if it could not be decoded. `source` and `mask` (True = may change; of the
    source's size) are loaded on first use, so a metric that ignores them costs nothing for them. `header`
    is what the delivered file says of itself; `asked` is what the system was asked for: its parameters, and
    `aspect_ratio` where the picture should have that of the case.
    """

    image_sha: str
    image: RGB | None
    image_problem: str | None
    case: Case
    source_sha: str | None = None
    mask_sha: str | None = None
    load_source: Callable[[], RGB | None] = field(default=lambda: None)
    load_mask: Callable[[], Bits | None] = field(default=lambda: None)
    header: Header | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    category: str = ""


class Metric:
    """Base class. Subclasses set the class variables and implement `score`.

    `options` are the bracketed settings of `name[key=value]`, checked against `defaults` by the registry.
    `bench` names work that metrics share, such as laying an edit over its source: metrics of one bench see
    the same picture one after the other in one process. `reads_asked` says that `Subject.asked` matters.
    `has_model` says that a torch model does the work: where there is a GPU, one process has all of those.
    `resources` is set by whoever runs the metric and never changes a number.
    """

    name: ClassVar[str]
    version: ClassVar[str]
    summary: ClassVar[str] = ""
    outputs: ClassVar[tuple[Output, ...]]
    defaults: ClassVar[Mapping[str, str]] = {}
    bench: ClassVar[str] = ""
    reads_asked: ClassVar[bool] = False
    has_model: ClassVar[bool] = False
    resources: Resources = Resources()

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        self.options: dict[str, str] = {**self.defaults, **(options or {})}

    @property
    def config(self) -> Mapping[str, Json]:
        """Everything that changes the numbers besides the weights; part of the score key."""
        return dict(self.options)

    @property
    def caveat(self) -> str:
        """A sentence to print wherever these numbers are shown, or ''."""
        return ""

    def weights_digest(self) -> str | None:
        """sha256 of the model files, None if there are none. Must not load them.

        Raises `WeightsMissing` if the files are not on this machine.
        """
        return None

    def against(self, case: Case) -> Mapping[str, Any]:
        """The texts of the case that the numbers depend on; with the image digests, the score key."""
        del case
        return {}

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject, in order, with a Value for every declared output."""
        raise NotImplementedError

    def missing(self, reason: str) -> Mapping[str, Value]:
        """Every output as None for the same reason."""
        return {output.name: Value(None, reason) for output in self.outputs}


def value_or(number: float | None, reason: str) -> Value:
    """The number, or none with that reason."""
    return Value(number, None if number is not None else reason)
