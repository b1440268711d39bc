"""Do the metrics agree with people? One row per category x criterion x output, each with a status.

An output is `validated` for a criterion in a category if the interval of its accuracy lies above chance and
enough decided pairs are behind it, else `unvalidated` with the reason in words. How accuracy is counted is in
`evalkit.stats.validity`, what is read for it in `evidence`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from evalkit.leaderboard.evidence import Evidence, Part, read_evidence
from evalkit.leaderboard.metrics import BoardRow, metric_board
from evalkit.leaderboard.query import newest_run
from evalkit.stats.bootstrap import Resampling
from evalkit.stats.rank_agreement import RESAMPLING, Met, rank_agreement
from evalkit.stats.ties import TieAware, tie_aware
from evalkit.stats.validity import CHANCE, Agreement, Rival, agreement, ceiling, verdict
from evalkit.types import Estimate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

VALIDATED, UNVALIDATED = "validated", "unvalidated"
NO_VOTES = "no votes"
PICKED = "the pairs of this study were picked, they are no fair sample"
NOTHING = Estimate(None, note=NO_VOTES)


@dataclass(frozen=True, slots=True)
class ValidityRow:
    """How one output agrees with people on one criterion in one category.

    `criterion` is empty where nobody voted in the category. `accuracy` is on decided pairs, `chance` what
    knowing nothing comes to, `ceiling` the agreement of a person with other people. `tie_aware` counts three
    answers on held-out prompts, `tie_chance` is what guessing comes to there, `epsilon` the difference below
    which the metric is taken to see none. `rival` names the best output of another metric, `ahead` is how
    much more accurate this one is, `p` the p value of that. `tau` is Kendall's tau-b of the systems' order.
    """

    category: str
    criterion: str
    metric: str
    output: str
    label: str
    better: str
    unit: str
    status: str
    reason: str
    simulated: bool
    n_votes: int
    n_pairs: int
    n_decided: int
    n_raters: int
    accuracy: Estimate
    ceiling: Estimate = NOTHING
    tie_aware: Estimate = NOTHING
    tie_chance: float | None = None
    epsilon: float | None = None
    rival: str = ""
    ahead: Estimate = NOTHING
    p: float | None = None
    tau: Estimate = NOTHING
    chance: float = CHANCE

    @property
    def key(self) -> tuple[str, str]:
        return self.metric, self.output


@dataclass(frozen=True, slots=True)
class ValidityBoard:
    """Every output with a direction, category by category. `n_votes` is 0 where nobody voted yet.

    `set_aside` names studies whose pairs were picked for a reason: their votes are in no number here.
    """

    rows: tuple[ValidityRow, ...]
    studies: tuple[str, ...]
    set_aside: tuple[str, ...]
    simulated: bool
    n_votes: int
    identical: int
    by_output: Mapping[tuple[str, str, str], tuple[ValidityRow, ...]] = field(default_factory=dict)

    def of(self, category: str, metric: str, output: str) -> tuple[ValidityRow, ...]:
        """The rows of one output in one category, one per criterion; the validated ones first."""
        return self.by_output.get((category, metric, output), ())


def validity_board(
    db: DuckDBPyConnection,
    run: str | None = None,
    studies: Sequence[str] | None = None,
    *,
    seed: int = 0,
    resamples: int = 2000,
) -> ValidityBoard:
    """The outputs of a run (default: the newest) against the votes of its studies, or of those named.

    A study whose pairs were picked counts only where it is the one that is named. Raises `UnknownName` and
    `UsageError` (no run).
    """
    chosen = newest_run(db, run)
    board = metric_board(db, chosen, seed=seed)
    return judged(
        board, read_evidence(db, board, chosen, studies), Resampling(resamples=resamples, seed=seed)
    )


def judged(
    board: Sequence[BoardRow], evidence: Evidence, resampling: Resampling = Resampling()
) -> ValidityBoard:
    """The same from what has been read already."""
    found: list[ValidityRow] = []
    for category in dict.fromkeys(row.category for row in board):
        lines = directed(board, category)
        parts = [part for part in evidence.parts if part.category == category and part.votes.pair.size]
        for part in parts:
            found += _judged(evidence, part, lines, resampling)
        if not parts:
            found += [_unjudged(line) for line in lines]
    return ValidityBoard(
        rows=tuple(found),
        studies=evidence.studies,
        set_aside=evidence.set_aside,
        simulated=evidence.simulated,
        n_votes=sum(part.votes.pair.size for part in evidence.parts),
        identical=sum(part.identical for part in evidence.parts),
        by_output=_by_output(found),
    )


def directed(board: Sequence[BoardRow], category: str) -> list[BoardRow]:
    """One row per output of a category that has a better direction, in the order of the board."""
    found = {row.key: row for row in board if row.category == category and row.better != "neither"}
    return list(found.values())


def _judged(
    evidence: Evidence, part: Part, lines: Sequence[BoardRow], resampling: Resampling
) -> list[ValidityRow]:
    gaps = evidence.gaps(part, lines)
    names = {name: i for i, name in enumerate(dict.fromkeys(line.metric for line in lines))}
    families = np.array([names[line.metric] for line in lines], dtype=np.int64)
    agreed = agreement(part.votes, gaps, families, resampling)
    ties = tie_aware(part.votes, gaps, resampling)
    taus = rank_agreement(part.votes, gaps, _met(evidence, part), _coarser(resampling))
    people = ceiling(part.votes, resampling)
    raters = int(np.unique(part.votes.rater).size)
    facts = _Facts(part, evidence, people, agreed, ties, taus, part.votes.decided.pair.size, raters)
    return [_row(facts, lines, i) for i in range(len(lines))]


@dataclass(frozen=True, slots=True)
class _Facts:
    """Everything measured of one criterion in one category."""

    part: Part
    evidence: Evidence
    ceiling: Estimate
    agreed: Agreement
    ties: TieAware
    taus: tuple[Estimate, ...]
    decided: int
    raters: int


def _row(facts: _Facts, lines: Sequence[BoardRow], i: int) -> ValidityRow:
    line, accuracy, rival = lines[i], facts.agreed.accuracy[i], facts.agreed.rivals[i]
    reason = PICKED if facts.evidence.picked else _reason(accuracy, facts.decided)
    return ValidityRow(
        category=facts.part.category,
        criterion=facts.part.criterion,
        metric=line.metric,
        output=line.output,
        label=line.label,
        better=line.better,
        unit=line.unit,
        status=UNVALIDATED if reason else VALIDATED,
        reason=reason,
        simulated=facts.evidence.simulated,
        n_votes=int(facts.part.votes.pair.size),
        n_pairs=int(facts.part.first.size),
        n_decided=accuracy.n,
        n_raters=facts.raters,
        accuracy=accuracy,
        ceiling=facts.ceiling,
        tie_aware=facts.ties.accuracy[i],
        tie_chance=facts.ties.null[i],
        epsilon=facts.ties.epsilon[i],
        rival=_named(rival, lines),
        ahead=rival.difference,
        p=rival.p,
        tau=facts.taus[i],
    )


def _reason(accuracy: Estimate, decided: int) -> str:
    if not decided:
        return "no decided pairs"
    return "no scores of the pictures that were voted on" if accuracy.value is None else verdict(accuracy)


def _unjudged(line: BoardRow) -> ValidityRow:
    return ValidityRow(
        category=line.category,
        criterion="",
        metric=line.metric,
        output=line.output,
        label=line.label,
        better=line.better,
        unit=line.unit,
        status=UNVALIDATED,
        reason=NO_VOTES,
        simulated=False,
        n_votes=0,
        n_pairs=0,
        n_decided=0,
        n_raters=0,
        accuracy=NOTHING,
    )


def _named(rival: Rival, lines: Sequence[BoardRow]) -> str:
    return "" if rival.column is None else f"{lines[rival.column].metric}/{lines[rival.column].output}"


def _met(evidence: Evidence, part: Part) -> Met:
    names = {name: i for i, name in enumerate(sorted({shown.system for shown in evidence.pictures}))}
    system = np.array([names[shown.system] for shown in evidence.pictures], dtype=np.int64)
    return Met(system[part.first], system[part.second], len(names))


def _coarser(resampling: Resampling) -> Resampling:
    return Resampling(resampling.level, min(resampling.resamples, RESAMPLING.resamples), resampling.seed)


def _by_output(found: Sequence[ValidityRow]) -> dict[tuple[str, str, str], tuple[ValidityRow, ...]]:
    grouped: dict[tuple[str, str, str], list[ValidityRow]] = {}
    for row in found:
        grouped.setdefault((row.category, *row.key), []).append(row)
    return {key: tuple(sorted(rows, key=lambda r: r.status != VALIDATED)) for key, rows in grouped.items()}
