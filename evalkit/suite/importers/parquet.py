"""Rows and pictures of Parquet tables, as data sets on a hub have them: texts at once, pictures one by one.

A picture is a struct of `bytes` and `path`, or the bytes themselves. Arrow stream files (`.arrow`) hold the
same and are read where pyarrow is installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from evalkit.errors import InvalidInput
from evalkit.suite.importers.inputs import BadFile, require_keys

PATTERNS = ("*.parquet", "*.arrow")
WINDOW = 32
"""So many rows of pictures are in memory at a time."""

Rows = list[tuple[Any, ...]]


class _Source(Protocol):
    """A file that can be selected from."""

    def columns(self) -> list[str]:
        """The names of all columns."""

    def select(self, names: Sequence[str], start: int, count: int | None) -> Rows:
        """`count` rows from `start` (from 0) on, or all of them."""


class Table:
    """One file. `texts` and `pictures` are columns that must be there, `optional` texts that may.

    Raises `BadFile` for a file that is no table, and for columns that are missing.
    """

    def __init__(
        self, path: Path, texts: Sequence[str], pictures: Sequence[str], optional: Sequence[str] = ()
    ) -> None:
        self._source: _Source = _Arrow(path) if path.suffix == ".arrow" else _Parquet(path)
        self.columns = self._source.columns()
        require_keys(self.columns, (*texts, *pictures), 0, "columns")
        self._texts = [name for name in (*texts, *optional) if name in self.columns]
        self._pictures = list(pictures)
        self._start = 0
        self._window: Rows = []

    def rows(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Number (from 1) and texts of every row, in order."""
        for number, row in enumerate(self._source.select(self._texts, 0, None), 1):
            yield number, dict(zip(self._texts, row, strict=True))

    def picture(self, row: int, column: str) -> bytes:
        """The encoded picture of a row. Cheap when rows are asked for in order. Raises `InvalidInput`."""
        place = row - 1 - self._start
        if not 0 <= place < len(self._window):
            place = (row - 1) % WINDOW
            self._start = row - 1 - place
            self._window = self._source.select(self._pictures, self._start, WINDOW)
        value = self._window[place][self._pictures.index(column)]
        data = value.get("bytes") if isinstance(value, dict) else value
        if not isinstance(data, bytes | bytearray) or not data:
            raise InvalidInput(f"the table has no picture under {column!r}")
        return bytes(data)

    def reader(self, row: int, column: str) -> Callable[[], bytes]:
        """Reads the picture of a row when it is asked for."""
        return lambda: self.picture(row, column)


class _Parquet:
    def __init__(self, path: Path) -> None:
        import duckdb

        self._db = duckdb.connect(config={"threads": 1})
        self._path = re.sub(r"([*?\[])", r"[\1]", str(path))

    def columns(self) -> list[str]:
        return [str(row[0]) for row in self._ask("DESCRIBE SELECT * FROM read_parquet(?)", [])]

    def select(self, names: Sequence[str], start: int, count: int | None) -> Rows:
        wanted = ", ".join('"' + name.replace('"', '""') + '"' for name in names)
        part = "" if count is None else "WHERE file_row_number >= ? AND file_row_number < ?"
        bounds = [] if count is None else [start, start + count]
        return self._ask(f"SELECT {wanted} FROM read_parquet(?, file_row_number = true) {part}", bounds)

    def _ask(self, statement: str, bounds: Sequence[int]) -> Rows:
        import duckdb

        try:
            return self._db.execute(statement, [self._path, *bounds]).fetchall()
        except duckdb.Error as error:
            message = str(error).splitlines()[0]
            raise BadFile(0, f"expected a Parquet table; {message}") from error


class _Arrow:
    def __init__(self, path: Path) -> None:
        try:
            pyarrow: Any = import_module("pyarrow")
            ipc: Any = import_module("pyarrow.ipc")
        except ImportError as error:
            message = "reading .arrow needs pyarrow; install it, or save the table as Parquet"
            raise BadFile(0, message) from error
        try:
            self._table = ipc.open_stream(pyarrow.memory_map(str(path))).read_all()
        except (pyarrow.ArrowException, OSError) as error:
            raise BadFile(0, f"expected an Arrow stream; {str(error).splitlines()[0]}") from error

    def columns(self) -> list[str]:
        return [str(name) for name in self._table.column_names]

    def select(self, names: Sequence[str], start: int, count: int | None) -> Rows:
        part = self._table.select(list(names)).slice(start, count)
        return [tuple(row.values()) for row in part.to_pylist()]
