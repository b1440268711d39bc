"""What the description of a provider's protocol holds. Every field is needed by at least one real provider.

A description is a TOML file (`evalkit/providers/catalog/*.toml`); `evalkit.remote.catalog` reads it, and
docs/extending/providers.md explains each key to the person who writes one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from evalkit.types import ImageInput, Json, Task

State = Literal["queued", "running", "done", "failed"]
Phase = Literal["submit", "poll", "result"]
Kind = Literal[
    "auth",
    "balance",
    "rate_limit",
    "validation",
    "moderation",
    "transient",
    "permanent",
    "timeout",
    "cancelled",
]


@dataclass(frozen=True, slots=True)
class Auth:
    """The header that carries the key; `{key}` in `value` is replaced. `optional`: works without a key."""

    header: str = "Authorization"
    value: str = "Bearer {key}"
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Submit:
    """How one task is sent. `path` is appended to the base and may hold `{model}`; `body` is a template.

    `multipart` sends the body as form fields and files instead of JSON.
    """

    path: str
    body: Mapping[str, Json]
    multipart: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """Another request: a method and a URL template (`{cancel_url}`, `{base}/x/{id}`)."""

    method: str
    url: str


@dataclass(frozen=True, slots=True)
class Out:
    """Where an answer keeps what we want; each is a path of `evalkit.remote.paths`, empty if it is nowhere.

    `images` are tried in order, the first with values wins; a value is a URL, a data URI or base64.
    `seconds` is the time at work, `queued_at`, `started_at` and `finished_at` are ISO 8601 times.
    `cost` is an amount in `cost_unit` US dollars; `units_header` counts units of the model's unit price.
    `usage` is the object that `Price.usage` reads. `flagged` says picture by picture whether a filter hit it.
    """

    images: tuple[str, ...] = ()
    answer: str = ""
    """Of models that answer in words: what every answer has. The whole answer is then what is delivered."""
    flagged: str = ""
    unsafe_when: bool = True
    seed: str = ""
    revised_prompt: str = ""
    model_version: str = ""
    stage: str = ""
    seconds: str = ""
    queued_at: str = ""
    started_at: str = ""
    finished_at: str = ""
    usage: str = ""
    cost: str = ""
    cost_unit: Decimal = Decimal(1)
    units_header: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """If it matches, the answer means `kind`. Rules are ordered; the first match wins, then the status.

    `phase` and `status` narrow it down: `submit|poll|result|*`, and `422`, `200|5xx` or `*`. A `*` status
    is any answer that reports a failure; to look into answers that seem fine (any 2xx), `200` has to be
    named. No rule outranks 401 or 402 unless it names that number. `path` (or `header`) is what `match`, a
    case-insensitive regular expression, is searched in; an empty `match` only wants something to be there,
    and `absent` that nothing is, in an answer that has the place where `path` begins. With neither path nor
    header, the whole text is searched, which takes a status that is not `*`. `code` and `stage` go to the
    outcome.
    """

    kind: Kind
    phase: str = "*"
    status: str = "*"
    path: str = ""
    header: str = ""
    match: str = ""
    absent: bool = False
    code: str = ""
    stage: Literal["input", "output", "unknown"] = "unknown"
    note: str = ""


@dataclass(frozen=True, slots=True)
class Tariff:
    """What a model costs, in US dollars, and where that was read.

    Per picture: `image` flat, or `first_mp` and `next_mp` by megapixels. Per million tokens: `text_in`,
    `image_in`, `image_out`; `image_tokens` is what a picture (or an answer in words) is expected to take,
    `image_tokens_max` the most, `source_tokens` what a source picture takes. The total of a request is
    rounded up to `round_up_to`. `unit_price` is what one billable unit costs. `free` models cost nothing. All
    None: nobody knows.
    """

    image: Decimal | None = None
    first_mp: Decimal | None = None
    next_mp: Decimal | None = None
    text_in: Decimal | None = None
    image_in: Decimal | None = None
    image_out: Decimal | None = None
    image_tokens: int = 1024
    image_tokens_max: int = 0
    source_tokens: int = 1024
    source_tokens_max: int = 0
    """The most a source takes, whatever its size; 0: `source_tokens` for each begun megapixel."""
    unit_price: Decimal | None = None
    round_up_to: Decimal = Decimal("0.000001")
    free: bool = False
    usage: Mapping[str, str] = field(default_factory=dict)
    """Which fields of the answer's usage object count `text_in`, `image_in` and `image_out` tokens; `all_in`
    counts prompt and sources together, at the price of `text_in`."""
    dated: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Pixels:
    """A model that takes width and height: each side a multiple of `step`, at least `min_side`, at most
    `max_side`, their product at most `max_area`."""

    min_side: int
    max_side: int
    max_area: int
    step: int


@dataclass(frozen=True, slots=True)
class Model:
    """One row of the capability table: a model id, for one task. `id` may be `*`: any other model.

    A shape is asked for in one of three ways: `ratios` are sent as they are, `sizes` maps a ratio to `WxH`,
    `pixels` computes width and height; with none of them, the model decides.
    """

    id: str
    task: Task
    family: str = ""
    note: str = ""
    dated: str = ""
    source: str = ""
    gone: str = ""
    path: str = ""
    body: Mapping[str, Json] = field(default_factory=dict)
    """A template of its own where the model's fields are not those of its task's `[submit]`."""
    max_n: int = 1
    images: tuple[int, int] = (0, 0)
    mask: bool = False
    ratios: tuple[str, ...] = ()
    sizes: Mapping[str, str] = field(default_factory=dict)
    pixels: Pixels | None = None
    formats: tuple[str, ...] = ("png",)
    seed: bool = False
    prompt_chars: tuple[int, int] = (1, 0)
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Further parameters that may be given with a system, and the values each may have (none: any).

    `*` as a name allows every parameter, as it is fit for rows that stand for any model."""
    tariff: Tariff = Tariff()


