"""One vote as a line of `votes/<study>/<writer>.jsonl`, and reading all of them back.

A line is a ballot with the answers to all its questions. Lines are appended by one writer each and never
changed; the earliest line of a ballot counts.
"""

from __future__ import annotations

import os
import platform
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evalkit.store import Record, Workspace, read_records
from evalkit.study.tickets import Ticket
from evalkit.types import Comparison, Json

VERSION = 1


@dataclass(frozen=True, slots=True)
class Cast:
    """What must be known of a vote to recognise it: whose, on what, which answers, when."""

    ballot: str
    comparison: str
    rater: str
    answers: Mapping[str, str]
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
        return Cast(self.ticket.ballot, self.comparison.id, self.ticket.rater, dict(self.answers), self.t)

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
            "answers": dict(self.answers),
            "client": dict(self.client),
            "simulated": self.simulated,
        }


def read_casts(workspace: Workspace, study: str) -> dict[str, Cast]:
    """Every vote of a study by ballot, in order of time; of a ballot cast twice, the first."""
    casts = [
        _cast(record)
        for path in sorted((workspace.votes / study).glob("*.jsonl"))
        for record in read_records(path)
        if record.get("type") == "ballot"
    ]
    first: dict[str, Cast] = {}
    for cast in sorted(casts, key=lambda cast: cast.t):
        first.setdefault(cast.ballot, cast)
    return first


def new_votes_file(workspace: Workspace, study: str) -> Path:
    """A file for one process's votes that no other process has."""
    host = re.sub(r"[^A-Za-z0-9-]+", "-", platform.node()) or "host"
    return workspace.votes / study / f"{host}-{os.getpid()}-{time.time_ns()}.jsonl"


def _cast(record: dict[str, Any]) -> Cast:
    return Cast(
        ballot=str(record["ballot"]),
        comparison=str(record["comparison"]),
        rater=str(record["rater"]),
        answers=dict(record["answers"]),
        t=str(record["t"]),
    )
