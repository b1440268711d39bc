"""What every command prints with: tables that are also JSON, progress bars, notes on standard error."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping, Sequence
from decimal import ROUND_CEILING, Decimal
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bars
from rich.table import Table

from evalkit.progress import Progress
from evalkit.remote.redact import hushed, visible

PIPED_WIDTH = 180
out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Row = Mapping[str, Any]


def show_table(title: str, rows: Sequence[Row], *, as_json: bool, right: Sequence[str] = ()) -> None:
    """Rows of the same keys as a table for people, or as a JSON list for programs."""
    if as_json:
        show_json(list(rows))
        return
    if title:
        out.print(title if rows else f"{title}: nothing to show", style="bold", markup=False, soft_wrap=True)
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in rows[0] if rows else ():
        table.add_column(name, justify="right" if name in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row.values()))
    if rows:
        out.print(table)


def show_json(value: Any) -> None:
    """One JSON document on standard output."""
    text = json.dumps(value, ensure_ascii=False, indent=2, default=_plain)
    out.print(hushed(text, lambda c: f"\\u{ord(c):04x}"), markup=False, soft_wrap=True)


def note(message: str) -> None:
    """A line for the person at the terminal; not part of the output."""
    err.print(visible(message), markup=False)


def dollars(amount: Decimal) -> str:
    """An amount for people, rounded up: to the cent from a dollar on, else to a hundredth of a cent.

    >>> dollars(Decimal("10.449500")), dollars(Decimal("0.05031")), dollars(Decimal(0))
    ('$10.45', '$0.0504', '$0')
    """
    if not amount:
        return "$0"
    step = Decimal("0.01") if abs(amount) >= 1 else Decimal("0.0001")
    rounded = amount.quantize(step, ROUND_CEILING)
    return f"${rounded}" if abs(amount) >= 1 else f"${rounded.normalize():f}"


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        value = ", ".join(map(str, value))
    return escape(visible(str(value)))


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    return value.tolist() if hasattr(value, "tolist") else str(value)


class TerminalProgress(Progress):
    """Progress bars on standard error; without a terminal, one line per finished stage."""

    def __init__(self) -> None:
        self._bars = Bars(
            TextColumn("{task.description:<34}"),
            BarColumn(bar_width=28),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            console=err,
            disable=not err.is_terminal,
        )
        self._tasks: dict[str, TaskID] = {}
        self._counts: dict[str, list[int]] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> TerminalProgress:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def start(self, stage: str, total: int) -> None:
        with self._lock:
            self._tasks[stage] = self._bars.add_task(stage, total=total)
            self._counts[stage] = [0, total]

    def advance(self, stage: str, steps: int = 1) -> None:
        with self._lock:
            self._counts[stage][0] += steps
            self._bars.advance(self._tasks[stage], steps)

    def finish(self, stage: str) -> None:
        done, total = self._counts.get(stage, [0, 0])
        if not err.is_terminal:
            err.print(f"{stage}: {done}/{total}", markup=False)

    def note(self, message: str) -> None:
        note(message)
