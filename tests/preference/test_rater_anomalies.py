from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import betaln, expit, logsumexp

from evalkit.errors import UsageError
from evalkit.preference.raters import anomalies as module
from evalkit.preference.raters import meetings as meetings_module
from evalkit.preference.raters.anomalies import KINDS, TASTE, WIDE, anomalies
from evalkit.preference.raters.meetings import meetings_of
from evalkit.preference.raters.reliability import SLIPS, reliability
from evalkit.preference.raters.tastes import conditional
from evalkit.preference.votes import LEFT, RIGHT, TIE, Floats, Ints, Votes

HONEST = -1
"""Other kinds are places in `KINDS`."""


def simulated(
    seed: int, kinds: Ints, each: int, systems: int = 10, spread: float = 1.0, taste: float = TASTE
) -> tuple[Votes, Ints]:
    """`each` votes per rater, whose tie habits differ (sd .8), and whom a booster boosts."""
    rng = np.random.default_rng(seed)
    theta = spread * rng.normal(size=systems)
    rater = np.arange(kinds.size).repeat(each)
    n, kind = rater.size, kinds.repeat(each)
    left = rng.integers(0, systems, n)
    right = (left + rng.integers(1, systems, n)) % systems
    own = theta + taste * rng.normal(size=(kinds.size, systems))
    d = np.where(kind == 3, -1, 1) * (own[rater, left] - own[rater, right])
    nu = 0.7 * np.exp(0.8 * rng.normal(size=kinds.size))[rater]
    tied = rng.random(n) < nu / (np.exp(d / 2) + np.exp(-d / 2) + nu)
    chose_left = rng.random(n) < expit(np.where(kind == 0, 0.0, d))
    boosted = rng.integers(0, systems, kinds.size)
    for is_so, side in (
        (kind == 1, True), (kind == 2, False),
        ((kind == 4) & (left == boosted[rater]), True), ((kind == 4) & (right == boosted[rater]), False),
    ):  # fmt: skip
        sure = is_so & (rng.random(n) < 0.97)
        chose_left, tied = np.where(sure, side, chose_left), tied & ~sure
    answer = np.where(tied, TIE, np.where(chose_left, LEFT, RIGHT))
    names = tuple(f"s{i}" for i in range(systems))
    return Votes(names, left, right, answer, np.zeros(n, dtype=np.int64), rater), boosted


def flagged(kinds: Ints, votes: Votes, trust: Floats | None = None) -> dict[int, float]:
    found = anomalies(votes, trust=trust).log_e >= np.log(100)
    return {int(kind): float(found[kinds == kind].mean()) for kind in np.unique(kinds)}


def test_at_most_one_honest_rater_in_a_hundred_is_flagged() -> None:
    kinds = np.full(1000, HONEST)
    shares = [flagged(kinds, simulated(seed, kinds, 100)[0])[HONEST] for seed in range(2)]
    assert np.mean(shares) <= 0.01


@pytest.mark.parametrize("taste", [0.0, 0.3])
def test_honest_raters_without_strong_tastes_are_not_flagged_either(taste: float) -> None:
    kinds = np.full(300, HONEST)
    for spread in (0.0, 0.3):
        votes, _ = simulated(7, kinds, 100, spread=spread, taste=taste)
        assert flagged(kinds, votes)[HONEST] <= 0.01


def test_a_crowd_that_knows_little_accuses_nobody() -> None:
    """Three raters and systems that are alike: who is to say that somebody tosses a coin?"""
    accused = [
        len(anomalies(simulated(seed, np.full(3, HONEST), 60, spread=0.0, taste=0.0)[0]).flags)
        for seed in range(40)
    ]
    assert sum(accused) <= 1


def test_cheats_are_found_and_named() -> None:
    kinds = np.concatenate([np.full(200, HONEST), np.arange(5).repeat(12)])
    votes, boosted = simulated(3, kinds, 200)
    found = anomalies(votes)
    shares = flagged(kinds, votes)
    assert (shares[1], shares[2]) == (1.0, 1.0)
    assert shares[3] > 0.9
    assert min(shares[0], shares[4]) > 0.5
    named = [KINDS[kinds[flag.rater]] == flag.kind for flag in found.flags if kinds[flag.rater] >= 0]
    assert np.mean(named) > 0.9
    boosters = [flag for flag in found.flags if flag.kind == "booster" and kinds[flag.rater] == 4]
    assert np.mean([flag.system == boosted[flag.rater] for flag in boosters]) > 0.9
    for flag in found.flags:
        own = votes.rater == flag.rater
        assert flag.decisive == np.isin(votes.answer[own], (LEFT, RIGHT)).sum()
        assert flag.left == pytest.approx(np.sum(votes.answer[own] == LEFT) / flag.decisive)
        assert flag.log_e == found.log_e[flag.rater] >= np.log(100)
    assert [flag.log_e for flag in found.flags] == sorted((flag.log_e for flag in found.flags), reverse=True)


