"""Opening a table of any kind as rows of text: CSV, JSON lines, a JSON list, Parquet.

Gives a view `given`: `row` counts from 1, every column of ours is text or NULL, `extra` is a map of what else
a row says. What the words mean is for `sql/stage_*.sql`.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.errors import InvalidInput, UsageError
from evalkit.study.votefiles.columns import COLUMNS, RANKING_COLUMNS, Layout

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MEMORY = "1GB"
SAMPLE = 10_000
LONGEST = 200
"""A column with a longer text in the first rows is a prompt or a talk: nothing to slice a board by."""
FORMATS = {
    ".csv": "csv",
    ".tsv": "csv",
    ".jsonl": "lines",
    ".ndjson": "lines",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_NOTHING = "NULL::VARCHAR"
_CSV = "read_csv($path, header = true, all_varchar = true, store_rejects = true, quote = '\"')"
_READERS = {
    "csv": _CSV,
    "lines": "read_json_objects($path, format = 'newline_delimited', ignore_errors = true)",
    "json": "read_json_objects($path, format = 'auto')",
    "parquet": "read_parquet($path)",
}


@contextlib.contextmanager
def scratch() -> Iterator[DuckDBPyConnection]:
    """A database for the time of one import, on disk where it outgrows `MEMORY`."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="evalkit-") as folder, duckdb.connect(f"{folder}/db") as db:
        db.execute(f"SET memory_limit = '{MEMORY}'")
        db.execute("SET TimeZone = 'UTC'")
        yield db


class Table:
    """A file that is open for reading. `names` are its columns, in order. Raises `InvalidInput`."""

    def __init__(self, db: DuckDBPyConnection, path: Path) -> None:
        self.path = path
        self._db = db
        self._format = _format(path)
        self._source = _READERS[self._format].replace("$path", quoted(_literal(path)))
        with readable(path):
            self.names, self._nested = self._columns()

    def give(self, layout: Layout) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Make the view `given`. Returns which other columns are kept in `extra`, and which are not.

        Needs the macros of `sql/words.sql`.
        """
        with readable(self.path):
            kept = self._short(layout.rest)
        columns = RANKING_COLUMNS if layout.kind == "rankings" else COLUMNS
        given = {ours: self._text(theirs) for ours, theirs in layout.columns.items()}
        told = given.pop("extra", _NOTHING)
        texts = [f"{given.get(c.name, _NOTHING)} AS {name(c.name)}" for c in columns if c.name != "extra"]
        self._db.execute(
            f"CREATE TEMP VIEW given AS SELECT row_number() OVER () AS row, {self._whole()} AS whole, "
            f"{', '.join(texts)}, {told} AS told, {self._extra(kept)} AS extra FROM {self._source}"
        )
        return kept, tuple(name for name in layout.rest if name not in kept)

    def broken_lines(self) -> list[int]:
        """Lines of a CSV file that are no rows, once `given` has been read."""
        if self._format != "csv":
            return []
        found = self._db.execute("SELECT DISTINCT line FROM reject_errors ORDER BY line").fetchall()
        return [int(line) for (line,) in found]

    def _columns(self) -> tuple[tuple[str, ...], frozenset[str]]:
        if self._format in ("lines", "json"):
            found = self._db.execute(
                "SELECT key, min(n) FROM (SELECT unnest(json_keys(json)) AS key, row_number() OVER () AS n "
                f"FROM {self._source} WHERE json_type(json) = 'OBJECT') GROUP BY key ORDER BY min(n), key"
            ).fetchall()
            return tuple(str(key) for key, _ in found), frozenset()
        described = self._db.execute(f"DESCRIBE SELECT * FROM {self._source}").fetchall()
        nested = {str(row[0]) for row in described if str(row[1]).startswith(("STRUCT", "MAP", "UNION"))}
        nested |= {str(row[0]) for row in described if str(row[1]).endswith("]")}
        return tuple(str(row[0]) for row in described), frozenset(nested)

    def _text(self, column: str) -> str:
        """The SQL for a column as text; empty text is NULL, and what is nested is JSON."""
        if self._format in ("lines", "json"):
            path = quoted('$."' + column.replace('"', '\\"') + '"')
            return f"nullif(trim(json_extract_string(json, {path})), '')"
        value = f"to_json({name(column)})" if column in self._nested else name(column)
        return f"nullif(trim({value}::VARCHAR), '')"

    def _whole(self) -> str:
        return "coalesce(json_type(json) = 'OBJECT', false)" if self._format in ("lines", "json") else "true"

    def _short(self, columns: tuple[str, ...]) -> tuple[str, ...]:
        if not columns:
            return ()
        sizes = ", ".join(f"coalesce(max(length({self._text(column)})), 0)" for column in columns)
        found = self._db.execute(
            f"SELECT {sizes} FROM (SELECT * FROM {self._source} LIMIT {SAMPLE})"
        ).fetchone()
        longest = found or ()
        return tuple(c for c, size in zip(columns, longest, strict=True) if 0 < size <= LONGEST)

    def _extra(self, columns: tuple[str, ...]) -> str:
        if not columns:
            return "NULL::MAP(VARCHAR, VARCHAR)"
        pairs = ", ".join(f"{{'key': {quoted(c)}, 'value': plain({self._text(c)})}}" for c in sorted(columns))
        return f"map_from_entries(list_filter([{pairs}], lambda e: e.value IS NOT NULL))"


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """What DuckDB says about a file it cannot read, as `InvalidInput`."""
    import duckdb

    try:
        yield
    except duckdb.Error as error:
        said = str(error).splitlines()[0]
        raise InvalidInput(
            f"{path} cannot be read: {said}",
            "It should be what its name says: CSV with a header, JSON lines, a JSON list, or Parquet.",
        ) from error


def quoted(text: str) -> str:
    """A text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def name(column: str) -> str:
    """The name of a column as SQL writes it."""
    return '"' + column.replace('"', '""') + '"'


def _format(path: Path) -> str:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    last = suffixes[-2] if len(suffixes) > 1 and suffixes[-1] in (".gz", ".zst") else (suffixes or [""])[-1]
    if last not in FORMATS:
        raise UsageError(
            f"{path.name}: a file of votes ends in {', '.join(FORMATS)}", "Rename it to what it is."
        )
    if not path.is_file():
        raise InvalidInput(f"there is no file {path}", "Check the path.")
    return FORMATS[last]


def _literal(path: Path) -> str:
    """A path in which DuckDB sees no pattern."""
    return "".join(f"[{c}]" if c in "*?[" else c for c in str(path))
