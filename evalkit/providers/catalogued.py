"""The provider of everything that is described by a file: fal, OpenAI, a server on the next desk.

It puts a case to a model's row of the capability table, which is checked before anything is sent, and lets
the engine do the asking. What the protocols look like is in `catalog/*.toml`; docs/extending/providers.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from difflib import get_close_matches
from functools import cached_property
from typing import ClassVar, cast

from evalkit.errors import UsageError
from evalkit.providers.base import Check, Ledger, Limits, Lost, Provider, Settings
from evalkit.remote.accounts import base_variable
from evalkit.remote.addresses import is_loopback_url
from evalkit.remote.catalog import Account, account, find_model, missing
from evalkit.remote.classify import Reply, classify
from evalkit.remote.engine import Engine
from evalkit.remote.hooks import Hints, hook_url
from evalkit.remote.parameters import OWN, check_case, given, json_value
from evalkit.remote.prices import quote
from evalkit.remote.shapes import Shape, fit
from evalkit.remote.spec import Call, Model, Order, Spec
from evalkit.remote.transport import Foreign, NotSent
from evalkit.remote.transport import Lost as NoAnswer
from evalkit.types import Ask, Case, Job, Json, Outcome, Quote, Rejected, Request, System, Task

_CHECK_S = 20.0


class Catalogued(Provider):
    """One provider of the catalogue; `catalogued` makes a class of it for each description."""

    spec: ClassVar[Spec]

    def __init__(self, system: System, settings: Settings = Settings()) -> None:
        super().__init__(system, settings)
        self._account = _account(self.spec, system)
        self.replayable = self._is_free()

    @classmethod
    def models(cls) -> Mapping[str, str]:
        """Every id, and every family, by which its models for both tasks can be named at once."""
        lines: dict[str, list[str]] = {}
        for row in cls.spec.models:
            if row.id == "*":
                continue
            lines.setdefault(row.id, []).append(_line(row))
            if row.family and row.family != row.id:
                lines.setdefault(row.family, []).append(f"{row.task}: {row.id}")
        return {name: "; ".join(parts) for name, parts in lines.items()}

    @classmethod
    def missing(cls) -> str:
        return missing(cls.spec)

    @property
    def lane(self) -> str:
        """One per account; a server that is named by its URL is an account of its own."""
        return f"{self.name}:{self._account.base}" if self.spec.base_is_model else self.name

    @property
    def limits(self) -> Limits:
        return Limits(*self.spec.concurrency)

    def ask(self, case: Case) -> Ask:
        degrade = self.settings.allow_degrade
        row = self._row(self._name(self.system.model, self.system.params), case.task)
        check_case(row, case, datetime.now(UTC).date())
        shape = _shape(row, case.aspect_ratio, degrade=degrade)
        asked = given(row, self._others(self.system.params), degrade=degrade)
        notes = (*((shape.note,) if shape.note else ()), *asked.notes)
        ratio = shape.aspect_ratio or case.aspect_ratio
        if self.spec.base_is_model:
            name = {"model": self.system.params["model"]} if "model" in self.system.params else {}
            return Ask(self.system.model, ratio, {**asked.params, **name}, row.mask, notes)
        return Ask(row.id, ratio, asked.params, row.mask, notes)

    def fingerprint(self, suite: str, case: Case, replicate: int) -> str:
        """`loopback` in a rehearsal, so that its pictures are never taken for the provider's own."""
        del suite, case, replicate
        return "loopback" if self._account.moved and is_loopback_url(self._account.base) else ""

    @property
    def rehearsed(self) -> bool:
        return (
            self._account.moved
            and is_loopback_url(self._account.base)
            and not is_loopback_url(self.spec.base)
        )

    def quote(self, request: Request) -> Quote:
        order = self.order(request)
        try:
            return quote(order.model, order, self.settings.assume_price)
        except UsageError as error:
            near = get_close_matches(order.model_id, self.models(), n=1, cutoff=0.7)
            guess = f"Did you mean {self.name}:{near[0]}? " if near else ""
            raise UsageError(error.message, guess + error.hint) from error

    async def prepare(self) -> None:
        if not self.missing():
            self._engine.tools.transport.prepare()

    async def generate(self, request: Request, ledger: Ledger) -> Outcome | Rejected:
        gap = self.missing()
        if gap:
            return Rejected("auth", f"{self.name} cannot be asked: set {gap}")
        return await self._engine.run(self.order(request), ledger.accepted)

    async def resume(self, request: Request, job: Job) -> Outcome:
        return await self._engine.resume(self.order(request), job)

    async def reconcile(self, request: Request, lost: Lost) -> Job | None:
        if self.missing():
            return None
        return await self._engine.reconcile(self.order(request), lost.since, lost.until, lost.known)

    async def check(self) -> Check:
        gap = self.missing()
        if gap:
            return Check(False, f"set {gap}")
        if self.spec.check is None:
            return Check(None, "there is nothing that can be asked for free; the first request will tell")
        return await self._look(self.spec.check)

    async def aclose(self) -> None:
        if "_engine" in self.__dict__:
            await self._engine.aclose()

    def order(self, request: Request) -> Order:
        """The request in the terms of the description. Raises what `ask` raises."""
        name = self._name(request.model, request.params)
        row = self._row(name, request.task)
        shape = fit(row, request.aspect_ratio, degrade=self.settings.allow_degrade)
        params = self._others(request.params)
        seed = int(params["seed"]) + request.replicate if "seed" in params else None
        others = {name: json_value(value) for name, value in params.items() if name not in OWN}
        return Order(
            trial=request.trial,
            model=row,
            model_id=name,
            task=request.task,
            prompt=request.prompt,
            n=int(params.get("n", "1")),
            aspect_ratio=shape.aspect_ratio,
            width=shape.width,
            height=shape.height,
            seed=seed if row.seed else None,
            output_format=params.get("output_format", "") if row.formats else "",
            images=(request.source,) if request.source and row.images[1] else (),
            mask=request.mask if row.mask else None,
            params=others | _passed_on(row, params, seed),
            deadline=self.settings.deadline or self.spec.deadline,
        )

    @cached_property
    def _engine(self) -> Engine:
        hooked = bool(self.settings.webhook and self.spec.webhook)
        return Engine(
            self.spec,
            self._account,
            assumed=self.settings.assume_price,
            webhook=hook_url(self.settings.webhook, self.name) if hooked else "",
            hints=Hints(self.settings.hooks, self.name) if hooked and self.settings.hooks else None,
        )

    def _is_free(self) -> bool:
        """Asking twice costs nothing, so what a crash cut off is simply asked again."""
        name = self._name(self.system.model, self.system.params)
        rows = [row for row in self.spec.models if row.id in (name, "*") or row.family == name]
        return bool(rows) and all(row.tariff.free for row in rows)

    def _name(self, model: str, params: Mapping[str, str]) -> str:
        """What the model is called; a server of one's own may have only one, without a name."""
        return params.get("model", "") if self.spec.base_is_model else model

    def _row(self, name: str, task: Task) -> Model:
        """The model's row; one for any model takes the name of the model that was asked for."""
        row = find_model(self.spec, name, task)
        return row if row.id != "*" else replace(row, id=name or self.system.model)

    def _others(self, params: Mapping[str, str]) -> dict[str, str]:
        """Without `model`, where that names the model."""
        skipped = "model" if self.spec.base_is_model else ""
        return {name: value for name, value in params.items() if name != skipped}

    async def _look(self, call: Call) -> Check:
        transport = self._engine.tools.transport
        url = transport.resolve(call.url, {"model": self.system.model}) or self._account.base
        try:
            reply = await transport.send(call.method, url, timeout=_CHECK_S)
        except (NotSent, Foreign) as error:
            return Check(False, f"cannot be reached: {error}")
        except NoAnswer as error:
            return Check(None, f"did not answer: {error}")
        return self._judged(reply)

    def _judged(self, reply: Reply) -> Check:
        verdict = classify(self.spec, reply, "result")
        if verdict is not None and verdict.kind in ("auth", "balance"):
            return Check(False, self._engine.tools.text(verdict.message))
        if reply.status in self.spec.check_ok:
            return Check(True, "it answers" if self.spec.auth.optional else "the key is accepted")
        return Check(None, f"it answers with status {reply.status}, which tells nothing about the key")


