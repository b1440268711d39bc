"""What probes have found out about providers: dated facts, one small file per provider in the workspace.

A fact stands beside what the catalogue says and never changes it. It also says where it was observed, so that
what a rehearsal found is never taken for the provider's own answer. Finding facts is for its neighbours.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from evalkit.errors import InvalidInput
from evalkit.remote.accounts import Account
from evalkit.remote.addresses import is_loopback_url
from evalkit.store import write_atomically

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Fact:
    """`name` of a model, or of the whole account where `model` is empty, in words.

    `about` says for which request (`n=2`, `21:9`). `at` is the base URL that was asked (`place`), `date` the
    day of the answer (UTC), `source` the trial or the look that it comes from.
    """

    name: str
    value: str
    date: str
    at: str
    model: str = ""
    task: str = ""
    about: str = ""
    source: str = ""

    @property
    def row(self) -> str:
        """The model without the parameters it was asked with (`m?quality=low`)."""
        return self.model.partition("?")[0]

    @property
    def subject(self) -> tuple[str, ...]:
        """What the fact is about; a newer one of the same subject takes its place."""
        return (self.at, self.model, self.task, self.name, self.about)


def place(found: Account) -> str:
    """Where an account is observed: its base URL, or `loopback` for a rehearsal, whose port is any."""
    return "loopback" if found.moved and is_loopback_url(found.base) else found.base


def facts_path(root: Path, provider: str) -> Path:
    """Where the facts about a provider lie in the workspace at `root`."""
    return root / "observed" / f"{provider}.json"


def read_facts(root: Path, provider: str) -> list[Fact]:
    """Everything a probe has found out; empty if there was none. Raises `InvalidInput`."""
    path = facts_path(root, provider)
    try:
        return [Fact(**fact) for fact in json.loads(path.read_bytes())["facts"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{path} does not hold facts about {provider}: {error}",
            "Delete it; the same probe writes it again and pays for nothing.",
        ) from error


def keep_facts(root: Path, provider: str, found: Iterable[Fact]) -> None:
    """Add facts to those that are known. Raises `InvalidInput`, `StorageError`."""
    known = {fact.subject: fact for fact in read_facts(root, provider)}
    for fact in found:
        older = known.get(fact.subject)
        if older is None or fact.date >= older.date:
            known[fact.subject] = fact
    ordered = [asdict(known[subject]) for subject in sorted(known)]
    document = {"format": FORMAT, "provider": provider, "facts": ordered}
    write_atomically(
        facts_path(root, provider), json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"
    )
