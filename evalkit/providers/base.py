"""What a provider is: the one small class that varies.

A provider turns a `Request` into an `Outcome`. It does not know suites, budgets, journals' files or
metrics. A remote one tells the `Ledger` each step that money depends on, in order, *before* it acts on it;
a local one has nothing to tell. Adding a provider is adding a module: docs/extending/providers.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar, Protocol

from evalkit.types import Case, Coverage, Json, Outcome, Price, Request, System


class Ledger(Protocol):
    """Records the steps of one attempt; each call returns when the record is durable."""

    def accepted(self, request_id: str, **facts: Json) -> None:
        """The provider has taken the job and will bill it."""
        ...

    def rejected(self, kind: str, message: str) -> None:
        """Proof that no job exists: it may be sent again."""
        ...


class Provider:
    """Base class: local, free, one picture per request. Override what differs.

    `replayable` says that asking twice costs nothing and gives the same answer, so an attempt that a crash
    cut off is simply made again; for anything else such an attempt becomes `unknown`.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    replayable: ClassVar[bool] = False
    env: ClassVar[tuple[str, ...]] = ()

    def __init__(self, system: System) -> None:
        self.system = system

    @classmethod
    def models(cls) -> Mapping[str, str]:
        """Known models, name -> one line about it; empty where any name is accepted."""
        return {}

    def fingerprint(self, suite: str, case: Case, replicate: int) -> str:
        """What identifies the answer beyond the request; part of the trial id."""
        del suite, case, replicate
        return ""

    def replicates(self, suite: str, case: Case, asked: int) -> int:
        """How many replicates of this case there are to make; a folder has as many as it has files."""
        del suite, case
        return asked

    def match(self, suites: Mapping[str, Sequence[Case]]) -> Coverage | None:
        """Told once, before anything else, which cases will be asked for.

        Providers that have pictures rather than make them answer which cases and files found no partner.
        """
        del suites
        return None

    def quote(self, request: Request) -> Price:
        """The most this request can cost. Raise `UsageError` where the price is unknown."""
        del request
        return Price()

    async def generate(self, request: Request, ledger: Ledger) -> Outcome:
        """Make the picture. Exceptions other than EvalkitError become `Failed('internal')`."""
        raise NotImplementedError(f"provider {self.name!r} does not generate")

    async def aclose(self) -> None:
        """Give back pools and connections."""
