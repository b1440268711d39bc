"""What can be wrong with rows of votes, said so that it can be put right.

A fault is found in SQL (`sql/stage_*.sql`, `repeated.sql`, `there.sql`); the words for it are here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.errors import InvalidInput
from evalkit.study.votefiles.statements import rows

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NAMED = 5
_SAID = {
    "broken": "is not a row of this table",
    "unreadable": "is not a JSON object",
    "no_system": "names no system where there should be one",
    "self_pair": "compares a system with itself:",
    "no_answer": "has no outcome",
    "answer": "has an unknown outcome",
    "weight": "has a weight that is not a number from 0 up:",
    "t": "has a time that is neither seconds since 1970 nor ISO 8601:",
    "propensity": "has a propensity that is not above 0 and at most 1:",
    "pair_propensity": "has a pair_propensity that is not above 0 and at most 1:",
    "visible_ms": "has a time on the screen that is not a number from 0 up:",
    "simulated": "has a `simulated` that is neither true nor false:",
    "withdrawn": "has a `withdrawn` that is neither true nor false:",
    "extra": "has an `extra` that is not a JSON object",
    "ranking": "has a ranking that is not a JSON list:",
    "short": "ranks fewer than two systems",
    "twice": "ranks a system twice:",
    "conflict": "says something else about a ballot that is in this file already:",
    "other": "says something else about a ballot that was imported earlier:",
    "system": "names a system that is not among the known ones:",
    "criterion": "answers a question that this study does not ask:",
}
_HINTS = {
    "answer": "Outcomes are left, right, tie, both_bad, skip; also model_a, model_b, draw, tie (bothbad).",
    "conflict": "If the column is not the id of a vote: --map ballot= (nothing after the sign).",
    "system": "Add it to the known systems, or import into a study of another name.",
    "criterion": "Import it into a study of another name.",
}
AND_THE_REST = "Correct the file, or import the rest with --skip-bad-rows."


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong with `n` rows; `rows` are the first of them, counted from 1 without the header.

    For lines of a CSV file that are no rows, `rows` are lines.
    """

    kind: str
    detail: str | None
    n: int
    rows: tuple[int, ...]

    def __str__(self) -> str:
        where = "line" if self.kind == "broken" else "row"
        many = "s" if self.n > 1 else ""
        named = ", ".join(map(str, self.rows)) + (", ..." if self.n > len(self.rows) else "")
        detail = f" {self.detail!r}" if self.detail is not None else ""
        return f"{self.n} {where}{many} ({named}): {_SAID[self.kind]}{detail}"


def mark_unknown(db: DuckDBPyConnection, systems: Collection[str] | None, criteria: Collection[str]) -> None:
    """Mark the rows that name a system or a criterion that is not known; no list, nothing to mark."""
    if systems is not None:
        rows(db, "unknown_systems", known=sorted(systems))
    if criteria:
        rows(db, "unknown_criteria", known=sorted(criteria))


def find_faults(db: DuckDBPyConnection, broken: Sequence[int]) -> tuple[Fault, ...]:
    """All that is wrong with the staged rows, and the lines that did not become rows."""
    lines = (Fault("broken", None, len(broken), tuple(broken[:NAMED])),) if broken else ()
    found = rows(db, "faults")
    return lines + tuple(Fault(kind, detail, n, tuple(first)) for kind, detail, n, first in found)


def refuse(file: str, faults: Sequence[Fault]) -> None:
    """Raise `InvalidInput` with every fault, if there is one."""
    if not faults:
        return
    hints = [hint for kind, hint in _HINTS.items() if any(fault.kind == kind for fault in faults)]
    listing = "".join(f"\n  {fault}" for fault in faults)
    raise InvalidInput(f"{file} has rows that cannot be imported:{listing}", " ".join([*hints, AND_THE_REST]))
