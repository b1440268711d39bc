"""Pictures that no longer count: `studies/<study>/withdrawn.jsonl`, one line for each.

A wrong file, a picture that must not be shown: votes on it stay where they are and are marked, and no rating
reads them. What is shown to raters is for `evalkit.study.service`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from evalkit.clock import now
from evalkit.errors import UnknownName, UsageError
from evalkit.store import Journal, Workspace, read_records
from evalkit.study.define import read_study

SHORTEST = 6
"""Characters of a trial's id that may stand for it, if no other trial begins with them."""


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A picture that was withdrawn: the trial it is of, why, and when (ISO, UTC)."""

    trial: str
    reason: str
    t: str


def withdraw(workspace: Workspace, study: str, trials: Sequence[str], reason: str) -> list[Withdrawal]:
    """Withdraw the pictures of these trials from a study; what was withdrawn before is not written again.

    A unique beginning of an id will do. Returns the new withdrawals, on the disk. Raises `UnknownName`,
    `UsageError` (no reason) and `Locked`.
    """
    if not reason.strip():
        raise UsageError("a picture is withdrawn for a reason", "Say it: --reason TEXT")
    known = _known_trials(workspace, study)
    wanted = dict.fromkeys(_found(name, known, study) for name in trials)
    with Journal(_path(workspace, study), what="list of withdrawn pictures") as journal:
        before = read_withdrawals(workspace, study)
        new = [Withdrawal(trial, reason.strip(), now()) for trial in wanted if trial not in before]
        for one in new:
            journal.append({"v": 1, "type": "withdrawn", "study": study, **_told(one)})
        journal.sync()
    return new


def read_withdrawals(workspace: Workspace, study: str) -> dict[str, Withdrawal]:
    """What has been withdrawn from a study, by trial; of a trial withdrawn twice, the first."""
    found: dict[str, Withdrawal] = {}
    for record in read_records(_path(workspace, study)):
        if record.get("type") == "withdrawn":
            one = Withdrawal(str(record["trial"]), str(record["reason"]), str(record["t"]))
            found.setdefault(one.trial, one)
    return found


def _path(workspace: Workspace, study: str) -> Path:
    return workspace.studies / study / "withdrawn.jsonl"


def _told(one: Withdrawal) -> dict[str, str]:
    return {"trial": one.trial, "reason": one.reason, "t": one.t}


def _known_trials(workspace: Workspace, study: str) -> frozenset[str]:
    definition = read_study(workspace, study)
    if definition.imported is None:
        return frozenset(t for c in definition.comparisons for t in (c.trial_a, c.trial_b))
    return frozenset(_imported_trials(sorted((workspace.votes / study).glob("import-*.parquet"))))


def _imported_trials(files: Sequence[Path]) -> list[str]:
    import duckdb

    if not files:
        return []

    query = "SELECT DISTINCT unnest([left_trial, right_trial]) AS trial FROM read_parquet($files)"
    with duckdb.connect() as db:
        rows = db.execute(query, {"files": [str(path) for path in files]}).fetchall()
    return [str(trial) for (trial,) in rows if trial is not None]


def _found(name: str, known: frozenset[str], study: str) -> str:
    if name in known:
        return name
    matches = [trial for trial in known if trial.startswith(name)] if len(name) >= SHORTEST else []
    if len(matches) == 1:
        return matches[0]
    error = UnknownName(f"picture of study {study!r}", name, ())
    query = f"SELECT DISTINCT left_trial FROM votes WHERE study = '{study}'"
    many = f"{len(matches)} pictures begin so. " if matches else ""
    error.hint = f'{many}Those that were voted on: evalkit sql "{query}"'
    raise error
