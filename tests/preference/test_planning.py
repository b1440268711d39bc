"""What limits a study: known components come back, the cheapest by brute force, forecasts by simulation."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.errors import UsageError
from evalkit.preference.planning import (
    ENOUGH_CLUSTERS,
    NOTHING,
    Components,
    Goal,
    Pilot,
    Prices,
    Size,
    assumed_components,
    cheapest,
    components_of,
    on_prompts,
    options,
    smallest_seen,
)
from evalkit.stats.power import elo_of_share, votes_needed

SIZES = st.builds(
    Size, st.integers(800, 5000).map(float), st.integers(20, 400).map(float), st.integers(20, 400).map(float)
)
PART = st.sampled_from([0.0, 10.0, 300.0, 8000.0])
PARTS = st.builds(Components, st.sampled_from([1e4, 1e5, 1e6]), PART, PART)
GOALS = st.sampled_from([10.0, 35.0, 90.0]).map(Goal)


def pilot_of(parts: Components, size: Size) -> Pilot:
    """The variances that such a study is expected to show."""
    n = size.votes
    iid = (parts.votes + parts.raters + parts.prompts) / n
    rater, prompt = (
        part * (1 / count - 1 / n)
        for part, count in ((parts.raters, size.raters), (parts.prompts, size.prompts))
    )
    return Pilot(iid, iid + rater, iid + prompt, iid, size)


@given(PARTS, SIZES)
def test_components_come_back(parts: Components, size: Size) -> None:
    found = components_of(pilot_of(parts, size))
    assert (found.votes, found.raters, found.prompts) == pytest.approx(
        (parts.votes, parts.raters, parts.prompts), rel=1e-6, abs=1e-3
    )
    assert found.notes == ()
    assert sum(found.shares(size).values()) == pytest.approx(1.0)


def test_what_comes_out_below_zero_is_zero_and_said() -> None:
    found = components_of(Pilot(4.0, 3.5, 9.0, 4.0, Size(1000, 50, 60)))
    assert found.raters == 0.0
    assert [note for note in found.notes if "raters" in note and "below zero" in note]
    assert found.variance(Size(1000, 50, 60)) == pytest.approx(9.0)


def test_what_a_pilot_cannot_know_is_said() -> None:
    one = components_of(Pilot(4.0, 4.0, 9.0, 4.0, Size(1000, 1, 60)))
    assert one.raters == 0.0
    assert "Fewer than two raters" in one.notes[0]
    alone = components_of(Pilot(4.0, 4.2, 9.0, 4.0, Size(1000, 900, 60)))
    assert "Hardly two votes share one of the raters" in alone.notes[0]
    rough = components_of(Pilot(4.0, 6.0, 9.0, 4.0, Size(1000, 9, 60)))
    assert "Only 9 raters" in rough.notes[0]


def test_endless_votes_leave_a_floor() -> None:
    parts, now = Components(1e5, 500.0, 9000.0), Size(2000, 50, 60)
    endless = replace(now, votes=1e15)
    assert parts.floor(now) == pytest.approx(parts.variance(endless))
    assert parts.limit(now) == "prompts"
    assert parts.shares(now)["prompts"] == pytest.approx(150 / (50 + 10 + 150))
    assert smallest_seen(parts, endless) == pytest.approx(2.8016 * np.sqrt(160.0), rel=1e-4)


def test_more_votes_do_not_help_where_prompts_are_short() -> None:
    parts, now, goal = Components(1e5, 500.0, 9000.0), Size(2000, 50, 60), Goal(30.0)
    votes, raters, prompts, alike = options(parts, now, goal)
    assert votes.size is None
    assert votes.at_best == pytest.approx(2.8016 * np.sqrt(160.0), rel=1e-4)
    assert raters.size is None
    assert prompts.size is not None
    assert prompts.size.raters == 50
    assert alike.size is not None


@given(PARTS, SIZES, GOALS)
def test_every_way_gets_there_and_not_much_further(parts: Components, now: Size, goal: Goal) -> None:
    for option in options(parts, now, goal):
        if option.size is None:
            continue
        assert parts.variance(option.size) <= goal.variance * (1 + 1e-9)
        grown = {"votes": "votes", "raters": "raters", "prompts": "prompts", "all alike": "votes"}[
            option.name
        ]
        before = replace(option.size, **{grown: getattr(option.size, grown) - 1})
        if option.name == "votes" and option.size != now:
            assert parts.variance(before) > goal.variance
        assert option.size.votes >= now.votes


WORLDS = [
    (Components(1e6, 8000.0, 300.0), Goal(35.0), Prices(0.05, 1.0, 0.2)),
    (Components(1e5, 300.0, 8000.0), Goal(35.0), Prices(0.05, 0.01, 8.0)),
    (Components(1e4, 10.0, 10.0), Goal(10.0), Prices(0.05, 0.01, 0.01)),
    (Components(1e4, 300.0, 0.0), Goal(10.0), Prices(0.05, 0.01, 0.01)),
    (Components(1e6, 0.0, 8000.0), Goal(90.0), Prices(1.0, 8.0, 8.0)),
    (Components(1e5, 8000.0, 8000.0), Goal(10.0), Prices(0.01, 8.0, 1.0)),
]


def grid(start: Size, factors: np.ndarray) -> list[Size]:
    every = itertools.product(factors, repeat=3)
    return [Size(start.votes * a, start.raters * b, start.prompts * c) for a, b, c in every]


@pytest.mark.parametrize(("parts", "goal", "prices"), WORLDS)
@pytest.mark.parametrize("now", [NOTHING, Size(800, 20, 20), Size(3000, 30, 400), Size(900, 300, 25)])
def test_nothing_around_the_cheapest_costs_less(
    parts: Components, goal: Goal, prices: Prices, now: Size
) -> None:
    found = cheapest(parts, goal, prices, now)
    assert found is not None
    assert parts.grown(now, found) <= goal.variance * (1 + 1e-6)
    rounding = prices.vote + prices.rater + prices.prompt
    near, far = np.linspace(0.9, 1.1, 5), np.geomspace(0.02, 50, 9)
    for then in [*grid(found, near), *grid(found, far)]:
        clusters = then.raters >= max(now.raters, 20) and then.prompts >= max(now.prompts, 20)
        seated = then.raters * then.prompts >= then.votes >= max(then.raters, then.prompts, now.votes)
        if clusters and seated and parts.grown(now, then) <= goal.variance:
            assert prices.cost(found) <= prices.cost(then) * 1.002 + rounding


def test_a_few_votes_by_many_new_raters_do_not_outweigh_the_old_ones() -> None:
    """The sum of squared shares of the votes, worked out by hand."""
    parts, now = Components(0.0, 1000.0, 0.0), Size(3000, 30, 40)
    then = Size(4500, 230, 40)
    by_hand = 30 * (100 / 4500) ** 2 + 200 * (7.5 / 4500) ** 2
    assert parts.grown(now, then) == pytest.approx(1000.0 * by_hand)
    assert parts.grown(now, Size(30000, 230, 40)) == pytest.approx(1000.0 / 230)
    assert parts.grown(now, now) == pytest.approx(parts.variance(now))


def test_without_bounds_parts_are_bought_by_neymans_rule() -> None:
    parts, goal, prices = Components(1e6, 9e4, 4e4), Goal(35.0), Prices(0.05, 2.0, 0.5)
    found = cheapest(parts, goal, prices)
    assert found is not None
    root = np.sqrt(np.array([1e6 / 0.05, 9e4 / 2.0, 4e4 / 0.5]))
    scale = (np.array([1e6, 9e4, 4e4]) / root).sum() / goal.variance
    assert [found.votes, found.raters, found.prompts] == pytest.approx((root * scale).tolist(), rel=0.02)


def test_what_is_free_is_taken_generously_but_not_without_end() -> None:
    parts, goal = Components(1e5, 2000.0, 2000.0), Goal(35.0)
    free, dear = (cheapest(parts, goal, Prices(0.05, price, 1.0)) for price in (0.0, 50.0))
    assert free is not None
    assert dear is not None
    assert dear.raters < free.raters < 2000
    assert cheapest(parts, goal, Prices(0.0, 0.0, 0.0)) is not None


def test_nobody_sees_the_same_pictures_twice() -> None:
    parts, goal = Components(1e6, 0.0, 0.0), Goal(10.0)
    size = cheapest(parts, goal, Prices(0.05, 1.0, 4.0), pairs=3)
    assert size is not None
    assert size.raters * size.prompts * 3 >= size.votes
    assert size.raters > size.prompts


def test_a_number_of_prompts_may_be_given() -> None:
    parts, goal, prices = Components(1e5, 500.0, 9000.0), Goal(35.0), Prices(0.05, 1.0, 0.2)
    few = on_prompts(parts, goal, prices, 50)
    assert few.size is None
    assert few.at_best == pytest.approx(2.8016 * np.sqrt(180.0), rel=1e-4)
    many = on_prompts(parts, goal, prices, 200)
    assert many.size is not None
    assert many.size.prompts == 200
    assert many.size.raters >= ENOUGH_CLUSTERS
    assert parts.variance(many.size) <= goal.variance * (1 + 1e-9)


def test_assumptions_without_clusters_are_the_plain_number_of_votes() -> None:
    goal = Goal(elo_of_share(0.55))
    votes = votes_needed(0.55, tie_rate=0.25)
    size = cheapest(assumed_components(votes, goal, 0.0, 0.0), goal, Prices(1, 20, 20))
    assert size is not None
    assert (size.votes, votes) == (1044, 1044)


def clustered_mean(rng: np.random.Generator, size: Size) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values that share raters (variance 1) and prompts (variance 4), with 25 of their own."""
    n, R, P = (int(x) for x in (size.votes, size.raters, size.prompts))
    rater, prompt = rng.integers(R, size=n), rng.integers(P, size=n)
    values = rng.normal(size=R)[rater] + 2.0 * rng.normal(size=P)[prompt] + 5.0 * rng.normal(size=n)
    return values, rater, prompt