def test_a_booster_is_shown_with_counts() -> None:
    kinds = np.concatenate([np.full(60, HONEST), [4]])
    votes, boosted = simulated(1, kinds, 300)
    flag = next(flag for flag in anomalies(votes).flags if flag.kind == "booster")
    own = (votes.rater == 60) & np.isin(votes.answer, (LEFT, RIGHT))
    shown = own & ((votes.left == boosted[60]) | (votes.right == boosted[60]))
    winner = np.where(votes.answer == LEFT, votes.left, votes.right)
    assert (flag.rater, flag.system) == (60, boosted[60])
    assert f"in {np.sum(shown & (winner == boosted[60]))} of {shown.sum()} decisive votes" in flag.reason


def test_ties_say_nothing() -> None:
    kinds = np.concatenate([np.full(40, HONEST), [0, 1]])
    votes, _ = simulated(5, kinds, 60)
    decisive = votes.where(votes.answer != TIE)
    assert anomalies(votes).log_e == pytest.approx(anomalies(decisive).log_e, abs=1e-9)


def test_trusting_the_honest_more_finds_more_in_a_bad_crowd() -> None:
    kinds = np.concatenate([np.full(180, HONEST), np.zeros(75, dtype=np.int64), [1] * 15, [2] * 15, [3] * 15])
    votes, _ = simulated(2, kinds, 100)
    plain, trusting = flagged(kinds, votes), flagged(kinds, votes, reliability(votes).honest)
    assert trusting[0] > plain[0] + 0.1
    assert trusting[HONEST] <= 0.01


def test_board_level_discoveries_are_e_bh() -> None:
    kinds = np.concatenate([np.full(50, HONEST), [1] * 5])
    votes, _ = simulated(4, kinds, 60)
    found = anomalies(votes, alpha=0.05)
    ranked = np.argsort(-found.log_e)
    m = kinds.size
    k = max((k for k in range(1, m + 1) if np.exp(found.log_e[ranked[k - 1]]) >= m / (0.05 * k)), default=0)
    assert set(np.flatnonzero(found.discoveries)) == set(ranked[:k])
    assert found.discoveries[50:].all()


def ridge(wins: Floats) -> Floats:
    """Abilities under a wide normal prior, by a general optimiser."""

    def loss(theta: Floats) -> float:
        losses = wins * np.logaddexp(0.0, theta[None, :] - theta[:, None])
        return float(losses.sum() + 0.5 * (theta**2).sum() / WIDE**2)

    return np.asarray(minimize(loss, np.zeros(len(wins)), method="BFGS", options={"gtol": 1e-9}).x)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_the_crowd_is_fitted_without_the_rater(seed: int) -> None:
    votes, _ = simulated(seed, np.full(5, HONEST), 25, systems=4)
    decided = meetings_of(votes).decided()
    everyone = decided.pooled().beaten()[0]
    found = module._crowd(everyone - decided.beaten(), module._climbed(everyone, np.zeros(4)))
    for rater in range(5):
        others = meetings_of(votes.where(votes.rater != rater)).pooled().beaten()[0]
        theta = ridge(others)
        assert found.theta[rater] == pytest.approx(theta, abs=2e-5)
        p = expit(theta[:, None] - theta[None, :])
        L = (others + others.T) * p * (1 - p)
        assert np.linalg.inv(found.covariance[rater]) == pytest.approx(
            np.diag(L.sum(axis=1)) - L + np.eye(4) / WIDE**2, abs=1e-4
        )


def two_systems(crowd: int, patterns: list[tuple[int, ...]], sides: list[int]) -> tuple[Votes, Floats]:
    """A crowd of `crowd` raters, two in three of whose votes are for system 0, and one rater per pattern.

    Patterns tell who won, 0 or 1; system 0 is on the left where `sides` has 0. The crowd alone has trust.
    """
    rows = [(0, 1, LEFT if k % 3 else RIGHT, r) for r in range(crowd) for k in range(12)]
    for number, pattern in enumerate(patterns):
        for winner, side in zip(pattern, sides, strict=True):
            rows.append((side, 1 - side, LEFT if winner == side else RIGHT, crowd + number))
    left, right, answer, rater = np.array(rows, dtype=np.int64).T
    trust = np.where(np.arange(crowd + len(patterns)) < crowd, 1.0, 0.0)
    return Votes(("a", "b"), left, right, answer, np.zeros_like(left), rater), trust


