"""Answers as scores, in the scores journal like those of any metric, with who gave them and when.

It knows which answers make which number. Writing is idempotent: a score that stands there already is not
written again, and one that has changed (a failure that was asked again) is.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evalkit.clock import now
from evalkit.ids import digest, score_key
from evalkit.judge.answers import Answer
from evalkit.judge.graph import score_graph
from evalkit.judge.outputs import (
    APPEAL,
    FAMILY,
    FOLLOWED,
    GRAPH,
    PRESERVED,
    VERSION,
    YES,
    declaration,
    metric_name,
)
from evalkit.judge.questions import Candidate, Kind, Question, Sheet
from evalkit.judge.replies import Reply, read_scores, read_yes
from evalkit.runner.score import open_writer
from evalkit.runner.scored import as_json
from evalkit.store import Journal, Record, Workspace, read_records
from evalkit.types import Value

_NUMBERS = {"followed": FOLLOWED, "preserved": PRESERVED, "appeal": APPEAL}
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Judged:
    """The values of one candidate under one kind of question, and the answers they come from."""

    candidate: Candidate
    kind: Kind
    values: Values
    answers: tuple[Answer, ...]
    templates: tuple[str, ...]


@dataclass(slots=True)
class Tally:
    """What scoring came to, by output: scored, and NULLs by reason."""

    scored: Counter[str] = field(default_factory=Counter)
    nulls: dict[str, Counter[str]] = field(default_factory=dict)

    def add(self, values: Values) -> None:
        for output, value in values.items():
            if value.value is None:
                self.nulls.setdefault(output, Counter())[value.reason or "missing"] += 1
            else:
                self.scored[output] += 1


def value_of(answer: Answer, read: Callable[[Reply], Value]) -> Value:
    """A number out of an answer, or None with the reason why nobody gave it."""
    return read(answer.reply) if answer.reply is not None else answer.nothing


def scores_of(answer: Answer, question: Question) -> dict[str, Value]:
    """The numbers of a rubric, by output."""
    asked = question.template
    if answer.reply is None:
        return {_NUMBERS[name]: answer.nothing for name in asked.scores}
    return {_NUMBERS[name]: value for name, value in read_scores(answer.reply, asked).items()}


def judged(sheet: Sheet, answers: Mapping[str, Answer]) -> Iterator[Judged]:
    """Every candidate that something is known about, kind by kind."""
    graphs = {graph.candidate.trial: graph for graph in sheet.graphs}
    for single in sheet.yes_no:
        values: dict[str, Value] = {}
        used: list[tuple[str, Answer]] = []
        if (answer := answers.get(single.key)) is not None:
            values[YES] = value_of(answer, read_yes)
            used.append((single.key, answer))
        graph = graphs.get(single.candidate.trial)
        if graph is not None and all(key in answers for key in graph.keys.values()):
            given = {node: value_of(answers[key], read_yes) for node, key in graph.keys.items()}
            values[GRAPH] = score_graph(graph.nodes, given)
            used += [(key, answers[key]) for key in graph.keys.values()]
        if values:
            yield _judged(sheet, single.candidate, "yes-no", values, used)
    for single in sheet.rubric:
        if (answer := answers.get(single.key)) is not None:
            values = scores_of(answer, sheet.questions[single.key])
            yield _judged(sheet, single.candidate, "rubric", values, [(single.key, answer)])


def write_scores(workspace: Workspace, run: str, judge: str, found: Sequence[Judged]) -> Tally:
    """Append what is new to the scores journal of `workspace`."""
    tally, book = Tally(), _Book(workspace)
    with open_writer(workspace.scores) as journal:
        for kind in dict.fromkeys(one.kind for one in found):
            book.declare(journal, declaration(kind, judge, run))
        for one in found:
            tally.add(one.values)
            book.write(journal, _record(one, judge))
    return tally


def _judged(
    sheet: Sheet, candidate: Candidate, kind: Kind, values: Values, used: Sequence[tuple[str, Answer]]
) -> Judged:
    templates = [sheet.questions[key].template for key, _ in used]
    names = dict.fromkeys(f"{asked.name}@{asked.version}:{asked.digest}" for asked in templates)
    return Judged(candidate, kind, values, tuple(answer for _, answer in used), tuple(names))


def _record(one: Judged, judge: str) -> Record:
    metric = metric_name(one.kind, judge)
    trials = sorted(answer.trial for answer in one.answers)
    key = score_key(
        image=one.candidate.picture.sha256,
        subject={"asked": trials},
        metric=FAMILY,
        version=VERSION,
        config={"metric": metric},
        weights=None,
    )
    return {
        "type": "score",
        "trial": one.candidate.trial,
        "image_index": 0,
        "image": one.candidate.picture.sha256,
        "metric": metric,
        "version": VERSION,
        "key": key,
        "values": [as_json(output, value) for output, value in one.values.items()],
        "judged": {
            "model": ", ".join(sorted({answer.model for answer in one.answers if answer.model})),
            "templates": list(one.templates),
            "questions": trials,
            "answered": max(answer.at for answer in one.answers),
        },
    }


class _Book:
    """What the scores journals say already: the newest score of each trial and metric."""

    def __init__(self, workspace: Workspace) -> None:
        self._newest: dict[tuple[str, str], tuple[str, str]] = {}
        self._declared: set[str] = set()
        for path in sorted(workspace.scores.glob("*.jsonl")):
            for record in read_records(path):
                self._remember(record)

    def declare(self, journal: Journal, facts: Record) -> None:
        if digest(facts) not in self._declared:
            journal.append({"t": now(), **facts})

    def write(self, journal: Journal, record: Record) -> None:
        known = self._newest.get((record["trial"], record["metric"]))
        if known is None or known[1] != _content(record):
            journal.append({"t": now(), **record})

    def _remember(self, record: Mapping[str, Any]) -> None:
        if record.get("family") == FAMILY:
            self._declared.add(digest({key: value for key, value in record.items() if key != "t"}))
        elif record.get("type") == "score" and "judged" in record:
            place, at = (record["trial"], record["metric"]), str(record["t"])
            known = self._newest.get(place)
            if known is None or at >= known[0]:
                self._newest[place] = at, _content(record)


def _content(record: Mapping[str, Any]) -> str:
    return digest([record["key"], record["values"]])
