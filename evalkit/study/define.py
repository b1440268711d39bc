"""Writing a study down, and reading it back.

A study is written once: which systems of which run, which questions, and every comparison that can be
asked. Knows `studies/<study>/study.json`; which comparison comes when is for `evalkit.study.sampling`.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from evalkit.clock import now
from evalkit.errors import EvalkitError, InvalidInput, UnknownName, UsageError, WorkspaceError
from evalkit.ids import canonical, digest
from evalkit.store import Workspace, exclusive, write_atomically
from evalkit.study.criteria import choose_criteria
from evalkit.study.sampling import BALANCED, check_goal
from evalkit.study.sources import CaseKey, ShownRun, finished_trials, read_run
from evalkit.types import Comparison, Criterion, Generation, Json

FORMAT = 1
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Selection:
    """Pairs of pictures that were picked for a reason, so that votes on them are no fair sample of a run.

    `rule` is one word for how, `facts` what else is worth knowing of it. Each pair names two trials.
    """

    rule: str
    pairs: tuple[tuple[str, str], ...]
    facts: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StudyOptions:
    """What a study is about. None means everything: all systems, criteria and suites of the run.

    `simulated` marks every vote of the study as not given by people. `selection` asks for some pairs of
    pictures only, and stays with the study. `goal` is what the votes are spent on, as in
    `evalkit.study.sampling`: "balanced", "all", "top-K" or "new:SYSTEM".
    """

    systems: Sequence[str] | None = None
    criteria: Sequence[str] | None = None
    suites: Sequence[str] | None = None
    seed: int = 0
    title: str = ""
    simulated: bool = False
    selection: Selection | None = None
    goal: str = BALANCED


@dataclass(frozen=True, slots=True)
class StudyDefinition:
    """A study as `study.json` tells it. `selection` is None where every pair could be asked.

    `imported` says where the votes came from if they were given elsewhere; such a study has no run and no
    comparisons of its own.
    """

    study: str
    created: str
    title: str
    run: str
    systems: tuple[str, ...]
    criteria: tuple[Criterion, ...]
    comparisons: tuple[Comparison, ...]
    seed: int = 0
    simulated: bool = False
    sampling: str = BALANCED
    selection: Mapping[str, Json] | None = None
    imported: Mapping[str, Json] | None = None


def create_study(
    workspace: Workspace, name: str, run: str, options: StudyOptions = StudyOptions()
) -> StudyDefinition:
    """Define a study over the pictures a run has now, and write it.

    Every unordered pair of systems is compared on every case where both have a picture of replicate 0.
    Raises `UsageError` (name, fewer than two systems, nothing to compare), `UnknownName` and
    `WorkspaceError` (the study exists).
    """
    check_name(name)
    with exclusive(workspace.locks / f"study-{name}.lock", f"creating the study {name}", wait=5.0):
        _must_be_new(workspace, name)
        study = _define(workspace, name, read_run(workspace, workspace.run_id(run)), options)
        write_study(workspace, study)
    return study


def check_name(name: str) -> None:
    """Raises `UsageError` for what cannot be the name of a study."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be the name of a study",
            "Use lower-case letters, digits, dots, dashes and underscores, at most 64.",
        )


def load_study(workspace: Workspace, name: str) -> StudyDefinition:
    """Read back a study over pictures of this workspace.

    Raises `UnknownName`, `InvalidInput`, and `UsageError` for an imported one, which has no pictures.
    """
    study = read_study(workspace, name)
    if study.imported is not None:
        raise UsageError(
            f"study {name!r} holds imported votes: there are no pictures here to rate or to look at",
            f"Use its votes: evalkit rank {name}, evalkit sql, evalkit votes export. To ask people, define a "
            "study over a run: evalkit study new NAME --run RUN",
        )
    return study


def read_study(workspace: Workspace, name: str) -> StudyDefinition:
    """Read any study back, imported ones too. Raises `UnknownName` or `InvalidInput`."""
    path = workspace.studies / name / "study.json"
    if name not in workspace.study_ids():
        raise UnknownName("study", name, workspace.study_ids())
    try:
        return _parsed(json.loads(path.read_bytes()))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(
            f"{path} is not a study this evalkit can read ({error!r})",
            "Upgrade evalkit, or restore the file from a backup.",
        ) from error


def _must_be_new(workspace: Workspace, name: str) -> None:
    if (workspace.studies / name / "study.json").exists():
        raise WorkspaceError(
            f"there is a study {name!r} already, and a study never changes once votes may refer to it",
            f"Choose another name, or open it to raters: evalkit rate {name}",
        )


