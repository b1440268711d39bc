from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.special import betaln

from evalkit.errors import InvalidInput
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.raters import meetings as meetings_module
from evalkit.preference.raters import reliability as module
from evalkit.preference.raters.meetings import Meetings, meetings_of, receipts
from evalkit.preference.raters.reliability import BELIEF, CLASSES, SLIPS, reliability
from evalkit.preference.raters.tastes import Prior, conditional, derivatives, integrated, log_likelihood
from evalkit.preference.tensor import tensor_of
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE, Floats, Ints, Votes


def simulated(
    seed: int,
    kinds: Ints,
    n: int,
    systems: int = 10,
    spread: float = 1.4,
    taste: float = 0.0,
    habit: float = 0.0,
) -> tuple[Votes, Floats]:
    """`n` votes of raters of these kinds (places in `CLASSES`), and the true abilities."""
    rng = np.random.default_rng(seed)
    theta = spread * rng.normal(size=systems)
    rater = np.concatenate([np.arange(kinds.size), rng.integers(0, kinds.size, n - kinds.size)])
    left = rng.integers(0, systems, n)
    right = (left + rng.integers(1, systems, n)) % systems
    own = theta + taste * rng.normal(size=(kinds.size, systems))
    d = own[rater, left] - own[rater, right]
    d = np.where(kinds[rater] == 4, -d, d)
    nu = 0.7 * np.exp(habit * rng.normal(size=kinds.size))[rater]
    u = rng.random(n) * (np.exp(d / 2) + np.exp(-d / 2) + nu)
    neither = np.where(rng.random(n) < 0.3, BOTH_BAD, TIE)
    answer = np.where(u < np.exp(d / 2), LEFT, np.where(u < np.exp(d / 2) + np.exp(-d / 2), RIGHT, neither))
    careless = rng.integers(0, 4, n)
    answer = np.where(kinds[rater] == 1, careless, answer)
    for kind, side in ((2, LEFT), (3, RIGHT)):
        answer = np.where(kinds[rater] == kind, np.where(rng.random(n) < 0.96, side, careless), answer)
    names = tuple(f"s{i}" for i in range(systems))
    return Votes(names, left, right, answer, np.zeros(n, dtype=np.int64), rater), theta


def mixed(raters: int = 300) -> Ints:
    """60 % honest, 25 % at random, 5 % left, 5 % right, 5 % adversarial."""
    shares = np.array([0.25, 0.05, 0.05, 0.05])
    counts = np.round(shares * raters).astype(int)
    return np.repeat(np.arange(5), [raters - counts.sum(), *counts])


def random_votes(seed: int, n: int, systems: int, raters: int, weighted: bool = False) -> Votes:
    rng = np.random.default_rng(seed)
    left = rng.integers(0, systems, n)
    right = (left + rng.integers(1, systems, n)) % systems
    weight = rng.integers(0, 4, n).astype(float) if weighted else None
    names = tuple(f"s{i}" for i in range(systems))
    return Votes(
        names,
        left,
        right,
        rng.integers(0, 4, n),
        np.zeros(n, dtype=np.int64),
        rng.integers(0, raters, n),
        weight,
    )


