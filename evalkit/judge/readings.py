"""Answers about anchors as facts: one record per anchor, number and time it was asked.

They are kept in `judgements/`, beside the pairs, so that a later judging can compare itself with this one. An
answer that was refused or made no sense is None with its reason, like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from evalkit.clock import now
from evalkit.ids import digest
from evalkit.judge.anchors import AnchorUse
from evalkit.judge.answers import Answer
from evalkit.judge.outputs import BETTER, YES
from evalkit.judge.pairs import settle
from evalkit.judge.questions import Question, Sheet
from evalkit.judge.replies import read_choice, read_yes
from evalkit.judge.scoring import scores_of, value_of
from evalkit.runner.score import open_writer
from evalkit.store import Record, Workspace, read_records
from evalkit.types import Value

_WORTH = {"a": 1.0, "tie": 0.5, "b": 0.0}


@dataclass(frozen=True, slots=True)
class Occasion:
    """One judging: of which run, by whom, and what tells its anchors apart from those of others."""

    run: str
    judge: str
    name: str


def anchor_records(
    occasion: Occasion, sheet: Sheet, uses: Sequence[AnchorUse], answers: Mapping[str, Answer]
) -> Iterator[Record]:
    """A record for every number of every anchor that has an answer, or a reason for having none."""
    for use in uses:
        if use.kind != "pairs" and (answer := answers.get(use.key)) is not None:
            question = sheet.questions[use.key]
            for output, value in _values(use, question, answer).items():
                yield _record(occasion, use, question, answer, output, value)
    for forward, backward in _both(uses):
        given = [answers.get(use.key) for use in (forward, backward)]
        first, second = given
        if first is not None and second is not None:
            value = _pair_value(first, second)
            yield _record(occasion, forward, sheet.questions[forward.key], second, BETTER, value)


def append_facts(workspace: Workspace, records: Iterable[Record]) -> int:
    """Write what is not in the workspace's judgements yet; how many that were."""
    known = {
        _content(record)
        for path in sorted(workspace.judgements.glob("*.jsonl"))
        for record in read_records(path)
    }
    new = [record for record in records if _content(record) not in known]
    if new:
        with open_writer(workspace.judgements) as journal:
            for record in new:
                journal.append({"t": now(), **record})
    return len(new)


def _values(use: AnchorUse, question: Question, answer: Answer) -> Mapping[str, Value]:
    if use.kind == "yes-no":
        return {YES: value_of(answer, read_yes)}
    return scores_of(answer, question)


def _both(uses: Sequence[AnchorUse]) -> Iterator[tuple[AnchorUse, AnchorUse]]:
    """The two orders of each pair of anchors."""
    forward = {(use.anchor.id, use.repeat): use for use in uses if use.kind == "pairs" and not use.backward}
    for use in uses:
        if use.kind == "pairs" and use.backward:
            yield forward[use.anchor.id, use.repeat], use


def _pair_value(forward: Answer, backward: Answer) -> Value:
    """1 where the good picture wins, 0 where the bad one does."""
    (there, why), (back, why_not) = (_choice(answer) for answer in (forward, backward))
    settled = settle(there, back, why or why_not)
    if settled.result is None:
        return Value(None, settled.reason)
    return Value(_WORTH[settled.result])


def _choice(answer: Answer) -> tuple[str | None, str | None]:
    return read_choice(answer.reply) if answer.reply else (None, answer.nothing.reason)


def _record(
    occasion: Occasion, use: AnchorUse, question: Question, answer: Answer, output: str, value: Value
) -> Record:
    return {
        "type": "anchor",
        "run": occasion.run,
        "judge": occasion.judge,
        "model": answer.model,
        "template": question.template.name,
        "digest": question.template.digest,
        "occasion": occasion.name,
        "anchor": f"{use.anchor.id}-{use.quality}",
        "item": question.item,
        "repeat": use.repeat,
        "output": output,
        "value": value.value,
        "reason": value.reason,
        "answered": answer.at,
    }


def _content(record: Mapping[str, object]) -> str:
    return digest({name: value for name, value in record.items() if name != "t"})
