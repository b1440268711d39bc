"""Who can be asked to judge, and the provider that puts a question to them.

Judges are described by files like any other provider (`catalog/*.toml`, and those of `EVALKIT_PROVIDERS` that
have a `[submit.answer]`), and asked by the same engine. What is particular is that a request is found by its
question, shows several pictures, and has an answer of a length that is known beforehand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import cast

from evalkit.errors import InvalidInput, UnknownName, UsageError
from evalkit.judge.questions import Question
from evalkit.providers.base import Ledger, Settings
from evalkit.providers.catalogued import Catalogued
from evalkit.providers.systems import parse_params
from evalkit.remote.catalog import find_model, read_spec
from evalkit.remote.catalog import specs as described
from evalkit.remote.parameters import given, json_value
from evalkit.remote.prices import quote
from evalkit.remote.spec import Model, Order, Spec
from evalkit.types import Ask, Case, ImageInput, Json, Outcome, Quote, Rejected, Request, System

CATALOG = Path(__file__).resolve().parent / "catalog"
TOP_LOGPROBS = 20
"""The most that the API gives."""

_SWITCHES = ("logprobs", "response_format")
"""Parameters that can only be switched off, for endpoints that turn requests with them away."""

_HINT = "A judge is provider:model, for example openai-chat:gpt-4.1-mini; see docs/judge.md."


@dataclass(frozen=True, slots=True)
class Library:
    """What is asked, by key, and where the pictures' bytes are."""

    questions: Mapping[str, Question]
    load: Callable[[str], bytes]


@cache
def specs() -> Mapping[str, Spec]:
    """Every description of a service that answers questions about pictures, by name."""
    ours = {spec.name: spec for spec in map(read_spec, sorted(CATALOG.glob("*.toml")))}
    others = {name: spec for name, spec in described().items() if "answer" in spec.submit}
    twice = ours.keys() & others.keys()
    if twice:
        raise InvalidInput(f"two files describe the judge {min(twice)!r}", "Give yours another name.")
    return ours | others


def parse_judge(text: str) -> System:
    """`provider:model[?param=value&...]`. Raises `UsageError`, `UnknownName`."""
    provider, colon, rest = text.partition(":")
    model, _, query = rest.partition("?")
    if not colon or not model:
        raise UsageError(f"{text!r} is not a judge", _HINT)
    if provider not in specs():
        raise UnknownName("judge", provider, specs())
    return System(provider, model, parse_params(text, query))


def make_judge(system: System, library: Library, settings: Settings = Settings()) -> Judge:
    """The provider that puts the questions of `library` to `system`. Raises `UsageError`, `UnknownName`."""
    spec = specs()[system.provider]
    facts = {"name": spec.name, "summary": spec.summary, "env": spec.env, "spec": spec}
    made = cast(type[Judge], type(spec.name, (Judge,), {**facts, "__module__": __name__}))
    return made(system, settings, library)


class Judge(Catalogued):
    """A judge. `Request.case` is the key of a question."""

    def __init__(self, system: System, settings: Settings, library: Library) -> None:
        super().__init__(system, settings)
        self._library = library
        self.row = self._of_row(find_model(self.spec, self.model_name, "answer"))
        self.params = dict(given(self.row, self._others(system.params), degrade=False).params)
        self._most = _whole(self.params.pop("max_tokens", ""))
        self._without = {name for name in _SWITCHES if _is_off(name, self.params.pop(name, ""))}

    @property
    def model_name(self) -> str:
        """What the model is called in a request."""
        return self._name(self.system.model, self.system.params)

    def ask(self, case: Case) -> Ask:
        return Ask(self.system.model, case.aspect_ratio, self.system.params)

    def order(self, request: Request) -> Order:
        """The question with its pictures' bytes."""
        question = self._library.questions[request.case]
        pictures = (
            ImageInput(self._library.load(p.sha256), p.sha256, p.width, p.height) for p in question.pictures
        )
        return self._ordered(request.trial, question, tuple(pictures))

    def quote(self, request: Request) -> Quote:
        return self.price(self._library.questions[request.case])

    def price(self, question: Question) -> Quote:
        """What a question costs; its pictures are not read for that. Raises `UsageError` if nobody knows."""
        pictures = tuple(ImageInput(b"", p.sha256, p.width, p.height) for p in question.pictures)
        order = self._ordered("", question, pictures)
        try:
            return quote(order.model, order, self.settings.assume_price)
        except UsageError as error:
            hint = "Give the most an answer may cost, in US dollars, such as --assume-price 0.01."
            raise UsageError(f"nobody knows what {self.system.spec} costs", hint) from error

    async def generate(self, request: Request, ledger: Ledger) -> Outcome | Rejected:
        gap = self.missing()
        if gap:
            return Rejected("auth", f"{self.name} cannot be asked: set {gap}")
        order = await asyncio.to_thread(self.order, request)
        return await self._engine.run(order, ledger.accepted)

    def identity(self, question: Question) -> Json:
        """Everything about the judge that a trial's id is a hash of."""
        row = self._bounded(question).tariff
        return {
            "provider": self.system.provider,
            "model": self.system.model,
            "params": dict(self.system.params),
            "most_tokens": row.image_tokens_max,
            "loopback": self.fingerprint("", Case("", ""), 0),
        }

    def _ordered(self, trial: str, question: Question, pictures: tuple[ImageInput, ...]) -> Order:
        row = self._bounded(question)
        seed = self.params.get("seed")
        own = {name: json_value(value) for name, value in self.params.items() if name != "seed"}
        return Order(
            trial=trial,
            model=row,
            model_id=self.model_name,
            task="answer",
            prompt=question.text,
            seed=int(seed) if seed is not None else None,
            images=pictures,
            params={**self._usual(question, row), **own},
            deadline=self.settings.deadline or self.spec.deadline,
        )

    def _usual(self, question: Question, row: Model) -> dict[str, Json]:
        """What we ask for by ourselves, as far as the model takes it."""
        wanted: dict[str, Json] = {"max_tokens": row.tariff.image_tokens_max, "temperature": 0}
        if question.template.reply == "yes-no" and "logprobs" not in self._without:
            wanted |= {"logprobs": True, "top_logprobs": TOP_LOGPROBS}
        if question.template.reply != "yes-no" and "response_format" not in self._without:
            form: Json = {"name": "reply", "strict": True, "schema": question.template.schema()}
            wanted["response_format"] = {"type": "json_schema", "json_schema": form}
        return {name: value for name, value in wanted.items() if name in row.params}

    def _bounded(self, question: Question) -> Model:
        """The row with the length of this answer. A model that thinks takes what its row says on top."""
        asked, thinking = question.template, self.row.tariff
        most = self._most or asked.most_tokens + thinking.image_tokens_max
        expected = min(most, asked.expect_tokens + thinking.image_tokens)
        tariff = replace(thinking, image_tokens=expected, image_tokens_max=most)
        return replace(self.row, tariff=tariff)

    def _of_row(self, row: Model) -> Model:
        return row if row.id != "*" else replace(row, id=self.model_name or self.system.model)


def _whole(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise UsageError(f"max_tokens={text} is not a number of tokens", "Give a whole number from 1.")
    return int(text)


def _is_off(name: str, value: str) -> bool:
    if value not in ("", "off"):
        raise UsageError(f"{name}={value} cannot be asked of a judge", f"{name}=off leaves it out.")
    return value == "off"