def pilot_study(rng: np.random.Generator, size: Size) -> Pilot:
    values, rater, prompt = clustered_mean(rng, size)
    centred = (values - values.mean()) / values.size

    def variance(label: np.ndarray) -> float:
        return float((np.bincount(label, weights=centred) ** 2).sum())

    def effective(label: np.ndarray) -> float:
        counts = np.bincount(label)
        return float(counts.sum() ** 2 / (counts**2).sum())

    iid, cell = float((centred**2).sum()), variance(rater * int(size.prompts) + prompt)
    grown = [count / (count - 1) for count in (size.raters, size.prompts)]
    in_effect = Size(size.votes, effective(rater), effective(prompt))
    return Pilot(iid, variance(rater) * grown[0], variance(prompt) * grown[1], cell, in_effect)


@pytest.mark.parametrize(
    "then", [Size(8000, 40, 160), Size(2000, 160, 40), Size(20000, 40, 40), Size(2000, 40, 160)]
)
def test_a_pilot_foretells_the_error_of_a_larger_study(then: Size) -> None:
    rng = np.random.default_rng(7)
    foretold = [
        np.sqrt(components_of(pilot_study(rng, Size(2000, 40, 40))).variance(then)) for _ in range(60)
    ]
    seen = np.std([clustered_mean(rng, then)[0].mean() for _ in range(400)])
    assert np.mean(foretold) == pytest.approx(seen, rel=0.1)
    assert np.mean(np.abs(np.array(foretold) / seen - 1.0) < 0.25) > 0.8


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Goal(0.0),
        lambda: Goal(10.0, power=0.3),
        lambda: Goal(10.0, alpha=1.0),
        lambda: components_of(Pilot(-1.0, 1.0, 1.0, 1.0, Size(100, 10, 10))),
        lambda: components_of(Pilot(np.nan, 1.0, 1.0, 1.0, Size(100, 10, 10))),
        lambda: components_of(Pilot(1.0, 1.0, 1.0, 1.0, Size(5, 10, 10))),
        lambda: assumed_components(100, Goal(35.0), -0.1, 0.0),
        lambda: cheapest(Components(1.0, 1.0, 1.0), Goal(35.0), Prices(-1.0, 1.0, 1.0)),
    ],
)
def test_bad_input_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        wrong()
