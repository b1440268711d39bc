from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import InvalidInput, UsageError
from evalkit.preference.raters.consistency import answers_by_unit, self_consistency, side_bias
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE, Ints, Votes
from evalkit.stats.agreement import fleiss_kappa

Row = tuple[int, int, int, int, int]
"""Left, right, answer, rater, comparison."""


def votes_of(rows: list[Row], systems: int = 4) -> tuple[Votes, Ints]:
    left, right, answer, rater, unit = np.array(rows, dtype=np.int64).reshape(-1, 5).T
    names = tuple("abcdefgh"[:systems])
    return Votes(names, left, right, answer, np.zeros_like(left), rater), unit


def random_rows(seed: int, n: int, raters: int = 5, units: int = 6) -> list[Row]:
    rng = np.random.default_rng(seed)
    pairs = [(0, 1), (1, 2), (0, 3), (2, 3), (0, 1), (1, 3)]
    rows = []
    for _ in range(n):
        unit = int(rng.integers(units))
        i, j = pairs[unit] if rng.random() < 0.5 else pairs[unit][::-1]
        rows.append((i, j, int(rng.integers(4)), int(rng.integers(raters)), unit))
    return rows


def chosen(row: Row) -> str:
    return {LEFT: f"system {row[0]}", RIGHT: f"system {row[1]}", TIE: "tie", BOTH_BAD: "bad"}[row[2]]


def naive_repeats(rows: list[Row]) -> dict[tuple[bool, bool], int]:
    """How often repeats with (sides swapped, answered alike) occur, by going through the votes."""
    last: dict[tuple[int, int], Row] = {}
    found: dict[tuple[bool, bool], int] = defaultdict(int)
    for row in rows:
        key = (row[3], row[4])
        if key in last:
            found[(last[key][0] != row[0], chosen(last[key]) == chosen(row))] += 1
        last[key] = row
    return found


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 120))
def test_agrees_with_going_through_the_votes(seed: int, n: int) -> None:
    rows = random_rows(seed, n)
    expected = naive_repeats(rows)
    found = self_consistency(*votes_of(rows))
    for swapped, part in ((False, found.kept), (True, found.swapped)):
        alike, not_alike = expected[(swapped, True)], expected[(swapped, False)]
        assert part.same.n == alike + not_alike
        if alike + not_alike:
            assert part.same.value == pytest.approx(alike / (alike + not_alike))
    assert sum(rater.n for rater in found.by_rater) == found.all.same.n == sum(expected.values())


def test_swapping_sides_is_the_same_answer_about_the_same_picture() -> None:
    found = self_consistency(*votes_of([(0, 1, LEFT, 0, 7), (1, 0, RIGHT, 0, 7)]))
    assert (found.swapped.same.value, found.swapped.reversed.value, found.kept.same.n) == (1.0, 0.0, 0)


def test_who_clicks_a_side_reverses_on_changed_sides_only() -> None:
    rows = []
    for unit in range(20):
        rows += [(0, 1, LEFT, unit % 4, unit), (1, 0, LEFT, unit % 4, unit), (1, 0, LEFT, unit % 4, unit)]
    found = self_consistency(*votes_of(rows))
    assert (found.swapped.reversed.value, found.kept.reversed.value) == (1.0, 0.0)
    assert found.kept.same.value == 1.0
    bias = side_bias(votes_of(rows)[0])
    assert bias.overall.value == 1.0
    assert bias.overall.low is not None
    assert bias.overall.low > 0.3


def test_a_tie_is_not_both_bad_and_no_reversal() -> None:
    rows = [(0, 1, TIE, 0, 0), (0, 1, BOTH_BAD, 0, 0), (0, 1, LEFT, 0, 0)]
    found = self_consistency(*votes_of(rows))
    assert (found.all.same.value, found.all.reversed.value, found.all.same.n) == (0.0, 0.0, 2)


def test_without_repeats_there_is_no_share() -> None:
    found = self_consistency(*votes_of([(0, 1, LEFT, 0, 0), (0, 1, LEFT, 1, 0), (0, 2, LEFT, 0, 1)]))
    assert found.all.same.value is None
    assert found.by_rater[0].value is None


