"""Votes on pairs and rankings rated together: against votes alone, adding up one by one, and the truth."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest

from evalkit.errors import InvalidInput, UsageError
from evalkit.preference import PreferenceBoard, RatingOptions, Votes, rate
from evalkit.preference.clustering import Meat, Pull, count_clusters, meats
from evalkit.preference.covariance import pieces_of
from evalkit.preference.joint import Ranked, Together, meat_of, vote_scores
from evalkit.preference.measured import measure_jointly
from evalkit.preference.models import plackett_luce as pl
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.rankings import Rankings, rankings_from_lists
from evalkit.preference.tensor import tensor_of
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE

SYSTEMS = tuple("abcd")
K = len(SYSTEMS)
THETA = np.array([0.9, 0.3, -0.3, -0.9])
PLAIN = RatingOptions(opponents="as-sampled", draws=500)


def some_votes(seed: int, n: int, ties: float = 0.2, weighted: bool = False) -> Votes:
    rng = np.random.default_rng(seed)
    left = rng.integers(0, K, n)
    right = (left + rng.integers(1, K, n)) % K
    won = rng.random(n) < 1.0 / (1.0 + np.exp(THETA[right] - THETA[left]))
    answer = np.where(rng.random(n) < ties, rng.choice([TIE, BOTH_BAD], n), np.where(won, LEFT, RIGHT))
    weight = rng.uniform(0.2, 2.0, n) if weighted else None
    return Votes(SYSTEMS, left, right, answer, rng.integers(0, 9, n), rng.integers(0, 7, n), weight)


def some_rankings(seed: int, n: int, ties: float = 0.0, weighted: bool = False) -> Ranked:
    """Rankings of three or four systems, by raters and on cases that votes share in part."""
    rng = np.random.default_rng(seed)
    order = np.argsort(-(THETA + rng.gumbel(size=(n, K))), axis=1)
    order[rng.random(n) < 0.5, -1] = -1
    rank = np.cumsum(rng.random((n, K)) >= ties, axis=1)
    weight = rng.uniform(0.2, 2.0, n) if weighted else None
    rankings = Rankings(SYSTEMS, order, rank, weight)
    return Ranked(rankings, rng.integers(4, 13, n), rng.integers(3, 10, n))


def no_votes() -> Votes:
    nothing = np.zeros(0, dtype=np.int64)
    return Votes(SYSTEMS, nothing, nothing, nothing, nothing, nothing)


def as_rankings(votes: Votes) -> Ranked:
    """The same votes as rankings of two."""
    swapped = votes.answer == RIGHT
    order = np.stack(
        [np.where(swapped, votes.right, votes.left), np.where(swapped, votes.left, votes.right)], 1
    )
    rank = np.stack([np.zeros(votes.n, dtype=np.int64), np.where(votes.answer >= TIE, 0, 1)], axis=1)
    return Ranked(Rankings(votes.systems, order, rank, votes.weight), votes.case, votes.rater)


def numbers(board: PreferenceBoard) -> list[list[float | None]]:
    lines = sorted(board.ratings, key=lambda line: line.system)
    return [
        [
            getattr(estimate, what)
            for estimate in (line.rating, line.win_rate)
            for what in ("value", "low", "high")
        ]
        for line in lines
    ]


@pytest.mark.parametrize(("ties", "model"), [(0.0, "bradley-terry"), (0.25, "davidson")])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("intervals", ["two-way", "rater", "case", "votes"])
def test_rankings_of_two_are_votes(ties: float, model: str, weighted: bool, intervals: str) -> None:
    """Without ties Bradley-Terry and with ties Davidson's model, whichever part of the votes is ranked."""
    votes = replace(some_votes(1, 400, ties, weighted))
    options = replace(PLAIN, model=model, intervals=intervals)
    expected = rate(votes, options)
    for ranked in (np.arange(400) < 150, np.ones(400, dtype=np.bool_)):
        board = rate(votes.where(~ranked), options, as_rankings(votes.where(ranked)))
        assert np.array(numbers(board)) == pytest.approx(np.array(numbers(expected)), rel=1e-8, abs=1e-8)
        assert (board.n_raters, board.n_cases) == (expected.n_raters, expected.n_cases)
        assert [(p.a, p.b, p.votes) for p in board.pairs] == [(p.a, p.b, p.votes) for p in expected.pairs]
        assert board.options.model == "plackett-luce"


