"""Clustered sums against adding votes up one by one, and covariances against their textbook forms."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.errors import InvalidInput
from evalkit.preference import Votes, clustering
from evalkit.preference.clustering import Clusters, Meat, PackedVotes, Pull, count_clusters, meats
from evalkit.preference.covariance import SHARINGS, Covariance, pieces_of
from evalkit.preference.measured import measure
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.shares import both_bad_pull, win_rate_pull
from evalkit.preference.tensor import tensor_of, win_rates
from evalkit.preference.votes import Floats

K = 4
ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, 3), st.integers(0, 3), st.integers(0, 5), st.integers(0, 6)),
    min_size=1,
    max_size=80,
)


def votes_of(rows: list[tuple[int, ...]], weight: Floats | None = None) -> Votes:
    table = np.array(rows, dtype=np.int64).reshape(-1, 5)
    left, step, answer, case, rater = table.T
    return Votes(tuple("abcd"), left, (left + step) % K, answer, case, rater, weight)


def some_pull(seed: int = 0, others: int = 2) -> Pull:
    rng = np.random.default_rng(seed)
    left, right = rng.normal(size=(2, 4, K, K))
    return Pull(left, right, rng.normal(size=(others, 4, K, K)))


def one_by_one(votes: Votes, pull: Pull) -> Meat:
    """The definition: add up what the votes of each cluster pull, then square."""
    weights = np.ones(votes.n) if votes.weight is None else votes.weight
    sums: list[dict[object, Floats]] = [defaultdict(lambda: np.zeros(pull.size)) for _ in range(4)]
    for v in range(votes.n):
        cell = votes.answer[v], votes.left[v], votes.right[v]
        s = np.zeros(pull.size)
        s[votes.left[v]] += pull.left[cell]
        s[votes.right[v]] += pull.right[cell]
        s[K:] = [other[cell] for other in pull.others]
        rater, case = int(votes.rater[v]), int(votes.case[v])
        for table, label in zip(sums, (v, rater, case, (rater, case)), strict=True):
            table[label] += s * weights[v]
    return Meat(*(sum((np.outer(u, u) for u in t.values()), np.zeros((pull.size,) * 2)) for t in sums))


def assert_same(ours: Meat, theirs: Meat) -> None:
    for name in ("single", "rater", "case", "both"):
        assert getattr(ours, name) == pytest.approx(getattr(theirs, name), abs=1e-9), name


@given(ROWS, st.integers(0, 3))
def test_sums_are_those_of_votes_one_by_one(rows: list[tuple[int, ...]], seed: int) -> None:
    votes, pull = votes_of(rows), some_pull(seed)
    assert_same(meats(votes, [pull])[0], one_by_one(votes, pull))


@given(ROWS)
def test_weights_count(rows: list[tuple[int, ...]]) -> None:
    weight = np.random.default_rng(1).uniform(0, 3, size=len(rows))
    votes, pull = votes_of(rows, weight), some_pull()
    assert_same(meats(votes, [pull])[0], one_by_one(votes, pull))


@pytest.mark.parametrize("block", [1, 7, 64])
def test_blocks_cut_no_cluster_in_two(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "BLOCK", block)
    rng = np.random.default_rng(2)
    rows = [tuple(rng.integers([0, 1, 0, 0, 0], [4, 4, 4, 3, 4])) for _ in range(200)]
    votes, pull = votes_of(rows), some_pull()
    assert_same(meats(votes, [pull])[0], one_by_one(votes, pull))


def test_several_sets_of_numbers_come_from_one_pass() -> None:
    rng = np.random.default_rng(3)
    votes = votes_of([tuple(rng.integers([0, 1, 0, 0, 0], [4, 4, 4, 9, 9])) for _ in range(100)])
    pulls = [some_pull(0), some_pull(1, 0)]
    for ours, pull in zip(meats(votes, pulls), pulls, strict=True):
        assert_same(ours, one_by_one(votes, pull))


def test_numbers_too_large_to_pack_are_refused() -> None:
    one = np.array([0])
    votes = Votes(("a", "b"), one, one + 1, one, np.array([2**40]), np.array([2**40]))
    with pytest.raises(InvalidInput, match="too large"):
        PackedVotes.of(votes)


def test_kish_counts_unequal_clusters_for_less() -> None:
    rows = [(0, 1, 0, 0, r) for r in (0, 0, 0, 1)]
    found = count_clusters(votes_of(rows))
    assert (found.raters, found.cases) == (2, 1)
    assert found.effective_raters == pytest.approx(16 / 10)


def numbers_of(votes: Votes) -> tuple[Floats, Floats, Floats]:
    tensor = tensor_of(votes)
    return bt.fitted(tensor).theta, win_rates(tensor.wins), tensor.both_bad


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_every_pull_is_the_derivative_by_the_weight_of_a_vote(seed: int) -> None:
    """Finite differences: one vote counted a little more moves each number by bread times its pull."""
    rng = np.random.default_rng(seed)
    rows = [tuple(rng.integers([0, 1, 0, 0, 0], [4, 4, 4, 9, 9])) for _ in range(120)]
    votes = votes_of(rows)
    tensor = tensor_of(votes)
    fit = bt.fitted(tensor)
    pulls = [(Pull(fit.left, fit.right, fit.others), fit.bread)]
    pulls += [(pull(tensor), np.eye(K)) for pull in (win_rate_pull, both_bad_pull)]
    vote, step = int(rng.integers(votes.n)), 1e-5
    for place, (pull, bread) in enumerate(pulls):
        moved = []
        for sign in (1.0, -1.0):
            weight = np.ones(votes.n)
            weight[vote] += sign * step
            moved.append(numbers_of(votes_of(rows, weight))[place])
        s = np.zeros(K)
        cell = votes.answer[vote], votes.left[vote], votes.right[vote]
        s[votes.left[vote]] += pull.left[cell]
        s[votes.right[vote]] += pull.right[cell]
        assert bread @ s == pytest.approx((moved[0] - moved[1]) / (2 * step), abs=1e-6)


def test_the_sandwich_of_one_pair_is_the_binomial_error() -> None:
    rows = [(0, 1, int(v >= 60), v, v) for v in range(100)]
    votes = votes_of(rows).compact()
    m = measure(votes)
    assert m.known.rating is not None
    alone = meats(votes, [Pull(m.fit.left, m.fit.right, m.fit.others)])[0]
    pieces = pieces_of(m.fit.bread, alone, m.clusters)
    known = pieces.shared("votes")
    assert known is not None
    assert known.difference(0, 1) == pytest.approx(1 / np.sqrt(100 * 0.6 * 0.4))
    assert pieces.shared("rater").difference(0, 1) == pytest.approx(
        known.difference(0, 1) * np.sqrt(100 / 99)
    )


def pieces(rater: float, case: float, both: float, votes: float = 0.1, groups: float = 100.0):
    one = np.eye(2)
    meat = Meat(votes * one, rater * one, case * one, both * one)
    return pieces_of(one, meat, Clusters(10**9, 10**9, groups, groups))


def test_two_way_is_both_minus_what_is_counted_twice() -> None:
    known = pieces(rater=3.0, case=2.0, both=0.5).shared()
    assert known is not None
    assert np.diag(known.V) == pytest.approx([4.5, 4.5])
    assert known.freedom == pytest.approx(99)


def test_two_way_is_never_below_one_way() -> None:
    known = pieces(rater=3.0, case=0.1, both=0.9).shared()
    assert known is not None
    assert np.diag(known.V) == pytest.approx([3.0, 3.0])


def test_with_few_clusters_it_is_never_below_single_votes() -> None:
    balanced = pieces(rater=0.0, case=0.0, both=0.0, votes=1.0, groups=8.0).shared()
    assert balanced is not None
    assert np.diag(balanced.V) == pytest.approx([1.0, 1.0])


def test_too_few_clusters_say_nothing() -> None:
    one = np.eye(2)
    lone = pieces_of(one, Meat(one, one, one, one), Clusters(1, 1, 1.0, 1.0))
    assert lone.shared("rater") is None
    assert lone.shared() is None
    assert lone.shared("votes") is not None
    one_rater = pieces_of(one, Meat(one, one, one, one), Clusters(1, 9, 1.0, 9.0))
    assert one_rater.shared() is not None
    assert one_rater.shared().freedom == 8.0


def test_reach_is_students() -> None:
    assert Covariance(np.eye(1), np.inf, "votes").reach() == pytest.approx(1.959964, abs=1e-6)
    assert Covariance(np.eye(1), 4.0, "case").reach() == pytest.approx(2.776445, abs=1e-6)
    assert set(SHARINGS) == {"two-way", "rater", "case", "votes"}
