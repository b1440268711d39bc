"""Questions that depend on each other: the cascade, against a definition that is plainly right."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import InvalidInput
from evalkit.judge.graph import Node, read_graph, score_graph
from evalkit.types import Case, Json, Value

YES, NO = Value(1.0), Value(0.0)


def case(*checks: Mapping[str, Json]) -> Case:
    return Case("c", "p", checks=({"kind": "faces", "n": 1}, *({"kind": "question", **c} for c in checks)))


def test_parents_come_first_whatever_the_order_of_the_file() -> None:
    nodes = read_graph(
        case(
            {"id": "brim", "text": "Is its brim wide?", "parents": ["hat"]},
            {"id": "hat", "text": "Is there a hat?", "parents": ["man"]},
            {"id": "man", "text": "Is there a man?"},
        )
    )
    assert [node.id for node in nodes] == ["man", "hat", "brim"]
    assert read_graph(Case("c", "p")) == ()


def test_a_no_goes_down_the_whole_branch() -> None:
    nodes = (Node("man", "m?"), Node("hat", "h?", ("man",)), Node("brim", "b?", ("hat",)), Node("dog", "d?"))
    value = score_graph(nodes, {"man": NO, "hat": YES, "brim": YES, "dog": YES})
    assert value.value == 0.25
    assert value.detail.splitlines() == ["m? no", "h? (does not arise)", "b? (does not arise)", "d? yes"]


def test_probabilities_are_taken_as_answers() -> None:
    nodes = (Node("a", "a?"), Node("b", "b?", ("a",)))
    assert score_graph(nodes, {"a": Value(0.51), "b": Value(0.5)}).value == 0.5


def test_an_answer_that_is_missing_is_not_a_no() -> None:
    nodes = (Node("a", "a?"), Node("b", "b?", ("a",)))
    missing = Value(None, "judge_refused")
    assert score_graph(nodes, {"a": YES, "b": missing}).reason == "unanswered"
    assert score_graph(nodes, {"a": missing, "b": YES}).value is None
    assert score_graph(nodes, {"a": NO, "b": missing}).value == 0.0, "it does not arise"


def test_plain_answers_are_flagged() -> None:
    assert score_graph((Node("a", "a?"),), {"a": Value(1.0, flag="no_logprobs")}).flag == "no_logprobs"


@pytest.mark.parametrize(
    ("checks", "message"),
    [
        (({"id": "a"},), 'needs an "id" and a "text"'),
        (({"id": "a", "text": "?", "parents": "b"},), "must be a list"),
        (({"id": "a", "text": "?", "parents": ["b"]},), "'b', which is not there"),
        (({"id": "a", "text": "?"}, {"id": "a", "text": "!"}), "the same id"),
        (
            ({"id": "a", "text": "?", "parents": ["b"]}, {"id": "b", "text": "?", "parents": ["a"]}),
            "depend on each other",
        ),
    ],
)
def test_a_graph_that_is_none_is_an_error(checks: tuple[dict[str, Json], ...], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        read_graph(case(*checks))


@given(st.integers(1, 9), st.integers(0, 10**6))
def test_the_cascade_is_the_definition(size: int, seed: int) -> None:
    """A question counts if it and all its ancestors are answered yes."""
    luck = random.Random(seed)
    nodes = [
        Node(f"n{i}", f"n{i}?", tuple(f"n{j}" for j in range(i) if luck.random() < 0.3)) for i in range(size)
    ]
    answers = {node.id: luck.choice([YES, NO]) for node in nodes}
    by_id = {node.id: node for node in nodes}

    def counts(name: str) -> bool:
        return answers[name] is YES and all(counts(parent) for parent in by_id[name].parents)

    shuffled = luck.sample(nodes, size)
    checks = [{"id": n.id, "text": n.text, "parents": list(n.parents)} for n in shuffled]
    value = score_graph(read_graph(case(*checks)), answers)
    assert value.value == pytest.approx(sum(map(counts, by_id)) / size)
