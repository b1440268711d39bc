"""Missing scores never change a number in silence, and never make a leader."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sampledb import SampleDb

from evalkit.leaderboard import BoardRow, headline, metric_board
from evalkit.leaderboard.metrics import STANDS_NOTE

Values = dict[str, list[float | None]]
SHORT = settings(max_examples=15, deadline=None, derandomize=True)


def board_of(values: Values, better: str = "higher", **scale: float) -> tuple[SampleDb, dict[str, BoardRow]]:
    """One category, one output; None is a picture that was due a score and has none."""
    sample = SampleDb()
    sample.suite("product")
    sample.metric("m", "m", better=better, headline=True, **scale)
    for i in range(len(next(iter(values.values())))):
        sample.case("product", f"c{i}")
    for system, scores in values.items():
        sample.system(system)
        for i, score in enumerate(scores):
            status = {"status": "failed", "kind": "timeout"} if score is None else {}
            trial = sample.trial("product", f"c{i}", system, **status)
            if score is not None:
                sample.score(trial, "m", "m", score)
    return sample, {row.system: row for row in metric_board(sample.db)}


scores = st.lists(st.floats(0, 1, allow_subnormal=False), min_size=10, max_size=10)
dropped = st.sets(st.integers(0, 9), min_size=1, max_size=9)


@pytest.fixture(scope="module")
def ten() -> SampleDb:
    """Ten cases and two systems; the examples only change the scores."""
    return board_of({"a": [0.5] * 10, "b": [0.5] * 10}, low=0.0, high=1.0)[0]


def scored(sample: SampleDb, values: Values) -> dict[str, BoardRow]:
    known = [
        (value, sample.trial_id("product", f"c{i}", system))
        for system, scores in values.items()
        for i, value in enumerate(scores)
    ]
    sample.db.executemany("UPDATE score_rows SET value = ? WHERE trial = ?", known)
    return {row.system: row for row in metric_board(sample.db)}


def without(values: list[float], gone: set[int]) -> list[float | None]:
    return [None if i in gone else value for i, value in enumerate(values)]


@SHORT
@given(first=scores, second=scores, gone=dropped)
def test_dropping_pictures_never_changes_a_score_without_changing_coverage(
    ten: SampleDb, first: list[float], second: list[float], gone: set[int]
) -> None:
    whole = scored(ten, {"a": list(first), "b": list(second)})
    part = scored(ten, {"a": without(first, gone), "b": list(second)})
    assert part["b"].estimate == whole["b"].estimate
    assert (part["a"].n_scored, part["a"].n_expected) == (10 - len(gone), 10)
    assert part["a"].coverage < whole["a"].coverage
    assert all(row.coverage_gap for row in part.values())
    low, high = part["a"].possible
    assert low is not None
    assert high is not None
    assert low - 1e-9 <= (whole["a"].estimate.value or 0.0) <= high + 1e-9
    assert low - 1e-9 <= (part["a"].estimate.value or 0.0) <= high + 1e-9
    for system in ("a", "b"):
        assert part[system].rank in (None, whole[system].rank)


def test_a_leader_is_refused_where_missing_scores_could_turn_the_order() -> None:
    values: Values = {"a": [0.9] * 7 + [None] * 3, "b": [0.8 + i / 1000 for i in range(10)]}
    sample, rows = board_of(values, low=0.0, high=1.0)
    assert rows["a"].possible == (pytest.approx(0.63), pytest.approx(0.93))
    assert [row.rank for row in rows.values()] == [None, None]
    assert "cannot be compared" in rows["a"].note
    lead = headline(sample.db, tuple(rows.values()), sample.run, "product")
    assert lead is not None
    assert lead.refused


def test_a_leader_stands_where_bounds_separate() -> None:
    values: Values = {"a": [0.9] * 9 + [None], "b": [0.3 + i / 1000 for i in range(10)]}
    sample, rows = board_of(values, low=0.0, high=1.0)
    assert (rows["a"].rank, rows["b"].rank) == (1, 2)
    assert rows["a"].note == STANDS_NOTE
    lead = headline(sample.db, tuple(rows.values()), sample.run, "product")
    assert lead is not None
    assert not lead.refused


def test_lower_is_better_ranks_from_below() -> None:
    values: Values = {"a": [0.1] * 9 + [None], "b": [0.9] * 10}
    rows = board_of(values, better="lower", low=0.0, high=1.0)[1]
    assert (rows["a"].rank, rows["b"].rank) == (1, 2)


def test_a_scale_without_an_end_has_no_bound_there_and_no_rank() -> None:
    values: Values = {"a": [0.1] * 9 + [None], "b": [30.0 + i for i in range(10)]}
    rows = board_of(values, better="lower", low=0.0)[1]
    assert rows["a"].possible == (pytest.approx(0.09), None)
    assert rows["b"].possible == (pytest.approx(34.5), pytest.approx(34.5))
    assert [row.rank for row in rows.values()] == [None, None]


def test_one_system_among_three_may_have_its_rank() -> None:
    values: Values = {"a": [0.95] * 10, "b": [0.5] * 9 + [None], "c": [0.52] * 10}
    rows = board_of(values, low=0.0, high=1.0)[1]
    assert (rows["a"].rank, rows["b"].rank, rows["c"].rank) == (1, None, None)


def test_equal_coverage_is_ranked_and_equal_means_share_a_rank() -> None:
    values: Values = {"a": [0.5, 0.7], "b": [0.5, 0.7], "c": [0.1, 0.2]}
    rows = board_of(values, low=0.0, high=1.0)[1]
    assert [(row.rank, row.coverage_gap) for row in rows.values()] == [(1, False), (1, False), (3, False)]


def test_replicates_that_are_missing_count_for_their_share_of_a_case() -> None:
    sample = SampleDb()
    sample.suite("product")
    sample.system("a")
    sample.case("product", "c0")
    sample.metric("m", "m", low=0, high=1)
    sample.score(sample.trial("product", "c0", "a", 0), "m", "m", 0.8)
    sample.trial("product", "c0", "a", 1, status="failed")
    (row,) = metric_board(sample.db)
    assert (row.estimate.value, row.possible) == (0.8, (pytest.approx(0.4), pytest.approx(0.9)))
