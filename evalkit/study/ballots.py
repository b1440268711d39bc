"""What raters say as lines of `votes/<study>/<writer>.jsonl`, and reading all of it back.

A line is a ballot with the answers to all its questions, or an undo, which takes a ballot back. Lines are
appended by one writer each and never changed. What a ballot says is what its lines say in order of time: the
earliest vote after the last undo counts. Whether a vote may be cast is for `evalkit.study.service`.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from evalkit.store import Journal, Record, Workspace, read_records
from evalkit.study.tickets import Ticket
from evalkit.types import Comparison, Json

VERSION = 1


@dataclass(frozen=True, slots=True)
class Cast:
    """What must be known of a vote: whose, on what, which answers, when, and how it was shown.

    `left` is the system on the left side; `propensity` and `pair_propensity` are None where
    nobody knows them.
    """

    ballot: str
    comparison: str
    rater: str
    answers: Mapping[str, str]
    t: str
    left: str
    propensity: float | None
    pair_propensity: float | None


@dataclass(frozen=True, slots=True)
class Undo:
    """A rater took a ballot back at `t`."""

    ballot: str
    rater: str
    t: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """A filled-in ballot on its way to the file. `t` is an ISO time in UTC with microseconds."""

    study: str
    ticket: Ticket
    comparison: Comparison
    answers: Mapping[str, str]
    client: Mapping[str, Json]
    t: str
    simulated: bool

    @property
    def cast(self) -> Cast:
        ticket, c = self.ticket, self.comparison
        left = c.system_a if ticket.left == "a" else c.system_b
        return Cast(
            ballot=ticket.ballot,
            comparison=c.id,
            rater=ticket.rater,
            answers=dict(self.answers),
            t=self.t,
            left=left,
            propensity=ticket.propensity,
            pair_propensity=ticket.pair_propensity,
        )

    def record(self) -> Record:
        c = self.comparison
        a = {"system": c.system_a, "trial": c.trial_a}
        b = {"system": c.system_b, "trial": c.trial_b}
        left, right = (a, b) if self.ticket.left == "a" else (b, a)
        return {
            "v": VERSION,
            "type": "ballot",
            "study": self.study,
            "ballot": self.ticket.ballot,
            "comparison": c.id,
            "suite": c.suite,
            "case": c.case,
            "rater": self.ticket.rater,
            "left": left,
            "right": right,
            "t": self.t,
            "propensity": self.ticket.propensity,
            "pair_propensity": self.ticket.pair_propensity,
            "answers": dict(self.answers),
            "client": dict(self.client),
            "simulated": self.simulated,
        }


class Box:
    """Every vote of a study: what the files say, and what this process adds to them. Not thread-safe.

    `casts` are the votes that count, by ballot and in order of time; `undone` are the ballots that were taken
    back and not cast again.
    """

    def __init__(self, workspace: Workspace, study: str) -> None:
        self.casts: dict[str, Cast] = {}
        self.undone: dict[str, Undo] = {}
        self._workspace = workspace
        self._study = study
        self._journal: Journal | None = None
        self._sizes: dict[Path, int] = {}
        self.catch_up()

    def catch_up(self) -> bool:
        """Read everything again if another process has written since; whether one has."""
        sizes = {path: path.stat().st_size for path in _files(self._workspace, self._study)}
        if self._journal is not None:
            sizes.pop(self._journal.path, None)
        if sizes == self._sizes:
            return False
        self._sizes = sizes
        self.casts, self.undone = _counted(_records(self._workspace, self._study))
        return True

    def put(self, sheet: Sheet) -> Cast:
        """Write a vote down. Raises `StorageError`."""
        self._writer().append(sheet.record())
        self.casts[sheet.ticket.ballot] = sheet.cast
        self.undone.pop(sheet.ticket.ballot, None)
        return sheet.cast

    def take_back(self, cast: Cast, t: str) -> Undo:
        """Write down that its rater takes a vote back. Raises `StorageError`."""
        undo = Undo(cast.ballot, cast.rater, after(t, cast.t))
        record = {"ballot": undo.ballot, "rater": undo.rater, "t": undo.t}
        self._writer().append({"v": VERSION, "type": "undo", "study": self._study, **record})
        del self.casts[cast.ballot]
        self.undone[cast.ballot] = undo
        return undo

    def sync(self) -> None:
        """Return when all that was written here is on the disk."""
        if self._journal is not None:
            self._journal.sync()

    def close(self) -> None:
        """Sync and let go of the file."""
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _writer(self) -> Journal:
        if self._journal is None:
            path = new_votes_file(self._workspace, self._study)
            self._journal = Journal(path, what="file of votes")
        return self._journal


def read_casts(workspace: Workspace, study: str) -> dict[str, Cast]:
    """Every vote of a study that counts, by ballot and in order of time."""
    return _counted(_records(workspace, study))[0]


def new_votes_file(workspace: Workspace, study: str) -> Path:
    """A file for one process's votes that no other process has."""
    host = re.sub(r"[^A-Za-z0-9-]+", "-", platform.node()) or "host"
    return workspace.votes / study / f"{host}-{os.getpid()}-{time.time_ns()}.jsonl"


def after(t: str, earlier: str) -> str:
    """`t`, or a microsecond after `earlier` if the clock has not gone beyond it: order survives any clock.

    >>> after("2026-01-01T00:00:00.000000+00:00", "2026-01-01T00:00:00.000000+00:00")
    '2026-01-01T00:00:00.000001+00:00'
    """
    if t > earlier:
        return t
    later = datetime.fromisoformat(earlier).astimezone(UTC) + timedelta(microseconds=1)
    return later.isoformat(timespec="microseconds")


def _files(workspace: Workspace, study: str) -> list[Path]:
    return sorted((workspace.votes / study).glob("*.jsonl"))


def _records(workspace: Workspace, study: str) -> Iterator[Record]:
    for path in _files(workspace, study):
        yield from read_records(path)


def _counted(records: Iterator[Record]) -> tuple[dict[str, Cast], dict[str, Undo]]:
    """The votes that count and the undos that stand, by ballot. Nobody takes back another rater's ballot."""
    casts: list[Cast] = []
    undos: dict[tuple[str, str], Undo] = {}
    for record in records:
        match record.get("type"):
            case "ballot":
                casts.append(_cast(record))
            case "undo":
                undo = Undo(str(record["ballot"]), str(record["rater"]), str(record["t"]))
                key = undo.ballot, undo.rater
                undos[key] = max(undo, undos.get(key, undo), key=lambda one: one.t)
    first: dict[str, Cast] = {}
    undone: dict[str, Undo] = {}
    for cast in sorted(casts, key=lambda cast: cast.t):
        taken_back = undos.get((cast.ballot, cast.rater))
        if taken_back is None or cast.t > taken_back.t:
            first.setdefault(cast.ballot, cast)
        else:
            undone[cast.ballot] = taken_back
    return first, {ballot: undo for ballot, undo in undone.items() if ballot not in first}


def _cast(record: dict[str, Any]) -> Cast:
    return Cast(
        ballot=str(record["ballot"]),
        comparison=str(record["comparison"]),
        rater=str(record["rater"]),
        answers=dict(record["answers"]),
        t=str(record["t"]),
        left=str(record["left"]["system"]),
        propensity=record.get("propensity"),
        pair_propensity=record.get("pair_propensity"),
    )
