"""Which faults each system's pictures have: one class per picture, and how often each occurs.

The metric `faults` judges pictures one at a time. Here the pictures of a run are looked at together, because
one fault shows only then: a picture that another case has got as well (`duplicate`), as a gateway delivers it
that answers from a wrong cache.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.leaderboard.query import newest_run, rows
from evalkit.metrics.faults import FAULTS
from evalkit.metrics.fingerprint import BITS, NEAR, from_text, hamming, tones_from_text
from evalkit.stats.bounded import clustered_proportion
from evalkit.types import Estimate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

DUPLICATE = "duplicate"
LABELS: Mapping[str, str] = {**FAULTS, DUPLICATE: "The picture of another case"}

SAME_TONES = 6
"""Copies differ by no more than this in the mean colour of any of 16 fields, in levels of 255."""

_STRONGER = ("blank", "noop")
_CROWD = 200


@dataclass(frozen=True, slots=True)
class Pictured:
    """One delivered picture and what is wrong with it: `fault` is a class of `LABELS`, or empty.

    `looked` is False where nothing is known, because it could not be judged or has not been.
    """

    category: str
    system: str
    suite: str
    case: str
    replicate: int
    trial: str
    image: str
    fault: str
    evidence: str
    looked: bool


@dataclass(frozen=True, slots=True)
class FaultRow:
    """How often one class of fault occurs among the pictures looked at; `fault` "any" is all of them.

    `examples` are the first few, by case.
    """

    category: str
    system: str
    fault: str
    label: str
    count: int
    pictures: int
    rate: Estimate
    examples: tuple[Pictured, ...] = ()


@dataclass(frozen=True, slots=True)
class _Row:
    pictured: Pictured
    prompts: str
    source: str | None
    bits: int | None
    tones: bytes | None


def faulty_pictures(
    db: DuckDBPyConnection, run: str | None = None, category: str | None = None
) -> tuple[Pictured, ...]:
    """Every delivered picture of a run (default: the newest) with its fault, if it has one."""
    return tuple(row.pictured for row in _judged(db, newest_run(db, run), category))


def fault_board(
    db: DuckDBPyConnection, run: str | None = None, category: str | None = None, examples: int = 3
) -> tuple[FaultRow, ...]:
    """Category x system x class of fault that occurs, after "any" of each; empty if nothing was looked at.

    Rates are of the pictures looked at, with exact intervals; prompts of one cluster count together.
    """
    groups: dict[tuple[str, str], list[_Row]] = defaultdict(list)
    for row in _judged(db, newest_run(db, run), category):
        if row.pictured.looked:
            groups[row.pictured.category, row.pictured.system].append(row)
    return tuple(line for group in groups.values() for line in _lines(group, examples))


def _lines(group: Sequence[_Row], examples: int) -> Iterator[FaultRow]:
    present = {row.pictured.fault for row in group if row.pictured.fault}
    yield _line(group, "any", "Any fault", present, 0)
    for fault, label in LABELS.items():
        if fault in present:
            yield _line(group, fault, label, {fault}, examples)


def _line(group: Sequence[_Row], fault: str, label: str, kinds: Iterable[str], examples: int) -> FaultRow:
    wanted = frozenset(kinds)
    having = [row.pictured for row in group if row.pictured.fault in wanted]
    hits: dict[str, list[bool]] = defaultdict(list)
    for row in group:
        hits[row.prompts].append(row.pictured.fault in wanted)
    rate = clustered_proportion([sum(some) for some in hits.values()], [len(some) for some in hits.values()])
    first = group[0].pictured
    return FaultRow(
        first.category, first.system, fault, label, len(having), len(group), rate, tuple(having[:examples])
    )


# Duplicates -----------------------------------------------------------------------------------------------


def _judged(db: DuckDBPyConnection, run: str, category: str | None) -> list[_Row]:
    found = [_row(values) for values in rows(db, "fault_pictures", run=run, category=category)]
    systems: dict[str, list[int]] = defaultdict(list)
    for position, row in enumerate(found):
        systems[row.pictured.system].append(position)
    for positions in systems.values():
        copies = _copies([found[position] for position in positions])
        for index, other in copies.items():
            position = positions[index]
            found[position] = _as_copy(found[position], found[positions[other]])
    return found


def _row(values: Sequence[Any]) -> _Row:
    category, system, suite, case, replicate, trial, image, prompts, source, looked, detail, _, mark = values
    fault, _, evidence = detail.partition(": ")
    pictured = Pictured(category, system, suite, case, replicate, trial, image, fault, evidence, looked)
    return _Row(pictured, prompts, source, from_text(mark), tones_from_text(mark))


def _copies(group: Sequence[_Row]) -> dict[int, int]:
    """Index of a picture -> index of the first one of another case that it is a copy of, and the reverse."""
    found: dict[int, int] = {}
    for bucket in _buckets(group):
        for place, one in enumerate(bucket):
            for other in bucket[place + 1 :]:
                if _is_copy(group[one], group[other]):
                    found.setdefault(other, one)
                    found.setdefault(one, other)
    return found


def _buckets(group: Sequence[_Row]) -> Iterator[list[int]]:
    """Pictures that may be the same: of equal bytes, or equal in one of 17 bands of the hash.

    Two hashes that differ in 16 bits are equal in one of 17 bands. Bands that very many pictures share (plain
    backgrounds) say nothing and are left out.
    """
    by_bytes: dict[str, list[int]] = defaultdict(list)
    by_band: dict[tuple[int, int], list[int]] = defaultdict(list)
    edges = np.linspace(0, BITS, NEAR + 2).astype(int)
    for index, row in enumerate(group):
        if row.pictured.fault in _STRONGER:
            continue
        by_bytes[row.pictured.image].append(index)
        if row.bits is not None:
            for band, (low, high) in enumerate(pairwise(edges)):
                by_band[band, (row.bits >> int(low)) & ((1 << int(high - low)) - 1)].append(index)
    for bucket in (*by_bytes.values(), *by_band.values()):
        if 1 < len(bucket) <= _CROWD:
            yield bucket


def _is_copy(one: _Row, other: _Row) -> bool:
    """Edits of one source are alike anyway: those must be the same to the byte."""
    a, b = one.pictured, other.pictured
    if (a.suite, a.case) == (b.suite, b.case):
        return False
    if a.image == b.image:
        return True
    if one.source is not None and one.source == other.source:
        return False
    if one.bits is None or other.bits is None or one.tones is None or other.tones is None:
        return False
    first, second = (np.frombuffer(row, np.uint8).astype(np.int16) for row in (one.tones, other.tones))
    return hamming(one.bits, other.bits) <= NEAR and int(np.abs(first - second).max()) <= SAME_TONES


def _as_copy(row: _Row, other: _Row) -> _Row:
    one = row.pictured
    evidence = f"the same picture as {other.pictured.suite}/{other.pictured.case}"
    return replace(row, pictured=replace(one, fault=DUPLICATE, evidence=evidence, looked=True))
