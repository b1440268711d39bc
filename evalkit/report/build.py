"""Putting a report together: sections in the order of the definition, one HTML file, one JSON beside it.

The file needs nothing but itself: no script, no request, pictures and charts inside. The same inputs give
the same bytes; only `now` is a clock.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.leaderboard import newest_run
from evalkit.report.context import Context, find_studies
from evalkit.report.definition import Definition
from evalkit.report.page import Part, page
from evalkit.report.sections import Section, builder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Progress = Callable[[str, int, int], None]
"""Called before each section with its name, how many are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class Inputs:
    """What a report is made of. `run` None is the newest run; `studies` None is every study of it with votes.

    `read_object` gives a stored picture's bytes by sha256. `now` is printed as the time of making.
    `include_restricted` shows what a licence keeps from being passed on, for one's own use.
    """

    db: DuckDBPyConnection
    read_object: Callable[[str], bytes]
    definition: Definition
    run: str | None = None
    studies: Sequence[str] | None = None
    now: datetime | None = None
    include_restricted: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    """Where the report is, and which sections had nothing to say."""

    path: Path
    results: Path
    size: int
    left_out: tuple[str, ...]


def build_report(inputs: Inputs, out: Path, progress: Progress | None = None) -> Report:
    """Write `out` and, beside it, the same boards as JSON. Raises `UnknownName` for sections or runs."""
    definition = inputs.definition
    builders = {name: builder(name, definition.folder) for name in definition.sections}
    context = _context(inputs)
    parts: list[Part] = []
    for done, (name, build) in enumerate(builders.items()):
        if progress is not None:
            progress(name, done, len(builders))
        section = build(context, definition.options.get(name, {}))
        if section is not None:
            parts.append(Part(name, section))
    html = page(context, definition, parts).encode("utf-8")
    results = out.with_suffix(".json")
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_bytes(html)
    results.write_text(_results(context, definition, parts), "utf-8")
    told = {part.name for part in parts}
    return Report(out, results, len(html), tuple(name for name in builders if name not in told))


def _context(inputs: Inputs) -> Context:
    run = newest_run(inputs.db, inputs.run)
    studies = find_studies(inputs.db, run, inputs.studies)
    now = inputs.now or datetime.now(UTC)
    seed, whole = inputs.definition.seed, inputs.include_restricted
    return Context(inputs.db, inputs.read_object, run, studies, now, seed, whole)


def _results(context: Context, definition: Definition, parts: Sequence[Part]) -> str:
    document: dict[str, Any] = {
        "title": definition.title,
        "run": context.run,
        "studies": [study.study for study in context.studies],
        "generated": context.now.isoformat(),
        "seed": context.seed,
        "sections": {part.name: part.section.results for part in parts},
    }
    return json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n"


__all__ = ["Inputs", "Report", "Section", "build_report"]
