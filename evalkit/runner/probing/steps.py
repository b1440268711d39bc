"""Which questions a provider leaves open, and the fewest paid requests that answer them.

It knows what to ask, and how a description is bent where the question is what lies outside it (a prompt that
is missing, two pictures where one is documented). Sending is for `probe`, answers are for `learn`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from evalkit.errors import UnknownName, UsageError
from evalkit.remote.body import names
from evalkit.remote.shapes import COMMON, best_size, ratio_of
from evalkit.remote.spec import Model, Spec
from evalkit.types import TASKS, Case, System, Task

PROMPTS: dict[Task, str] = {
    "t2i": "A red enamel mug on a plain white table, seen from the front, soft daylight.",
    "edit": "Make the mug blue and leave everything else as it is.",
}
SOURCE = "source.png"
INLINE = 50_000_000
"""Bytes up to which a source is sent as a data URI in the step that asks whether one is taken."""


@dataclass(frozen=True, slots=True)
class Step:
    """One paid request. A `finding` step learns as much from a refusal as from a picture.

    `inline` sends the source as a data URI, whatever the catalogue says. `unless` names the step whose
    success makes this one unnecessary.
    """

    name: str
    question: str
    row: Model
    ratio: str
    n: int = 1
    prompt: str = ""
    inline: bool = False
    finding: bool = False
    unless: str = ""

    @property
    def case(self) -> Case:
        """The step as a case of a suite."""
        task = self.row.task
        source = SOURCE if task == "edit" else None
        return Case(self.name, self.prompt, task, self.ratio, tags=("probe",), source=source)

    def system(self, asked: System) -> System:
        """The system to ask, if the one that is probed is `asked`: of this row, and for `n` pictures."""
        model = asked.model if self.row.id == "*" else self.row.id
        own = {name: value for name, value in asked.params.items() if name != "n"}
        params = own | ({"n": str(self.n)} if self.n > 1 else {})
        return System(asked.provider, model, params)


def rows_to_probe(spec: Spec, model: str, task: Task | None = None) -> list[Model]:
    """The row of each task that a model's id or family names; without one, of the first that is still there
    and has a price.

    Raises `UnknownName` for a model that is not in the description, `UsageError` where one has to be named.
    """
    rows = [row for row in _named(spec, model) if task in (None, row.task)]
    one_each = [next((row for row in rows if row.task == each), None) for each in TASKS]
    found = [row for row in one_each if row is not None]
    if found:
        return found
    if not model:
        raise UsageError(
            f"{spec.name} has no model that could be chosen for you", "Say which one: --model MODEL."
        )
    raise UnknownName(f"model of {spec.name}", model, {row.id for row in spec.models if row.id != "*"})


def steps_of(spec: Spec, rows: Sequence[Model], *, all_ratios: bool = False) -> list[Step]:
    """What is asked of these rows, the cheapest and most telling first.

    Counts and shapes are asked of the first row only; `all_ratios` asks for every shape of every row.
    """
    first, *others = rows
    steps = [*_invalid(spec, first), *_one(spec, first), *_more(spec, first)]
    for row in others:
        steps += _one(spec, row)
    asked = {(step.row.task, step.ratio) for step in steps if not step.finding}
    for row in rows if all_ratios else ():
        steps += [_shape(row, ratio) for ratio in ratios_of(row) if (row.task, ratio) not in asked]
    return steps


def bent(spec: Spec, step: Step) -> Spec:
    """The description, as far as this step has to go beyond it."""
    row = replace(step.row, max_n=max(step.row.max_n, step.n), prompt_chars=(0, 0), gone="")
    models = tuple(row if model is step.row else model for model in spec.models)
    return replace(spec, models=models, inline_limit=INLINE if step.inline else spec.inline_limit)


def ratios_of(row: Model) -> list[str]:
    """The aspect ratios that can be asked for; empty where the model decides."""
    if row.pixels is not None:
        known = ((name, ratio_of(name)) for name in COMMON)
        return [name for name, ratio in known if ratio and best_size(row.pixels, ratio)]
    return [name for name in (row.ratios or row.sizes) if ratio_of(name)]


def _named(spec: Spec, model: str) -> list[Model]:
    if not model and not spec.base_is_model:
        today = datetime.now(UTC).date().isoformat()
        there = [row for row in spec.models if row.id != "*" and not (row.gone and row.gone <= today)]
        chosen = min(there, key=lambda row: not _is_priced(row), default=None)
        return [] if chosen is None else [chosen, *_relatives(there, chosen)]
    return (
        [row for row in spec.models if row.id == model and model != "*"]
        or [row for row in spec.models if row.family == model and model]
        or [row for row in spec.models if row.id == "*"]
    )


def _is_priced(row: Model) -> bool:
    tariff = row.tariff
    prices = (tariff.image, tariff.first_mp, tariff.image_out, tariff.unit_price)
    return tariff.free or any(price is not None for price in prices)


def _relatives(rows: Sequence[Model], chosen: Model) -> list[Model]:
    """The same model's rows for the other task."""
    same_id = [row for row in rows if row is not chosen and row.id == chosen.id]
    return same_id + [row for row in rows if chosen.family and row.family == chosen.family]


def _invalid(spec: Spec, row: Model) -> Iterator[Step]:
    if "prompt" in names(spec.sending(row).body):
        question = "a request without a prompt: refused when it is sent, or at its result?"
        yield Step(f"{row.task}-invalid", question, row, _usual(row), finding=True)


def _one(spec: Spec, row: Model) -> Iterator[Step]:
    """One picture; of a source that would be uploaded also without the upload, which then is enough."""
    task, prompt, question = row.task, PROMPTS[row.task], "is it served, for how much, how fast?"
    takes_urls = row.images[1] > 0 and any(name.startswith("images") for name in _fields(spec, row))
    if not takes_urls:
        yield Step(f"{task}-one", question, row, _usual(row), 1, prompt)
        return
    about = "is a source taken as a data URI? " + question
    if not spec.upload or spec.inline_limit:
        yield Step(f"{task}-one", about, row, _usual(row), 1, prompt, inline=True)
        return
    inline = f"{task}-inline"
    yield Step(inline, about, row, _usual(row), 1, prompt, inline=True, finding=True)
    yield Step(f"{task}-one", question, row, _usual(row), 1, prompt, unless=inline)


def _fields(spec: Spec, row: Model) -> set[str]:
    """What the template of a request has a place for; `image` and files are no URLs."""
    sending = spec.sending(row)
    return set() if sending.multipart else set(names(sending.body))


def _more(spec: Spec, row: Model) -> Iterator[Step]:
    if row.max_n > 1 or "n" in names(spec.sending(row).body):
        question = "n=2: how many come, and what is billed?"
        beyond = row.max_n < 2
        yield Step(f"{row.task}-two", question, row, _usual(row), 2, PROMPTS[row.task], finding=beyond)
    ratios = ratios_of(row)
    widest = max(ratios, key=lambda name: ratio_of(name) or 0, default="")
    if widest and widest != _usual(row):
        yield _shape(row, widest)


def _shape(row: Model, ratio: str) -> Step:
    name = f"{row.task}-{ratio.replace(':', 'x')}"
    return Step(name, f"does {ratio} come back as {ratio}, and how large?", row, ratio, 1, PROMPTS[row.task])


def _usual(row: Model) -> str:
    ratios = ratios_of(row)
    return "1:1" if "1:1" in ratios or not ratios else ratios[0]
