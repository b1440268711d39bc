"""Where a second look is worth most: a metric is sure and people say the opposite, or a score is flagged.

A metric is sure of a pair if its difference is large against the usual difference of two pictures of one
prompt in that category. Only headline outputs are held against people, and each only on the criterion with
which it agrees best: a measure of what an edit left alone is not wrong about how well the prompt was met.
The queue is no fair sample of anything, and votes on it are kept out of every rating and validity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from evalkit.leaderboard.evidence import Evidence, Part, read_evidence
from evalkit.leaderboard.metrics import BoardRow, metric_board
from evalkit.leaderboard.query import newest_run, rows
from evalkit.leaderboard.validity import ValidityBoard, directed, judged
from evalkit.stats.bootstrap import Resampling
from evalkit.stats.clusters import Floats
from evalkit.stats.twoway import Ints

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SURE = 1.0
"""Standard differences from which on a metric is called sure."""
SPARE = 50
"""So many times the wanted pairs are looked at, because systems may have made the same picture."""
QUICK = Resampling(resamples=100)
"""The queue needs to know which criterion fits best, not how surely."""


@dataclass(frozen=True, slots=True)
class Side:
    """One picture of a pair: whose it is, and what the metric says of it."""

    trial: str
    system: str
    image: str
    value: float
    flag: str = ""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A pair of pictures for a second look.

    `preferred` is the one the metric prefers, `z` by how many standard differences. Of the votes on
    `criterion`, `agree` prefer the same picture, `oppose` the other one, `neither` none; all are 0 where
    `why` is "unreliable": then a score is flagged, and nobody needs to have voted.
    """

    why: Literal["opposed", "unreliable"]
    category: str
    suite: str
    case: str
    criterion: str
    metric: str
    output: str
    label: str
    better: str
    unit: str
    preferred: Side
    other: Side
    z: float
    agree: int = 0
    oppose: int = 0
    neither: int = 0
    simulated: bool = False

    @property
    def strength(self) -> float:
        """How sure both sides are: `z` times the majority among the votes and one more, undecided."""
        return self.z * (self.oppose - self.agree) / (self.agree + self.oppose + self.neither + 1)

    @property
    def pair(self) -> tuple[str, str]:
        """Its trials, in alphabetical order."""
        first, second = sorted((self.preferred.trial, self.other.trial))
        return first, second

    @property
    def pictures(self) -> tuple[str, ...]:
        """The same question twice if equal: systems may have made the same picture."""
        return (self.suite, self.case, *sorted((self.preferred.image, self.other.image)))


def disagreements(
    db: DuckDBPyConnection,
    run: str | None = None,
    studies: Sequence[str] | None = None,
    limit: int = 20,
) -> tuple[Disagreement, ...]:
    """At most `limit` pairs of a run (default: the newest), each once: opposed ones first, strongest first.

    Votes are those of the run's studies, or of those named. Raises `UnknownName` and `UsageError` (no run).
    """
    chosen = newest_run(db, run)
    board = metric_board(db, chosen)
    evidence = read_evidence(db, board, chosen, studies)
    return queue(db, chosen, board, evidence, judged(board, evidence, QUICK), limit)


