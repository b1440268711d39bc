"""What a study reads of a run: its plan, and which trials came to which pictures.

Knows the shape of `plan.json` and of the `done` records in journals; how these come about is for the
runner.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from evalkit.errors import InvalidInput, UnknownName
from evalkit.store import Record, Workspace, read_records
from evalkit.types import Generation, StoredImage, Task

CaseKey = tuple[str, str]
"""Suite and case id: what names a case within a run."""


@dataclass(frozen=True, slots=True)
class PlannedCase:
    """What raters and samplers need to know about a case. `source` is an object's sha256."""

    suite: str
    category: str
    case: str
    prompt: str
    task: Task
    source: str | None

    @property
    def key(self) -> CaseKey:
        return self.suite, self.case


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """A run's plan as far as a study needs it.

    `trials` gives the trial of each case by system name, replicate 0 only.
    """

    run: str
    systems: tuple[str, ...]
    cases: dict[CaseKey, PlannedCase]
    trials: dict[CaseKey, dict[str, str]]


def read_plan(workspace: Workspace, run: str) -> PlannedRun:
    """The plan of a run. Raises `UnknownName` or `InvalidInput`."""
    path = workspace.runs / run / "plan.json"
    if not path.exists():
        raise UnknownName("run", run, workspace.run_ids())
    try:
        return _planned(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError, IndexError) as error:
        raise InvalidInput(
            f"{path} is not a plan this evalkit can read ({error!r})", "Restore it from a backup."
        ) from error


def finished_trials(workspace: Workspace) -> dict[str, Generation]:
    """What every finished trial of the workspace came to; the newest `done` record of a trial counts.

    Trials are shared between runs, so all journals are read.
    """
    newest: dict[str, tuple[str, Generation]] = {}
    for journal in sorted(workspace.runs.glob("*/journal.jsonl")):
        for record in read_records(journal):
            if record.get("type") != "done":
                continue
            trial, t = str(record["trial"]), str(record.get("t", ""))
            if trial not in newest or t >= newest[trial][0]:
                newest[trial] = (t, _generation(trial, record))
    return {trial: generation for trial, (_, generation) in newest.items()}


def _planned(plan: dict[str, Any]) -> PlannedRun:
    categories = {suite["name"]: str(suite["category"]) for suite in plan["suites"]}
    cases = [_case(raw, categories) for raw in plan["cases"]]
    systems = tuple(str(system["name"]) for system in plan["systems"])
    trials: dict[CaseKey, dict[str, str]] = {}
    for trial, case, system, replicate in plan["trials"]:
        if replicate == 0:
            trials.setdefault(cases[case].key, {})[systems[system]] = str(trial)
    return PlannedRun(str(plan["run"]), systems, {case.key: case for case in cases}, trials)


def _case(raw: dict[str, Any], categories: dict[str, str]) -> PlannedCase:
    suite = str(raw["suite"])
    return PlannedCase(
        suite=suite,
        category=categories.get(suite, ""),
        case=str(raw["id"]),
        prompt=str(raw["prompt"]),
        task="edit" if raw.get("task") == "edit" else "t2i",
        source=raw.get("source_sha"),
    )


def _generation(trial: str, record: Record) -> Generation:
    return Generation(
        trial=trial,
        status=record["status"],
        images=tuple(_image(raw) for raw in record.get("images", ())),
        attempt=int(record.get("attempt", 1)),
    )


def _image(raw: dict[str, Any]) -> StoredImage:
    return StoredImage(
        sha256=str(raw["sha256"]),
        width=int(raw["width"]),
        height=int(raw["height"]),
        format=str(raw["format"]),
        bytes=int(raw["bytes"]),
    )
