"""What must not matter to a rating: the order of votes and names, sides, files cut in two, bystanders."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evalkit.preference import votes_from_rows
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models import davidson, rao_kupper, sides
from evalkit.preference.models import plackett_luce as pl
from evalkit.preference.models.fitted import Fitted
from evalkit.preference.rankings import Rankings, rankings_from_lists
from evalkit.preference.tensor import Tensor, tensor_of
from evalkit.preference.votes import LEFT, RIGHT, Votes

Fit = Callable[[Tensor], Fitted]
MODELS: dict[str, Fit] = {
    "bradley-terry": bt.fitted,
    "davidson": davidson.fitted,
    "rao-kupper": rao_kupper.fitted,
    "sides": sides.fitted,
}
every_model = pytest.mark.parametrize("fit", MODELS.values(), ids=MODELS)


def random_votes(seed: int = 1, n: int = 600, size: int = 5) -> Votes:
    rng = np.random.default_rng(seed)
    left = rng.integers(0, size, n)
    right = (left + rng.integers(1, size, n)) % size
    better = rng.random(n) < 1 / (1 + np.exp(0.3 * (left - right)))
    answer = np.where(rng.random(n) < 0.25, rng.integers(2, 4, n), np.where(better, LEFT, RIGHT))
    systems = tuple(f"model-{i}" for i in range(size))
    return Votes(systems, left, right, answer, rng.integers(0, 20, n), rng.integers(0, 30, n))


def same(one: Fitted, other: Fitted, order: np.ndarray | None = None, within: float = 1e-10) -> None:
    """`order` says where each system of `other` is in `one`."""
    size, total = one.theta.size, one.bread.shape[0]
    order = np.arange(size) if order is None else order
    all_of_it = np.append(order, np.arange(size, total))
    assert other.theta == pytest.approx(one.theta[order], abs=within)
    assert other.extra == pytest.approx(one.extra, abs=within)
    assert other.bread == pytest.approx(one.bread[np.ix_(all_of_it, all_of_it)], abs=within)
    assert other.left == pytest.approx(one.left[:, order[:, None], order[None, :]], abs=within)
    assert other.log_likelihood == pytest.approx(one.log_likelihood, rel=1e-12)


@every_model
def test_order_of_votes(fit: Fit) -> None:
    votes = random_votes()
    order = np.random.default_rng(2).permutation(votes.n)
    shuffled = Votes(votes.systems, *_columns(votes, order))
    same(fit(tensor_of(votes)), fit(tensor_of(shuffled)), within=0.0)


def _columns(votes: Votes, order: np.ndarray) -> list[np.ndarray]:
    return [getattr(votes, name)[order] for name in ("left", "right", "answer", "case", "rater")]


@pytest.mark.parametrize("fit", [bt.fitted, davidson.fitted, rao_kupper.fitted])
def test_sides_of_the_screen(fit: Fit) -> None:
    """Some votes with left and right exchanged, answers with them."""
    votes = random_votes()
    turned = np.random.default_rng(3).random(votes.n) < 0.4
    left, right = np.where(turned, votes.right, votes.left), np.where(turned, votes.left, votes.right)
    answer = np.where(turned, np.array([RIGHT, LEFT, 2, 3])[votes.answer], votes.answer)
    other = Votes(votes.systems, left, right, answer, votes.case, votes.rater)
    same(fit(tensor_of(votes)), fit(tensor_of(other)), within=1e-12)


@every_model
def test_order_of_systems(fit: Fit) -> None:
    votes = random_votes()
    order = np.array([3, 0, 4, 1, 2])
    place = np.argsort(order)
    names = tuple(votes.systems[i] for i in order)
    other = Votes(names, place[votes.left], place[votes.right], votes.answer, votes.case, votes.rater)
    same(fit(tensor_of(votes)), fit(tensor_of(other)), order)


@every_model
def test_two_half_files_are_one_file(fit: Fit) -> None:
    votes = random_votes()
    first = np.arange(votes.n) % 3 == 0
    halves = [tensor_of(votes.where(first)), tensor_of(votes.where(~first))]
    same(
        fit(tensor_of(votes)),
        fit(Tensor(votes.systems, halves[0].counts + halves[1].counts)),
        within=0.0,
    )


@every_model
def test_counting_rows_twice_is_a_weight_of_two(fit: Fit) -> None:
    votes = random_votes()
    twice = Votes(votes.systems, *_columns(votes, np.arange(votes.n).repeat(2)))
    weighted = Votes(votes.systems, *_columns(votes, np.arange(votes.n)), weight=np.full(votes.n, 2.0))
    same(fit(tensor_of(twice)), fit(tensor_of(weighted)), within=1e-12)


@every_model
def test_a_system_nobody_played_changes_nothing(fit: Fit) -> None:
    votes = random_votes()
    names = ("bystander", *votes.systems)
    more = Votes(names, votes.left + 1, votes.right + 1, votes.answer, votes.case, votes.rater)
    alone = fit(tensor_of(votes))
    same(alone, fit(tensor_of(more.compact())), within=0.0)
    same(alone, fit(tensor_of(more).only(np.arange(1, 6))), within=0.0)


@every_model
def test_a_system_nobody_played_is_no_part_of_the_scale(fit: Fit) -> None:
    votes = random_votes()
    more = Votes((*votes.systems, "bystander"), *_columns(votes, np.arange(votes.n)))
    found = fit(tensor_of(more))
    assert not found.converged
    assert bt.connectivity(tensor_of(more).wins, more.systems).islands[1] == ("bystander",)


def random_rankings(n: int = 60) -> list[list[str | list[str]]]:
    rng = np.random.default_rng(4)
    lists: list[list[str | list[str]]] = []
    for _ in range(n):
        names = [f"model-{i}" for i in rng.permutation(5)[: rng.integers(2, 6)]]
        lists.append([names[:2], *names[2:]] if rng.random() < 0.3 else list(names))
    return lists


def test_order_of_rankings() -> None:
    lists = random_rankings()
    order = np.random.default_rng(5).permutation(len(lists))
    one = pl.fitted(rankings_from_lists(lists))
    other = pl.fitted(rankings_from_lists([lists[i] for i in order]))
    same(one.fitted, other.fitted)
    assert other.scores.toarray() == pytest.approx(one.scores.toarray()[order], abs=1e-9)


def test_order_of_ranked_systems_and_of_tied_ones() -> None:
    rankings = rankings_from_lists(random_rankings())
    order = np.array([3, 0, 4, 1, 2])
    place = np.append(np.argsort(order), -1)
    names = tuple(rankings.systems[i] for i in order)
    mirrored = rankings.order.copy()
    tied = (rankings.rank[:, 0] == rankings.rank[:, 1]) & rankings.given[:, 1]
    mirrored[tied, 0], mirrored[tied, 1] = rankings.order[tied, 1], rankings.order[tied, 0]
    one, other = pl.fitted(rankings), pl.fitted(Rankings(names, place[mirrored], rankings.rank))
    same(one.fitted, other.fitted, order)


def test_padding_of_rankings() -> None:
    rankings = rankings_from_lists(random_rankings())
    wider = np.pad(rankings.order, ((0, 0), (0, 3)), constant_values=-1)
    ranks = np.pad(rankings.rank, ((0, 0), (0, 3)))
    one, other = pl.fitted(rankings), pl.fitted(Rankings(rankings.systems, wider, ranks))
    same(one.fitted, other.fitted, within=1e-12)
    assert other.scores.toarray() == pytest.approx(one.scores.toarray(), abs=1e-12)


def test_names_do_not_matter() -> None:
    rows = [("b", "a", "left", "c1", "r1"), ("a", "c", "tie", "c1", "r1"), ("c", "b", "left", "c2", "r2")]
    renamed = [(f"z-{left}", f"z-{right}", *rest) for left, right, *rest in rows]
    one, other = tensor_of(votes_from_rows(rows)), tensor_of(votes_from_rows(renamed))
    same(bt.fitted(one), bt.fitted(other), within=0.0)
