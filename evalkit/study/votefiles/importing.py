"""A file of votes or rankings becomes an imported study, or adds to one.

The rows are checked all together before anything is written; then `study.json` is written once, and the facts
as `votes/<study>/import-<digest>.parquet` (`rankings-...`), aside first and renamed. Where a row does not say
which vote it is, the file's digest and the row's number do.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit import __version__
from evalkit.clock import now
from evalkit.errors import InvalidInput, StorageError, WorkspaceError
from evalkit.ids import digest
from evalkit.store import Workspace, exclusive, storage_errors
from evalkit.study.criteria import CRITERIA
from evalkit.study.define import StudyDefinition, check_name, read_study, write_study
from evalkit.study.votefiles.columns import Kind, Layout, lay_out
from evalkit.study.votefiles.faults import Fault, find_faults, mark_unknown, refuse
from evalkit.study.votefiles.statements import changed, rows
from evalkit.study.votefiles.tables import Table, quoted, readable, scratch
from evalkit.types import ANSWERS, SKIP, Criterion

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CRITERION = "overall"
"""What a file's votes are about where neither the file nor the user says it."""
NO_QUESTION = "Imported: the question was not handed on."
_FACTS: dict[Kind, str] = {
    "votes": "SELECT * EXCLUDE (row, fault, detail, content) FROM staged WHERE fault IS NULL",
    "rankings": "SELECT * EXCLUDE (row) FROM ranked ORDER BY row, place, system",
}
_PREFIX: dict[Kind, str] = {"votes": "import", "rankings": "rankings"}


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How a file is read. `columns` is ours -> theirs where names alone do not tell.

    `criterion` is for rows that name none. `systems` are those that may occur; None means any, or those of
    the study if it exists. `skip_bad_rows` imports the good ones and reports the others.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    criterion: str | None = None
    title: str = ""
    systems: Sequence[str] | None = None
    skip_bad_rows: bool = False


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import came to.

    `added` answers (or rankings) were written; `there` were in the study before, `repeated` were said twice
    in the file. `columns` is ours -> theirs, `kept` are the file's other columns that are in `extra`,
    `dropped` those that are not. `no_rater` and `no_case` count added rows that do not say whose they are and
    on what. `same_file` says that this very file was imported before. `own_ids`: the file says which vote is
    which.
    """

    study: str
    kind: Kind
    added: int = 0
    there: int = 0
    repeated: int = 0
    left_out: tuple[Fault, ...] = ()
    systems: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    answers: Mapping[str, int] = field(default_factory=dict)
    no_rater: int = 0
    no_case: int = 0
    same_file: bool = False
    own_ids: bool = False


@dataclass(frozen=True, slots=True)
class _Target:
    """Where a file goes: which study, and that study if it is there already."""

    workspace: Workspace
    study: str
    existing: StudyDefinition | None

    @property
    def folder(self) -> Path:
        return self.workspace.votes / self.study

    @property
    def systems(self) -> Sequence[str] | None:
        return self.existing.systems if self.existing else None

    @property
    def criteria(self) -> list[str]:
        return [c.id for c in self.existing.criteria] if self.existing else []


@dataclass(frozen=True, slots=True)
class _Totals:
    """What the good rows come to."""

    added: int
    no_rater: int
    no_case: int
    simulated: bool
    criteria: tuple[str, ...]


def import_votes(
    workspace: Workspace, path: Path, study: str, options: ImportOptions = ImportOptions()
) -> Imported:
    """Import a CSV, JSON or Parquet file into the imported study of that name, which is made if need be.

    Raises `InvalidInput` (naming file, rows and what to do), `UsageError`, `UnknownName`, `WorkspaceError`
    (the study has votes of its own) and `StorageError`; nothing is written then.
    """
    check_name(study)
    with exclusive(workspace.locks / f"study-{study}.lock", f"importing votes into {study}", wait=5.0):
        target = _Target(workspace, study, _existing(workspace, study))
        with scratch() as db:
            return _import(db, target, path, options)


def _existing(workspace: Workspace, study: str) -> StudyDefinition | None:
    if study not in workspace.study_ids():
        return None
    found = read_study(workspace, study)
    if found.imported is None:
        raise WorkspaceError(
            f"study {study!r} asks raters of its own; imported votes are kept apart from theirs",
            "Import under another name: --study NAME",
        )
    return found


def _import(db: DuckDBPyConnection, target: _Target, path: Path, options: ImportOptions) -> Imported:
    table = Table(db, path)
    layout = lay_out(path.name, table.names, options.columns)
    facts = _facts(path, layout, options)
    file = target.folder / f"{_PREFIX[layout.kind]}-{digest(facts)[:16]}.parquet"
    start = Imported(target.study, layout.kind, columns=layout.columns, own_ids=layout.has("ballot"))
    if file.exists() and target.existing is not None:
        return replace(start, systems=target.existing.systems, same_file=True)
    rows(db, "words")
    kept, dropped = table.give(layout)
    with readable(path):
        rows(db, f"stage_{layout.kind}", prefix=f"{facts['sha256'][:12]}-", criterion=facts["criterion"])
    broken = table.broken_lines()
    found = _systems(db, path.name, broken)
    repeated, there = _settle(db, target, layout)
    for known in (options.systems, target.systems):
        mark_unknown(db, known, target.criteria)
    faults = find_faults(db, broken)
    if not options.skip_bad_rows:
        refuse(path.name, faults)
    totals = _Totals(*rows(db, f"totals_{layout.kind}")[0])
    if totals.added:
        told = {**facts, "file": path.name}
        made = _definition(target.study, told, totals, options, options.systems or found)
        _write(db, target, file, made, told)
    elif not there:
        bad = "".join(f"\n  {fault}" for fault in faults)
        raise InvalidInput(f"{path.name} has no row that can be imported{bad}", "Correct the file.")
    return replace(
        start,
        added=totals.added,
        there=there,
        repeated=repeated,
        left_out=faults,
        systems=tuple(target.systems or options.systems or found),
        kept=kept,
        dropped=dropped,
        answers=_answers(db, layout.kind),
        no_rater=totals.no_rater,
        no_case=totals.no_case,
    )


def _facts(path: Path, layout: Layout, options: ImportOptions) -> dict[str, Any]:
    """What decides which votes a file means: its bytes and how they are read."""
    with storage_errors(f"read {path.name}"), path.open("rb") as file:
        sha = hashlib.file_digest(file, "sha256").hexdigest()
    criterion = options.criterion or CRITERION
    return {"sha256": sha, "columns": dict(layout.columns), "criterion": criterion, "kind": layout.kind}


def _systems(db: DuckDBPyConnection, file: str, broken: Sequence[int]) -> tuple[str, ...]:
    """Every system that a row names. Raises `InvalidInput` if there are no two."""
    found = db.execute(
        "SELECT DISTINCT system FROM named WHERE system IS NOT NULL ORDER BY system"
    ).fetchall()
    if len(found) == 1:
        raise InvalidInput(
            f"{file} has votes on one system only, {found[0][0]!r}",
            "A vote compares two. Say which columns name them: --map left=COLUMN --map right=COLUMN",
        )
    if not broken and not db.execute("SELECT 1 FROM staged LIMIT 1").fetchone():
        raise InvalidInput(f"{file} has no rows", "Check the file.")
    return tuple(str(row[0]) for row in found)


def _settle(db: DuckDBPyConnection, target: _Target, layout: Layout) -> tuple[int, int]:
    """Leave one row for each ballot and question that is new; how many were said twice, and before."""
    repeated = changed(db, "repeated") if layout.has("ballot") else 0
    files = sorted(str(path) for path in target.folder.glob(f"{_PREFIX[layout.kind]}-*.parquet"))
    there = 0
    if files:
        rows(db, f"known_{layout.kind}", files=files)
        there = changed(db, "there")
    if layout.kind == "votes" and layout.has("ballot"):
        rows(db, "first_votes")
    return repeated, there


def _definition(
    study: str, facts: Mapping[str, Any], totals: _Totals, options: ImportOptions, systems: Sequence[str]
) -> StudyDefinition:
    questions = {c.id: c.question for c in CRITERIA}
    asked = tuple(Criterion(name, questions.get(name, NO_QUESTION)) for name in totals.criteria)
    return StudyDefinition(
        study=study,
        created=now(),
        title=options.title or study,
        run="",
        systems=tuple(sorted(set(systems))),
        criteria=asked,
        comparisons=(),
        simulated=totals.simulated,
        sampling="unknown",
        imported={key: facts[key] for key in ("file", "sha256", "columns")},
    )


def _write(
    db: DuckDBPyConnection, target: _Target, file: Path, made: StudyDefinition, facts: Mapping[str, Any]
) -> None:
    """The facts aside, then the study if it is new, then the facts under their name."""
    told = {**{key: str(facts[key]) for key in ("file", "sha256")}, "imported": now(), "evalkit": __version__}
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    with storage_errors("write the votes"):
        file.parent.mkdir(parents=True, exist_ok=True)
    try:
        _copy(db, aside, facts["kind"], told)
        if target.existing is None:
            write_study(target.workspace, made)
        with storage_errors("write the votes"):
            aside.replace(file)
    finally:
        aside.unlink(missing_ok=True)


def _copy(db: DuckDBPyConnection, file: Path, kind: Kind, told: Mapping[str, str]) -> None:
    import duckdb

    written = ", ".join(f"{key}: {quoted(value)}" for key, value in told.items())
    how = f"(FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{written}}})"
    try:
        db.execute(f"COPY ({_FACTS[kind]}) TO {quoted(str(file))} {how}")
    except duckdb.IOException as error:
        raise StorageError(
            f"cannot write the votes: {str(error).splitlines()[0]}", "Free some space."
        ) from error
    with storage_errors("write the votes"), file.open("rb") as written_file:
        os.fsync(written_file.fileno())


def _answers(db: DuckDBPyConnection, kind: Kind) -> dict[str, int]:
    """How often each answer is among the new votes, in the usual order."""
    if kind == "rankings":
        return {}
    found = db.execute("SELECT answer, count(*) FROM staged WHERE fault IS NULL GROUP BY answer").fetchall()
    counts = {str(answer): int(n) for answer, n in found}
    return {answer: counts.get(answer, 0) for answer in (*ANSWERS, SKIP)}
