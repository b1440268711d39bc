"""The nouns of evalkit, as frozen dataclasses.

This module knows what things *are*. It does no I/O, imports nothing from evalkit, and every field is
JSON-able (tuples become lists), so any noun can be written to a journal and read back.

A `Case` is what a suite says about one prompt. A `Request` is the part of it that is *asked* of a system.
Everything else about a case (captions, expected text, what must be kept) is known to the metrics and the
raters only: no provider ever sees it, and changing it never pays for a picture again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal, get_args

Task = Literal["t2i", "edit", "answer"]
Status = Literal["ok", "partial", "refused", "failed", "unknown"]
CostBasis = Literal["none", "reported", "units", "tokens", "list"]
Answer = Literal["left", "right", "tie", "both_bad"]
EditType = Literal[
    "add", "remove", "replace", "recolour", "background", "text", "light", "restyle", "clean-up"
]
Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]

ASPECT_RATIOS: tuple[str, ...] = ("1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3")
TASKS: tuple[Task, ...] = ("t2i", "edit")
"""What a case of a suite may ask for; `answer` is a question about pictures, asked of a judge."""
EDIT_TYPES: tuple[EditType, ...] = get_args(EditType)
ANSWERS: tuple[Answer, ...] = ("left", "right", "tie", "both_bad")
SKIP = "skip"  # in the place of an answer: the rater would not say; kept and counted, never rated


# ------------------------------------------------------------------ what is asked, and of whom


@dataclass(frozen=True, slots=True)
class Shape:
    """One part of an edit region, in image units: x grows right, y grows down, both from 0 to 1.

    `rect` and `ellipse` use (x0, y0, x1, y1) as corners of their bounding box; `polygon` uses
    (x0, y0, x1, y1, ...) with at least three points.
    """

    kind: Literal["rect", "ellipse", "polygon"]
    points: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Mask:
    """Where an edit may change the picture: the union of `shapes`, or the white part of `file`.

    `invert` means everything *but* that region may change (a background edit, say).
    """

    shapes: tuple[Shape, ...] = ()
    file: str | None = None
    invert: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """One line of `cases.jsonl`; DESIGN of each field is in docs/suites.md."""

    id: str
    prompt: str
    task: Task = "t2i"
    aspect_ratio: str = "1:1"
    tags: tuple[str, ...] = ()
    cluster: str = ""
    source: str | None = None
    mask: Mask | None = None
    source_caption: str | None = None
    target_caption: str | None = None
    edit_type: EditType | None = None
    keep: tuple[str, ...] = ()
    expected_text: tuple[str, ...] = ()
    checks: tuple[Mapping[str, Json], ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    """A named, versioned list of cases. `digest` is the sha256 of its content, inputs included.

    `redistributable` is false where the licence keeps prompts and pictures from being passed on: reports
    leave them out.
    """

    name: str
    version: str
    category: str
    licence: str
    description: str
    root: str
    cases: tuple[Case, ...]
    digest: str = ""
    synthetic: bool = False
    redistributable: bool = True


@dataclass(frozen=True, slots=True)
class System:
    """The thing under test: `provider:model?param=value`. The label is only how people call it."""

    provider: str
    model: str
    params: Mapping[str, str] = field(default_factory=dict)
    label: str = ""

    @property
    def spec(self) -> str:
        query = "&".join(f"{k}={v}" for k, v in sorted(self.params.items()))
        return f"{self.provider}:{self.model}" + (f"?{query}" if query else "")

    @property
    def name(self) -> str:
        return self.label or self.spec


@dataclass(frozen=True, slots=True)
class ImageInput:
    """Bytes that travel with a request: a source picture or a mask, as an encoded image file."""

    data: bytes
    sha256: str
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Request:
    """Exactly what a provider is asked for one trial; nothing else of the case reaches it.

    `mask` is a PNG of mode L and of the source's size: 255 where the picture may change.
    """

    trial: str
    suite: str
    case: str
    replicate: int
    task: Task
    prompt: str
    aspect_ratio: str
    model: str
    params: Mapping[str, str]
    source: ImageInput | None = None
    mask: ImageInput | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """Case x system x replicate: the unit of work. `id` is the hash of everything that is asked."""

    id: str
    suite: str
    case: str
    system: str
    replicate: int


@dataclass(frozen=True, slots=True)
class Ask:
    """How a provider will put a case to its model: which model, which shape, which parameters.

    `mask` says whether the mask travels with the request. `notes` name what was changed because the model
    cannot do what the case asks; empty unless that was allowed.
    """

    model: str
    aspect_ratio: str
    params: Mapping[str, str] = field(default_factory=dict)
    mask: bool = True
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """How a provider that only *has* pictures (folder) fits a suite; everything is listed, never dropped."""

    matched: int
    missing_cases: tuple[str, ...] = ()
    unmatched_files: tuple[str, ...] = ()


# ------------------------------------------------------------------ what it came to


@dataclass(frozen=True, slots=True)
class Picture:
    """One image as the provider delivered it: the encoded file's bytes, untouched.

    `whole`: every pixel has been read already, so nobody has to do that again.
    """

    data: bytes
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """What a model that answers in words delivered: the whole answer as it came, a JSON text."""

    data: bytes


@dataclass(frozen=True, slots=True)
class StoredImage:
    """An image in the object store. `sha256` names the provider's original bytes.

    A `Document` is kept in the same way: its format is `json`, and it has no width and no height.
    """

    sha256: str
    width: int
    height: int
    format: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Price:
    """An amount of US dollars and how it is known. `none` means the system has no price."""

    usd: Decimal = Decimal(0)
    basis: CostBasis = "none"


@dataclass(frozen=True, slots=True)
class Quote:
    """What one request will probably cost and the most it can cost, in US dollars."""

    expected: Decimal = Decimal(0)
    worst: Decimal = Decimal(0)
    basis: CostBasis = "none"


@dataclass(frozen=True, slots=True)
class Timings:
    """Seconds, monotonic. `None` where a provider does not tell or the phase does not exist.

    `total` runs from sending the request to holding the pictures' bytes: submit + queue + run + download.
    `queue` ends when the job was first *seen* running, so `queue` and `run` are known to `poll` seconds
    only. `provider` (time at work) and `provider_queue` are what the provider itself reports. `throttle` is
    how long we waited because we had asked too often; it is in none of the others.
    """

    total: float
    submit: float | None = None
    queue: float | None = None
    run: float | None = None
    download: float | None = None
    provider: float | None = None
    provider_queue: float | None = None
    throttle: float | None = None
    poll: float | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """A job that a provider has taken and will bill: its id there, and all it takes to ask for it again.

    `facts` go to the journal as they are, so they hold no credential and no picture.
    """

    id: str
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivered:
    """Pictures came back, or an answer in words; fewer than `wanted` makes the generation `partial`."""

    pictures: tuple[Picture | Document, ...]
    wanted: int = 1
    price: Price = Price()
    timings: Timings | None = None
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """A safety system declined. A result about the system, not a fault: never retried, never scored."""

    message: str
    stage: Literal["input", "output", "unknown"] = "unknown"
    code: str = ""
    price: Price = Price()


@dataclass(frozen=True, slots=True)
class Failed:
    """No usable picture. `kind` is one of the taxonomy in docs/providers.md.

    `retrievable` says that the job is there and paid for: asking for its result again costs nothing.
    """

    kind: str
    message: str
    price: Price = Price()
    retrievable: bool = False


@dataclass(frozen=True, slots=True)
class Unknown:
    """The request may or may not have been accepted and billed. Never sent again by itself."""

    message: str
    at_risk: Price = Price()


@dataclass(frozen=True, slots=True)
class Rejected:
    """Proof that no job exists and nothing is billed: the same request may be sent again.

    `kind` decides what happens: `rate_limit` pauses the whole lane (for `retry_after` seconds if the provider
    says so), `transient` waits a little, `auth` and `balance` stop the lane, anything else is final. `hold`
    means that the balance only counts what is in flight: try once more when nothing is.
    """

    kind: str
    message: str
    retry_after: float | None = None
    hold: bool = False


Outcome = Delivered | Refused | Failed | Unknown


@dataclass(frozen=True, slots=True)
class Generation:
    """What a trial came to, as the journal's `done` record tells it."""

    trial: str
    status: Status
    images: tuple[StoredImage, ...] = ()
    price: Price = Price()
    timings: Timings | None = None
    reason: str | None = None
    kind: str | None = None
    stage: str | None = None
    attempt: int = 1
    facts: Mapping[str, Json] = field(default_factory=dict)


# ------------------------------------------------------------------ how it is judged


@dataclass(frozen=True, slots=True)
class Value:
    """One number of a metric, or None with a reason. Never 0 for missing.

    Reasons are short snake_case words: `no_mask`, `weights_missing`, `decode_error`, `refused`, ... `detail`
    is the evidence, for people to read: the text that was read, what gives a fault away, a judge's reply.
    `flag` is one snake_case word that has to be known with the number: `unreliable`, ...
    """

    value: float | None
    reason: str | None = None
    detail: str = ""
    flag: str | None = None


@dataclass(frozen=True, slots=True)
class Criterion:
    """A question put to raters, e.g. alignment: 'Which image better does what the prompt asks for?'"""

    id: str
    question: str
    answers: tuple[Answer, ...] = ANSWERS
    tasks: tuple[Task, ...] = TASKS


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two generations of one case put before a rater; `a` < `b` by system name, sides come later."""

    id: str
    suite: str
    case: str
    system_a: str
    system_b: str
    trial_a: str
    trial_b: str
    image_a: str
    image_b: str


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval. `low`/`high` are None where no honest interval can be given."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int = 0
    n_clusters: int = 0
    n_expected: int = 0
    note: str | None = None
