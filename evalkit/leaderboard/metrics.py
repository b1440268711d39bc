"""What the metrics say: one row per category x system x output, with interval and coverage.

Replicates are folded into their case before anything else, cases of one cluster are resampled together.
Nothing is blended: a category is ordered by its one headline output, the others stand beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from evalkit.leaderboard.query import newest_run, rows
from evalkit.stats.bootstrap import Bounds, Resampling, mean_of_totals
from evalkit.stats.clusters import ClusterTotals
from evalkit.types import Estimate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

HEADLINES: Mapping[str, str] = MappingProxyType(
    {
        "product": "clip_cos",
        "portrait": "clip_cos",
        "typography": "ocr_word_f1",
        "edit-preservation": "lpips_out",
    }
)
"""The output a category is ordered by. Elsewhere: the first that calls itself a headline."""

MAX_GAP = 0.02
"""Coverages further apart than this make means of different cases, which are not comparable."""

SAME = "the same on every case"

GAP_NOTE = (
    "coverage differs by more than 2 percentage points between systems: "
    "these means are over different cases and cannot be compared as they stand"
)
STANDS_NOTE = (
    "coverage differs by more than 2 percentage points between systems, "
    "but no value of what is missing would change this place in the order"
)


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One number of one system in one category.

    `estimate.n` and `estimate.n_expected` count cases; `n_scored` and `n_expected` count pictures
    (replicates). `headline` marks the one output its category is ordered by, `notable` those that their
    metrics call headlines. `coverage_gap` is true for every row of an output whose coverage differs between
    systems. `possible` is where the mean could lie if all missing scores were at one end of the scale, None
    at an end the scale does not have. `rank` is the place among the systems, 1 for the best; None where there
    is no value or direction, and where a coverage gap could turn the order: see `ranked`.
    """

    category: str
    system: str
    metric: str
    output: str
    label: str
    better: str
    unit: str
    bounds: Bounds
    headline: bool
    notable: bool
    caveat: str
    estimate: Estimate
    n_scored: int
    n_expected: int
    position: int
    coverage_gap: bool = False
    note: str = ""
    possible: Bounds = (None, None)
    rank: int | None = None

    @property
    def coverage(self) -> float:
        """Share of the pictures that were due a score and have one, 0 to 1."""
        return self.n_scored / self.n_expected if self.n_expected else 0.0

    @property
    def key(self) -> tuple[str, str]:
        """What tells outputs apart: two configurations of one metric have outputs of the same name."""
        return self.metric, self.output


@dataclass(frozen=True, slots=True)
class Behind:
    """A system and how far the leader is ahead of it, over the cases both have.

    `difference` is leader minus this system, in the metric's own direction.
    """

    row: BoardRow
    difference: Estimate

    @property
    def decided(self) -> bool | None:
        """Whether the difference is larger than its uncertainty; None where that is not known."""
        gap = self.difference
        if gap.low is None or gap.high is None:
            return False if gap.note == SAME else None
        return gap.low > 0 or gap.high < 0


@dataclass(frozen=True, slots=True)
class Headline:
    """Who leads a category by its headline output, and the others in order."""

    category: str
    leader: BoardRow
    others: tuple[Behind, ...] = ()

    @property
    def refused(self) -> bool:
        """Whether the first by its mean may not be called the first: missing scores could turn the order."""
        return self.leader.rank is None and self.leader.better != "neither"


def metric_board(
    db: DuckDBPyConnection,
    run: str | None = None,
    category: str | None = None,
    outputs: Sequence[str] | None = None,
    seed: int = 0,
) -> tuple[BoardRow, ...]:
    """Every category x system x output of a run (default: the newest), best first within an output."""
    wanted = list(outputs) if outputs is not None else None
    found = rows(db, "metric_totals", run=newest_run(db, run), category=category, outputs=wanted)
    board = _with_headlines([_row(values, Resampling(seed=seed)) for values in found])
    groups: dict[tuple[str, str, str], list[BoardRow]] = {}
    for row in board:
        groups.setdefault((row.category, *row.key), []).append(row)
    return tuple(row for group in groups.values() for row in ranked(_flagged(sorted(group, key=best_first))))


def headline(
    db: DuckDBPyConnection, board: Sequence[BoardRow], run: str, category: str, seed: int = 0
) -> Headline | None:
    """The leader of a category by its headline output; None where nothing is scored."""
    scored = [r for r in board if r.category == category and r.headline and r.estimate.value is not None]
    if not scored:
        return None
    leader = scored[0]
    gaps = _differences(db, run, leader, seed)
    nothing = Estimate(None, note="no case that both have")
    return Headline(category, leader, tuple(Behind(row, gaps.get(row.system, nothing)) for row in scored[1:]))


def best_first(row: BoardRow) -> tuple[bool, float, str]:
    """Sort key within one output: best value first, systems without a value last."""
    value = row.estimate.value
    sign = 1.0 if row.better == "lower" else -1.0
    return (value is None, sign * (value or 0.0), row.system)


