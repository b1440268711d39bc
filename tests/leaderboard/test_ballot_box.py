"""Votes as a board reads them: which are in, what they are numbered by, and what they do not say."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import duckdb
import numpy as np
import pytest
from sampledb import T0, SampleDb

from evalkit.errors import InvalidInput, UnknownName, UsageError
from evalkit.leaderboard import questions_of, rank, rank_slices, rater_reports, studies_named, vote_board
from evalkit.leaderboard.ballot_box import Question, box_of, box_of_file, columns_of, tensor_of_file
from evalkit.preference.tensor import tensor_of


def panel(raters: int = 3, cases: int = 6) -> SampleDb:
    """Systems a and b on the cases of two suites; a wins the products, b the portraits."""
    sample = SampleDb()
    for suite in ("product", "portrait"):
        sample.suite(suite)
        for i in range(cases):
            sample.case(suite, f"c{i}", cluster=f"k{i // 2}", tags=["hard"] if i % 2 else ["easy", "small"])
    sample.study("s", ["a", "b"], ["alignment", "appeal"])
    number = 0
    for suite, winner in (("product", "left"), ("portrait", "right")):
        for i in range(cases):
            for rater in range(raters):
                number += 1
                answers = {"alignment": winner if i else "tie", "appeal": "left"}
                sample.vote("s", f"b{number:03d}", ("a", "b"), (suite, f"c{i}"), rater=f"r{rater}", **answers)
    return sample


def box(sample: SampleDb, by: str | None = None, **question: str):
    return box_of(sample.db, Question(("s",), question.get("criterion", "alignment")), by)


def test_names_behind_the_numbers() -> None:
    found = box(panel())
    assert found.votes.systems == ("a", "b")
    assert found.raters == ("r0", "r1", "r2")
    assert len(found.cases) == 6
    assert "product/k0" in found.cases
    assert (found.votes.n, found.unknown_raters, found.unknown_cases) == (36, 0, 0)


def test_the_same_two_pictures_are_one_unit_whichever_side() -> None:
    sample = panel(raters=1, cases=2)
    sample.vote("s", "z1", ("b", "a"), ("product", "c0"), rater="r9", alignment="left")
    units = box(sample).unit
    assert len(set(units.tolist())) == 4
    assert len(units) == 5


def test_votes_come_in_the_order_they_were_cast() -> None:
    sample = panel(raters=1, cases=2)
    late = T0 + timedelta(days=2)
    sample.db.execute("UPDATE ballot_rows SET t = ? WHERE ballot = 'b001'", [late])
    first = box(panel(raters=1, cases=2)).votes.answer
    moved = box(sample).votes.answer
    assert moved.tolist() == [*first[1:], first[0]]


def test_slices_by_category_criterion_and_tag() -> None:
    sample = panel()
    by_category = box(sample, "category")
    assert by_category.slices == ("portrait", "product")
    assert np.bincount(by_category.slice).tolist() == [18, 18]
    by_tag = box(sample, "tag")
    assert by_tag.slices == ("easy", "hard", "small")
    assert np.bincount(by_tag.slice).tolist() == [18, 18, 18]
    both = box_of(sample.db, Question(("s",)), "criterion")
    assert both.slices == ("alignment", "appeal")


def test_a_column_nobody_knows_is_named() -> None:
    with pytest.raises(UnknownName, match="language"):
        box(panel(), "language")
    assert columns_of(panel().db, ["s"])[:2] == ["category", "tag"]


def test_withdrawn_votes_are_out_and_counted() -> None:
    sample = panel()
    trial = sample.db.execute("SELECT left_trial FROM ballot_rows ORDER BY ballot LIMIT 1").fetchone()
    assert trial is not None
    sample.row("withdrawn_rows", study="s", trial=trial[0], reason="blank", t=T0)
    assert box(sample).votes.n == 33
    caveats = vote_board(sample.db, "s", "alignment").caveats
    assert any("3 votes are left out: a picture they are about was withdrawn" in text for text in caveats)


def test_votes_without_a_rater_share_nothing_and_are_counted() -> None:
    sample = panel()
    sample.db.execute("UPDATE ballot_rows SET rater = NULL WHERE ballot < 'b005'")
    found = box(sample)
    assert (found.unknown_raters, found.raters_unknown) == (4, False)
    assert len(set(found.votes.rater.tolist())) == 3 + 4
    caveats = vote_board(sample.db, "s", "alignment").caveats
    assert any("4 of 36 votes do not say whose they are" in text for text in caveats)


def test_where_no_vote_names_its_rater_intervals_are_by_case() -> None:
    sample = panel()
    sample.db.execute("UPDATE ballot_rows SET rater = NULL")
    board = vote_board(sample.db, "s", "alignment")
    assert (board.n_raters, board.options.intervals) == (0, "case")
    assert any(
        "do not say whose they are: the intervals do not know how people differ" in c for c in board.caveats
    )
    (asked, _) = questions_of(sample.db, ["s"])
    assert rater_reports(sample.db, asked) is None


def test_several_studies_are_one_board() -> None:
    sample = panel()
    sample.study("t", ["a", "b"], ["alignment"])
    sample.vote("t", "t1", ("a", "b"), ("product", "c1"), rater="r0", alignment="left")
    assert vote_board(sample.db, ["s", "t"], "alignment").n_votes == 37


def test_which_studies_are_meant() -> None:
    sample = panel()
    sample.study("empty", ["a", "b"], ["alignment"])
    sample.study("picked", ["a", "b"], ["alignment"], selection="disagreements")
    sample.vote("picked", "p1", ("a", "b"), ("product", "c1"), alignment="left")
    assert studies_named(sample.db, "empty") == ("empty",)
    assert studies_named(sample.db, sample.run) == ("s",)
    assert studies_named(sample.db, None) in (("s",), ("picked",))
    with pytest.raises(UnknownName, match="nothing"):
        studies_named(sample.db, "nothing")
    with pytest.raises(UsageError, match="no votes"):
        studies_named(SampleDb().db, None)


def test_rank_says_what_was_asked_and_whether_to_trust_it() -> None:
    sample = panel()
    asked = questions_of(sample.db, ["s"], ["appeal"])
    ranking = rank(sample.db, asked[0])
    assert (ranking.asked.criterion, ranking.asked.simulated) == ("appeal", False)
    assert ranking.board.ratings[0].system == "a"
    assert ranking.panel["one scale"].level == "stop"
    with pytest.raises(UnknownName, match="taste"):
        questions_of(sample.db, ["s"], ["taste"])


def test_slices_say_whether_they_differ() -> None:
    sample = panel(raters=6, cases=8)
    report = rank_slices(sample.db, questions_of(sample.db, ["s"])[0], "category")
    assert report.difference is not None
    assert report.difference.p_value < 0.01
    assert report.shrunk is not None


def test_chances_are_looked_at_where_a_goal_steered_the_study() -> None:
    levels = {}
    for sampling in ("balanced", "top-1"):
        sample = panel()
        sample.db.execute("UPDATE studies SET sampling = ?", [sampling])
        sample.db.execute("UPDATE ballot_rows SET pair_propensity = 0.5")
        ranking = rank(sample.db, questions_of(sample.db, ["s"])[0])
        levels[sampling] = ranking.panel["logged chances"].level
        known = ~np.isnan(box(sample).propensity)
        assert known.all() == (sampling != "balanced")
    assert levels == {"balanced": None, "top-1": "fine"}


def test_columns_of_a_file_count_as_they_do_in_a_study(tmp_path: Path) -> None:
    path = tmp_path / "full.parquet"
    with duckdb.connect() as db:
        db.execute(
            f"""COPY (SELECT 's' || (i % 2) AS left_system, 's' || ((i + 1) % 2) AS right_system,
            'left' AS answer, 'r' || (i % 3) AS rater, 'c' || (i % 4) AS "case", 'k' || (i % 2) AS cluster,
            'suite' AS suite, i = 0 AS withdrawn, 1.0 + (i % 2) AS weight, 'appeal' AS criterion
            FROM range(20) t(i)) TO '{path}' (FORMAT parquet)"""
        )
        found = box_of_file(db, path)
        assert (found.votes.n, found.cases) == (19, ("suite/k0", "suite/k1"))
        assert found.votes.weight is not None
        assert tensor_of_file(db, path).total == tensor_of(found.votes).total == 29.0
        assert box_of_file(db, path, "alignment").votes.n == 0


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "votes.parquet"
    with duckdb.connect() as db:
        db.execute(
            f"""COPY (SELECT 's' || (i % 3) AS left_system, 's' || ((i + 1 + i % 2) % 3) AS right_system,
            ['left', 'right', 'tie', 'both_bad', 'skip'][1 + i % 5] AS answer, 'r' || (i % 7) AS rater,
            'c' || (i % 11) AS "case" FROM range(1000) t(i)) TO '{path}' (FORMAT parquet)"""
        )
    return path


def test_a_file_counts_as_its_votes(file: Path) -> None:
    with duckdb.connect() as db:
        whole, counted = box_of_file(db, file), tensor_of_file(db, file)
    assert whole.votes.n == 800
    assert counted.systems == whole.votes.systems
    assert np.array_equal(tensor_of(whole.votes).counts, counted.counts)
    assert (len(whole.raters), len(whole.cases)) == (7, 11)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    with duckdb.connect() as db:
        db.execute(f"COPY (SELECT 1 AS x) TO '{path}' (FORMAT parquet)")
        with pytest.raises(InvalidInput, match=r"other\.parquet"):
            box_of_file(db, path)
        with pytest.raises(UsageError, match="not a Parquet file"):
            box_of_file(db, tmp_path / "votes.csv")


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("right_system", "'a'", "compared with itself"),
        ("left_system", "NULL", "has no name"),
        ("answer", "'model_a'", 'the answer is "model_a"'),
        ("answer", "NULL", "there is no answer"),
    ],
)
def test_rows_of_a_file_that_are_no_votes_are_named(
    tmp_path: Path, column: str, value: str, fault: str
) -> None:
    path = tmp_path / "faulty.parquet"
    columns = {"left_system": "'a'", "right_system": "'b'", "answer": "'left'"}
    columns[column] = f"CASE WHEN i = 2 THEN {value} ELSE {columns[column]} END"
    asked = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    with duckdb.connect() as db:
        db.execute(
            f"""COPY (SELECT {asked}, 'r' AS rater, 'c' AS "case" FROM range(1, 4) t(i))
            TO '{path}' (FORMAT parquet)"""
        )
        for read in (box_of_file, tensor_of_file):
            with pytest.raises(InvalidInput, match=rf"{fault} \(1: row 2\)"):
                read(db, path)