def queue(
    db: DuckDBPyConnection,
    run: str,
    board: Sequence[BoardRow],
    evidence: Evidence,
    validity: ValidityBoard,
    limit: int,
) -> tuple[Disagreement, ...]:
    """The same from what has been read already. Flagged scores get what is left, but at least a quarter."""
    doubtful = unreliable(db, run, board, limit)
    found = opposed(board, evidence, validity, limit)[: limit - min(len(doubtful), limit // 4)]
    taken = {entry.pictures for entry in found}
    rest = [entry for entry in doubtful if entry.pictures not in taken]
    return (*found, *rest[: limit - len(found)])


def opposed(
    board: Sequence[BoardRow], evidence: Evidence, validity: ValidityBoard, limit: int
) -> tuple[Disagreement, ...]:
    """Pairs on which a headline output is sure and most votes are against it, strongest first."""
    found = [
        entry
        for part in evidence.parts
        for line in directed(board, part.category)
        if line.notable and _fits_best(validity, line, part.criterion)
        for entry in _of(evidence, part, line, limit)
    ]
    best: dict[tuple[str, ...], Disagreement] = {}
    for entry in sorted(found, key=_strongest_first):
        best.setdefault(entry.pictures, entry)
    return tuple(best.values())[:limit]


def unreliable(
    db: DuckDBPyConnection, run: str, board: Sequence[BoardRow], limit: int
) -> tuple[Disagreement, ...]:
    """Pictures whose headline score is flagged, each beside the one it differs most from by that score."""
    marked = "SELECT count(*) FROM score_rows WHERE flag IS NOT NULL AND value IS NOT NULL"
    if db.execute(marked).fetchone() == (0,):
        return ()
    lines = {(r.category, f"{r.metric}/{r.output}"): r for r in board if r.notable and r.better != "neither"}
    names = sorted({name for _, name in lines})
    found = rows(db, "flagged_pairs", run=run, outputs=names, limit=limit)
    return tuple(_flagged(lines[row[0], row[3]], row) for row in found if (row[0], row[3]) in lines)


def _fits_best(validity: ValidityBoard, line: BoardRow, criterion: str) -> bool:
    """Whether this criterion is the one the output agrees with best in its category."""
    rated = [row for row in validity.of(line.category, *line.key) if row.accuracy.value is not None]
    best = max(rated, key=lambda row: (row.accuracy.value or 0.0, row.criterion), default=None)
    return best is not None and best.criterion == criterion


def _of(evidence: Evidence, part: Part, line: BoardRow, limit: int) -> list[Disagreement]:
    """What one output adds to the queue: more than `limit`, as some are the same pictures, but not all."""
    gap = evidence.gaps(part, [line])[:, 0]
    usual = float(np.sqrt(np.nanmean(gap**2))) if (~np.isnan(gap)).any() else 0.0
    if usual == 0.0:
        return []
    z = gap / usual
    counts = _counts(part, gap.size)
    against = (counts[1] - counts[0]) * np.sign(z)
    chosen = np.flatnonzero((np.abs(z) >= SURE) & (against > 0))
    strength = np.abs(z[chosen]) * against[chosen] / (counts[:, chosen].sum(axis=0) + 1.0)
    first = chosen[np.argsort(-strength, kind="stable")][: SPARE * limit]
    return [_entry(evidence, part, line, int(i), z, counts) for i in first]


def _counts(part: Part, pairs: int) -> Ints:
    """Votes for the first, for the second and for neither picture of each pair (3 x P)."""
    votes = part.votes
    return np.stack(
        [np.bincount(votes.pair[votes.answer == answer], minlength=pairs) for answer in (1, -1, 0)]
    )


def _entry(evidence: Evidence, part: Part, line: BoardRow, i: int, z: Floats, counts: Ints) -> Disagreement:
    places = (int(part.first[i]), int(part.second[i]))
    column = evidence.outputs.index(f"{line.metric}/{line.output}")
    sides = [_side(evidence, place, column) for place in places]
    ahead, behind = (0, 1) if z[i] > 0 else (1, 0)
    shown = evidence.pictures[places[0]]
    return Disagreement(
        why="opposed",
        category=part.category,
        suite=shown.suite,
        case=shown.case,
        criterion=part.criterion,
        metric=line.metric,
        output=line.output,
        label=line.label,
        better=line.better,
        unit=line.unit,
        preferred=sides[ahead],
        other=sides[behind],
        z=float(abs(z[i])),
        agree=int(counts[ahead, i]),
        oppose=int(counts[behind, i]),
        neither=int(counts[2, i]),
        simulated=evidence.simulated,
    )


def _side(evidence: Evidence, place: int, column: int) -> Side:
    shown = evidence.pictures[place]
    return Side(shown.trial, shown.system, shown.image, float(evidence.values[place, column]))


def _flagged(line: BoardRow, row: tuple[object, ...]) -> Disagreement:
    category, suite, case, _, flag, trial, system, image, value, other, whose, picture, its, z = row
    marked = Side(str(trial), str(system), str(image), float(str(value)), str(flag))
    beside = Side(str(other), str(whose), str(picture), float(str(its)))
    better = (marked.value > beside.value) == (line.better == "higher")
    return Disagreement(
        why="unreliable",
        category=str(category),
        suite=str(suite),
        case=str(case),
        criterion="",
        metric=line.metric,
        output=line.output,
        label=line.label,
        better=line.better,
        unit=line.unit,
        preferred=marked if better else beside,
        other=beside if better else marked,
        z=float(str(z)),
    )


def _strongest_first(entry: Disagreement) -> tuple[float, str, str, str, str, str]:
    key = (entry.category, entry.suite, entry.case, entry.output, entry.pair[0])
    return (-entry.strength, *key)
