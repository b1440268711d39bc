"""Facts -> DuckDB: incremental, and the same result as from nothing.

The builder knows where each kind of fact lies and which INSERT reads it (`ingest/*.sql`). It copies the
published database aside, reads what was appended since, and renames the copy into place. So a reader
never waits, never blocks a running job, and keeps the state it opened.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.runs.plan import trials_path
from evalkit.store import Workspace, exclusive, storage_errors

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SCHEMA_VERSION = 9
LOCK_WAIT_SECONDS = 120.0
_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Source:
    """One kind of fact file: where it lies and the statements that read it.

    `appended` files grow by whole lines and are read from where the last reading ended; the others are
    written once.
    """

    pattern: str
    ingest: str
    appended: bool


SOURCES = (
    Source("runs/*/plan.json", "plan.sql", appended=False),
    Source("studies/*/study.json", "study.sql", appended=False),
    Source("runs/*/journal.jsonl", "journal.sql", appended=True),
    Source("scores/*.jsonl", "scores.sql", appended=True),
    Source("studies/*/withdrawn.jsonl", "withdrawn.sql", appended=True),
    Source("votes/*/*.jsonl", "votes.sql", appended=True),
    Source("votes/*/import-*.parquet", "imported_votes.sql", appended=False),
    Source("votes/*/rankings-*.parquet", "imported_rankings.sql", appended=False),
    Source("judgements/*.jsonl", "judgements.sql", appended=True),
)


def refresh(
    workspace: Workspace, *, rebuild: bool = False, on_file: Callable[[str], None] | None = None
) -> Path:
    """Bring `evalkit.duckdb` up to date with the facts and return its path.

    `rebuild` starts from nothing. Raises `Locked` if another process has been building for two minutes,
    `StorageError` if the disk is full; the published database is then still the old one.
    """
    with exclusive(workspace.locks / "warehouse.lock", "building the database", wait=LOCK_WAIT_SECONDS):
        aside = workspace.root / ".evalkit.duckdb.building"
        _remove(aside)
        try:
            _prepare(workspace, aside, rebuild)
            changed = _ingest_all(workspace, aside, on_file)
            if changed or not workspace.database.exists():
                with storage_errors("publish the database"):
                    aside.replace(workspace.database)
        finally:
            _remove(aside)
    return workspace.database


def connect(workspace: Workspace, *, fresh: bool = True) -> DuckDBPyConnection:
    """A read-only connection to the database, brought up to date first unless `fresh` is false."""
    import duckdb

    if fresh or not workspace.database.exists():
        refresh(workspace)
    return duckdb.connect(str(workspace.database), read_only=True)


def create_schema(db: DuckDBPyConnection) -> None:
    """Tables and views of an empty database."""
    db.execute(_sql("schema.sql"))
    db.execute("INSERT INTO meta VALUES (?)", [SCHEMA_VERSION])
    db.execute(_sql("views.sql"))


def _prepare(workspace: Workspace, aside: Path, rebuild: bool) -> None:
    if not rebuild and _is_current(workspace.database):
        with storage_errors("copy the database"):
            shutil.copyfile(workspace.database, aside)


def _is_current(database: Path) -> bool:
    """Whether the published database can be continued; a damaged or older one is made anew."""
    import duckdb

    if not database.exists():
        return False
    try:
        with duckdb.connect(str(database), read_only=True) as db:
            row = db.execute("SELECT schema_version FROM meta").fetchone()
    except duckdb.Error:
        return False
    return row == (SCHEMA_VERSION,)


def _ingest_all(workspace: Workspace, aside: Path, on_file: Callable[[str], None] | None) -> bool:
    import duckdb

    new = not aside.exists()
    changed = new
    with duckdb.connect(str(aside)) as db:
        if new:
            create_schema(db)
        seen = dict(db.execute("SELECT path, bytes FROM ingested").fetchall())
        for source, path, name in _fact_files(workspace):
            with _new_part(path, seen.get(name, 0), source.appended) as part:
                if part is None:
                    continue
                _ingest(db, source, part, name)
                changed = True
            if on_file is not None:
                on_file(name)
    return changed


def _fact_files(workspace: Workspace) -> Iterator[tuple[Source, Path, str]]:
    for source in SOURCES:
        for path in sorted(workspace.root.glob(source.pattern)):
            yield source, path, path.relative_to(workspace.root).as_posix()


@dataclass(slots=True)
class _Part:
    """The unread part of a fact file, as a file of its own where it is not the whole."""

    path: Path
    end: int
    temporary: bool

    def __enter__(self) -> _Part:
        return self

    def __exit__(self, *_: object) -> None:
        if self.temporary:
            self.path.unlink(missing_ok=True)


class _Nothing:
    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _new_part(path: Path, start: int, appended: bool) -> _Part | _Nothing:
    if not appended:
        size = path.stat().st_size
        return _Nothing() if start else _Part(path, size, temporary=False)
    with path.open("rb") as file:
        file.seek(start)
        tail = file.read()
    whole_lines = tail.rfind(b"\n") + 1
    if whole_lines == 0:
        return _Nothing()
    handle, name = tempfile.mkstemp(prefix="evalkit-", suffix=".jsonl")
    with os.fdopen(handle, "wb") as out:
        out.write(tail[:whole_lines])
    return _Part(Path(name), start + whole_lines, temporary=True)


def _ingest(db: DuckDBPyConnection, source: Source, part: _Part, name: str) -> None:
    size = max(part.path.stat().st_size + 1, 16_777_216)
    known = {"path": str(part.path), "folder": name.split("/")[1]}
    if source.ingest == "plan.sql":
        known["trials"] = str(trials_path(part.path))
    db.execute("BEGIN")
    for statement in _statements(source.ingest):
        text = statement.replace("$size", str(size))
        db.execute(text, {key: value for key, value in known.items() if f"${key}" in text})
    db.execute("INSERT OR REPLACE INTO ingested VALUES (?, ?)", [name, part.end])
    db.execute("COMMIT")


def _remove(database: Path) -> None:
    database.unlink(missing_ok=True)
    database.with_name(database.name + ".wal").unlink(missing_ok=True)


@cache
def _sql(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")


@cache
def _statements(name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in _sql(f"ingest/{name}").split(";\n") if part.strip())
