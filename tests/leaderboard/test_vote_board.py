from __future__ import annotations

import pytest
from sampledb import SampleDb

from evalkit.errors import UnknownName
from evalkit.leaderboard import to_frame, to_records, vote_board, votes_of
from evalkit.leaderboard.metrics import metric_board


def panel() -> SampleDb:
    """Two categories, two systems; "a" wins the products and loses the portraits."""
    sample = SampleDb()
    for suite in ("product", "portrait"):
        sample.suite(suite)
        for i in range(6):
            sample.case(suite, f"c{i}", cluster=f"k{i // 2}")
    sample.study("s", ["a", "b"], ["alignment", "appeal"])
    number = 0
    for suite, winner in (("product", "left"), ("portrait", "right")):
        for i in range(6):
            for rater in ("r1", "r2"):
                number += 1
                answer = winner if i else "tie"
                sample.vote(
                    "s", f"b{number:02d}", ("a", "b"), (suite, f"c{i}"), rater=rater, alignment=answer
                )
    return sample


def test_votes_become_integers_clustered_by_prompt() -> None:
    votes = votes_of(panel().db, "s", "alignment")
    assert (votes.systems, votes.n) == (("a", "b"), 24)
    assert len(set(votes.case.tolist())) == 6
    assert len(set(votes.rater.tolist())) == 2


def test_categories_by_themselves_and_together() -> None:
    sample = panel()
    together = vote_board(sample.db, "s", "alignment")
    assert [line.win_rate.value for line in together.ratings] == [0.5, 0.5]
    product = vote_board(sample.db, "s", "alignment", "product")
    assert (product.ratings[0].system, product.ratings[0].win_rate.value) == ("a", pytest.approx(11 / 12))
    assert vote_board(sample.db, "s", "alignment", "portrait").ratings[0].system == "b"


def test_a_ballot_sent_twice_counts_once() -> None:
    sample = panel()
    sample.vote("s", "b01", ("a", "b"), ("product", "c0"), rater="r1", alignment="right")
    assert vote_board(sample.db, "s", "alignment").n_votes == 24


def test_skips_and_identical_pictures_are_left_out() -> None:
    sample = panel()
    sample.vote("s", "b90", ("a", "b"), ("product", "c1"), alignment="skip")
    sample.vote("s", "b91", ("a", "a"), ("product", "c1"), alignment="left")
    assert vote_board(sample.db, "s", "alignment").n_votes == 24


def test_a_criterion_without_votes_is_an_empty_board() -> None:
    assert vote_board(panel().db, "s", "appeal").ratings == ()


def test_unknown_study() -> None:
    with pytest.raises(UnknownName, match="'t'"):
        vote_board(panel().db, "t", "alignment")


def test_boards_as_data_frames() -> None:
    sample = panel()
    sample.system("a")
    sample.metric("clip", "clip_cos", low=-1, high=1)
    for i in range(6):
        sample.score(sample.trial("product", f"c{i}", "a"), "clip", "clip_cos", 0.1 * i)
    frame = to_frame(metric_board(sample.db))
    assert frame.loc[0, ["category", "system", "output", "estimate", "estimate_n"]].tolist() == [
        "product",
        "a",
        "clip_cos",
        pytest.approx(0.25),
        6,
    ]
    ratings = to_frame(vote_board(sample.db, "s", "alignment", "product").ratings)
    assert {"system", "rating", "rating_low", "win_rate", "win_rate_high", "n_votes"} <= set(ratings.columns)
    assert to_records(()) == []