def naive_counts(votes: Votes) -> dict[tuple[int, int, int], list[float]]:
    """(rater, first, second) to votes won, lost and tied, by going through the votes."""
    found: dict[tuple[int, int, int], list[float]] = {}
    for k in range(votes.n):
        i, j, answer = int(votes.left[k]), int(votes.right[k]), int(votes.answer[k])
        entry = found.setdefault((int(votes.rater[k]), min(i, j), max(i, j)), [0.0, 0.0, 0.0])
        chosen = {LEFT: i, RIGHT: j}.get(answer)
        place = 2 if chosen is None else int(chosen != min(i, j))
        entry[place] += 1.0 if votes.weight is None else float(votes.weight[k])
    return found


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 80), st.booleans())
def test_counting_is_going_through_the_votes(seed: int, n: int, weighted: bool) -> None:
    votes = random_votes(seed, n, 4, 3, weighted)
    found, expected = meetings_of(votes), naive_counts(votes)
    table = zip(found.rater, found.first, found.second, strict=True)
    keys = [(int(r), int(i), int(j)) for r, i, j in table]
    assert keys == sorted(expected)
    counts = np.column_stack([found.won, found.lost, found.tied])
    assert counts == pytest.approx(np.array([expected[key] for key in keys]))
    tensor = tensor_of(votes)
    pooled = found.pooled().beaten()[0]
    assert pooled == pytest.approx(tensor.beaten)
    assert found.decisive.sum() == pytest.approx(tensor.beaten.sum())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000))
def test_agreement_is_with_the_majority_of_the_others(seed: int) -> None:
    votes = random_votes(seed, 60, 3, 4)
    counts = naive_counts(votes)
    found = receipts(meetings_of(votes))
    for rater in range(found.votes.size):
        with_them, shared = 0.0, 0.0
        for (r, i, j), (won, lost, _) in counts.items():
            others = sum(v[0] - v[1] for (s, a, b), v in counts.items() if s != rater and (a, b) == (i, j))
            if r == rater and others:
                with_them += won if others > 0 else lost
                shared += won + lost
        assert found.agreement[rater] == pytest.approx(with_them / shared if shared else np.nan, nan_ok=True)


def test_derivatives_by_finite_differences() -> None:
    meetings = meetings_of(random_votes(1, 60, 4, 1))
    x = np.random.default_rng(2).normal(size=5)
    gradient, H = derivatives(meetings, x)

    # Central differences: forward ones are good for half of the digits asked for only.
    def slope(f: object, k: int, h: float = 1e-5) -> Floats:
        e = h * np.eye(5)[k]
        return np.asarray((f(x + e) - f(x - e)) / (2 * h))  # type: ignore[operator]

    numeric = np.array([slope(lambda y: log_likelihood(meetings, y)[0], k) for k in range(5)])
    assert gradient[0] == pytest.approx(numeric, rel=1e-6, abs=1e-6)
    numeric = np.array([slope(lambda y: derivatives(meetings, y)[0][0], k) for k in range(5)])
    assert H[0] == pytest.approx(-numeric, rel=1e-6, abs=1e-6)


def naive_log_likelihood(votes: Votes, rater: int, x: Floats, turned: bool = False) -> float:
    total = 0.0
    for k in np.flatnonzero(votes.rater == rater):
        d = x[votes.left[k]] - x[votes.right[k]]
        d = -d if turned else d
        terms = [d / 2, -d / 2, x[-1]]
        total += terms[min(int(votes.answer[k]), 2)] - np.log(np.exp(terms).sum())
    return float(total)


def naive_laplace(votes: Votes, rater: int, centre: Floats, variance: Floats, turned: bool = False) -> tuple:
    """Log-likelihood, mode and covariance by a general optimiser and numeric second derivatives."""

    def loss(u: Floats) -> float:
        return float(0.5 * (u**2 / variance).sum() - naive_log_likelihood(votes, rater, centre + u, turned))

    def slope(u: Floats) -> Floats:
        return np.array([(loss(u + e) - loss(u - e)) / 2e-4 for e in 1e-4 * np.eye(u.size)])

    mode = minimize(loss, np.zeros(centre.size), jac=slope, method="BFGS", options={"gtol": 1e-7}).x
    A = np.array([(slope(mode + e) - slope(mode - e)) / 2e-3 for e in 1e-3 * np.eye(mode.size)])
    volume = 0.5 * (np.linalg.slogdet(A)[1] + np.log(variance).sum())
    return -loss(mode) - volume, mode, np.linalg.inv(A)


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000))
def test_integrating_tastes_out_agrees_with_a_naive_twin(seed: int) -> None:
    votes = random_votes(seed, 30, 3, 2)
    rng = np.random.default_rng(seed)
    centre, variance = rng.normal(size=4), np.array([0.4, 0.4, 0.4, 0.8])
    meetings = meetings_of(votes)
    found = integrated(meetings, Prior(centre, np.diag(1 / variance)))
    for rater in range(meetings.raters):
        likelihood, mode, covariance = naive_laplace(votes, rater, centre, variance)
        assert found.log_likelihood[rater] == pytest.approx(likelihood, abs=1e-4)
        assert found.deviation[rater] == pytest.approx(mode, abs=1e-3)
        assert found.covariance[rater] == pytest.approx(covariance, abs=1e-3)


