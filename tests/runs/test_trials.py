"""Trials are small, come back from their file as they were, and are found by id."""

from __future__ import annotations

import hashlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.runs import Trials
from evalkit.runs.trials import HEADER, rows_as_csv

ids = st.binary(min_size=32, max_size=32).map(bytes.hex)
rows = st.lists(st.tuples(ids, *[st.integers(0, 2**32 - 1)] * 3), max_size=30)


def name(n: int) -> str:
    return hashlib.sha256(str(n).encode()).hexdigest()


@given(rows)
def test_they_are_the_rows_they_were_made_of(made: list[tuple[str, int, int, int]]) -> None:
    trials = Trials(made)
    assert list(trials) == made
    assert trials[1:3] == made[1:3]
    assert Trials.from_csv(b"".join(trials.to_csv()).decode().splitlines()) == trials
    assert Trials.from_csv(rows_as_csv(made).decode().splitlines()) == trials


@given(rows, ids)
def test_an_id_is_found_where_it_is(made: list[tuple[str, int, int, int]], stranger: str) -> None:
    made = list({row[0]: row for row in made if row[0] != stranger}.values())
    trials = Trials(made)
    assert trials.find([row[0] for row in made]) == list(range(len(made)))
    assert trials.find([stranger]) == [-1]
    assert trials.twice() is None


def test_two_ids_that_begin_alike_are_two() -> None:
    alike = ["ab" * 8 + "00" * 24, "ab" * 8 + "01" * 24]
    trials = Trials([(alike[0], 0, 0, 0)])
    assert trials.find(alike) == [0, -1]
    assert Trials([(id_, 0, 0, 0) for id_ in alike]).twice() is None


def test_an_id_that_is_there_twice_is_seen() -> None:
    assert Trials([(name(1), 0, 0, 0), (name(2), 1, 0, 0), (name(1), 0, 1, 0)]).twice() == (0, 2)


def test_a_million_are_small() -> None:
    tracemalloc.start()
    trials = Trials((name(n % 7), n, 0, 0) for n in range(100_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(trials) == 100_000
    assert peak < 100_000 * 70


@pytest.mark.parametrize("text", ["", "a,b\n", f"{HEADER}\nxyz,0,0,0\n", f"{HEADER}\n{'a' * 62},0,0,0\n"])
def test_what_is_no_list_of_trials_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - which one depends on what is wrong
        Trials.from_csv(text.splitlines())


def test_a_place_that_is_not_there() -> None:
    with pytest.raises(IndexError):
        Trials()[0]
