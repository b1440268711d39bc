"""Running the `.sql` files of this package. Each file is one statement with named parameters."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FOLDER = Path(__file__).parent / "sql"


@cache
def statement(name: str, folder: Path = _FOLDER) -> str:
    """The text of `<name>.sql`."""
    return (folder / f"{name}.sql").read_text("utf-8")


def rows(db: DuckDBPyConnection, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """All rows of `<name>.sql`."""
    return db.execute(statement(name), parameters).fetchall()


def newest_run(db: DuckDBPyConnection, run: str | None = None) -> str:
    """`run` if it exists, else the newest one. Raises `UnknownName`, or `UsageError` if there is none."""
    known = [
        str(name) for (name,) in db.execute("SELECT run FROM runs ORDER BY created DESC, run DESC").fetchall()
    ]
    if not known:
        raise UsageError("there is no run in this workspace yet", "Make one: evalkit run SUITE --system S")
    if run is not None and run not in known:
        raise UnknownName("run", run, known)
    return run or known[0]
