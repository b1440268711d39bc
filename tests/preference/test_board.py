from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.special import expit

from evalkit.errors import EvalkitError
from evalkit.preference import PreferenceBoard, RatingOptions, Votes, rate, votes_from_rows

FAST = RatingOptions(draws=2000)


def draw(
    rng: np.random.Generator, raters: int, cases: int, n: int, *, taste: float = 0.0, luck: float = 0.0
) -> Votes:
    """Votes on four systems 0.4 logits apart, with rater taste and picture luck of these deviations."""
    theta = np.array([0.6, 0.2, -0.2, -0.6])
    left = rng.integers(4, size=n)
    right = (left + rng.integers(1, 4, size=n)) % 4
    case, rater = rng.integers(cases, size=n), rng.integers(raters, size=n)
    effect = luck * rng.normal(size=(cases, 4))[case] + taste * rng.normal(size=(raters, 4))[rater]
    rows = np.arange(n)
    gap = theta[left] - theta[right] + effect[rows, left] - effect[rows, right]
    return Votes(("a", "b", "c", "d"), left, right, (rng.random(n) >= expit(gap)).astype(int), case, rater)


def by_name(board: PreferenceBoard) -> dict[str, float | None]:
    return {line.system: line.rating.value for line in board.ratings}


def test_order_and_scale() -> None:
    board = rate(draw(np.random.default_rng(0), 50, 50, 6000), FAST)
    assert [line.system for line in board.ratings] == ["a", "b", "c", "d"]
    assert np.mean([line.rating.value for line in board.ratings]) == pytest.approx(1000)
    step = 0.4 * 400 / np.log(10)
    assert board.lead is not None
    assert board.lead.difference.low < step < board.lead.difference.high
    assert board.method == "bradley-terry, each opponent counts alike, two-way intervals"


def test_counts_and_rates_by_hand() -> None:
    rows = [
        ("a", "b", "left", "mug", "r1"),
        ("b", "a", "left", "mug", "r2"),
        ("a", "b", "tie", "cup", "r1"),
        ("a", "b", "both_bad", "cup", "r3"),
        ("b", "c", "left", "cup", "r3"),
        ("c", "b", "left", "pot", "r3"),
    ]
    board = rate(votes_from_rows(rows))
    lines = {line.system: line for line in board.ratings}
    assert (lines["a"].n_votes, lines["a"].n_raters, lines["a"].n_cases) == (4, 3, 2)
    assert lines["a"].win_rate.value == pytest.approx(0.5)
    assert lines["a"].tie_rate == pytest.approx(0.25)
    assert lines["a"].both_bad.value == pytest.approx(0.25)
    assert (board.tie_rate, board.both_bad_rate) == (pytest.approx(1 / 6), pytest.approx(1 / 6))
    pairs = {(p.a, p.b): (p.votes, p.won) for p in board.pairs}
    assert pairs == {("a", "b"): (4, 0.5), ("a", "c"): (0, None), ("b", "c"): (2, 0.5)}


def test_win_rate_counts_each_opponent_alike() -> None:
    rows = [("a", "b", "left", f"c{i}", "r") for i in range(30)]
    rows += [("b", "a", "left", "c0", "r"), ("c", "a", "left", "c1", "r"), ("c", "b", "right", "c2", "r")]
    board = rate(votes_from_rows(rows))
    lines = {line.system: line.win_rate.value for line in board.ratings}
    assert lines["a"] == pytest.approx((30 / 31 + 0) / 2)


def test_sides_do_not_matter() -> None:
    votes = draw(np.random.default_rng(3), 20, 20, 400)
    mirrored = Votes(votes.systems, votes.right, votes.left, 1 - votes.answer, votes.case, votes.rater)
    ours, theirs = by_name(rate(votes, FAST)), by_name(rate(mirrored, FAST))
    assert ours == {name: pytest.approx(value) for name, value in theirs.items()}


def test_a_system_nobody_saw_changes_nothing_and_is_listed() -> None:
    votes = draw(np.random.default_rng(3), 20, 20, 400)
    more = Votes((*votes.systems, "z"), votes.left, votes.right, votes.answer, votes.case, votes.rater)
    with_z, without = rate(more, FAST), rate(votes, FAST)
    assert with_z.ratings[:-1] == without.ratings
    assert (with_z.ratings[-1].system, with_z.ratings[-1].rating.note) == ("z", "no votes")