@dataclass(frozen=True, slots=True)
class Spec:
    """One provider. See the module, and docs/extending/providers.md for each key."""

    name: str
    summary: str
    base: str
    submit: Mapping[Task, Submit]
    models: tuple[Model, ...]
    out: Out
    source: str = ""
    dated: str = ""
    base_env: str = ""
    """An environment variable that holds the base where every account has its own; it may lack the path."""
    base_is_model: bool = False
    """The system's model is the base URL, its parameter `model` the model (`local:http://...?model=x`)."""
    hosts: Mapping[str, str] = field(default_factory=dict)
    """Further origins by name, for templates (`{rest}/storage`); the key may go there. If the base is moved
    by `EVALKIT_<NAME>_BASE`, all of them move to the same place."""
    trust: tuple[str, ...] = ()
    env: tuple[str, ...] = ()
    auth: Auth = Auth()
    mode: Literal["async", "sync", "auto"] = "async"
    headers: Mapping[str, str] = field(default_factory=dict)
    deadline_header: str = ""
    idempotency_header: str = ""
    tag_header: str = ""
    """A header that may carry a mark of ours, so that a lost job can be found; `{trial}` is replaced."""
    request_id_header: str = ""
    rejects: tuple[int, ...] = (400, 401, 402, 403, 404, 413, 415, 422, 429)
    id: str = ""
    save: Mapping[str, str] = field(default_factory=dict)
    """Names and paths of what an accepted answer holds that polling needs: `status_url = "status_url"`."""
    poll: tuple[str, ...] = ()
    result: str = ""
    cancel: Call | None = None
    state: str = ""
    states: Mapping[str, State] = field(default_factory=dict)
    poll_interval: tuple[float, float] = (0.5, 2.0)
    deadline: float = 300.0
    concurrency: tuple[int, int] = (4, 16)
    balance_in_flight: bool = False
    """A 402 may only mean that too much is in flight: try again when nothing is, then stop."""
    free_on: tuple[str, ...] = ()
    """Terminal states and kinds that are documented as not charged."""
    billed_on: tuple[str, ...] = ()
    """Terminal states and kinds that may be charged without saying so: they count at the worst list price.
    Failures do so anyway unless `free_on` names them; refusals (`moderation`) only if this does."""
    error: tuple[str, ...] = ("error.message", "error", "message", "detail[*].msg", "detail", "title")
    """Where an answer says in words what went wrong; the first that is there."""
    rules: tuple[Rule, ...] = ()
    inline_limit: int = 4_000_000
    """Source pictures up to so many bytes travel as data URIs, larger ones by `upload`."""
    upload: str = ""
    """The name of an upload procedure in `evalkit.remote.upload`; empty: only inline."""
    reconcile: str = ""
    """The name of a procedure in `evalkit.remote.reconcile`; empty: lost jobs cannot be looked up."""
    check: Call | None = None
    """A free request that tells whether the key is good."""
    check_ok: tuple[int, ...] = (200, 404)
    """Answers to `check` that only a good key gets."""
    webhook: str = ""
    """How webhooks are signed: the name of a procedure in `evalkit.remote.webhooks`."""
    webhook_header: str = ""
    """The request header that carries the webhook's URL, where it is not a field of the body (`$webhook`)."""
    webhook_query: str = ""
    """The query parameter of the submit URL that carries it, where it is neither."""
    webhook_body: Mapping[str, Json] = field(default_factory=dict)
    """A template of what the body of a request with a webhook has besides, such as the events wanted."""
    webhook_env: str = ""
    """The variable of the secret that webhooks are signed with, where requests bring `$webhook_secret`."""

    def sending(self, model: Model) -> Submit:
        """How a request for this row is sent: as its task is, but with the row's own path and body, if any.

        Raises `KeyError` if the provider has no such task.
        """
        usual = self.submit[model.task]
        return Submit(model.path or usual.path, model.body or usual.body, usual.multipart)


@dataclass(frozen=True, slots=True)
class Order:
    """One request in the terms of a spec: everything a body template can ask for.

    `seed` is that of this replicate; `params` are those of the model's row that were given.
    """

    trial: str
    model: Model
    model_id: str
    task: Task
    prompt: str
    n: int = 1
    aspect_ratio: str = ""
    width: int | None = None
    height: int | None = None
    seed: int | None = None
    output_format: str = ""
    images: tuple[ImageInput, ...] = ()
    mask: ImageInput | None = None
    params: Mapping[str, Json] = field(default_factory=dict)
    deadline: float = 300.0
