"""What a study reads of a run: its cases as raters see them, and which trials came to which pictures."""

from __future__ import annotations

from dataclasses import dataclass

from evalkit.runs import Plan, load_plan, read_generations
from evalkit.store import Workspace
from evalkit.types import Generation, Task

CaseKey = tuple[str, str]
"""Suite and case id: what names a case within a run."""


@dataclass(frozen=True, slots=True)
class ShownCase:
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
class ShownRun:
    """A run as far as a study needs it.

    `trials` gives the trial of each case by system name, replicate 0 only.
    """

    run: str
    systems: tuple[str, ...]
    cases: dict[CaseKey, ShownCase]
    trials: dict[CaseKey, dict[str, str]]


def read_run(workspace: Workspace, run: str) -> ShownRun:
    """What a run planned. Raises `InvalidInput`."""
    plan = load_plan(workspace, run)
    trials: dict[CaseKey, dict[str, str]] = {}
    for trial, _, system in plan:
        if trial.replicate == 0:
            trials.setdefault((trial.suite, trial.case), {})[system.name] = trial.id
    return ShownRun(plan.run, tuple(system.name for system in plan.systems), _cases(plan), trials)


def finished_trials(workspace: Workspace) -> dict[str, Generation]:
    """What every finished trial of the workspace came to, whichever run made it."""
    return read_generations(workspace)


def _cases(plan: Plan) -> dict[CaseKey, ShownCase]:
    categories = {suite.name: suite.category for suite in plan.suites}
    shown = (
        ShownCase(
            suite=planned.suite,
            category=categories[planned.suite],
            case=planned.case.id,
            prompt=planned.case.prompt,
            task=planned.case.task,
            source=planned.source_sha,
        )
        for planned in plan.cases
    )
    return {case.key: case for case in shown}
