"""Evidence under peeking: fair bets by enumeration, formulas by slow twins, false alarms by simulation."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import expit
from scipy.stats import beta, norm

from evalkit.errors import UsageError
from evalkit.stats.sequential import (
    GENERAL,
    SMALL,
    USUAL,
    Blocks,
    EProcess,
    asymptotic_log_e,
    asymptotic_reach,
    block_process,
    closed_blocks,
    e_bh,
    log_e_of_counts,
    share_sequence,
    tuned_at,
    tuned_to,
    vote_process,
    weaker,
)

SIGNS = st.lists(st.sampled_from([-1, 0, 1]), max_size=40)
PRIORS = st.sampled_from([0.5, 1.0, 7.0, 50.0])


def bets_one_by_one(signs: list[int], a: float) -> list[float]:
    """Each vote is bet on with the share that the votes before it suggest."""
    wins = losses = 0
    log_e, found = 0.0, []
    for sign in signs:
        if sign:
            chance = (a + (wins if sign > 0 else losses)) / (2 * a + wins + losses)
            log_e += np.log(2 * chance)
            wins, losses = wins + (sign > 0), losses + (sign < 0)
        found.append(log_e)
    return found


def blocks_one_by_one(signs: list[int], labels: list[int], size: int) -> tuple[list[float], list[int]]:
    held: dict[int, list[int]] = {}
    net, at = [], []
    for i, (sign, label) in enumerate(zip(signs, labels, strict=True)):
        held.setdefault(label, []).append(sign)
        if len(held[label]) == size:
            net.append(sum(held[label]) / size)
            at.append(i)
    return net, at


@given(SIGNS, PRIORS)
def test_votes_are_bet_on_one_by_one(signs: list[int], a: float) -> None:
    assert vote_process(signs, a).log_e == pytest.approx(bets_one_by_one(signs, a), abs=1e-9)


@given(SIGNS, PRIORS)
def test_blocks_of_one_vote_are_votes(signs: list[int], a: float) -> None:
    alone = closed_blocks(signs, np.arange(len(signs)), 1)
    decided = [sign for sign in signs if sign]
    whole = block_process(closed_blocks(decided, np.arange(len(decided)), 1), a)
    assert whole.log_e == pytest.approx(vote_process(decided, a).log_e, abs=1e-8)
    assert alone.net.tolist() == signs


@given(st.lists(st.tuples(st.sampled_from([-1, 0, 1]), st.integers(0, 4)), max_size=40), st.integers(1, 5))
def test_blocks_close_when_they_are_full(votes: list[tuple[int, int]], size: int) -> None:
    signs, labels = ([vote[i] for vote in votes] for i in (0, 1))
    blocks = closed_blocks(signs, labels, size)
    net, at = blocks_one_by_one(signs, labels, size)
    assert blocks.net.tolist() == net
    assert blocks.at.tolist() == at
    assert blocks.votes == len(signs)


@pytest.mark.parametrize("a", [0.5, 1.0, 50.0])
def test_a_block_process_is_the_mixture_over_bets(a: float) -> None:
    net = [0.4, -0.2, 1.0, 0.0, 0.6]

    def money(p: float) -> float:
        return float(np.prod([1 + (2 * p - 1) * x for x in net]) * beta.pdf(p, a, a))

    whole, _ = quad(money, 0, 1, epsabs=1e-12, points=[0.5])
    process = block_process(Blocks(np.array(net), np.array([2, 5, 6, 7, 9]), 12), a)
    assert process.last == pytest.approx(np.log(whole), abs=1e-6)
    assert process.log_e[:2].tolist() == [0.0, 0.0]
    assert process.log_e[9] == process.log_e[11]


def every(n: int) -> np.ndarray:
    return np.array(list(itertools.product([1, -1], repeat=n)))


def money_when_stopped(processes: list[EProcess], when: Callable[[np.ndarray], np.ndarray]) -> float:
    """Mean of e at the first look of which `when` says so, else at the last."""
    total = 0.0
    for process in processes:
        stop = when(process.log_e)
        at = int(stop.argmax()) if stop.any() else process.log_e.size - 1
        total += float(np.exp(process.log_e[at]))
    return total / len(processes)


@pytest.mark.parametrize("a", [GENERAL, USUAL, SMALL])
@pytest.mark.parametrize("threshold", [1.2, 2.0, np.inf])
def test_nobody_wins_by_choosing_when_to_stop(a: float, threshold: float) -> None:
    """All sequences of ten fair votes: the mean is exactly one under any rule (optional stopping)."""
    processes = [vote_process(signs, a) for signs in every(10)]
    assert money_when_stopped(processes, lambda e: e >= np.log(threshold)) == pytest.approx(1.0, abs=1e-9)


def test_nobody_wins_against_blocks_whose_votes_are_one_opinion() -> None:
    """Raters who repeat themselves, taking turns: fair for blocks, a gold mine for bets on single votes."""
    rater = np.tile(np.arange(6), 3)
    studies = [opinion[rater] for opinion in every(6)]
    blocked = [block_process(closed_blocks(signs, rater, 3)) for signs in studies]
    single = [vote_process(signs) for signs in studies]

    for threshold in (2.0, np.inf):
        money = money_when_stopped(blocked, lambda e, threshold=threshold: e >= np.log(threshold))
        assert money == pytest.approx(1.0, abs=1e-9)
    assert money_when_stopped(single, lambda e: e == np.inf) > 3.0


def test_what_a_process_says() -> None:
    process = EProcess(np.log([1.0, 30.0, 2.0]))
    assert process.stop(0.05) == 2
    assert process.stop(0.01) is None
    assert process.last == pytest.approx(np.log(2.0))
    assert np.exp(process.best).tolist() == pytest.approx([1.0, 30.0, 30.0])
    assert process.p_value == pytest.approx(1 / 30)
    nothing = vote_process([])
    assert (nothing.last, nothing.p_value, nothing.stop()) == (0.0, 1.0, None)


def test_the_weaker_of_two() -> None:
    both = weaker(EProcess(np.array([0.0, 3.0, 5.0])), EProcess(np.array([1.0, 2.0, 9.0])))
    assert both.log_e.tolist() == [0.0, 2.0, 5.0]


def clustered(
    rng: np.random.Generator, raters: int, votes: int, taste: float
) -> tuple[np.ndarray, np.ndarray]:
    rater = rng.integers(raters, size=votes)
    chance = expit(taste * rng.normal(size=raters)[rater])
    return np.where(rng.random(votes) < chance, 1, -1), rater


def false_alarms(taste: float, studies: int = 200) -> tuple[float, float, float]:
    """How often a look after every vote finds something: z test, bets per vote, bets per rater."""
    rng = np.random.default_rng(4)
    found = np.zeros(3)
    for _ in range(studies):
        signs, rater = clustered(rng, 40, 1000, taste)
        n = np.arange(1, signs.size + 1)
        z = np.abs(signs.cumsum()) / np.sqrt(n)
        found[0] += bool((z[20:] > norm.isf(0.025)).any())
        found[1] += vote_process(signs).stop() is not None
        found[2] += block_process(closed_blocks(signs, rater, 10)).stop() is not None
    by_z, by_vote, by_rater = found / studies
    return float(by_z), float(by_vote), float(by_rater)


def test_false_alarms_of_independent_votes() -> None:
    by_z, by_vote, by_rater = false_alarms(taste=0.0)
    assert by_z > 0.3
    assert by_vote <= 0.05
    assert by_rater <= 0.05


def test_false_alarms_of_votes_that_share_raters() -> None:
    by_z, by_vote, by_rater = false_alarms(taste=0.85)
    assert by_z > 0.5
    assert by_vote > 0.1
    assert by_rater <= 0.05


@pytest.mark.parametrize(("wins", "losses"), [(60, 40), (5, 0), (0, 9), (0, 0), (500, 480)])
def test_a_share_sequence_holds_the_shares_that_are_not_refuted(wins: int, losses: int) -> None:
    low, high = (float(end) for end in share_sequence(wins, losses))
    mixed = log_e_of_counts(wins, losses) - (wins + losses) * np.log(2.0)
    shares = np.linspace(0.0005, 0.9995, 1999)
    against = mixed - wins * np.log(shares) - losses * np.log1p(-shares)
    kept = shares[against < np.log(20.0)]
    assert low == pytest.approx(kept.min(), abs=0.001)
    assert high == pytest.approx(kept.max(), abs=0.001)


def test_a_share_sequence_leaves_out_one_half_when_the_process_stops() -> None:
    rng = np.random.default_rng(0)
    signs = np.where(rng.random(600) < 0.62, 1, -1)
    stop = vote_process(signs).stop()
    assert stop is not None
    low, _ = share_sequence(np.cumsum(signs > 0), np.cumsum(signs < 0))
    assert int(np.flatnonzero(low > 0.5)[0]) + 1 == stop


# ------------------------------------------------------------- the normal limit


def test_the_reach_is_that_of_the_paper() -> None:
    """Waudby-Smith et al. (2024), as `std_conjmix_margin` of their package drconfseq has it."""
    n, rho2, alpha, sigma = np.array([10.0, 250.0, 9000.0]), 0.02, 0.05, 3.0
    margin = sigma * np.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * np.log(np.sqrt(n * rho2 + 1) / alpha))
    assert asymptotic_reach(sigma**2 / n, sigma * np.sqrt(rho2), alpha) == pytest.approx(margin, rel=1e-9)


def test_rho_is_tuned() -> None:
    best = minimize_scalar(lambda r: float(asymptotic_reach(4.0, r)), bounds=(0.1, 50), method="bounded")
    assert tuned_at(4.0) == pytest.approx(best.x, rel=1e-3)
    variance = tuned_to(35.0) ** 2 / (tuned_at(1.0) ** 2)
    assert float(asymptotic_reach(variance, tuned_to(35.0))) == pytest.approx(35.0)
    assert float(asymptotic_reach(variance, 1.2 * tuned_to(35.0))) > 35.0
    assert float(asymptotic_reach(variance, tuned_to(35.0) / 1.2)) > 35.0


def test_the_evidence_is_a_mixture_of_likelihood_ratios() -> None:
    difference, variance, rho = 0.4, 0.03, 0.25

    def ratio(true: float) -> float:
        one = norm.pdf(difference, true, variance**0.5) / norm.pdf(difference, 0.0, variance**0.5)
        return float(one * norm.pdf(true, 0.0, rho))

    whole, _ = quad(ratio, -3, 3, points=[0.0, 0.4])
    assert float(asymptotic_log_e(difference, variance, rho)) == pytest.approx(np.log(whole), abs=1e-7)


@given(st.floats(-5, 5), st.floats(0.001, 4.0), st.floats(0.05, 3.0), st.sampled_from([4.0, 30.0, np.inf]))
def test_evidence_and_sequence_agree(difference: float, variance: float, rho: float, freedom: float) -> None:
    log_e = float(asymptotic_log_e(difference, variance, rho, freedom))
    reach = float(asymptotic_reach(variance, rho, 0.05, freedom))
    if abs(abs(difference) - reach) > 1e-6 * reach:
        assert (log_e >= np.log(20.0)) == (abs(difference) > reach)


def test_few_clusters_reach_further() -> None:
    reach = [float(asymptotic_reach(1.0, 3.0, 0.05, freedom)) for freedom in (5, 30, 1e6, np.inf)]
    assert reach[0] > reach[1] > reach[2] > reach[3] * (1 - 1e-6)
    assert reach[2] == pytest.approx(reach[3], rel=1e-4)


def test_votes_in_random_order_are_a_growing_sample() -> None:
    """Cov(early mean, late mean) = Var(late mean), also where all votes share few raters."""
    rng = np.random.default_rng(2)
    early, late = [], []
    for _ in range(6000):
        signs, _ = clustered(rng, 8, 120, 1.5)
        early.append(signs[:30].mean())
        late.append(signs.mean())
    covariance = np.cov(early, late)
    assert covariance[0, 1] == pytest.approx(covariance[1, 1], rel=0.06)
    assert covariance[0, 0] > 1.3 * covariance[1, 1]


def test_a_sequence_covers_at_all_looks_at_once() -> None:
    rng = np.random.default_rng(5)
    n = np.arange(20, 2001)
    sums = rng.exponential(size=(800, 2000)).cumsum(axis=1)[:, 19:]
    squares = n[None, :] * 1.0
    outside = np.abs(sums / n - 1.0) > asymptotic_reach(1.0 / squares[0], tuned_to(0.15))
    assert outside.any(axis=1).mean() <= 0.05
    assert (np.abs(sums / n - 1.0) > 1.96 / np.sqrt(n)).any(axis=1).mean() > 0.3


# ------------------------------------------------------------- many hypotheses


@given(st.lists(st.floats(-3, 8), max_size=12))
def test_e_bh_is_the_largest_set_that_may_be_rejected(log_e: list[float]) -> None:
    m, best = len(log_e), 0
    for k in range(1, m + 1):
        if sorted(log_e, reverse=True)[k - 1] >= np.log(m / (0.1 * k)):
            best = k
    rejected = e_bh(log_e, 0.1)
    assert rejected.sum() == best
    if best:
        assert min(np.array(log_e)[rejected]) >= max([*np.array(log_e)[~rejected], -99.0])


def test_false_discoveries_are_few_under_dependence() -> None:
    """Half of twenty hypotheses true, all evidence from one and the same luck."""
    rng = np.random.default_rng(6)
    shares = []
    for _ in range(2000):
        luck = rng.normal()
        z = np.concatenate([np.full(10, luck), np.full(10, 3.5 + luck)])
        rejected = e_bh(2.0 * z - 2.0, 0.2)
        shares.append(rejected[:10].sum() / max(rejected.sum(), 1))
    assert np.mean(shares) <= 0.2


# ------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: vote_process([1, 2]),
        lambda: vote_process([[1], [-1]]),
        lambda: vote_process([1.0, np.nan]),
        lambda: vote_process([1], prior=0.0),
        lambda: closed_blocks([1, -1], [0], 1),
        lambda: closed_blocks([1], [0], 0),
        lambda: e_bh([1.0], alpha=0.0),
        lambda: share_sequence(1, 1, alpha=1.0),
        lambda: tuned_to(0.0),
        lambda: tuned_at(-1.0),
        lambda: asymptotic_reach(1.0, rho=np.nan),
        lambda: EProcess(np.zeros(1)).stop(2.0),
    ],
)
def test_bad_input_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        wrong()
