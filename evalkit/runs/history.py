"""What has already happened in a workspace, read from every run's journal.

Trial ids are global: a trial that one run finished is finished for every run that plans it. This module
only reads; what to do about an unfinished trial is for `evalkit.runner.execute`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from evalkit.store import Dropped, Record, Workspace, read_records
from evalkit.types import Generation, Price, StoredImage, Timings


@dataclass(slots=True)
class TrialState:
    """The steps of one trial so far: its newest outcome, and the last step of its last attempt.

    `spent` is what its settled attempts have cost, `reserved` what one that is not settled may cost.
    """

    attempts: int = 0
    last_step: str = ""
    spent: Decimal = Decimal(0)
    reserved: Decimal = Decimal(0)
    done: Record | None = None


@dataclass(slots=True)
class History:
    """Every trial that was ever begun, by id, and every line that could not be read."""

    trials: dict[str, TrialState] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)

    def finished(self, trial: str) -> Generation | None:
        """The newest outcome of a trial, if it has one."""
        state = self.trials.get(trial)
        return generation(state.done) if state is not None and state.done is not None else None


def read_history(workspace: Workspace) -> History:
    """Read all journals of a workspace."""
    history = History()
    for journal in sorted(workspace.runs.glob("*/journal.jsonl")):
        _replay(read_records(journal, history.dropped), history.trials)
    return history


def generation(done: Record) -> Generation:
    """A journal's `done` record as a Generation."""
    return Generation(
        trial=done["trial"],
        status=done["status"],
        images=tuple(StoredImage(**image) for image in done.get("images", ())),
        price=Price(Decimal(done.get("usd", "0")), done.get("basis", "none")),
        timings=Timings(**done["timings"]) if done.get("timings") else None,
        reason=done.get("reason"),
        kind=done.get("kind"),
        stage=done.get("stage"),
        attempt=done.get("attempt", 1),
        facts=done.get("facts", {}),
    )


def _replay(records: Iterable[dict[str, Any]], trials: dict[str, TrialState]) -> None:
    for record in records:
        trial = record.get("trial")
        if not isinstance(trial, str):
            continue
        state = trials.setdefault(trial, TrialState())
        state.last_step = record["type"]
        state.attempts = max(state.attempts, record.get("attempt", 1))
        _count(state, record)


def _count(state: TrialState, record: Record) -> None:
    match record["type"]:
        case "intent":
            state.reserved = Decimal(record.get("usd", "0"))
        case "rejected":
            state.reserved = Decimal(0)
        case "done":
            state.reserved = Decimal(0)
            state.spent += Decimal(record.get("usd", "0"))
            if state.done is None or record["t"] >= state.done["t"]:
                state.done = record