def test_laplace_is_close_to_the_integral() -> None:
    """Two systems: the integral over taste and tie habit is done on a grid."""
    votes = random_votes(5, 40, 2, 1)
    centre, variance = np.array([0.5, -0.5, -0.3]), np.array([0.36, 0.36, 0.64])
    meetings = meetings_of(votes)
    grid = np.linspace(-6, 6, 401)
    # Only the difference of the two tastes matters: normal with twice the variance.
    taste, habit = np.meshgrid(grid * np.sqrt(0.72), grid * 0.8, indexing="ij")
    x = np.stack([0.5 + taste / 2, -0.5 - taste / 2, -0.3 + habit], axis=-1).reshape(-1, 3)
    d, nu = x[:, 0] - x[:, 1], np.exp(x[:, 2])
    won, lost, tied = (float(column.sum()) for column in (meetings.won, meetings.lost, meetings.tied))
    log_sum = np.log(np.exp(d / 2) + np.exp(-d / 2) + nu)
    log_chance = (won - lost) * d / 2 + tied * x[:, 2] - (won + lost + tied) * log_sum
    density = np.exp(-0.5 * (grid[:, None] ** 2 + grid[None, :] ** 2)).ravel() / (2 * np.pi)
    exact = np.log((np.exp(log_chance) * density).sum() * (grid[1] - grid[0]) ** 2)
    found = integrated(meetings, Prior(centre, np.diag(1 / variance)))
    assert found.log_likelihood[0] == pytest.approx(exact, abs=0.03)


def test_averaging_over_tastes_flattens_as_said() -> None:
    rng = np.random.default_rng(0)
    d = conditional(np.array([1.0]), 0.6)[0]
    shift = 0.6 * (rng.normal(size=400_000) - rng.normal(size=400_000))
    assert np.mean(1 / (1 + np.exp(-(d + shift)))) == pytest.approx(1 / (1 + np.exp(-1.0)), abs=0.008)


def test_the_fit_is_where_em_stands_still() -> None:
    """Posterior, centre, taste and habit at the end, all worked out again by naive means."""
    kinds = np.array([0] * 14 + [1, 1, 2, 3, 4])
    votes, _ = simulated(4, kinds, 600, systems=3, taste=1.0, habit=1.0)
    meetings = meetings_of(votes)
    state, _, converged = module._fitted(meetings)
    crowd, variance = state.crowd, state.crowd.variance
    assert converged
    joint, modes, known = np.zeros((kinds.size, 5)), [], []
    for rater in range(kinds.size):
        own = votes.rater == rater
        left, right = (float(np.sum(votes.answer[own] == side)) for side in (LEFT, RIGHT))
        neither = own.sum() - left - right
        ties = betaln(1 + neither, 1 + left + right)
        honest, mode, covariance = naive_laplace(votes, rater, crowd.centre, variance)
        against = naive_laplace(votes, rater, crowd.centre, variance, turned=True)[0]
        sides = [
            betaln(SLIPS[0] + a, SLIPS[1] + b) - betaln(*SLIPS) for a, b in ((left, right), (right, left))
        ]
        coin = -(left + right) * np.log(2)
        joint[rater] = [honest, ties + coin, ties + sides[0], ties + sides[1], against]
        modes.append(mode)
        known.append(np.diag(covariance))
    chances = np.exp(joint) * BELIEF
    chances /= chances.sum(axis=1, keepdims=True)
    assert state.posterior == pytest.approx(chances, abs=2e-3)
    w, modes, known = chances[:, 0], np.array(modes), np.array(known)
    assert w @ modes / w.sum() == pytest.approx(np.zeros(4), abs=3e-3)
    moments = w @ (modes**2 + known) / w.sum()
    assert (crowd.taste**2, crowd.habit**2) == pytest.approx((moments[:3].mean(), moments[3]), rel=0.02)


