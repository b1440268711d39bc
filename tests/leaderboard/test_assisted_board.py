"""Votes and scores of a database come together: what the shares are about, and what counts in them."""

from __future__ import annotations

import numpy as np
import pytest
from sampledb import T0, SampleDb
from votedsample import CATEGORY, PAIRS, cast, insert, scored_run

from evalkit.errors import UnknownName
from evalkit.leaderboard import to_records, votes_of
from evalkit.leaderboard.assisted import (
    IMPORTED,
    NO_METRICS,
    NO_RUN,
    PICKED,
    AssistedBoard,
    AssistedRow,
    assisted_board,
)
from evalkit.preference.assisted import NO_REST
from evalkit.preference.tensor import tensor_of, win_rates

SYSTEMS = ["a", "b", "c"]
CASES = 60


def voted(cases: int = CASES, one_in: int = 3, **study: object) -> SampleDb:
    """A run whose comparisons have one vote each, of which one in so many is kept."""
    sample, worth = scored_run(cases)
    sample.study("panel", SYSTEMS, ["alignment"], **study)
    cast(sample, worth)
    keep_one_in(sample, one_in)
    return sample


def keep_one_in(sample: SampleDb, n: int) -> None:
    ballots = [b for (b,) in sample.db.execute("SELECT ballot FROM ballot_rows ORDER BY ballot").fetchall()]
    gone = np.random.default_rng(7).permutation(ballots)[len(ballots) // n :].tolist()
    sample.db.execute("DELETE FROM ballot_rows WHERE list_contains(?, ballot)", [gone])


def row_of(board: AssistedBoard, system: str, opponent: str = "") -> AssistedRow:
    (found,) = [
        row for row in (*board.systems, *board.pairs) if (row.system, row.opponent) == (system, opponent)
    ]
    return found


def test_a_metric_that_follows_people_is_worth_votes() -> None:
    board = assisted_board(voted(150).db, "panel", "alignment")
    assert [row.system for row in board.systems] == SYSTEMS
    assert [(row.system, row.opponent) for row in board.pairs] == list(PAIRS)
    assert (board.n_votes, board.n_comparisons, board.n_prompts) == (150, 450, 150)
    assert (board.refused, board.unmatched, board.incomplete, board.simulated) == ("", 0, 0, False)
    for row in board.systems:
        assert (row.used, row.share) == ("assisted", row.assisted)
        assert (row.extra_votes or 0.0) > 0.2
        assert (row.rho or 0.0) > 0.5
        assert row.unvoted == pytest.approx(2 / 3, abs=0.05)
    assert "450 comparisons of 3 systems on 150 prompts of run run-1" in board.population


def test_without_metrics_the_shares_are_those_of_the_votes() -> None:
    sample = voted()
    votes = votes_of(sample.db, "panel", "alignment")
    expected = dict(zip(votes.systems, win_rates(tensor_of(votes).wins), strict=True))
    board = assisted_board(sample.db, "panel", "alignment")
    assert {row.system: row.plain.value for row in board.systems} == pytest.approx(expected)
    assert sum(row.plain.n for row in board.pairs) == votes.n
    sample.db.execute("UPDATE score_rows SET value = NULL, reason = 'decode_error'")
    without = assisted_board(sample.db, "panel", "alignment")
    assert (without.refused, without.outputs) == (NO_METRICS, ())
    assert {row.share for row in without.systems} == {row.plain for row in board.systems}


def test_outputs_without_a_direction_are_left_out() -> None:
    assert assisted_board(voted().db, "panel", "alignment").outputs == (
        "good/good",
        "good/good_flip",
        "noise/noise",
    )


def test_votes_on_picked_pairs_are_never_assisted() -> None:
    board = assisted_board(voted(selection="disagreements").db, "panel", "alignment")
    assert board.refused == PICKED
    assert {(row.used, row.reason) for row in (*board.systems, *board.pairs)} == {("plain", PICKED)}
    assert all(row.plain.low is not None for row in board.systems)


def test_imported_votes_are_never_assisted() -> None:
    board = assisted_board(voted(imported=True).db, "panel", "alignment")
    assert {(row.used, row.reason) for row in (*board.systems, *board.pairs)} == {("plain", IMPORTED)}


def test_few_prompts_and_nothing_left_to_vote_on() -> None:
    few = assisted_board(voted(15).db, "panel", "alignment")
    assert "prompts with votes, 20 are needed" in row_of(few, "a").reason
    whole = assisted_board(voted(30, one_in=1).db, "panel", "alignment")
    assert {row.reason for row in whole.systems} == {NO_REST}


def test_a_comparison_without_a_score_stays_and_is_counted() -> None:
    sample = voted()
    gone = [sample.trial_id(CATEGORY, f"c{i}", "a") for i in range(10)]
    sample.db.execute("UPDATE score_rows SET value = NULL WHERE list_contains(?, trial)", [gone])
    board = assisted_board(sample.db, "panel", "alignment")
    assert (board.n_comparisons, board.incomplete) == (3 * CASES, 20)
    assert row_of(board, "a").plain == row_of(assisted_board(voted().db, "panel", "alignment"), "a").plain


def test_simulated_votes_are_never_mixed_with_those_of_people() -> None:
    sample, worth = scored_run(60)
    sample.study("panel", SYSTEMS, ["alignment"])
    cast(sample, {trial: -w for trial, w in worth.items()}, simulated=True)
    keep_one_in(sample, 2)
    assert assisted_board(sample.db, "panel", "alignment").simulated
    assert assisted_board(sample.db, "panel", "alignment").systems[0].system == "c"
    sample.db.execute("UPDATE ballot_rows SET ballot = 'robot-' || ballot")
    sample.db.execute("UPDATE vote_rows SET ballot = 'robot-' || ballot")
    cast(sample, worth)
    board = assisted_board(sample.db, "panel", "alignment")
    assert (board.simulated, board.n_votes, board.systems[0].system) == (False, 180, "a")


def test_a_withdrawn_picture_is_in_neither_votes_nor_population() -> None:
    sample = voted(one_in=1)
    trial = sample.trial_id(CATEGORY, "c0", "a")
    sample.row("withdrawn_rows", study="panel", trial=trial, reason="unsafe", t=T0)
    board = assisted_board(sample.db, "panel", "alignment")
    left = 3 * CASES - 2
    assert (board.n_votes, board.n_comparisons, board.unmatched) == (left, left, 0)


def test_votes_on_pictures_of_no_trial_are_counted_and_left_out() -> None:
    sample = voted()
    sample.db.execute(
        "UPDATE ballot_rows SET left_trial = 'gone' WHERE ballot IN (SELECT min(ballot) FROM ballot_rows)"
    )
    board = assisted_board(sample.db, "panel", "alignment")
    assert (board.n_votes, board.unmatched) == (CASES - 1, 1)


def test_only_the_voted_replicate_has_to_exist_and_cases_count_alike() -> None:
    sample = voted()
    before = row_of(assisted_board(sample.db, "panel", "alignment"), "a", "b")
    ((voted_case,),) = sample.db.execute(
        """SELECT min("case") FROM votes WHERE left_system IN ('a', 'b') AND right_system IN ('a', 'b')"""
    ).fetchall()
    for case, system, replicate in [(voted_case, "a", 1), (voted_case, "b", 1), ("c1", "c", 1)]:
        trial = sample.trial(CATEGORY, case, system, replicate)
        sample.score(trial, "good", "good", 0.3)
    board = assisted_board(sample.db, "panel", "alignment")
    assert board.n_comparisons == 3 * CASES + 1
    after = row_of(board, "a", "b")
    assert after.plain == before.plain
    # Both comparisons of the case share one unit, and only the first of them can have a vote.
    assert (after.unvoted or 0.0) - (before.unvoted or 0.0) == pytest.approx(0.5 / CASES)


def test_categories_count_by_their_cases_and_not_by_their_votes() -> None:
    """b wins everything in the small category, where half of the votes are; a everything in the large one."""
    sample, _ = scored_run(90)
    sample.suite("portrait")
    for i in range(30):
        sample.case("portrait", f"p{i}")
        for system in ("a", "b"):
            sample.score(sample.trial("portrait", f"p{i}", system), "good", "good", float(i % 7))
    sample.study("panel", ["a", "b"], ["alignment"])
    for n in range(25):
        said = {"alignment": "left", "rater": f"r{n % 6}"}
        sample.vote("panel", f"x{n}", ("a", "b"), (CATEGORY, f"c{n}"), **said)
        sample.vote("panel", f"y{n}", ("b", "a"), ("portrait", f"p{n}"), **said)
    board = assisted_board(sample.db, "panel", "alignment")
    assert row_of(board, "a", "b").plain.value == pytest.approx(90 / 120)
    one = assisted_board(sample.db, "panel", "alignment", "portrait")
    assert (one.n_comparisons, row_of(one, "a", "b").plain.value) == (30, 0.0)


def test_a_vote_counts_as_often_as_it_was_given() -> None:
    sample = voted()
    ((first, left),) = sample.db.execute(
        "SELECT ballot, left_system FROM ballot_rows ORDER BY ballot LIMIT 1"
    ).fetchall()
    sample.db.execute("UPDATE ballot_rows SET weight = 15 WHERE ballot = ?", [first])
    sample.db.execute("UPDATE vote_rows SET answer = 'left' WHERE ballot = ?", [first])
    votes = assisted_board(sample.db, "panel", "alignment")
    sample.db.execute("UPDATE vote_rows SET answer = 'right' WHERE ballot = ?", [first])
    other = assisted_board(sample.db, "panel", "alignment")
    assert (row_of(votes, left).plain.value or 0.0) - (row_of(other, left).plain.value or 0.0) > 0.15


def test_suites_nobody_was_asked_about_are_not_in_the_population() -> None:
    sample = voted()
    sample.suite("typography")
    for i in range(5):
        sample.case("typography", f"t{i}")
        for system in SYSTEMS:
            sample.trial("typography", f"t{i}", system)
    assert assisted_board(sample.db, "panel", "alignment").n_comparisons == 3 * CASES


def test_a_study_without_votes_or_without_a_run_has_an_empty_board() -> None:
    sample = voted()
    sample.study("new", SYSTEMS, ["alignment"])
    assert assisted_board(sample.db, "new", "alignment").refused == "no votes"
    sample.db.execute("UPDATE studies SET run = NULL WHERE study = 'panel'")
    board = assisted_board(sample.db, "panel", "alignment")
    assert (board.refused, board.systems) == (NO_RUN, ())


def test_what_nothing_answers_to() -> None:
    sample = voted(20)
    with pytest.raises(UnknownName, match="study 'pannel'"):
        assisted_board(sample.db, "pannel", "alignment")
    with pytest.raises(UnknownName, match="criterion 'beauty'"):
        assisted_board(sample.db, "panel", "beauty")


def test_the_same_seed_gives_the_same_board_and_it_goes_into_a_table() -> None:
    sample = voted()
    first, second = (assisted_board(sample.db, "panel", "alignment", seed=2) for _ in range(2))
    assert first == second
    assert {"share", "share_low", "plain_high", "assisted_n", "used", "reason", "extra_votes"} <= set(
        to_records(first.systems)[0]
    )


def test_a_prompt_in_variants_is_one_cluster() -> None:
    sample = voted()
    sample.db.execute("""UPDATE cases SET cluster = 'v' || (position // 2)""")
    assert assisted_board(sample.db, "panel", "alignment").n_prompts == CASES // 2
    insert(sample, "cases", [{"run": sample.run, "suite": CATEGORY, "case": "empty", "cluster": "v0"}])
    assert assisted_board(sample.db, "panel", "alignment").n_comparisons == 3 * CASES