def scores_one_by_one(
    votes: Votes, ranked: Ranked, found: pl.RankingFit
) -> list[tuple[np.ndarray, int, int]]:
    """How each vote and each ranking pulls, with its rater and its case."""
    fit, given = found.fitted, []
    for v in range(votes.n):
        cell = votes.answer[v], votes.left[v], votes.right[v]
        s = np.zeros(K + fit.extra.size)
        s[votes.left[v]] += fit.left[cell]
        s[votes.right[v]] += fit.right[cell]
        s[K:] = [other[cell] for other in fit.others]
        weight = 1.0 if votes.weight is None else votes.weight[v]
        given.append((weight * s, int(votes.rater[v]), int(votes.case[v])))
    for m, weight in enumerate(ranked.rankings.weights):
        s = weight * found.scores[[m]].toarray()[0]
        given.append((s, int(ranked.rater[m]), int(ranked.case[m])))
    return given


def added_up(given: list[tuple[np.ndarray, int, int]]) -> Meat:
    size = given[0][0].size
    tables: list[dict[object, np.ndarray]] = [defaultdict(lambda: np.zeros(size)) for _ in range(4)]
    for number, (s, rater, case) in enumerate(given):
        for table, label in zip(tables, (number, rater, case, (rater, case)), strict=True):
            table[label] += s
    return Meat(*(sum((np.outer(u, u) for u in t.values()), np.zeros((size, size))) for t in tables))


@pytest.mark.parametrize(("ties", "weighted"), [(0.0, False), (0.3, True)])
def test_covariance_is_that_of_scores_added_up_one_by_one(ties: float, weighted: bool) -> None:
    votes = some_votes(2, 120, weighted=weighted)
    ranked = some_rankings(3, 60, ties, weighted)
    found = pl.fitted(ranked.rankings, tensor_of(votes))
    given = scores_one_by_one(votes, ranked, found)
    assert sum(s for s, _, _ in given) == pytest.approx(np.zeros(given[0][0].size), abs=1e-7)
    together = Together(votes, ranked)
    expected = pieces_of(found.fitted.bread, added_up(given), together.clusters)
    ours = together.fit().pieces
    assert ours is not None
    for name in ("votes", "rater", "case", "both"):
        assert getattr(ours, name) == pytest.approx(getattr(expected, name), rel=1e-9, abs=1e-12), name


def test_two_ways_to_add_up_votes_agree() -> None:
    votes = some_votes(4, 300, weighted=True)
    rng = np.random.default_rng(5)
    pull = Pull(*rng.normal(size=(2, 4, K, K)), rng.normal(size=(2, 4, K, K)))
    fast, sparse = meats(votes, [pull])[0], meat_of(vote_scores(votes, pull), votes.rater, votes.case)
    for name in ("single", "rater", "case", "both"):
        assert getattr(sparse, name) == pytest.approx(getattr(fast, name), abs=1e-9), name


def test_a_ranking_weighs_as_many_votes_as_tell_as_much() -> None:
    ranked = Ranked(rankings_from_lists([list("abcd"), list("abcd")]), np.array([0, 1]), np.array([0, 0]))
    votes = Votes(SYSTEMS, *(np.array([v]) for v in (0, 1, LEFT, 0, 1)))
    clusters = Together(votes, ranked).clusters
    # Two of four systems by one rater, a vote by another; 2 (4 - 25/12) = 23/6 votes for each ranking.
    sizes = np.array([23 / 3, 1.0])
    assert clusters.raters == 2
    assert clusters.effective_raters == pytest.approx(sizes.sum() ** 2 / (sizes**2).sum())
    assert count_clusters(votes).raters == 1


def test_win_rates_count_every_pair_of_a_ranking() -> None:
    ranked = Ranked(
        rankings_from_lists([["a", "b", "c", "d"], [["b", "a"], "d", "c"]]),
        np.array([0, 1]),
        np.array([0, 1]),
    )
    board = rate(no_votes(), PLAIN, ranked)
    rates = {line.system: line.win_rate.value for line in board.ratings}
    assert rates == pytest.approx(
        {"a": (0.75 + 1 + 1) / 3, "b": (0.25 + 1 + 1) / 3, "c": 0.5 / 3, "d": 0.5 / 3}
    )
    assert {(pair.a, pair.b): pair.votes for pair in board.pairs} == {
        (a, b): 2 for i, a in enumerate(SYSTEMS) for b in SYSTEMS[i + 1 :]
    }