def catalogued(spec: Spec) -> type[Catalogued]:
    """The provider class of a description."""
    facts = {"name": spec.name, "summary": spec.summary, "env": spec.env, "spec": spec}
    return cast(type[Catalogued], type(spec.name, (Catalogued,), {**facts, "__module__": __name__}))


def _account(spec: Spec, system: System) -> Account:
    """The account; where the model is the server, its URL is the base unless a rehearsal moved it."""
    found = account(spec)
    if not spec.base_is_model or found.moved:
        return found
    if not system.model.startswith(("http://", "https://")):
        raise UsageError(
            f"{system.model!r} is not the URL of a server",
            f"Write, for example, {spec.name}:{spec.base}?model=NAME.",
        )
    return replace(found, base=account(spec, {base_variable(spec.name): system.model}).base)


def _shape(row: Model, aspect_ratio: str, *, degrade: bool) -> Shape:
    """The shape to ask for. Where nobody knows how to ask for one, that is noted, so that the rows say so.

    An edit of which nothing else is known has the shape of its source.
    """
    shape = fit(row, aspect_ratio, degrade=degrade)
    if shape.aspect_ratio or row.task == "edit":
        return shape
    return replace(shape, note=f"aspect ratio {aspect_ratio} -> left to the model")


def _line(row: Model) -> str:
    gone = f", until {row.gone}" if row.gone else ""
    return f"{row.task}{gone}" + (f" ({row.note})" if row.note else "")


def _passed_on(row: Model, params: Mapping[str, str], seed: int | None) -> dict[str, Json]:
    """Names of ours that a row for any model hands to it as they are; every replicate has its own seed."""
    passed: dict[str, Json] = {}
    if seed is not None and not row.seed:
        passed["seed"] = seed
    if "output_format" in params and not row.formats:
        passed["output_format"] = params["output_format"]
    return passed
