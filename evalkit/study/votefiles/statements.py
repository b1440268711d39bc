"""Running the `.sql` files of this package: one statement after the other, each with its parameters."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

_FOLDER = Path(__file__).parent / "sql"


def rows(db: DuckDBPyConnection, name: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """Run all of `<name>.sql`; the rows of its last statement."""
    for text in _statements(name):
        db.execute(text, {key: value for key, value in parameters.items() if f"${key}" in text})
    return db.fetchall()


def records(db: DuckDBPyConnection, name: str, **parameters: Any) -> list[dict[str, Any]]:
    """`rows` with the names of their columns."""
    found = rows(db, name, **parameters)
    names = [column[0] for column in db.description or ()]
    return [dict(zip(names, row, strict=True)) for row in found]


def changed(db: DuckDBPyConnection, name: str, **parameters: Any) -> int:
    """Run all of `<name>.sql`; how many rows its last statement changed."""
    return int(rows(db, name, **parameters)[0][0])


@cache
def _statements(name: str) -> tuple[str, ...]:
    text = (_FOLDER / f"{name}.sql").read_text("utf-8")
    return tuple(part.strip() for part in text.split(";\n") if part.strip())