def test_rankings_alone_make_a_whole_board() -> None:
    board = rate(no_votes(), PLAIN, some_rankings(6, 80))
    assert [line.system for line in board.ratings] == list(SYSTEMS)
    assert (board.n_votes, board.tie_rate, board.both_bad_rate) == (0, None, None)
    for line in board.ratings:
        assert line.rating.low is not None
        assert line.rating.low < line.rating.value < line.rating.high
        assert (line.n_votes, line.both_bad.value, line.both_bad.note) == (0, None, "no votes on pairs")
        assert line.standing is not None
    assert board.lead is not None
    assert board.verdicts
    assert board.limits is not None
    assert board.caveats[0].startswith("80 rankings are in, fitted by Plackett-Luce.")


def test_a_board_says_what_rankings_changed() -> None:
    votes, ranked = some_votes(7, 200), some_rankings(8, 50)
    board = rate(votes, RatingOptions(model="rao-kupper", draws=500), ranked)
    assert board.method == "plackett-luce, opponents count as often as they were met, two-way intervals"
    assert board.n_votes == 200
    assert "50 rankings are in, fitted by Plackett-Luce together with the votes on pairs" in board.caveats[0]
    assert "The model rao-kupper knows no rankings, so it was not used." in board.caveats
    assert "With rankings, opponents count as often as they were met, not each alike." in board.caveats
    assert not any("alike" in said for said in rate(votes, PLAIN, ranked).caveats)
    with pytest.raises(UsageError, match="no bootstrap of the plackett-luce model"):
        rate(votes, RatingOptions(intervals="bootstrap"), ranked)


def test_no_rankings_change_nothing() -> None:
    votes = some_votes(9, 200)
    none = Ranked(Rankings(SYSTEMS, *np.zeros((2, 0, 3), dtype=np.int64)), *np.zeros((2, 0), dtype=np.int64))
    assert rate(votes, RatingOptions(draws=500), none) == rate(votes, RatingOptions(draws=500))


def test_a_system_that_only_rankings_name_is_rated_and_one_that_nothing_names_is_listed() -> None:
    votes, ranked = some_votes(10, 100).where(np.arange(100)), some_rankings(11, 60)
    names = (*SYSTEMS, "e", "f")
    fifth = ranked.rankings.order.copy()
    fifth[:20][fifth[:20] == 3] = 4
    ranked = replace(ranked, rankings=Rankings(names, fifth, ranked.rankings.rank))
    board = rate(replace(votes, systems=names), PLAIN, ranked)
    lines = {line.system: line for line in board.ratings}
    assert lines["e"].rating.value is not None
    assert (lines["e"].n_votes, lines["e"].both_bad.value) == (0, None)
    assert lines["e"].rating.n == (fifth == 4).sum()
    assert lines["f"].rating.note == "no votes"
    assert board.ratings[-1].system == "f"


def test_both_bad_is_of_votes_on_pairs() -> None:
    votes, ranked = some_votes(12, 300), some_rankings(13, 100)
    with_rankings, alone = rate(votes, PLAIN, ranked), rate(votes, PLAIN)
    bad = {line.system: line.both_bad for line in alone.ratings}
    for line in with_rankings.ratings:
        assert line.both_bad.value == bad[line.system].value
        assert line.both_bad.low == pytest.approx(bad[line.system].low, abs=1e-12)
        assert line.both_bad.high == pytest.approx(bad[line.system].high, abs=1e-12)


def test_rankings_tie_together_what_votes_do_not() -> None:
    votes = Votes(
        SYSTEMS,
        *(np.array(v) for v in ([0, 1, 2, 3], [1, 0, 3, 2], [0, 0, 0, 0], [0, 1, 0, 1], [0, 1, 1, 0])),
    )
    assert all(line.rating.value is None for line in rate(votes, PLAIN).ratings)
    lists = [["a", "c"], ["c", "a"]]
    rankings = rankings_from_lists([*lists, list("bd")])
    joined = rate(votes, PLAIN, Ranked(rankings, np.arange(3), np.arange(3)))
    assert all(line.rating.value is not None for line in joined.ratings)
    apart = rate(
        votes, PLAIN, Ranked(rankings_from_lists([list("abdc")]), np.zeros(1, int), np.zeros(1, int))
    )
    assert any("No common scale" in said for said in apart.caveats)