def taste_chances(theta: Floats, variance: float, stretch: float, won: Ints, n: int) -> Floats:
    """Chance of a sequence in which system 0 won `won` of `n`, over a normal taste, on a grid."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    d = stretch * (theta[0] - theta[1]) + np.sqrt(variance) * nodes
    p = expit(d)
    return np.asarray((p ** won[:, None] * (1 - p) ** (n - won[:, None])) @ weights / weights.sum())


def test_e_values_of_honest_raters_average_to_one_at_most() -> None:
    """Every sequence of eight votes, weighted by its chance, whatever the taste within what is allowed."""
    sides = [0, 1, 0, 0, 1, 1, 0, 1]
    patterns = list(product((0, 1), repeat=8))
    votes, trust = two_systems(20, patterns, sides)
    e = np.exp(anomalies(votes, trust=trust).log_e[20:])
    won = np.array([pattern.count(0) for pattern in patterns])
    everyone = meetings_of(votes).pooled(trust).beaten()[0]
    theta, H = ridge(everyone), everyone.sum() * 2 / 9
    for level in (0.0, 0.25, 0.5, 0.75, 1.0):
        taste = TASTE * level
        stretch = float(conditional(np.ones(1), taste)[0])
        spread = (2 * taste**2 + stretch**2 / H) if level else 1e-12
        chance = taste_chances(theta, spread, stretch, won, 8)
        assert chance.sum() == pytest.approx(1.0)
        assert chance @ e <= 1.0


def test_e_values_agree_with_a_naive_twin() -> None:
    """Two systems, where tastes can be integrated out on a grid."""
    sides = [0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 0, 1]
    rng = np.random.default_rng(0)
    patterns = [tuple(int(v) for v in rng.random(12) < p) for p in np.linspace(0, 1, 12)]
    votes, trust = two_systems(20, patterns, sides)
    log_e = anomalies(votes, trust=trust).log_e[20:]
    everyone = meetings_of(votes).pooled(trust).beaten()[0]
    theta = ridge(everyone)
    # The variance of the difference, with the prior's part: 1 / (n p (1 - p) + 1 / (2 WIDE^2)).
    p = expit(theta[0] - theta[1])
    variance = 1.0 / (everyone.sum() * p * (1 - p) + 1.0 / (2 * WIDE**2))
    won = np.array([pattern.count(0) for pattern in patterns])
    honest = [taste_chances(theta, 1e-12, 1.0, won, 12)]
    for taste in (0.5 * TASTE, TASTE):
        stretch = float(conditional(np.ones(1), taste)[0])
        spread = 2 * taste**2 + stretch**2 * variance
        honest.append(taste_chances(theta, spread, stretch, won, 12))
    against = taste_chances(theta, spread, stretch, 12 - won, 12)
    side = lambda a, b: betaln(SLIPS[0] + a, SLIPS[1] + b) - betaln(*SLIPS)  # noqa: E731
    for k, pattern in enumerate(patterns):
        left = sum(winner == s for winner, s in zip(pattern, sides, strict=True))
        boost = [side(w, 12 - w) if w >= 0.7 * 12 else -np.inf for w in (won[k], 12 - won[k])]
        cheats = [-12 * np.log(2), side(left, 12 - left), side(12 - left, left), np.log(against[k]), *boost]
        stakes = np.log([0.2, 0.2, 0.2, 0.2, 0.1, 0.1])
        expected = logsumexp(np.array(cheats) + stakes) - np.log(np.max([h[k] for h in honest]))
        assert log_e[k] == pytest.approx(expected, abs=0.03)


def test_a_block_of_raters_at_a_time_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    votes, _ = simulated(6, np.concatenate([np.full(20, HONEST), np.arange(5)]), 50, systems=5)
    whole = anomalies(votes).log_e
    monkeypatch.setattr(meetings_module, "BLOCK", 6 * 25)
    assert anomalies(votes).log_e == pytest.approx(whole, abs=1e-6)


def test_numbers_of_systems_and_order_of_votes_do_not_matter() -> None:
    votes, _ = simulated(6, np.concatenate([np.full(20, HONEST), np.arange(5)]), 50, systems=5)
    shuffle, order = np.array([3, 0, 4, 1, 2]), np.random.default_rng(0).permutation(votes.n)
    other = replace(votes, left=shuffle[votes.left], right=shuffle[votes.right])
    other = Votes(
        votes.systems, *(c[order] for c in (other.left, other.right, other.answer, other.case, other.rater))
    )
    assert anomalies(other).log_e == pytest.approx(anomalies(votes).log_e, abs=1e-6)


def test_a_rater_without_votes_has_no_evidence_against_them() -> None:
    votes, _ = simulated(6, np.full(5, HONEST), 30, systems=4)
    found = anomalies(replace(votes, rater=votes.rater * 2))
    assert found.log_e[1::2] == pytest.approx(np.zeros(4), abs=0.7)
    assert (found.log_e[1::2] <= 0).all()


def test_no_votes_and_a_single_rater() -> None:
    votes, _ = simulated(6, np.full(1, HONEST), 30, systems=4)
    assert anomalies(votes).flags == ()
    assert anomalies(votes.where(np.zeros(votes.n, dtype=np.bool_))).log_e.size == 0


@pytest.mark.parametrize("wrong", [{"alpha": 0.0}, {"taste": -1.0}, {"taste": np.nan}, {"trust": np.ones(3)}])
def test_impossible_questions_are_refused(wrong: dict[str, object]) -> None:
    votes, _ = simulated(6, np.full(5, HONEST), 30, systems=4)
    with pytest.raises(UsageError):
        anomalies(votes, **wrong)  # type: ignore[arg-type]
