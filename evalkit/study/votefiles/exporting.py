"""A study as a table: one row per answer, with a data card beside it.

What counts is in the file (an undone ballot is not; skips and withdrawn pictures are, and marked). Rankings,
which are no pairs, go to a file of their own. A file is whole or not there.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import StorageError, UnknownName, UsageError
from evalkit.store import Workspace, storage_errors, write_atomically
from evalkit.study.define import StudyDefinition, read_study
from evalkit.study.tickets import Tickets, study_secret
from evalkit.study.votefiles.card import Part, data_card
from evalkit.study.votefiles.statements import rows
from evalkit.study.votefiles.tables import quoted
from evalkit.warehouse import connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_ENDS = {
    ".csv": "(FORMAT csv, HEADER)",
    ".jsonl": "(FORMAT json)",
    ".parquet": "(FORMAT parquet, COMPRESSION zstd)",
}
_ISO = "'%Y-%m-%dT%H:%M:%S.%fZ'"


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """`criterion`: only answers to this question. `anonymise`: pseudonyms for raters and sessions."""

    criterion: str | None = None
    anonymise: bool = False


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: answers, rankings, the files they are in, and the card beside them."""

    answers: int
    rankings: int
    files: tuple[Path, ...]
    card: Path


def export_votes(
    workspace: Workspace, study: str, path: Path, options: ExportOptions = ExportOptions()
) -> Exported:
    """Write the votes of a study to a CSV, JSON lines or Parquet file, and `<path>.card.md` about them.

    A file that is there is replaced. Raises `UnknownName` (study, criterion), `UsageError` (another ending,
    nothing to export) and `StorageError`.
    """
    if path.suffix.lower() not in _ENDS:
        raise UsageError(f"{path.name}: votes are written to {', '.join(_ENDS)}", "Say which by the ending.")
    definition = read_study(workspace, study)
    _check_criterion(definition, options.criterion)
    with closing(connect(workspace)) as db:
        _name(db, workspace, study, anonymise=options.anonymise)
        parts = _parts(db, study, path, options)
        if not parts:
            raise UsageError(f"study {study!r} has no votes to export", "See: evalkit study status")
        text = data_card(db, workspace, definition, parts, options.criterion, anonymised=options.anonymise)
    card = path.with_name(f"{path.name}.card.md")
    write_atomically(card, text.encode())
    counts = {part.kind: part.rows for part in parts}
    return Exported(counts.get("votes", 0), counts.get("rankings", 0), tuple(p.path for p in parts), card)


def _check_criterion(study: StudyDefinition, criterion: str | None) -> None:
    known = {c.id for c in study.criteria}
    if criterion is not None and criterion not in known:
        raise UnknownName("criterion", criterion, known)


def _name(db: DuckDBPyConnection, workspace: Workspace, study: str, *, anonymise: bool) -> None:
    """The table of pseudonyms; empty where people keep the names they have."""
    db.execute("CREATE TEMP TABLE aliases (name VARCHAR, alias VARCHAR)")
    if not anonymise:
        return
    tickets = Tickets(study_secret(workspace, study))
    names = [str(name) for (name,) in rows(db, "people", study=study)]
    aliases = [f"p-{tickets.mark(f'export {name}')[:16]}" for name in names]
    db.execute(
        "INSERT INTO aliases SELECT unnest($names), unnest($aliases)", {"names": names, "aliases": aliases}
    )


def _parts(db: DuckDBPyConnection, study: str, path: Path, options: ExportOptions) -> list[Part]:
    where = {"study": study, "criterion": options.criterion}
    rows(db, "export_votes", **where)
    rows(db, "export_rankings", **where)
    ranked = path.with_name(f"{path.stem}.rankings{path.suffix}")
    return [
        part
        for part in (
            _part(db, "votes", "picked", path, "extra"),
            _part(db, "rankings", "picked_rankings", ranked, "ranking"),
        )
        if part is not None
    ]


def _part(db: DuckDBPyConnection, kind: str, table: str, path: Path, nested: str) -> Part | None:
    """Write one table, aside first; None if there is nothing in it."""
    found = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    count = int(found[0]) if found else 0
    if not count:
        return None
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    with storage_errors(f"write {path.name}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            _copy(db, table, aside, path.suffix.lower(), nested)
            with aside.open("rb") as file:
                os.fsync(file.fileno())
                sha = hashlib.file_digest(file, "sha256").hexdigest()
            aside.replace(path)
        finally:
            aside.unlink(missing_ok=True)
    return Part(kind, path, count, sha)


def _copy(db: DuckDBPyConnection, table: str, file: Path, end: str, nested: str) -> None:
    import duckdb

    texts = {
        ".csv": f"strftime(t, {_ISO}) AS t, to_json({nested})::VARCHAR AS {nested}",
        ".jsonl": f"strftime(t, {_ISO}) AS t",
    }
    columns = f"* REPLACE ({texts[end]})" if end in texts else "*"
    try:
        db.execute(f"COPY (SELECT {columns} FROM {table}) TO {quoted(str(file))} {_ENDS[end]}")
    except duckdb.IOException as error:
        raise StorageError(
            f"cannot write {file.name}: {str(error).splitlines()[0]}", "Free some space."
        ) from error
