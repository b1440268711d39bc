"""Shares sharpened by metrics: against a slow twin, against the formula, and against truth in simulation."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, minimize

from evalkit.errors import InvalidInput
from evalkit.preference.assisted import ALIKE, NO_REST, NO_VOTES, NOT_SHORTER, Assisted, assisted_shares
from evalkit.preference.predictor import Labels, Population, gaps_between, predicted, ridge_logistic


def _benchmark() -> ModuleType:
    path = Path(__file__).resolve().parents[2] / "benchmarks" / "assisted.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_assisted", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


bench = _benchmark()


def study(seed: int = 0, **columns: Any) -> tuple[Population, Labels]:
    """A simulated study: 4 systems, 100 prompts, a quarter of the comparisons voted on."""
    found: tuple[Population, Labels] = bench.drawn(bench.Study("one", **columns), np.random.default_rng(seed))
    return found


# ------------------------------------------------------------------ the predictor


def regression(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    X, votes = rng.normal(size=(60, 4)), rng.integers(1, 4, size=60).astype(float)
    return X, rng.integers(0, 7, size=60) / 6.0 * votes, votes, rng.uniform(0.2, 3.0, size=4)


def loss(b: np.ndarray, X: np.ndarray, won: np.ndarray, votes: np.ndarray, penalty: np.ndarray) -> float:
    z = X @ b
    return float(-(won * z - votes * np.logaddexp(0.0, z)).sum() + (penalty * b**2).sum() / 2.0)


@pytest.mark.parametrize("seed", range(4))
def test_the_regression_is_at_the_minimum_that_a_general_optimiser_finds(seed: int) -> None:
    problem = regression(seed)
    b = ridge_logistic(*problem)
    assert np.abs(approx_fprime(b, loss, 1e-6, *problem)).max() < 1e-3
    assert b == pytest.approx(minimize(loss, np.zeros(4), problem, tol=1e-10).x, abs=1e-5)


def test_the_regression_settles_where_votes_are_all_of_one_kind_and_features_are_large() -> None:
    problem = np.linspace(1.0, 400.0, 50)[:, None], np.ones(50), np.ones(50), np.array([1e-3])
    b = ridge_logistic(*problem)
    assert approx_fprime(b, loss, 1e-7, *problem) == pytest.approx(0.0, abs=1e-4)


def test_no_prediction_sees_a_vote_on_its_own_prompt() -> None:
    population, labels = study()
    before = predicted(population, labels)
    ours = population.prompt[labels.comparison] == population.prompt[labels.comparison[0]]
    after = predicted(
        population, replace(labels, outcome=np.where(ours, 1.0 - labels.outcome, labels.outcome))
    )
    same = population.prompt == population.prompt[labels.comparison[0]]
    assert after[same] == pytest.approx(before[same], abs=1e-12)
    assert not np.allclose(after[~same], before[~same], atol=1e-4)


def test_predictions_are_antisymmetric_and_blind_to_how_good_systems_are() -> None:
    population, labels = study(bias=2.0)
    turned = replace(
        population, first=population.second, second=population.first, features=-population.features
    )
    backward = predicted(turned, replace(labels, outcome=1.0 - labels.outcome))
    forward = predicted(population, labels)
    assert forward == pytest.approx(1.0 - backward, abs=1e-9)
    shifted = population.features + 5.0 * (population.first == 0)[:, None]
    assert predicted(replace(population, features=shifted), labels) == pytest.approx(forward, abs=1e-6)


def test_gaps_know_which_side_lacks_a_score() -> None:
    values = np.array([[1.0, np.nan], [4.0, 2.0], [0.5, np.inf], [0.5, 3.0]])
    gaps = gaps_between(values, np.array([1, 0, 0, 3]), np.array([0, 1, 2, 1]))
    assert gaps.tolist() == [[3.0, 0.0, 1.0], [-3.0, 0.0, -1.0], [0.5, 0.0, 0.0], [-3.5, 1.0, 0.0]]
    assert gaps_between(np.full((2, 3), np.nan), np.array([0]), np.array([1])).shape == (1, 0)


# ------------------------------------------------------------------ the estimate


def slow(population: Population, labels: Labels, pair: tuple[int, int]) -> tuple[float, float, float, float]:
    """Plain and assisted share of one pair, lambda and variance ratio, vote by vote."""
    f = predicted(population, labels)
    ends = list(zip(population.first.tolist(), population.second.tolist(), strict=True))
    mass = np.ones(len(ends)) if population.mass is None else population.mass
    weight = np.ones(labels.rater.size) if labels.weight is None else labels.weight
    sides = {pair: 1, pair[::-1]: -1}
    everything = [
        (mass[c], p, f[c] if sides[ends[c]] > 0 else 1 - f[c])
        for c, p in enumerate(population.prompt.tolist())
        if ends[c] in sides
    ]
    votes = []
    for w, c, y, r in zip(weight, labels.comparison.tolist(), labels.outcome, labels.rater, strict=True):
        if ends[c] in sides:
            sign = sides[ends[c]]
            votes.append(
                (w, population.prompt[c], r, y if sign > 0 else 1 - y, f[c] if sign > 0 else 1 - f[c])
            )
    whole, total = sum(m for m, _, _ in everything), sum(v[0] for v in votes)
    mean_all = sum(m * g for m, _, g in everything) / whole
    mean_y, mean_f = (sum(v[0] * v[k] for v in votes) / total for k in (3, 4))

    def off(key: str) -> tuple[list[float], list[float]]:
        y: dict[Any, float] = {}
        g: dict[Any, float] = {}
        for w, p, r, won, said in votes:
            name = {"prompt": p, "rater": r, "cell": (p, r)}[key]
            y[name] = y.get(name, 0.0) + w * (won - mean_y) / total
            g[name] = g.get(name, 0.0) - w * (said - mean_f) / total
        for m, p, said in everything:
            if key == "prompt":
                g[p] = g.get(p, 0.0) + m * (said - mean_all) / whole
        return [y.get(n, 0.0) for n in {**y, **g}], [g[n] for n in {**y, **g}]

    seen = {
        "prompt": len({v[1] for v in votes}),
        "rater": len({v[2] for v in votes}),
        "cell": len({v[1:3] for v in votes}),
    }
    y, g = off("prompt")
    weight_of_f = min(max(-np.dot(y, g) / np.dot(g, g), 0.0), 1.0)

    def variance(tuned: float) -> float:
        parts = {}
        for key, c in seen.items():
            y, g = off(key)
            parts[key] = sum((a + tuned * b) ** 2 for a, b in zip(y, g, strict=True)) * c / (c - 1)
        return max(parts["prompt"] + parts["rater"] - parts["cell"], parts["prompt"], parts["rater"])

    small = (seen["prompt"] - 1) / (seen["prompt"] - 2)
    assisted = mean_y + weight_of_f * (mean_all - mean_f)
    return mean_y, assisted, weight_of_f, variance(weight_of_f) * small / variance(0.0)


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    prompts=st.integers(40, 60),
    votes=st.integers(1, 3),
    pictures=st.integers(1, 2),
    unequal=st.booleans(),
)
def test_every_pair_is_as_a_slow_twin_has_it(
    seed: int, prompts: int, votes: int, pictures: int, unequal: bool
) -> None:
    wanted = {"prompts": prompts, "votes": votes, "pictures": pictures, "unequal": unequal}
    population, labels = study(seed, systems=3, share=0.7, raters=9, luck=2.0, **wanted)
    found = assisted_shares(population, labels)
    for pair, share in zip(found.pairs, found.by_pair, strict=True):
        plain, assisted, weight, ratio = slow(population, labels, pair)
        assert share.plain.value == pytest.approx(plain)
        if share.ratio is not None:
            assert share.assisted.value == pytest.approx(assisted)
            assert (share.weight, share.ratio) == (pytest.approx(weight), pytest.approx(ratio))


def test_a_win_rate_is_the_mean_over_the_opponents() -> None:
    population, labels = study()
    found = assisted_shares(population, labels)
    shares = {pair: s.plain.value or 0.0 for pair, s in zip(found.pairs, found.by_pair, strict=True)}
    for i, line in enumerate(found.by_system):
        mine = [shares[i, j] if i < j else 1.0 - shares[j, i] for j in range(4) if j != i]
        assert line.plain.value == pytest.approx(np.mean(mine))
    assert sum(line.plain.value or 0.0 for line in found.by_system) == pytest.approx(2.0)


def numbers(share: Assisted) -> list[float]:
    found = (share.plain, share.assisted)
    ends = [x or 0.0 for e in found for x in (e.value, e.low, e.high)]
    return [*ends, share.ratio or 0.0, share.weight or 0.0, share.rho or 0.0, share.unvoted or 0.0]


def test_neither_the_order_of_rows_nor_that_of_sides_and_systems_matters() -> None:
    population, labels = study(luck=2.0, pictures=2)
    expected = assisted_shares(population, labels)
    rng = np.random.default_rng(5)
    places, votes = rng.permutation(population.first.size), rng.permutation(labels.rater.size)
    back = rng.random(places.size) < 0.5
    name = np.array([2, 0, 3, 1])
    first, second = name[population.first[places]], name[population.second[places]]
    mixed = Population(
        tuple(population.systems[int(np.flatnonzero(name == i)[0])] for i in range(4)),
        np.where(back, second, first),
        np.where(back, first, second),
        population.prompt[places],
        population.features[places] * np.where(back, -1.0, 1.0)[:, None],
        None if population.mass is None else population.mass[places] * 7.0,
    )
    at = np.argsort(places)[labels.comparison[votes]]
    outcome = np.where(back[at], 1.0 - labels.outcome[votes], labels.outcome[votes])
    found = assisted_shares(mixed, Labels(at, outcome, labels.rater[votes] + 3))
    for i in range(4):
        assert numbers(found.by_system[name[i]]) == pytest.approx(numbers(expected.by_system[i]), abs=1e-9)


def test_two_like_votes_of_one_rater_are_one_of_weight_two() -> None:
    population, labels = study(luck=2.0)
    twice = Labels(*(np.concatenate([c, c[:20]]) for c in (labels.comparison, labels.outcome, labels.rater)))
    heavy = replace(labels, weight=np.where(np.arange(labels.rater.size) < 20, 2.0, 1.0))
    # What is predicted knows counts, not weights: so only plain shares have to be the same.
    pairs = zip(
        assisted_shares(population, twice).by_pair, assisted_shares(population, heavy).by_pair, strict=True
    )
    for one, other in pairs:
        assert (one.plain.value, one.plain.low) == (
            pytest.approx(other.plain.value),
            pytest.approx(other.plain.low),
        )


# ------------------------------------------------------------------ against the formula and the truth


@pytest.mark.parametrize(("share", "knows"), [(0.2, 0.9), (0.2, 0.6), (0.6, 0.9)])
def test_with_independent_votes_the_width_is_that_of_the_formula(share: float, knows: float) -> None:
    settled = bench.Study("two", systems=2, prompts=400, raters=4000, taste=0.0, luck=3.0)
    rng, ratios, formula = np.random.default_rng(2), [], []
    for _ in range(12):
        found = assisted_shares(*bench.drawn(replace(settled, share=share, knows=knows), rng)).by_pair[0]
        ratios.append(found.ratio or 0.0)
        formula.append(1.0 - (found.rho or 0.0) ** 2 * (found.unvoted or 0.0))
    assert np.mean(ratios) == pytest.approx(np.mean(formula), abs=0.04)
    assert np.mean(formula) < 0.9


@pytest.mark.parametrize(
    "study",
    [
        bench.Study("metric biased for one system", knows=0.8, bias=3.0, luck=3.0),
        bench.Study("useless", knows=0.0, prompts=60, share=0.4),
        bench.Study("asked with unequal chances", knows=0.9, luck=3.0, unequal=True),
        bench.Study("few of many prompts", knows=0.9, luck=3.0, prompts=200, share=0.15, whole=True, votes=2),
    ],
    ids=lambda study: study.name,
)
def test_what_is_used_contains_the_truth(study: Any) -> None:
    for tally in bench.simulated(study, 40, seed=3):
        # 40 studies of 4 or 6 correlated shares: two standard errors below 95 % are about 90 %.
        assert tally.used / tally.n >= 0.9
        assert tally.plain / tally.n >= 0.9
    assert tally.tried > 0


def test_metrics_that_know_shorten_intervals_and_do_not_move_the_mean() -> None:
    known = bench.Study("clear", knows=0.9, bias=3.0, luck=4.0)
    rates, _ = bench.truth(known)
    rng, widths, errors = np.random.default_rng(8), [], []
    for _ in range(25):
        found = assisted_shares(*bench.drawn(known, rng)).by_system
        widths += [bench._width(line.assisted) / bench._width(line.plain) for line in found]
        errors.append([(line.assisted.value or 0.0) - r for line, r in zip(found, rates, strict=True)])
    assert np.mean(widths) < 0.9
    assert np.mean(errors, axis=0) == pytest.approx(0.0, abs=3.5 * float(np.std(errors)) / 25**0.5)


def test_weights_undo_unequal_chances() -> None:
    unequal = bench.Study("unequal", systems=2, prompts=300, knows=1.0, luck=4.0, share=0.4, unequal=True)
    (_, (true,)), rng = bench.truth(unequal), np.random.default_rng(4)
    raw, mended = [], []
    for _ in range(25):
        population, labels = bench.drawn(unequal, rng)
        mended.append(assisted_shares(population, labels).by_pair[0].assisted.value or 0.0)
        raw.append(assisted_shares(population, replace(labels, weight=None)).by_pair[0].plain.value or 0.0)
    assert np.mean(mended) == pytest.approx(true, abs=0.03)
    assert abs(np.mean(raw) - true) > 0.05


# ------------------------------------------------------------------ when it is not used


def only(shares: tuple[Assisted, ...]) -> tuple[str, str]:
    (found,) = {(share.used, share.reason) for share in shares}
    return found


def test_reasons_for_votes_alone() -> None:
    assert only(assisted_shares(*study(prompts=19, share=1.0)).by_system) == (
        "plain",
        "19 prompts with votes, 20 are needed",
    )
    assert only(assisted_shares(*study(raters=4)).by_system) == ("plain", "4 raters, 5 are needed")
    assert only(assisted_shares(*study(share=1.0)).by_pair) == ("plain", NO_REST)
    assert only(assisted_shares(*study(), refuse="picked").by_pair) == ("plain", "picked")
    population, labels = study(knows=0.9, luck=4.0)
    empty = replace(population, features=np.zeros((population.first.size, 0)))
    assert only(assisted_shares(empty, labels).by_pair) == ("plain", NOT_SHORTER)
    same = replace(labels, outcome=np.full(labels.rater.size, 0.5))
    assert only(assisted_shares(population, same).by_system) == ("plain", ALIKE)


def test_what_is_refused_has_no_assisted_number_but_a_plain_one() -> None:
    found = assisted_shares(*study(raters=4)).by_system[0]
    assert (found.assisted.value, found.assisted.note, found.ratio) == (None, "4 raters, 5 are needed", None)
    assert found.estimate is found.plain
    assert found.plain.low is not None
    assert "prompts only" in (found.plain.note or "")
    assert found.extra_votes is None


def test_systems_and_pairs_without_votes_are_told_as_such() -> None:
    population, labels = study()
    untouched = (population.first[labels.comparison] != 3) & (population.second[labels.comparison] != 3)
    found = assisted_shares(
        population, Labels(*(c[untouched] for c in (labels.comparison, labels.outcome, labels.rater)))
    )
    assert found.by_system[3].plain.note == NO_VOTES
    assert found.pairs == tuple(combinations(range(3), 2))
    nobody = Labels(*(np.zeros(0, dtype=t) for t in (np.int64, np.float64, np.int64)))
    assert {line.reason for line in assisted_shares(population, nobody).by_system} == {NO_VOTES}


def test_one_prompt_has_no_interval() -> None:
    population, labels = study(prompts=1, share=1.0, votes=8)
    found = assisted_shares(population, labels).by_pair[0]
    assert (found.plain.low, found.plain.note) == (None, "one prompt: no interval")


def test_extra_votes_are_what_the_variance_says() -> None:
    share = assisted_shares(*study(knows=0.9, luck=4.0)).by_system[0]
    assert share.ratio is not None
    assert share.extra_votes == pytest.approx(1.0 / share.ratio - 1.0)
    assert share.extra_votes > 0.1


def test_the_same_seed_gives_the_same_numbers() -> None:
    drawn = study()
    assert assisted_shares(*drawn, seed=4) == assisted_shares(*drawn, seed=4)
    assert assisted_shares(*drawn, seed=4) != assisted_shares(*drawn, seed=5)


def test_bad_input_says_what_is_wrong() -> None:
    population, labels = study()
    with pytest.raises(InvalidInput, match="missing or infinite"):
        replace(population, features=np.full_like(population.features, np.nan))
    with pytest.raises(InvalidInput, match="with itself"):
        replace(population, second=population.first)
    with pytest.raises(InvalidInput, match="not in the list"):
        replace(population, systems=("a", "b"))
    with pytest.raises(InvalidInput, match="one length"):
        replace(population, prompt=population.prompt[1:])
    with pytest.raises(InvalidInput, match=r"none of 1, 0\.5 and 0"):
        replace(labels, outcome=labels.outcome + 0.1)
    with pytest.raises(InvalidInput, match="not a positive number"):
        replace(labels, weight=np.zeros(labels.rater.size))
    with pytest.raises(InvalidInput, match="one weight for each row"):
        replace(labels, weight=np.ones(1))
    with pytest.raises(InvalidInput, match="one length"):
        replace(labels, rater=labels.rater[1:])
    with pytest.raises(InvalidInput, match="not in the population"):
        assisted_shares(population, replace(labels, comparison=labels.comparison + population.first.size))
