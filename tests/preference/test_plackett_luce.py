from __future__ import annotations

from collections.abc import Callable
from itertools import combinations, permutations

import numpy as np
import pytest

from evalkit.errors import InvalidInput
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models import davidson
from evalkit.preference.models import plackett_luce as pl
from evalkit.preference.rankings import Rankings, rankings_from_lists
from evalkit.preference.tensor import Tensor
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE

SYSTEMS = tuple("abcde")
UNTIED = [
    ["a", "b", "c"],
    ["c", "a"],
    ["b", "d", "a", "c"],
    ["e", "d", "b"],
    ["d", "e", "c", "a"],
    ["a", "e"],
]
TIED = [*UNTIED, ["a", ["b", "c"]], [["d", "e"], "a", "b"], [["a", "b", "c"], "e"], ["b", ["a", "d", "e"]]]


def random_tensor(seed: int, size: int = 5) -> Tensor:
    counts = np.random.default_rng(seed).integers(1, 30, size=(4, size, size)).astype(float)
    counts[:, np.arange(size), np.arange(size)] = 0.0
    return Tensor(SYSTEMS[:size], counts)


def slopes(f: Callable[[np.ndarray], np.ndarray | float], x: np.ndarray, step: float = 1e-5) -> np.ndarray:
    """Derivatives by central differences, the parameter last."""
    directions = step * np.eye(x.size)
    return np.stack([(np.asarray(f(x + d)) - np.asarray(f(x - d))) / (2 * step) for d in directions], axis=-1)


def written_out(ranking: list, theta: dict[str, float], delta: dict[int, float]) -> float:
    """Log-likelihood of one ranking as in the paper, subset by subset. `delta` are the ties on offer."""
    groups = [[each] if isinstance(each, str) else list(each) for each in ranking]
    total = 0.0
    while sum(map(len, groups)) > 1:
        left = [name for group in groups for name in group]
        odds = {1: 1.0, **delta}
        everything = sum(
            odds[k] * np.exp(np.mean([theta[name] for name in members]))
            for k in odds
            if k <= len(left)
            for members in combinations(left, k)
        )
        chosen = groups.pop(0)
        total += np.log(odds[len(chosen)]) + np.mean([theta[name] for name in chosen]) - np.log(everything)
    return total


def pieces(lists: list) -> tuple[Rankings, list[pl.Choices], tuple[int, ...]]:
    rankings = rankings_from_lists(lists)
    return rankings, *pl.ranking_choices(rankings)


@pytest.mark.parametrize("lists", [UNTIED, TIED])
def test_likelihood_is_that_of_the_paper(lists: list) -> None:
    _, choices, sizes = pieces(lists)
    x = np.random.default_rng(1).normal(size=5 + len(sizes))
    theta, delta = dict(zip(SYSTEMS, x, strict=False)), dict(zip(sizes, np.exp(x[5:]), strict=True))
    expected = sum(written_out(ranking, theta, delta) for ranking in lists)
    assert pl.surface(x, choices, 5, sizes).value == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("lists", [UNTIED, TIED])
