"""A graph of yes/no questions about one picture: which there are, and what the answers come to.

A question that depends on another is worth nothing where that one is answered no: there is no red hat on a
head that is not there. It knows no judge; `questions` asks, `scoring` fills in the answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter

from evalkit.errors import InvalidInput
from evalkit.types import Case, Json, Value

CHECK = "question"


@dataclass(frozen=True, slots=True)
class Node:
    """One question. `parents` are those that have to be answered yes for this one to count."""

    id: str
    text: str
    parents: tuple[str, ...] = ()


def read_graph(case: Case) -> tuple[Node, ...]:
    """The questions of a case, parents first; empty if it has none.

    They are its checks of the form `{"kind": "question", "id": "q2", "text": "Is the mug red?", "parents":
    ["q1"]}`. Raises `InvalidInput` where one is malformed, an id is there twice, a parent is not there, or
    questions depend on each other in a circle.
    """
    nodes = [
        _node(case, number, check) for number, check in enumerate(case.checks, 1) if check["kind"] == CHECK
    ]
    by_id = {node.id: node for node in nodes}
    if len(by_id) != len(nodes):
        raise _wrong(case, "two of its questions have the same id")
    for node in nodes:
        for parent in node.parents:
            if parent not in by_id:
                raise _wrong(case, f"question {node.id!r} depends on {parent!r}, which is not there")
    try:
        order = TopologicalSorter({node.id: node.parents for node in nodes}).static_order()
        return tuple(by_id[name] for name in order)
    except CycleError as error:
        raise _wrong(case, f"its questions depend on each other: {' -> '.join(error.args[1])}") from error


def score_graph(nodes: tuple[Node, ...], answers: Mapping[str, Value]) -> Value:
    """The mean of yes (0 to 1) over all questions.

    A question counts 0 where one of its parents does, so a no goes down the whole branch, in the order of the
    nodes. None where an answer that matters is missing: an answer that nobody gave is not a no. `answers`
    are 1 for yes and 0 for no.
    """
    counted: dict[str, float] = {}
    lines, missing, flag = [], [], None
    for node in nodes:
        value = answers[node.id]
        if any(counted.get(parent) == 0 for parent in node.parents):
            counted[node.id] = 0.0
            lines.append(f"{node.text} (does not arise)")
        elif value.value is None:
            missing.append(value.reason or "unanswered")
            lines.append(f"{node.text} ({value.reason})")
        else:
            counted[node.id] = 1.0 if value.value > 0.5 else 0.0
            flag = flag or value.flag
            lines.append(f"{node.text} {'yes' if counted[node.id] else 'no'}")
    detail = "\n".join(lines)
    if missing:
        return Value(None, "unanswered", detail)
    return Value(sum(counted.values()) / len(nodes), None, detail, flag)


def _node(case: Case, number: int, check: Mapping[str, Json]) -> Node:
    name, text, parents = check.get("id"), check.get("text"), check.get("parents", [])
    if not isinstance(name, str) or not name or not isinstance(text, str) or not text.strip():
        raise _wrong(case, f'check {number} needs an "id" and a "text"')
    if not isinstance(parents, list) or not all(isinstance(parent, str) for parent in parents):
        raise _wrong(case, f'check {number}: "parents" must be a list of ids')
    return Node(name, text, tuple(str(parent) for parent in parents))


def _wrong(case: Case, what: str) -> InvalidInput:
    return InvalidInput(f"case {case.id!r}: {what}", "docs/judge.md says how a case asks questions.")