def error(theta: Floats, truth: Floats) -> float:
    """Root mean square error in Elo."""
    return float(ELO_PER_LOGIT * np.sqrt(np.mean((theta - truth) ** 2)))


def half_win_truth(theta: Floats) -> Floats:
    """What half a win for a tie makes of Davidson's abilities, with endless votes on every pair."""
    up = np.exp((theta[:, None] - theta[None, :]) / 2)
    wins = (up + 0.35) / (up + 1 / up + 0.7)
    np.fill_diagonal(wins, 0.0)
    return bt.fit(wins).theta


def test_ratings_are_as_good_as_if_the_honest_were_known() -> None:
    kinds = mixed()
    plain, ours, oracle = [], [], []
    for seed in range(6):
        votes, theta = simulated(seed, kinds, 12_000)
        found, truth = reliability(votes), half_win_truth(theta)
        honest = tensor_of(votes.where(kinds[votes.rater] == 0))
        plain.append(error(found.everyone.theta, truth))
        ours.append(error(found.trusted.theta, truth))
        oracle.append(error(bt.fit(honest.wins).theta, truth))
        assert found.everyone.theta == pytest.approx(bt.fit(tensor_of(votes).wins).theta, abs=1e-9)
    assert np.mean(ours) <= 1.05 * np.mean(oracle)
    assert np.mean(plain) > 4 * np.mean(oracle)


def test_raters_are_named_for_what_they_are() -> None:
    kinds = mixed()
    votes, _ = simulated(11, kinds, 12_000)
    named = np.array(reliability(votes).named)
    right = named == np.array(CLASSES)[kinds]
    assert np.mean(right) > 0.93
    assert np.mean(right[np.isin(kinds, (2, 3))]) == 1.0


def test_tastes_and_tie_habits_make_nobody_bad() -> None:
    called = []
    for seed in range(4):
        votes, _ = simulated(seed, np.zeros(300, dtype=np.int64), 12_000, spread=0.8, taste=0.6, habit=0.8)
        found = reliability(votes)
        called.append(len(found.suspects) / 300)
        assert 0.3 < found.taste < 0.8
        assert 0.6 < found.habit < 1.0
    assert np.mean(called) <= 0.01


def test_where_all_systems_are_alike_nobody_is_suspect() -> None:
    votes, _ = simulated(3, np.zeros(60, dtype=np.int64), 3_000, spread=0.0)
    assert reliability(votes).suspects == ()


def test_suspects_come_with_receipts() -> None:
    kinds = mixed(60)
    votes, _ = simulated(2, kinds, 3_600)
    found = reliability(votes)
    assert {suspect.kind for suspect in found.suspects} <= set(CLASSES[1:])
    assert [s.rater for s in found.suspects] == [r for r in np.argsort(found.honest, kind="stable")
                                                 if found.named[r] in CLASSES[1:]]  # fmt: skip
    for suspect in found.suspects:
        own = votes.rater == suspect.rater
        left, right = (np.sum(votes.answer[own] == side) for side in (LEFT, RIGHT))
        assert (suspect.votes, suspect.decisive) == (own.sum(), left + right)
        assert suspect.left == pytest.approx(left / (left + right))
        assert f"{left + right} decisive votes" in suspect.reason
        assert suspect.probability == found.posterior[suspect.rater].max()
    clicker = next(s for s in found.suspects if s.kind == "left")
    assert f"left in {clicker.left:.0%}" in clicker.reason