def test_gradient_and_information_by_finite_differences(lists: list) -> None:
    _, choices, sizes = pieces(lists)
    x = np.random.default_rng(2).normal(size=5 + len(sizes))

    def at(x: np.ndarray) -> object:
        return pl.surface(x, choices, 5, sizes)

    assert at(x).gradient == pytest.approx(slopes(lambda x: at(x).value, x), rel=1e-6, abs=1e-7)
    curvature = -slopes(lambda x: at(x).gradient, x)
    assert curvature == pytest.approx(at(x).H, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize("lists", [UNTIED, TIED])
def test_scores_of_each_ranking_by_finite_differences(lists: list) -> None:
    rankings, choices, sizes = pieces(lists)
    x = np.random.default_rng(3).normal(size=5 + len(sizes))
    scores = pl.scores(x, choices, rankings, sizes).toarray()
    assert scores.shape == (len(lists), 5 + len(sizes))

    def alone(x: np.ndarray, ranking: list) -> float:
        return written_out(
            ranking, dict(zip(SYSTEMS, x, strict=False)), dict(zip(sizes, np.exp(x[5:]), strict=True))
        )

    for row, ranking in zip(scores, lists, strict=True):
        numeric = slopes(lambda x, ranking=ranking: alone(x, ranking), x)
        assert row == pytest.approx(numeric, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("lists", [UNTIED, TIED])
def test_scores_of_all_rankings_cancel_at_the_maximum(lists: list) -> None:
    found = pl.fitted(rankings_from_lists(lists))
    assert found.fitted.converged
    total = np.asarray(found.scores.sum(axis=0)).ravel()
    assert total == pytest.approx(np.zeros(total.size), abs=1e-8)


def test_chances_of_all_rankings_sum_to_one() -> None:
    rankings = rankings_from_lists([list(order) for order in permutations("abc")])
    choices, sizes = pl.ranking_choices(rankings)
    theta = np.array([0.4, -0.3, 0.9])
    each = [
        np.exp(pl.surface(theta, [_only(choice, row) for choice in choices], 3, sizes).value)
        for row in range(rankings.n)
    ]
    assert sum(each) == pytest.approx(1.0)


def _only(choice: pl.Choices, row: int) -> pl.Choices:
    weight = np.where(choice.ranking == row, 1.0, 0.0)
    return pl.Choices(choice.items, choice.chosen, choice.sizes, choice.ranking, weight)


def nobody() -> Rankings:
    empty = np.zeros((0, 2), dtype=np.int64)
    return Rankings(SYSTEMS, empty, empty)


def test_pairs_alone_are_davidson() -> None:
    tensor, weights = random_tensor(4), bt.opponent_uniform(random_tensor(4).games, floor=20.0)
    found, davidsons = pl.fitted(nobody(), tensor, weights).fitted, davidson.fitted(tensor, weights)
    assert found.names == ("log_delta_2",)
    for name in ("theta", "extra", "bread", "left", "right", "others"):
        assert getattr(found, name) == pytest.approx(getattr(davidsons, name), abs=1e-9), name
    assert found.log_likelihood == pytest.approx(davidsons.log_likelihood, rel=1e-12)


def test_pairs_without_ties_are_bradley_terry() -> None:
    counts = random_tensor(5).counts
    counts[[TIE, BOTH_BAD]] = 0.0
    tensor = Tensor(SYSTEMS, counts)
    found, half = pl.fitted(nobody(), tensor).fitted, bt.fitted(tensor)
    assert found.names == ()
    assert found.theta == pytest.approx(half.theta, abs=1e-10)
    assert found.bread == pytest.approx(half.bread, abs=1e-10)
    assert found.left[[LEFT, RIGHT]] == pytest.approx(half.left[[LEFT, RIGHT]], abs=1e-10)


def test_a_pair_is_a_ranking_of_two() -> None:
    rankings = rankings_from_lists(TIED)
    counts = np.zeros((4, 5, 5))
    counts[LEFT, 0, 1], counts[RIGHT, 2, 3], counts[TIE, 1, 4] = 1, 1, 1
    together = pl.fitted(rankings, Tensor(SYSTEMS, counts)).fitted
    as_rankings = pl.fitted(rankings_from_lists([*TIED, ["a", "b"], ["d", "c"], [["b", "e"]]])).fitted
    assert together.theta == pytest.approx(as_rankings.theta, abs=1e-9)
    assert together.extra == pytest.approx(as_rankings.extra, abs=1e-9)
    assert together.bread == pytest.approx(as_rankings.bread, abs=1e-9)


def test_a_weight_is_how_often_a_ranking_was_given() -> None:
    once = rankings_from_lists(TIED)
    times = np.arange(1, once.n + 1)
    weighted = Rankings(once.systems, once.order, once.rank, times.astype(float))
    repeated = Rankings(once.systems, once.order.repeat(times, axis=0), once.rank.repeat(times, axis=0))
    one, other = pl.fitted(weighted), pl.fitted(repeated)
    assert one.fitted.theta == pytest.approx(other.fitted.theta, abs=1e-10)
    assert one.fitted.bread == pytest.approx(other.fitted.bread, abs=1e-10)
    assert one.scores.toarray().repeat(times, axis=0) == pytest.approx(other.scores.toarray(), abs=1e-9)


def test_batches_do_not_matter(monkeypatch: pytest.MonkeyPatch) -> None:
    rankings = rankings_from_lists(TIED * 3)
    whole = pl.fitted(rankings)
    monkeypatch.setattr(pl, "CELLS", 1)
    parts = pl.fitted(rankings)
    assert parts.fitted.theta == pytest.approx(whole.fitted.theta, abs=1e-11)
    assert parts.scores.toarray() == pytest.approx(whole.scores.toarray(), abs=1e-10)


@pytest.mark.parametrize("systems", [2, 3, 4, 5])
def test_information_of_a_ranking_in_votes_on_pairs(systems: int) -> None:
    """At equal abilities, by the trace of the information; a ranking of four is worth 3.83 votes."""

    def trace(lists: list) -> float:
        rankings = rankings_from_lists(lists)
        choices, sizes = pl.ranking_choices(rankings)
        size = len(rankings.systems)
        return float(np.trace(pl.surface(np.zeros(size), choices, size, sizes).H))

    assert pl.worth_in_pairs(systems) == pytest.approx(trace([list(SYSTEMS[:systems])]) / trace([["a", "b"]]))
    assert pl.worth_in_pairs(4) == pytest.approx(23 / 6)


def test_rankings_of_four_are_worth_their_votes_in_a_simulation() -> None:
    """Errors of abilities between six equal systems: N rankings of four against 3.83 N votes on pairs."""
    rng, size, n, rounds = np.random.default_rng(6), 6, 300, 40
    names = tuple("abcdef")
    ranked, paired = [], []
    for _ in range(rounds):
        order = rng.random((n, size)).argsort(axis=1)[:, :4]
        rankings = Rankings(names, order, np.broadcast_to(np.arange(4), order.shape))
        ranked.append(pl.fitted(rankings).fitted.theta)
        pair = rng.random((round(n * 23 / 6), size)).argsort(axis=1)[:, :2]
        wins = np.zeros((size, size))
        np.add.at(wins, (pair[:, 0], pair[:, 1]), 1.0)
        paired.append(bt.fit(wins).theta)
    assert np.mean(np.square(ranked)) == pytest.approx(np.mean(np.square(paired)), rel=0.25)


def test_sandwich_of_rankings_covers() -> None:
    """Each ranking given twice, as by raters who never change their minds: clusters of two know that."""
    rng, size, n = np.random.default_rng(7), 4, 120
    theta, inside = np.array([0.6, 0.1, -0.2, -0.5]), []
    for _ in range(50):
        order = (-(theta + rng.gumbel(size=(n, size)))).argsort(axis=1).repeat(2, axis=0)
        found = pl.fitted(Rankings(tuple("abcd"), order, np.broadcast_to(np.arange(size), order.shape)))
        U = found.scores.toarray().reshape(n, 2, size).sum(axis=1)
        V = found.fitted.bread @ (U.T @ U) @ found.fitted.bread
        inside.append(np.abs(found.fitted.theta - theta) < 1.96 * np.sqrt(np.diag(V)))
    assert 0.90 < np.mean(inside) < 0.99


def test_ties_are_on_offer_only_where_some_are_seen() -> None:
    untied, tensor = rankings_from_lists(UNTIED * 4), random_tensor(8)
    found = pl.fitted(untied, tensor).fitted
    choices, sizes = pl.ranking_choices(untied, tied=2)
    assert sizes == (2,)
    assert {choice.sizes for choice in choices} == {(1,)}
    alone = pl.surface(np.append(found.theta, found.extra), choices, 5, sizes).gradient
    assert alone[-1] == 0.0


def test_wins_of_rankings() -> None:
    rankings = rankings_from_lists([["a", ["b", "c"]], ["c", "a"]])
    assert rankings.wins.tolist() == [[0, 1, 1], [0, 0, 0.5], [1, 0.5, 0]]
    weighted = Rankings(rankings.systems, rankings.order, rankings.rank, np.array([2.0, 3.0]))
    assert weighted.wins.tolist() == [[0, 2, 2], [0, 0, 1], [3, 1, 0]]


def test_a_system_last_in_every_ranking_has_no_maximum() -> None:
    rankings = rankings_from_lists([["a", "b", "c"], ["b", "a", "c"]])
    assert bt.connectivity(rankings.wins, rankings.systems).winless == (("c",),)
    assert not pl.fitted(rankings).fitted.converged


def test_all_tied_is_refused() -> None:
    with pytest.raises(InvalidInput, match="nothing was ever ranked above"):
        pl.fitted(rankings_from_lists([[["a", "b", "c"]], [["a", "b"]]]))


def test_ties_too_large_to_sum_over_are_refused() -> None:
    names = [f"s{i:02d}" for i in range(40)]
    with pytest.raises(InvalidInput, match="too many to sum over"):
        pl.fitted(rankings_from_lists([names, [names[:4], *names[4:]]]))


def test_votes_on_other_systems_are_refused() -> None:
    with pytest.raises(InvalidInput, match="same systems"):
        pl.fitted(rankings_from_lists([["a", "b"]]), random_tensor(1))


@pytest.mark.parametrize(
    ("order", "rank", "message"),
    [
        ([[0, 1], [0, -1]], [[0, 1], [0, 1]], "fewer than two systems: row 2"),
        ([[0, -1, 1]], [[0, 1, 2]], "gap: row 1"),
        ([[0, 1, 0]], [[0, 1, 2]], "twice: row 1"),
        ([[0, 1, 2]], [[0, 2, 1]], "ranks that fall: row 1"),
        ([[0, 9]], [[0, 1]], "not in the list"),
        ([[0, 1]], [[0, 1, 2]], "one shape"),
    ],
)
def test_rankings_that_are_none(order: list, rank: list, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Rankings(tuple("abc"), np.array(order), np.array(rank))


@pytest.mark.parametrize(
    ("weight", "message"), [([1.0, 2.0], "one weight"), ([-1.0], "number from 0 up: row 1")]
)
def test_weights_that_are_none(weight: list[float], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        Rankings(tuple("ab"), np.array([[0, 1]]), np.array([[0, 1]]), np.array(weight))
