"""Pairs: asked in both orders, won only by who wins both. Facts of their own, never mixed with votes.

A judge that prefers whatever it sees first would decide every pair; asked both ways it decides none. How
often that happens is the flip rate, and is shown beside every win rate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from evalkit.judge.answers import Answer
from evalkit.judge.questions import Pair, Sheet
from evalkit.judge.replies import read_choice
from evalkit.store import Record
from evalkit.types import Estimate

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Result = Literal["a", "b", "tie"]
SAME = "same_picture"
_SQL = Path(__file__).resolve().parent / "sql" / "pairs.sql"


@dataclass(frozen=True, slots=True)
class Settled:
    """What a pair came to. `forward` and `backward` are the two answers, in the judge's words.

    `result` is None with a reason where one of the two is missing. `flipped` says that the judge chose the
    same place both times, and so contradicted itself; None where it said tie or said nothing.
    """

    forward: str | None
    backward: str | None
    result: Result | None
    reason: str | None = None
    flipped: bool | None = None


@dataclass(frozen=True, slots=True)
class WinRate:
    """How often `a` beats `b` in a category: ties are half a win; the interval resamples clusters of cases.

    `rate.n` counts settled pairs and `rate.n_expected` all. `flip_rate` is over pairs in which both answers
    chose a side; None where there is none.
    """

    category: str
    judge: str
    a: str
    b: str
    wins: int
    losses: int
    ties: int
    rate: Estimate
    flips: int
    decided_twice: int

    @property
    def flip_rate(self) -> float | None:
        return self.flips / self.decided_twice if self.decided_twice else None


def settle(forward: str | None, backward: str | None, reason: str | None = None) -> Settled:
    """Both answers as one: a win only if it is the same picture both times, else a tie.

    >>> settle("first", "second").result, settle("first", "first").result, settle("first", None).result
    ('a', 'tie', None)
    """
    if forward is None or backward is None:
        return Settled(forward, backward, None, reason or "unanswered")
    sides = {"first": 1, "second": -1, "tie": 0}
    there, back = sides[forward], -sides[backward]
    flipped = there == -back if there and back else None
    result: Result = "tie"
    if there == back and there:
        result = "a" if there > 0 else "b"
    return Settled(forward, backward, result, None, flipped)


def settle_pair(pair: Pair, answers: Mapping[str, Answer]) -> Settled | None:
    """What a pair came to; None while neither question has an end."""
    if not pair.forward:
        return Settled(None, None, "tie", SAME)
    known = [answers.get(key) for key in (pair.forward, pair.backward)]
    if known == [None, None]:
        return None
    (forward, why), (backward, why_not) = (_choice(answer) for answer in known)
    return settle(forward, backward, why or why_not)


def pair_records(run: str, judge: str, sheet: Sheet, answers: Mapping[str, Answer]) -> Iterator[Record]:
    """A record for each pair of which anything is known."""
    for pair in sheet.pairs:
        settled = settle_pair(pair, answers)
        if settled is None:
            continue
        given = [answers[key] for key in (pair.forward, pair.backward) if key in answers]
        asked = sheet.questions[pair.forward].template if pair.forward else None
        yield {
            "type": "pair",
            "run": run,
            "judge": judge,
            "model": ", ".join(sorted({answer.model for answer in given if answer.model})),
            "template": asked.name if asked else None,
            "digest": asked.digest if asked else None,
            "suite": pair.a.planned.suite,
            "case": pair.a.planned.case.id,
            "replicate": pair.a.replicate,
            "system_a": pair.a.system,
            "system_b": pair.b.system,
            "trial_a": pair.a.trial,
            "trial_b": pair.b.trial,
            "questions": [answer.trial for answer in given],
            "forward": settled.forward,
            "backward": settled.backward,
            "result": settled.result,
            "reason": settled.reason,
            "flipped": settled.flipped,
            "answered": max((answer.at for answer in given), default=None),
        }


def win_rates(db: DuckDBPyConnection, run: str, judge: str, seed: int = 0) -> list[WinRate]:
    """Every two systems of a run in every category, as a judge decided them."""
    found = db.execute(_SQL.read_text("utf-8"), {"run": run, "judge": judge}).fetchall()
    groups: dict[tuple[str, str, str], list[tuple[Any, ...]]] = {}
    for category, a, b, *rest in found:
        groups.setdefault((category, a, b), []).append(tuple(rest))
    return [_win_rate(judge, names, rows, seed) for names, rows in groups.items()]


def _win_rate(judge: str, names: tuple[str, str, str], rows: Sequence[tuple[Any, ...]], seed: int) -> WinRate:
    from evalkit.stats import cluster_bootstrap_mean

    worth = {"a": 1.0, "tie": 0.5, "b": 0.0, None: float("nan")}
    results = [result for result, _, _ in rows]
    rate = cluster_bootstrap_mean(
        [worth[result] for result in results],
        [cluster for _, _, cluster in rows],
        seed=seed,
        bounds=(0.0, 1.0),
    )
    flips = [flipped for _, flipped, _ in rows if flipped is not None]
    counts = (results.count("a"), results.count("b"), results.count("tie"))
    category, a, b = names
    return WinRate(category, judge, a, b, *counts, rate, sum(flips), len(flips))


def _choice(answer: Answer | None) -> tuple[str | None, str | None]:
    if answer is None:
        return None, "unanswered"
    if answer.reply is None:
        return None, answer.nothing.reason
    return read_choice(answer.reply)