def test_what_cannot_be_fitted_is_said_and_gets_no_rating() -> None:
    lists = [[list("abcd")]] * 3
    board = rate(no_votes(), PLAIN, Ranked(rankings_from_lists(lists), np.arange(3), np.arange(3)))
    assert all(
        line.rating.value is None and line.rating.note == "could not be fitted" for line in board.ratings
    )
    assert [line.win_rate.value for line in board.ratings] == [0.5] * 4
    assert any("nothing was ever ranked above anything else" in said for said in board.caveats)
    triple = Ranked(rankings_from_lists([[list("abc")]] * 3), np.arange(3), np.arange(3))
    votes = some_votes(14, 100, 0.0)
    keep = (votes.left < 3) & (votes.right < 3)
    names = replace(votes.where(keep), systems=tuple("abc"))
    assert any("ranked alike cannot be estimated" in said for said in rate(names, PLAIN, triple).caveats)


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ([[0, 1], [2, -1]], "has fewer than two systems: row 2"),
        ([[1, 1], [0, 2]], "names a system twice: row 1"),
    ],
)
def test_rankings_that_are_none_are_named(order: list[list[int]], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        Rankings(SYSTEMS, np.array(order), np.array([[0, 1], [0, 1]]))


def test_what_does_not_belong_together_is_refused() -> None:
    ranked = some_rankings(15, 10)
    with pytest.raises(InvalidInput, match="not one case and one rater"):
        Ranked(ranked.rankings, ranked.case[:5], ranked.rater)
    other = replace(ranked.rankings, systems=tuple("wxyz"))
    with pytest.raises(InvalidInput, match="do not name the same systems"):
        measure_jointly(some_votes(16, 50), replace(ranked, rankings=other))


def drawn(rng: np.random.Generator, raters: int, cases: int) -> tuple[Votes, Ranked]:
    """Each rater has tastes and each case favours some systems; half of what is given are rankings."""
    tastes, favours = rng.normal(0, 0.5, (raters, K)), rng.normal(0, 0.5, (cases, K))
    n = 400
    rater, case = rng.integers(0, raters, n), rng.integers(0, cases, n)
    order = np.argsort(-(THETA + tastes[rater] + favours[case] + rng.gumbel(size=(n, K))), axis=1)
    split = slice(0, n // 2), slice(n // 2, n)
    rankings = Rankings(SYSTEMS, order[split[0]], np.tile(np.arange(K), (n // 2, 1)))
    two = np.sort(rng.permuted(np.tile(np.arange(K), (n // 2, 1)), axis=1)[:, :2], axis=1)
    best, second = np.take_along_axis(order[split[1]], two, axis=1).T
    votes = Votes(SYSTEMS, best, second, np.zeros(n // 2, dtype=np.int64), case[split[1]], rater[split[1]])
    return votes, Ranked(rankings, case[split[0]], rater[split[0]])


def test_intervals_cover_what_endless_raters_and_cases_would_say() -> None:
    rng = np.random.default_rng(17)
    truth = [rate_of(*drawn(rng, 4000, 4000)) for _ in range(20)]
    target = np.mean([values for values, _ in truth], axis=0)
    inside, alone = [], []
    for _ in range(120):
        votes, ranked = drawn(rng, 25, 40)
        values, pieces = rate_of(votes, ranked)
        two_way, single = pieces.shared("two-way"), pieces.shared("votes")
        inside.append(np.abs(values - target) < two_way.reach() * two_way.error[:K])
        alone.append(np.abs(values - target) < single.reach() * single.error[:K])
    # 480 intervals, those of one board dependent: 0.95 with an error of about 0.015.
    assert 0.91 < np.mean(inside) < 0.985
    assert np.mean(alone) < 0.9


def rate_of(votes: Votes, ranked: Ranked) -> tuple[np.ndarray, object]:
    found = Together(votes, ranked).fit()
    assert found.fit is not None
    return found.fit.theta, found.pieces


def test_more_rankings_make_shorter_intervals() -> None:
    votes, ranked = some_votes(18, 300, 0.0), some_rankings(19, 300)
    fewer = rate(votes, PLAIN)
    more = rate(votes, PLAIN, ranked)

    def width(board: PreferenceBoard) -> float:
        return float(np.mean([(line.rating.high or 0) - (line.rating.low or 0) for line in board.ratings]))

    assert width(more) < width(fewer)
    assert {line.system: line.rating.value for line in more.ratings} == pytest.approx(
        dict(zip(SYSTEMS, 1000 + ELO_PER_LOGIT * THETA, strict=True)), abs=60
    )