def _define(workspace: Workspace, name: str, plan: ShownRun, options: StudyOptions) -> StudyDefinition:
    systems = _systems(plan, options.systems)
    suites = _suites(plan, options.suites)
    check_goal(options.goal, systems)
    pictured = {t: g for t, g in finished_trials(workspace).items() if _has_picture(workspace, g)}
    comparisons = _selected(_comparisons(plan, systems, suites, pictured), options.selection)
    if not comparisons:
        raise _nothing_to_compare(plan, systems)
    tasks = {plan.cases[c.suite, c.case].task for c in comparisons}
    return StudyDefinition(
        study=name,
        created=now(),
        title=options.title or name,
        run=plan.run,
        systems=tuple(sorted(systems)),
        criteria=choose_criteria(options.criteria, tasks),
        comparisons=comparisons,
        seed=options.seed,
        simulated=options.simulated,
        sampling=options.goal,
        selection=_told(options.selection),
    )


def _selected(comparisons: Iterator[Comparison], selection: Selection | None) -> tuple[Comparison, ...]:
    if selection is None:
        return tuple(comparisons)
    wanted = {frozenset(pair) for pair in selection.pairs}
    return tuple(c for c in comparisons if frozenset((c.trial_a, c.trial_b)) in wanted)


def _told(selection: Selection | None) -> dict[str, Json] | None:
    """What the study's file says of it; which pairs they are is in the comparisons."""
    return None if selection is None else {"rule": selection.rule, **selection.facts}


def _systems(plan: ShownRun, wanted: Sequence[str] | None) -> tuple[str, ...]:
    for name in wanted or ():
        if name not in plan.systems:
            raise UnknownName("system", name, plan.systems)
    systems = tuple(dict.fromkeys(wanted)) if wanted else plan.systems
    if len(systems) < 2:
        raise UsageError(
            f"a study compares at least two systems; run {plan.run} gives it {len(systems)}",
            "Add one to the run: evalkit run SUITE --system A --system B",
        )
    return systems


def _suites(plan: ShownRun, wanted: Sequence[str] | None) -> frozenset[str]:
    known = {case.suite for case in plan.cases.values()}
    for name in wanted or ():
        if name not in known:
            raise UnknownName("suite", name, known)
    return frozenset(wanted) if wanted else frozenset(known)


def _nothing_to_compare(plan: ShownRun, systems: Sequence[str]) -> EvalkitError:
    return UsageError(
        f"in run {plan.run} no case has pictures from two of these systems: {', '.join(sorted(systems))}",
        "Finish the run first; evalkit run with the same arguments continues it.",
    )


def _comparisons(
    plan: ShownRun, systems: Sequence[str], suites: frozenset[str], pictured: dict[str, Generation]
) -> Iterator[Comparison]:
    for key, by_system in plan.trials.items():
        if key[0] not in suites:
            continue
        shown = {s: pictured[t] for s, t in sorted(by_system.items()) if s in systems and t in pictured}
        for a, b in itertools.combinations(shown, 2):
            yield _comparison(key, (a, b), (shown[a], shown[b]))


def _has_picture(workspace: Workspace, generation: Generation) -> bool:
    delivered = generation.status in ("ok", "partial") and bool(generation.images)
    return delivered and generation.images[0].sha256 in workspace.objects


def _comparison(
    case: CaseKey, systems: tuple[str, str], generations: tuple[Generation, Generation]
) -> Comparison:
    a, b = generations
    return Comparison(
        id=digest([*case, a.trial, b.trial])[:24],
        suite=case[0],
        case=case[1],
        system_a=systems[0],
        system_b=systems[1],
        trial_a=a.trial,
        trial_b=b.trial,
        image_a=a.images[0].sha256,
        image_b=b.images[0].sha256,
    )


def write_study(workspace: Workspace, study: StudyDefinition) -> None:
    """Write `study.json`, whole or not at all."""
    path = workspace.studies / study.study / "study.json"
    write_atomically(path, canonical({"format": FORMAT, **asdict(study)}) + b"\n")


def _parsed(raw: dict[str, Any]) -> StudyDefinition:
    if raw["format"] != FORMAT:
        raise ValueError(f"format {raw['format']}, this evalkit reads {FORMAT}")
    return StudyDefinition(
        study=raw["study"],
        created=raw["created"],
        title=raw["title"],
        run=raw["run"],
        systems=tuple(raw["systems"]),
        criteria=tuple(_criterion(c) for c in raw["criteria"]),
        comparisons=tuple(Comparison(**c) for c in raw["comparisons"]),
        seed=raw["seed"],
        simulated=raw["simulated"],
        sampling=raw["sampling"],
        selection=raw.get("selection"),
        imported=raw.get("imported"),
    )


def _criterion(raw: dict[str, Any]) -> Criterion:
    return Criterion(raw["id"], raw["question"], tuple(raw["answers"]), tuple(raw["tasks"]))