def test_separation_gives_a_caveat_and_no_infinite_rating() -> None:
    rows = [("a", "b", "left", f"c{i}", f"r{i % 3}") for i in range(9)]
    board = rate(votes_from_rows(rows))
    assert all(line.rating.value is None for line in board.ratings)
    assert "Never beaten by any other: {a}. Never beat any other: {b}." in board.caveats[0]
    assert board.lead is None
    winner = board.ratings[0]
    assert (winner.system, winner.win_rate.value) == ("a", 1.0)
    assert winner.win_rate.low < 0.9


def test_separated_resamples_do_not_blow_up_the_interval() -> None:
    rows = [("a", "b", "left", f"c{i}", f"r{i}") for i in range(11)] + [("a", "b", "right", "c11", "r11")]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        board = rate(votes_from_rows(rows))
    width = board.ratings[0].rating.high - board.ratings[0].rating.low
    assert 100 < width < 3000


def test_one_rater_or_one_case_says_so() -> None:
    rng = np.random.default_rng(1)
    one_rater = rate(draw(rng, 1, 30, 300), FAST)
    assert any(text.startswith("One rater") for text in one_rater.caveats)
    assert one_rater.ratings[0].rating.low is not None
    one_case = rate(draw(rng, 30, 1, 300), FAST)
    assert one_case.ratings[0].rating.low is None
    assert one_case.ratings[0].rating.note == "one case: no interval"


def test_few_raters_are_pointed_out() -> None:
    board = rate(draw(np.random.default_rng(2), 5, 40, 300), FAST)
    assert board.caveats == ("Only 5 raters and 40 cases: the intervals are rough.",)


def test_no_votes() -> None:
    board = rate(votes_from_rows([]))
    assert (board.ratings, board.pairs, board.lead, board.tie_rate) == ((), (), None, None)


def test_same_seed_same_board() -> None:
    votes = draw(np.random.default_rng(5), 12, 12, 300)
    assert rate(votes) == rate(votes)


def test_intervals_cover_when_raters_and_pictures_differ() -> None:
    """The truth is that of endless cases and raters; resampling single votes would cover about 60 %."""
    rng = np.random.default_rng(11)
    target = _endless(np.random.default_rng(0))
    covered = shown = 0
    for _ in range(60):
        board = rate(draw(rng, 25, 25, 800, taste=0.6, luck=0.8), FAST)
        for line in board.ratings:
            covered += line.rating.low <= target[line.system] <= line.rating.high
            shown += 1
    assert covered / shown >= 0.93


def _endless(rng: np.random.Generator) -> dict[str, float]:
    votes = draw(rng, 4000, 4000, 1_000_000, taste=0.6, luck=0.8)
    board = rate(votes, FAST)
    return {line.system: line.rating.value for line in board.ratings}


def test_votes_that_all_say_the_same_give_no_interval_of_no_length() -> None:
    rows = [("a", "b", "tie", f"c{i % 40}", f"r{i % 25}") for i in range(80)]
    board = rate(votes_from_rows(rows))
    assert [line.rating.value for line in board.ratings] == [1000.0, 1000.0]
    assert {line.rating.note for line in board.ratings} == {"all votes say the same: no interval"}
    assert board.ratings[0].standing is None
    assert board.lead is not None
    assert board.lead.difference.low is None
    assert board.ratings[0].win_rate.low < 0.5 < board.ratings[0].win_rate.high


def test_never_both_bad_may_still_happen_but_not_always() -> None:
    votes = draw(np.random.default_rng(6), 30, 30, 900)
    for line in rate(votes, FAST).ratings:
        assert (line.both_bad.value, line.both_bad.low) == (0.0, 0.0)
        assert 0.05 < line.both_bad.high < 0.2


@pytest.mark.parametrize(
    ("name", "value"),
    [("model", "elo"), ("opponents", "all"), ("intervals", "wide"), ("level", 95), ("top", 0)],
)
def test_options_that_cannot_be_are_refused_at_once(name: str, value: object) -> None:
    with pytest.raises(EvalkitError):
        RatingOptions(**{name: value})
