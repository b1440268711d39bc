"""How often a system refuses: over-refusal of harmless prompts, and what it does with borderline ones.

Knows the category `refusals` and its tags (`harmless` or `borderline`, `topic:NAME`, `policy:NAME`). A
refusal is what the provider called one: failures, unknowns and open trials are neither refused nor allowed,
and stand beside the rate as the bounds that they leave. Comparing two runs is in `refusal_change`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.errors import UnknownName
from evalkit.leaderboard.query import newest_run, rows
from evalkit.stats.bounded import clustered_proportion
from evalkit.types import Estimate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KINDS = ("harmless", "borderline", "untagged")
NAMES = {
    "harmless": "over-refusal",
    "borderline": "refusal of borderline prompts",
    "untagged": "refusal of untagged prompts",
}
"""What the rate of each kind of prompt is called."""


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """One kind of prompt put to one system. Counts are trials; `part` is '' or a tag such as `topic:sport`.

    `rate` is the share refused of the trials that were answered (delivered or refused), with the exact
    interval of Clopper and Pearson, or Korn and Graubard's where prompts come in clusters or were asked more
    than once. `best` and `worst` are the share of all `planned` trials that is refused if none, or if every
    one, of those without an answer were. `blank` counts delivered pictures that show nothing, of the
    `looked` ones that a metric has examined; it is None where none has.
    """

    kind: str
    part: str
    system: str
    prompts: int
    planned: int
    delivered: int
    partial: int
    refused: int
    failed: int
    unknown: int
    open: int
    at_input: int
    at_output: int
    at_unknown: int
    looked: int
    blank: int | None
    rate: Estimate
    best: float | None
    worst: float | None

    @property
    def answered(self) -> int:
        return self.delivered + self.refused

    @property
    def unanswered(self) -> int:
        return self.failed + self.unknown + self.open

    @property
    def with_blank(self) -> float | None:
        """The rate if blank pictures were refusals that nobody owned up to; None where there is none."""
        return (self.refused + self.blank) / self.answered if self.blank else None


def refusal_board(
    db: DuckDBPyConnection, run: str | None = None, system: str | None = None
) -> tuple[RefusalRow, ...]:
    """Every kind, and every topic and policy in it, by system; kinds first, systems in the order of the run.

    Empty where the run (default: the newest) has no case of the category `refusals`. Raises `UnknownName`.
    """
    chosen = newest_run(db, run)
    if system is not None:
        check_system(db, chosen, system)
    return tuple(_row(values) for values in rows(db, "refusals", run=chosen, system=system))


def systems_of(db: DuckDBPyConnection, run: str) -> list[str]:
    """The systems of a run, in its order."""
    found = db.execute("SELECT system FROM systems WHERE run = ? ORDER BY position", [run]).fetchall()
    return [str(name) for (name,) in found]


def check_system(db: DuckDBPyConnection, run: str, system: str) -> None:
    """Raises `UnknownName` unless `run` asked `system`."""
    known = systems_of(db, run)
    if system not in known:
        raise UnknownName(f"system of run {run}", system, known)


def _row(values: Sequence[Any]) -> RefusalRow:
    kind, part, system, prompts, planned, delivered, partial, failed, unknown, open_ = values[:10]
    at_input, at_output, at_unknown, looked, blank, answered, refused = values[10:]
    n_refused = sum(refused)
    return RefusalRow(
        kind=kind,
        part=part,
        system=system,
        prompts=prompts,
        planned=planned,
        delivered=delivered,
        partial=partial,
        refused=n_refused,
        failed=failed,
        unknown=unknown,
        open=open_,
        at_input=at_input,
        at_output=at_output,
        at_unknown=at_unknown,
        looked=looked,
        blank=blank if looked else None,
        rate=clustered_proportion(refused, answered),
        best=n_refused / planned if planned else None,
        worst=(planned - delivered) / planned if planned else None,
    )
