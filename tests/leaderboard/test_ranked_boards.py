"""Boards of studies with rankings, alone and beside votes on pairs."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from sampledb import T0, SampleDb

from evalkit.errors import InvalidInput
from evalkit.leaderboard import Asked, questions_of, rank, rater_reports, studies_named, vote_board
from evalkit.leaderboard.ballot_box import Question, box_of, box_with_rankings
from evalkit.preference import PreferenceBoard, RatingOptions

SYSTEMS = ["a", "b", "c"]
PLAIN = RatingOptions(opponents="as-sampled")
DAVIDSON = RatingOptions(opponents="as-sampled", model="davidson")


def panel() -> SampleDb:
    """A study on six cases in each of two categories, clusters of two; systems have a picture of each."""
    sample = SampleDb()
    for suite in ("product", "portrait"):
        sample.suite(suite)
        for i in range(6):
            sample.case(suite, f"c{i}", cluster=f"k{i // 2}")
            for system in SYSTEMS:
                sample.trial(suite, f"c{i}", system)
    sample.study("s", SYSTEMS, ["alignment", "appeal"])
    return sample


def ranked(sample: SampleDb, ballot: str, order: list[list[str]], **columns: Any) -> None:
    """One ranking, best first, tied systems together."""
    place = 1
    base = {"study": "s", "criterion": "alignment", "suite": "product", "case": "c0", "rater": "r1"}
    same = {**base, "t": T0, "imported": False, **columns}
    for tied in order:
        for system in tied:
            sample.row("ranking_rows", ballot=ballot, place=place, system=system, **same)
        place += len(tied)


def many(sample: SampleDb, seed: int = 0, **columns: Any) -> None:
    """Thirty rankings in each category, "a" being the best more often than not; a fifth have a tie."""
    rng = np.random.default_rng(seed)
    for number in range(60):
        order = [SYSTEMS[i] for i in np.argsort(-(np.array([1.0, 0.3, 0.0]) + rng.gumbel(size=3)))]
        groups = [[order[0]], order[1:]] if number % 5 == 0 else [[name] for name in order]
        where = {"suite": ("product", "portrait")[number % 2], "case": f"c{rng.integers(6)}"}
        ranked(sample, f"k{number}", groups, **{**where, "rater": f"r{rng.integers(5)}", **columns})


def voted(sample: SampleDb, votes: int = 120, seed: int = 1, **columns: Any) -> None:
    rng = np.random.default_rng(seed)
    pairs = list(combinations(SYSTEMS, 2))
    for number in range(votes):
        pair = pairs[rng.integers(3)]
        answer = rng.choice(["left", "right", "tie"], p=[0.5, 0.3, 0.2])
        where = (("product", "portrait")[rng.integers(2)], f"c{rng.integers(6)}")
        said = {"rater": f"r{rng.integers(7)}", "alignment": str(answer), **columns}
        sample.vote("s", f"v{number:03d}", pair, where, **said)


def rated(board: PreferenceBoard) -> dict[str, tuple[float | None, ...]]:
    return {line.system: (line.rating.value, line.rating.low, line.rating.high) for line in board.ratings}


def test_a_box_has_both_in_the_same_numbers() -> None:
    sample = panel()
    voted(sample)
    ranked(sample, "k1", [["b"], ["a", "c"]], rater="r3", case="c5")
    ranked(sample, "k2", [["c"], ["b"]], rater="new", suite="portrait", case="c0")
    box = box_with_rankings(sample.db, Question(("s",), "alignment"))
    assert box.ranked is not None
    assert (box.votes.n, box.n, box.votes.systems) == (120, 122, tuple(SYSTEMS))
    assert box.ranked.rankings.order.tolist() == [[1, 0, 2], [2, 1, -1]]
    assert box.ranked.rankings.rank[0].tolist() == [1, 2, 2]
    assert [box.raters[r] for r in box.ranked.rater] == ["r3", "new"]
    assert [box.cases[c] for c in box.ranked.case] == ["product/k2", "portrait/k0"]
    alone = box_of(sample.db, Question(("s",), "alignment"))
    for labels in ("rater", "case"):
        names = {"rater": "raters", "case": "cases"}[labels]
        assert [getattr(box, names)[i] for i in getattr(box.votes, labels)] == [
            getattr(alone, names)[i] for i in getattr(alone.votes, labels)
        ]


def test_a_study_without_rankings_is_rated_as_before() -> None:
    sample = panel()
    voted(sample)
    box = box_with_rankings(sample.db, Question(("s",), "alignment"))
    assert box.ranked is None
    board = vote_board(sample.db, "s", "alignment")
    assert board.options.model == "bradley-terry"
    assert board.caveats == ("Only 7 raters and 6 cases: the intervals are rough.",)


def test_rankings_of_two_are_rated_as_the_votes_they_are() -> None:
    """Half of the votes are said again, as rankings; the model of both is Davidson's."""
    votes, mixed = panel(), panel()
    voted(votes, 160)
    voted(mixed, 160)
    half = "WHERE ballot >= 'v080'"
    said = mixed.db.execute(
        'SELECT ballot, suite, "case", rater, left_system, right_system, answer FROM votes '
        f"{half} ORDER BY ballot"
    ).fetchall()
    for table in ("ballot_rows", "vote_rows"):
        mixed.db.execute(f"DELETE FROM {table} {half}")
    for ballot, suite, case, rater, left, right, answer in said:
        order = {"left": [[left], [right]], "right": [[right], [left]], "tie": [[left, right]]}[answer]
        ranked(mixed, ballot, order, suite=suite, case=case, rater=rater)
    expected = vote_board(votes.db, "s", "alignment", options=DAVIDSON)
    board = vote_board(mixed.db, "s", "alignment", options=PLAIN)
    assert (board.n_votes, expected.n_votes) == (80, 160)
    for system, numbers in rated(expected).items():
        assert rated(board)[system] == pytest.approx(numbers, abs=1e-6)