def _row(values: tuple[Any, ...], resampling: Resampling) -> BoardRow:
    category, system, metric, output, label, better, unit, low, high, head, caveat = values[:11]
    sums, counts, smallest, largest, cases, n_scored, n_expected, position, known, missing = values[11:]
    totals = _totals(sums, counts, smallest, largest)
    estimate = replace(_mean(totals, resampling, (low, high), (low, high)), n_expected=cases)
    return BoardRow(
        category=category,
        system=system,
        metric=metric,
        output=output,
        label=label or output,
        better=better,
        unit=unit or "",
        bounds=(low, high),
        headline=False,
        notable=bool(head),
        caveat=caveat or "",
        estimate=estimate,
        n_scored=n_scored,
        n_expected=n_expected,
        position=position or 0,
        possible=_possible(known, missing, cases, (low, high)),
    )


def _possible(known: float, missing: float, cases: int, bounds: Bounds) -> Bounds:
    """The lowest and highest mean over all cases, whatever the scores are that are missing (Manski 1989)."""
    if missing <= 1e-9:
        return known / cases, known / cases
    low, high = (None if end is None else (known + missing * end) / cases for end in bounds)
    return low, high


def _totals(
    sums: Sequence[float] | None, counts: Sequence[int] | None, smallest: float | None, largest: float | None
) -> ClusterTotals:
    return ClusterTotals(
        np.array(sums or [], dtype=np.float64),
        np.array(counts or [], dtype=np.float64),
        float("nan") if smallest is None else smallest,
        float("nan") if largest is None else largest,
    )


def _with_headlines(board: Sequence[BoardRow]) -> list[BoardRow]:
    """Leave exactly one output per category marked as its headline."""
    chosen = {
        category: _headline_of(category, [row for row in board if row.category == category])
        for category in {row.category for row in board}
    }
    return [replace(row, headline=row.key == chosen[row.category]) for row in board]


def _headline_of(category: str, board: Iterable[BoardRow]) -> tuple[str, str] | None:
    """The named output of the category, else the first that calls itself a headline; scored ones first."""
    named = HEADLINES.get(category)

    def preference(row: BoardRow) -> tuple[bool, bool, bool, str, int]:
        return (row.n_scored == 0, row.output != named, not row.notable, row.metric, row.position)

    candidates = [row for row in board if row.output == named or row.notable]
    return min(candidates, key=preference).key if candidates else None


def _flagged(group: Sequence[BoardRow]) -> list[BoardRow]:
    coverages = [row.coverage for row in group]
    if max(coverages) - min(coverages) <= MAX_GAP:
        return list(group)
    return [replace(row, coverage_gap=True, note=GAP_NOTE) for row in group]


def ranked(group: Sequence[BoardRow]) -> list[BoardRow]:
    """The rows of one output, best first, with their ranks.

    Equal means share a rank. Where coverage differs, a row has a rank only if its `possible` means overlap
    with those of no other row.
    """
    return [_with_rank(row, [other for other in group if other is not row]) for row in group]


def _with_rank(row: BoardRow, others: Sequence[BoardRow]) -> BoardRow:
    value = row.estimate.value
    if value is None or row.better == "neither":
        return row
    if row.coverage_gap and not all(_apart(row.possible, other.possible) for other in others):
        return row
    sign = 1.0 if row.better == "higher" else -1.0
    means = [other.estimate.value for other in others if other.estimate.value is not None]
    rank = 1 + sum(sign * mean > sign * value for mean in means)
    return replace(row, rank=rank, note=STANDS_NOTE if row.coverage_gap else row.note)


def _apart(a: Bounds, b: Bounds) -> bool:
    """Whether all of `a` lies below all of `b`, or above."""
    below = a[1] is not None and b[0] is not None and a[1] < b[0]
    above = a[0] is not None and b[1] is not None and a[0] > b[1]
    return below or above


def _differences(db: DuckDBPyConnection, run: str, leader: BoardRow, seed: int) -> dict[str, Estimate]:
    found = rows(
        db,
        "paired_totals",
        run=run,
        category=leader.category,
        metric=leader.metric,
        output=leader.output,
        first=leader.system,
    )
    seeded = Resampling(seed=seed)
    return {system: _difference(_totals(*totals), seeded, leader.bounds) for system, *totals in found}


def _difference(totals: ClusterTotals, resampling: Resampling, scale: Bounds) -> Estimate:
    """Two systems that agree on every case (they may have made the same pictures) get no interval."""
    if totals.smallest == totals.largest == 0.0:
        n = totals.n
        return Estimate(0.0, n=n, n_clusters=totals.clusters, n_expected=n, note=SAME)
    low, high = scale
    width = None if low is None or high is None else high - low
    return _mean(totals, resampling, (None, None) if width is None else (-width, width), scale)


def _mean(totals: ClusterTotals, resampling: Resampling, bounds: Bounds, scale: Bounds) -> Estimate:
    """Equal values get an interval only where the metric's scale is 0 to 1, as for right or wrong.

    There an unseen case may well be at the other end. Of SSIM, PSNR or MSE the far end is a theoretical limit
    only, and an interval that reaches for it says nothing.
    """
    if totals.constant and scale != (0.0, 1.0):
        bounds = (bounds[0], None)
    return mean_of_totals(totals, resampling, bounds)
