"""Which line that was read is which line that was expected, whatever the order on the page.

Lines are matched by edit distance. What one reads as two lines may be expected as one, and the other way
round: a paragraph is one expected text and many lines, two words in two boxes may be read as one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz.distance import Levenshtein

MUCH = 0.5
"""A line joins others only if at least this share of its characters is right there."""


@dataclass(frozen=True, slots=True)
class Assigned:
    """Lines that belong together, by their numbers, and the edit distance between their joined texts."""

    expected: tuple[int, ...]
    read: tuple[int, ...]
    distance: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """Every expected line in exactly one group; `extra` are lines read that belong to none."""

    groups: tuple[Assigned, ...]
    extra: tuple[int, ...]
    length: int

    @property
    def error_rate(self) -> float | None:
        """Edit distances of all groups over the length of the expected lines, 0 to 1; None if it is 0."""
        return sum(group.distance for group in self.groups) / self.length if self.length else None

    @property
    def exact_share(self) -> float | None:
        """Share of expected lines in groups without an error; None if no line is expected."""
        lines = sum(len(group.expected) for group in self.groups)
        exact = sum(len(group.expected) for group in self.groups if group.distance == 0)
        return exact / lines if lines else None


def assign(expected: Sequence[str], read: Sequence[str]) -> Assignment:
    """The best partners by edit distance (Hungarian method), then joined as long as that removes errors.

    Empty lines take no part. An expected line without a partner costs its length, so a group never costs
    more than its expected text; a line that was read and belongs nowhere costs nothing and is `extra`.
    """
    wanted = {n: line for n, line in enumerate(expected) if line}
    got = {n: line for n, line in enumerate(read) if line}
    groups = _pairs(wanted, got)
    while (better := _joined(groups, wanted, got)) is not None:
        groups = better
    used = {n for group in groups for n in group.read}
    extra = tuple(n for n in got if n not in used)
    return Assignment(tuple(groups), extra, sum(len(line) for line in wanted.values()))


def _pairs(wanted: dict[int, str], got: dict[int, str]) -> list[Assigned]:
    """One partner each, such that the distances are smallest in total."""
    from scipy.optimize import linear_sum_assignment

    rows, columns = list(wanted), list(got)
    gains = np.zeros((len(rows), len(columns)), np.int64)
    for row, column in np.ndindex(gains.shape):
        gains[row, column] = _gain(wanted[rows[row]], got[columns[column]])
    partners = dict(zip(*linear_sum_assignment(-gains), strict=True)) if gains.size else {}
    groups = []
    for row, number in enumerate(rows):
        column = partners.get(row)
        matched = (columns[column],) if column is not None and gains[row, column] > 0 else ()
        groups.append(_group((number,), matched, wanted, got))
    return groups


def _gain(wanted: str, got: str) -> int:
    """How many errors the partner saves over having none."""
    return max(0, len(wanted) - Levenshtein.distance(wanted, got))


def _joined(groups: Sequence[Assigned], wanted: dict[int, str], got: dict[int, str]) -> list[Assigned] | None:
    """The groups after the one step that removes most errors; None if none does."""
    used = {n for group in groups for n in group.read}
    free = [n for n in got if n not in used]
    steps = [_with_line(group, n, wanted, got) for group in groups for n in free]
    steps += [
        _merged((a, b), lines, wanted, got)
        for a, b in _neighbours(groups)
        for lines in (a.read, b.read, a.read + b.read, *((n,) for n in free))
    ]
    best = max((step for step in steps if step is not None), key=lambda step: step[0], default=None)
    if best is None:
        return None
    _, old, new = best
    return [group for group in groups if group not in old] + [new]


_Step = tuple[int, tuple[Assigned, ...], Assigned]
"""Errors removed, the groups that go, the group that comes."""


def _with_line(group: Assigned, n: int, wanted: dict[int, str], got: dict[int, str]) -> _Step | None:
    """One more line that was read: the reader has split what was expected as one."""
    if not group.read:
        return None
    new = _group(group.expected, (*group.read, n), wanted, got)
    removed = group.distance - new.distance
    return (removed, (group,), new) if removed >= MUCH * len(got[n]) else None


def _merged(
    pair: tuple[Assigned, Assigned], lines: tuple[int, ...], wanted: dict[int, str], got: dict[int, str]
) -> _Step | None:
    """Two expected lines that the reader has taken for one, which lies in these lines."""
    a, b = pair
    new = _group(a.expected + b.expected, lines, wanted, got)
    removed = a.distance + b.distance - new.distance
    shorter = min(sum(len(wanted[n]) for n in group.expected) for group in pair)
    return (removed, pair, new) if removed >= MUCH * shorter else None


def _neighbours(groups: Sequence[Assigned]) -> list[tuple[Assigned, Assigned]]:
    """Pairs of groups with neighbouring expected lines, one of which has found nothing of its own."""
    return [
        (a, b)
        for a in groups
        for b in groups
        if max(a.expected) + 1 == min(b.expected) and (a.distance > 0 or b.distance > 0)
    ]


def _group(
    expected: tuple[int, ...], read: tuple[int, ...], wanted: dict[int, str], got: dict[int, str]
) -> Assigned:
    ours, theirs = tuple(sorted(expected)), tuple(sorted(read))
    text = " ".join(wanted[n] for n in ours)
    distance = Levenshtein.distance(text, " ".join(got[n] for n in theirs))
    return Assigned(ours, theirs, min(distance, len(text)))