def test_the_interval_knows_that_raters_differ() -> None:
    """Half of the raters always repeat themselves, half never: 400 repeats say little of the next rater."""
    rows = []
    for rater in range(10):
        for unit in range(40):
            second = LEFT if rater < 5 else RIGHT
            rows += [(0, 1, LEFT, rater, rater * 40 + unit), (0, 1, second, rater, rater * 40 + unit)]
    same = self_consistency(*votes_of(rows)).all.same
    assert same.value == 0.5
    assert same.low is not None
    assert same.high is not None
    assert same.low < 0.2
    assert same.high > 0.8


def test_intervals_of_raters_contain_the_truth() -> None:
    rng = np.random.default_rng(3)
    n, raters = 30, 400
    rows = [(0, 1, int(rng.random() > 0.7), r, i) for r in range(raters) for i in range(n)]
    bias = side_bias(votes_of(rows)[0])
    held = [e.low <= 0.7 <= e.high for e in bias.by_rater if e.low is not None and e.high is not None]
    assert len(held) == raters
    assert np.mean(held) >= 0.94
    assert bias.overall.value == pytest.approx(0.7, abs=0.02)


def test_side_bias_counts_decisive_votes_with_their_weights() -> None:
    rows = [(0, 1, LEFT, 0, 0), (0, 1, RIGHT, 0, 0), (0, 1, TIE, 0, 0), (0, 1, TIE, 1, 0)]
    votes, _ = votes_of(rows)
    weighted = Votes(votes.systems, votes.left, votes.right, votes.answer, votes.case, votes.rater,
                     np.array([3.0, 1.0, 9.0, 2.0]))  # fmt: skip
    assert side_bias(votes).by_rater[0].value == 0.5
    assert side_bias(weighted).by_rater[0].value == 0.75
    assert side_bias(weighted).by_rater[1].value is None


def test_answers_by_unit_take_the_first_answer_and_forget_sides() -> None:
    rows = [(1, 0, LEFT, 0, 3), (0, 1, LEFT, 0, 3), (0, 1, RIGHT, 1, 3), (2, 3, BOTH_BAD, 1, 5)]
    found = answers_by_unit(*votes_of(rows))
    table = {(int(u), int(r)): float(v) for u, r, v in zip(found.unit, found.rater, found.value, strict=True)}
    assert table == {(3, 0): 1.0, (3, 1): 1.0, (5, 1): float(BOTH_BAD)}


def test_agreement_of_raters_who_see_the_same_is_found_whatever_the_sides() -> None:
    rng = np.random.default_rng(0)
    rows = []
    for unit in range(30):
        better = int(rng.integers(2))
        for rater in range(4):
            left = int(rng.integers(2))
            rows.append((left, 1 - left, LEFT if left == better else RIGHT, rater, unit))
    assert fleiss_kappa(answers_by_unit(*votes_of(rows))).estimate.value == pytest.approx(1.0)


def test_no_votes() -> None:
    votes, unit = votes_of([])
    assert self_consistency(votes, unit).all.same.value is None
    assert side_bias(votes).overall.value is None
    assert answers_by_unit(votes, unit).value.size == 0


def test_a_comparison_is_on_two_systems() -> None:
    votes, unit = votes_of([(0, 1, LEFT, 0, 4), (0, 2, LEFT, 0, 4)])
    with pytest.raises(InvalidInput, match="comparison 4"):
        self_consistency(votes, unit)


def test_weighted_votes_and_stray_columns_are_refused() -> None:
    votes, unit = votes_of([(0, 1, LEFT, 0, 0)])
    with pytest.raises(UsageError):
        self_consistency(votes, np.zeros(2, dtype=np.int64))
    weighted = Votes(
        votes.systems, votes.left, votes.right, votes.answer, votes.case, votes.rater, np.ones(1)
    )
    with pytest.raises(UsageError):
        answers_by_unit(weighted, unit)
