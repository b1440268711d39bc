"""What votes say about metrics: who is validated, who is not and why, and which votes count."""

from __future__ import annotations

import pytest
from sampledb import SampleDb
from votedsample import cast, scored_run

from evalkit.errors import UnknownName
from evalkit.leaderboard import ValidityBoard, ValidityRow, to_records, validity_board, vote_board
from evalkit.leaderboard.validity import PICKED


def row_of(board: ValidityBoard, output: str) -> ValidityRow:
    (found,) = [row for row in board.rows if row.output == output]
    return found


def voted(cases: int = 90, votes: int = 1) -> SampleDb:
    sample, worth = scored_run(cases)
    sample.study("panel", ["a", "b", "c"], ["alignment"])
    cast(sample, worth, votes=votes)
    return sample


def test_a_metric_that_follows_people_is_validated_and_noise_is_not() -> None:
    board = validity_board(voted().db)
    good, noise = row_of(board, "good"), row_of(board, "noise")
    assert (good.status, good.reason, good.criterion) == ("validated", "", "alignment")
    assert (good.accuracy.value or 0.0) > 0.8
    assert good.n_decided > 200
    assert (noise.status, noise.reason) == ("unvalidated", "interval includes chance")
    assert (good.rival, noise.rival) == ("noise/noise", "good/good")
    assert (good.p or 1.0) < 0.01
    assert good.tau.value == 1.0


def test_lower_is_better_is_turned_and_what_has_no_direction_is_left_out() -> None:
    board = validity_board(voted(20).db)
    assert row_of(board, "good_flip").accuracy == row_of(board, "good").accuracy
    assert {row.output for row in board.rows} == {"good", "good_flip", "noise"}


def test_few_pairs_are_counted_in_words() -> None:
    good = row_of(validity_board(voted(12).db), "good")
    assert good.status == "unvalidated"
    assert good.reason == f"{good.n_decided} decided pairs, 200 are needed"
    assert 20 < good.n_decided < 36


def test_without_votes_everything_is_unvalidated() -> None:
    sample, _ = scored_run(5)
    board = validity_board(sample.db)
    assert (board.n_votes, board.studies, board.simulated) == (0, (), False)
    assert {(row.status, row.reason, row.criterion) for row in board.rows} == {
        ("unvalidated", "no votes", "")
    }


def test_a_run_without_metrics_has_an_empty_board() -> None:
    sample = SampleDb()
    sample.suite("product")
    assert validity_board(sample.db).rows == ()


def test_the_ceiling_needs_two_votes_on_a_pair() -> None:
    assert row_of(validity_board(voted(12).db), "good").ceiling.value is None
    ceiling = row_of(validity_board(voted(12, votes=3).db), "good").ceiling
    assert ceiling.value is not None
    assert 0.6 < ceiling.value < 1.0
    assert ceiling.n > 20


def test_pictures_without_a_score_leave_their_pairs_out() -> None:
    sample = voted(20)
    sample.db.execute("UPDATE score_rows SET value = NULL, reason = 'decode_error' WHERE output = 'noise'")
    board = validity_board(sample.db)
    assert row_of(board, "noise").reason == "no scores of the pictures that were voted on"
    assert row_of(board, "good").rival == ""


def test_simulated_votes_are_marked_and_never_mixed_with_those_of_people() -> None:
    sample, worth = scored_run(20)
    sample.study("robots", ["a", "b", "c"], ["alignment"], simulated=True)
    cast(sample, {trial: -value for trial, value in worth.items()}, "robots", simulated=True)
    alone = validity_board(sample.db)
    assert alone.simulated
    assert all(row.simulated for row in alone.rows)
    assert (row_of(alone, "good").accuracy.value or 1.0) < 0.3
    sample.study("panel", ["a", "b", "c"], ["alignment"])
    cast(sample, worth)
    board = validity_board(sample.db)
    assert not board.simulated
    assert board.n_votes == 60
    assert (row_of(board, "good").accuracy.value or 0.0) > 0.7


def test_a_rater_counts_once_per_pair() -> None:
    sample = voted(12)
    before = validity_board(sample.db)
    sample.db.execute(
        "INSERT INTO ballot_rows SELECT * REPLACE ('again-' || ballot AS ballot, t + INTERVAL 1 DAY AS t) "
        "FROM ballot_rows"
    )
    sample.db.execute("INSERT INTO vote_rows SELECT * REPLACE ('again-' || ballot AS ballot) FROM vote_rows")
    assert validity_board(sample.db).rows == before.rows


def test_identical_pictures_tell_nothing() -> None:
    sample = voted(12)
    same = (sample.trial_id("product", "c0", "a"), sample.trial_id("product", "c0", "b"))
    sample.db.execute("UPDATE images SET image = 'one' WHERE trial IN (?, ?)", list(same))
    board = validity_board(sample.db)
    assert (board.identical, board.n_votes) == (1, 35)


def test_a_study_of_picked_pairs_is_set_aside_and_never_validates() -> None:
    sample, worth = scored_run(90)
    sample.study("again", ["a", "b", "c"], ["alignment"], selection="disagreements")
    cast(sample, worth, "again")
    board = validity_board(sample.db)
    assert (board.n_votes, board.set_aside) == (0, ("again",))
    alone = row_of(validity_board(sample.db, studies=["again"]), "good")
    assert alone.n_decided > 200
    assert (alone.status, alone.reason) == ("unvalidated", PICKED)
    assert "Not a fair sample" in vote_board(sample.db, "again", "alignment").caveats[0]
    sample.study("panel", ["a", "b", "c"], ["alignment"])
    assert not any("fair sample" in text for text in vote_board(sample.db, "panel", "alignment").caveats)


def test_named_studies_only() -> None:
    sample = voted(12)
    sample.study("other", ["a", "b"], ["alignment"])
    assert validity_board(sample.db, studies=["other"]).n_votes == 0
    with pytest.raises(UnknownName, match="'pannel'"):
        validity_board(sample.db, studies=["pannel"])


def test_categories_and_criteria_are_apart() -> None:
    sample = voted(12)
    sample.suite("portrait")
    sample.case("portrait", "p0")
    sample.score(sample.trial("portrait", "p0", "a"), "good", "good", 1.0)
    board = validity_board(sample.db)
    assert [row.reason for row in board.of("portrait", "good", "good")] == ["no votes"]
    assert [row.criterion for row in board.of("product", "good", "good")] == ["alignment"]


def test_the_same_seed_gives_the_same_board_and_it_goes_into_a_table() -> None:
    sample = voted(12)
    first, second = (validity_board(sample.db, seed=3) for _ in range(2))
    assert first.rows == second.rows
    record = to_records(first.rows)[0]
    assert {"status", "accuracy", "accuracy_low", "ceiling", "tau_high", "tie_chance", "p"} <= set(record)
