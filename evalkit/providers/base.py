"""What a provider is: the one small class that varies.

A provider turns a `Request` into an `Outcome`. It does not know suites, budgets, journals' files or
metrics. A remote one tells the `Ledger` of a job before it waits for it; a local one has nothing to tell.
Most remote providers are data, not code: docs/extending/providers.md.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import ClassVar, Protocol

from evalkit.types import Ask, Case, Coverage, Job, Outcome, Quote, Rejected, Request, System
from evalkit.workers import cpu_count


class Ledger(Protocol):
    """Records that money is gone."""

    async def accepted(self, job: Job) -> None:
        """The provider has taken the job and will bill it. Returns when the record is on the disk."""
        ...


@dataclass(frozen=True, slots=True)
class Settings:
    """What a run allows its providers.

    `allow_degrade`: ask for the nearest thing where a model cannot do what a case asks.
    `assume_price`: US dollars per picture for a model whose price is not known.
    `deadline`: seconds until a job is given up; None is the provider's own default.
    `webhook`: the public URL under which `evalkit serve-webhooks` is reached; `hooks` is where it writes.
    """

    allow_degrade: bool = False
    assume_price: Decimal | None = None
    deadline: float | None = None
    webhook: str = ""
    hooks: Path | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """How many requests a lane may have in flight: to begin with, and at the very most."""

    start: int
    most: int


@dataclass(frozen=True, slots=True)
class Lost:
    """A job that may exist: sent between two UTC times (ISO 8601), and none of the jobs that are `known`."""

    since: str
    until: str
    known: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """What a look at an account has shown. `ok` is None where nobody can tell without paying."""

    ok: bool | None
    message: str


class Provider:
    """Base class: local, free, one picture per request. Override what differs.

    `replayable` says that asking twice costs nothing and gives the same answer, so an attempt that a crash
    cut off is simply made again; for anything else such an attempt becomes `unknown`.
    """

    name: ClassVar[str]
    summary: ClassVar[str] = ""
    replayable: bool = False
    env: ClassVar[tuple[str, ...]] = ()

    def __init__(self, system: System, settings: Settings = Settings()) -> None:
        self.system = system
        self.settings = settings

    @classmethod
    def models(cls) -> Mapping[str, str]:
        """Known models, name -> one line about it; empty where any name is accepted."""
        return {}

    @classmethod
    def missing(cls) -> str:
        """What has to be set before this provider can be asked (`FAL_KEY`), names only; empty if nothing."""
        return ""

    @property
    def lane(self) -> str:
        """Systems of one lane share an account: its limits, its pauses, and its end."""
        return self.system.name

    @property
    def rehearsed(self) -> bool:
        """Whether a server on this machine stands in for the provider's own."""
        return False

    @property
    def limits(self) -> Limits:
        """How many requests at a time the lane may have in flight."""
        return Limits(cpu_count(), cpu_count())

    def ask(self, case: Case) -> Ask:
        """How this case is put to the model. Raises `UsageError` where the model cannot do it."""
        return Ask(self.system.model, case.aspect_ratio, self.system.params)

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

    def quote(self, request: Request) -> Quote:
        """What this request costs. Raise `UsageError` where the price is unknown."""
        del request
        return Quote()

    async def prepare(self) -> None:
        """Get ready, before anything is recorded: what takes time here cannot lose a request to a crash."""

    async def generate(self, request: Request, ledger: Ledger) -> Outcome | Rejected:
        """Make the picture. Exceptions other than EvalkitError become `Failed('internal')`."""
        raise NotImplementedError(f"provider {self.name!r} does not generate")

    async def resume(self, request: Request, job: Job) -> Outcome:
        """The end of a job that was accepted before; asks for its result, never for a new job."""
        raise NotImplementedError(f"provider {self.name!r} has no jobs")

    async def reconcile(self, request: Request, lost: Lost) -> Job | None:
        """Look for a job whose acceptance was lost.

        None where the provider keeps no such list or the job is not in it (which proves nothing).
        """
        del request, lost
        return None

    async def check(self) -> Check:
        """Whether the account works, by the cheapest means; never by a paid request."""
        return Check(True, "nothing to check: it is on this machine")

    async def aclose(self) -> None:
        """Give back pools and connections."""
