"""Asking every account at once whether it works, by what is free.

It knows which providers are set up on this machine; what a look consists of is each provider's own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass

from evalkit.errors import EvalkitError
from evalkit.providers.base import Check, Provider
from evalkit.providers.catalogued import Catalogued
from evalkit.providers.systems import make_provider, parse_system, providers
from evalkit.remote.accounts import base_variable
from evalkit.types import System

LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of one look. `ok` None with `configured` means that nobody can tell for free."""

    name: str
    ok: bool | None
    message: str
    configured: bool = True

    @property
    def failed(self) -> bool:
        return self.configured and self.ok is False

    @property
    def state(self) -> str:
        """In words."""
        if not self.configured:
            return "not configured"
        return {True: "ok", False: "not ok", None: "cannot be told for free"}[self.ok]


async def check_all(names: Sequence[str], *, named: bool) -> list[Checked]:
    """Look at all of them at the same time; in the order given. `named`: somebody asked for just these."""
    return list(await asyncio.gather(*(_check_one(name, named=named) for name in names)))


async def _check_one(name: str, *, named: bool) -> Checked:
    cls = providers()[name.partition(":")[0]]
    if not named and not _is_set_up(cls):
        return Checked(name, None, _wanted(cls), configured=False)
    gap = cls.missing()
    if gap:
        return Checked(name, False, f"needs {gap}")
    if cls.check is Provider.check:
        return Checked(name, True, "nothing to check: it is on this machine")
    try:
        provider = make_provider(_system(name, cls))
        found = await _look(provider)
    except EvalkitError as error:
        told = ":" in name or issubclass(cls, Catalogued)
        return Checked(name, False if told else None, f"{error.message}. {error.hint}".strip())
    return Checked(name, found.ok, found.message)


async def _look(provider: Provider) -> Check:
    try:
        async with asyncio.timeout(LONGEST_S):
            return await provider.check()
    except TimeoutError:
        return Check(None, f"no answer within {LONGEST_S:g} s")
    finally:
        await provider.aclose()


def _is_set_up(cls: type[Provider]) -> bool:
    """Whether somebody has set anything for it; what is on this machine needs no setting."""
    if not issubclass(cls, Catalogued):
        return cls.check is Provider.check or bool(os.environ.get(base_variable(cls.name)))
    names = [part for entry in cls.spec.env for part in entry.split(":")]
    places = [base_variable(cls.name), cls.spec.base_env]
    given = any(os.environ.get(name, "").strip() for name in (*names, *places) if name)
    return given and not cls.missing()


def _wanted(cls: type[Provider]) -> str:
    if gap := cls.missing():
        return f"needs {gap}"
    if not issubclass(cls, Catalogued):
        return f"checked with a model: evalkit providers check {cls.name}:MODEL"
    place = cls.spec.base_env or base_variable(cls.name)
    return f"set {place}, or name it: evalkit providers check {cls.name}"


def _system(name: str, cls: type[Provider]) -> System:
    """The system to look with, where only a provider is named: its first model, or the usual address."""
    if ":" in name:
        return parse_system(name)
    if issubclass(cls, Catalogued) and cls.spec.base_is_model:
        return System(name, cls.spec.base)
    return System(name, next(iter(cls.models()), ""))