def test_rankings_alone_are_a_board_of_a_study_that_is_found() -> None:
    sample = panel()
    many(sample)
    assert studies_named(sample.db, None) == ("s",)
    (asked, _) = questions_of(sample.db, ("s",))
    found = rank(sample.db, asked)
    assert found.board.ratings[0].system == "a"
    assert all(line.rating.low is not None for line in found.board.ratings)
    assert (found.board.n_votes, found.board.n_raters, found.board.n_cases) == (0, 5, 6)
    assert found.board.caveats[0].startswith("60 rankings are in")
    assert not any("no votes" in finding.sentence for finding in found.panel.findings)


def test_categories_and_criteria_by_themselves() -> None:
    sample = panel()
    many(sample)
    ranked(sample, "other", [["c"], ["b"], ["a"]], criterion="appeal")
    product = vote_board(sample.db, "s", "alignment", "product")
    assert product.caveats[0].startswith("30 rankings are in")
    assert vote_board(sample.db, "s", "appeal").caveats[0].startswith("1 rankings are in")
    assert vote_board(sample.db, "s", "appeal", "portrait").ratings == ()


def test_a_ranking_with_a_withdrawn_picture_is_left_out_and_counted() -> None:
    sample, without = panel(), panel()
    for one in (sample, without):
        voted(one)
        ranked(one, "k1", [["a"], ["b"], ["c"]], case="c1")
        ranked(one, "k2", [["c"], ["a"]], case="c2")
    ranked(sample, "k3", [["c"], ["b"]], case="c3")
    ranked(sample, "k4", [["c"], ["b"], ["a"]], case="c3")
    gone = sample.trial_id("product", "c3", "b")
    for one in (sample, without):
        one.row("withdrawn_rows", study="s", trial=gone, reason="broken", t=T0)
    board = vote_board(sample.db, "s", "alignment")
    assert "2 rankings are left out: a picture they are about was withdrawn." in board.caveats
    assert rated(board) == rated(vote_board(without.db, "s", "alignment"))
    ranked(sample, "k5", [["c"], ["a"]], case="c3")
    box = box_with_rankings(sample.db, Question(("s",), "alignment"))
    assert box.ranked is not None
    assert (box.ranked.n, box.withdrawn) == (3, 2)


def test_who_ranked_may_be_unknown() -> None:
    sample = panel()
    many(sample, rater=None)
    board = vote_board(sample.db, "s", "alignment", options=PLAIN)
    assert board.options.intervals == "case"
    assert (
        "The votes and rankings do not say whose they are: the intervals do not know how people differ."
        in (board.caveats)
    )
    voted(sample)
    both = vote_board(sample.db, "s", "alignment", options=PLAIN)
    assert both.options.intervals == "two-way"
    assert (
        "60 of 180 votes and rankings do not say whose they are: each is taken to stand alone."
        in both.caveats
    )
    assert both.n_raters == 67


def test_neither_raters_nor_cases_known() -> None:
    sample = panel()
    many(sample, rater=None, suite=None, case=None)
    board = vote_board(sample.db, "s", "alignment", options=PLAIN)
    assert (board.options.intervals, board.n_raters, board.n_cases) == ("votes", 0, 0)


def test_imported_rankings_of_systems_no_vote_names() -> None:
    sample = panel()
    voted(sample)
    for number in range(8):
        order = [["a"], ["z"]] if number % 2 else [["z"], ["a"]]
        ranked(sample, f"i{number}", order, imported=True, category="product", cluster=f"q{number}")
    lines = {line.system: line for line in vote_board(sample.db, "s", "alignment", "product").ratings}
    assert lines["z"].rating.value == pytest.approx(lines["a"].rating.value)
    assert (lines["z"].n_votes, lines["z"].rating.n) == (0, 8)


@pytest.mark.parametrize(
    ("order", "columns", "said"),
    [
        ([["a"]], {}, "fewer than two systems: ballot odd of study s"),
        ([["a"], ["b"], ["a"]], {"imported": True}, "a system twice: ballot odd of study s"),
    ],
)
def test_rankings_that_are_none_are_named(order: Any, columns: dict[str, Any], said: str) -> None:
    sample = panel()
    many(sample)
    ranked(sample, "odd", order, **columns)
    with pytest.raises(InvalidInput, match=said):
        vote_board(sample.db, "s", "alignment")


def test_raters_are_judged_by_votes_on_pairs() -> None:
    sample = panel()
    voted(sample)
    before = rater_reports(sample.db, Asked(("s",), "alignment", (), False))
    many(sample)
    assert rater_reports(sample.db, Asked(("s",), "alignment", (), False)) == before