def test_few_votes_leave_a_rater_near_the_prior() -> None:
    votes, _ = simulated(6, np.zeros(40, dtype=np.int64), 2_000)
    late = replace(votes, rater=np.where(np.arange(votes.n) == votes.n - 1, 41, votes.rater))
    found = reliability(late)
    assert found.posterior[40] == pytest.approx(BELIEF)
    assert found.posterior[41] == pytest.approx(BELIEF, abs=0.25)
    assert found.named[40:] == ("unclear", "unclear")
    assert any("cannot be told" in note for note in found.notes)


def test_who_only_ties_is_not_taken_for_honest() -> None:
    kinds = np.zeros(60, dtype=np.int64)
    votes, _ = simulated(8, kinds, 6_000)
    found = reliability(replace(votes, answer=np.where(votes.rater == 0, TIE, votes.answer)))
    assert found.named[0] == "random"
    assert "never chose" in found.suspects[0].reason
    assert found.suspects[0].agreement is None


def test_it_is_said_when_most_raters_look_dishonest() -> None:
    kinds = np.array([0] * 20 + [2] * 40)
    votes, _ = simulated(1, kinds, 3_000)
    assert any("fewer than half" in note for note in reliability(votes).notes)


def test_weights_count_as_repetition_and_order_does_not_count() -> None:
    votes, _ = simulated(9, mixed(40), 800, systems=4)
    weight = np.random.default_rng(0).integers(0, 3, votes.n)
    times = np.random.default_rng(1).permutation(np.repeat(np.arange(votes.n), weight))
    columns = (votes.left, votes.right, votes.answer, votes.case, votes.rater)
    repeated = Votes(votes.systems, *(column[times] for column in columns))
    weighted = replace(votes, weight=weight.astype(float))
    one, two = reliability(repeated), reliability(weighted)
    assert one.posterior == pytest.approx(two.posterior, abs=1e-9)
    assert one.trusted.theta == pytest.approx(two.trusted.theta, abs=1e-9)


def test_a_block_of_raters_at_a_time_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    votes, _ = simulated(9, mixed(40), 800, systems=4)
    whole = reliability(votes)
    monkeypatch.setattr(meetings_module, "BLOCK", 7 * 16)
    parts = reliability(votes)
    assert len(list(meetings_of(votes).blocks())) == 6
    assert parts.posterior == pytest.approx(whole.posterior, abs=1e-12)


def test_names_of_systems_do_not_matter() -> None:
    votes, _ = simulated(9, mixed(40), 1_200, systems=5)
    shuffle = np.array([3, 0, 4, 1, 2])
    other = replace(votes, left=shuffle[votes.left], right=shuffle[votes.right])
    one, two = reliability(votes), reliability(other)
    assert one.posterior == pytest.approx(two.posterior, abs=1e-6)
    assert one.trusted.theta == pytest.approx(two.trusted.theta[shuffle], abs=1e-6)


def test_votes_are_needed_and_raters_count_from_zero() -> None:
    votes, _ = simulated(9, mixed(40), 100, systems=4)
    with pytest.raises(InvalidInput):
        reliability(votes.where(np.zeros(votes.n, dtype=np.bool_)))
    with pytest.raises(InvalidInput):
        reliability(replace(votes, rater=votes.rater - 1))


def test_meetings_can_be_turned_round() -> None:
    meetings = meetings_of(random_votes(3, 50, 4, 3))
    assert meetings.reversed().beaten() == pytest.approx(np.swapaxes(meetings.beaten(), 1, 2))
    assert isinstance(meetings.decided(), Meetings)
    assert meetings.decided().neither.sum() == 0
