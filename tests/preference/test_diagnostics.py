"""Whether a board can be trusted: each measure against simulation, a slow twin or a published figure."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, minimize
from scipy.special import expit
from scipy.stats import binom, chi2

from evalkit.errors import InvalidInput
from evalkit.preference.models import bradley_terry as bt
from evalkit.preference.tensor import Tensor, tensor_of
from evalkit.preference.trust import balance, goodness
from evalkit.preference.trust.diagnostics import can_you_trust_this
from evalkit.preference.votes import BOTH_BAD, LEFT, RIGHT, TIE, Votes, votes_from_rows

ARENA = (
    Path(__file__).resolve().parents[2].parent / "shared" / "data" / "leaderbot-chatbotarena_20240814.json"
)
NAMES = tuple("abcdefghijklmnopqrstuvwxyz")


def arena() -> Tensor:
    if not ARENA.is_file():
        pytest.skip("the Chatbot Arena counts of leaderbot are not beside this checkout")
    data = json.loads(ARENA.read_text())
    pairs, answers = np.array(data["X"]), np.array(data["Y"], dtype=np.float64)
    counts = np.zeros((4, len(data["models"]), len(data["models"])))
    for o in range(4):
        np.add.at(counts[o], (pairs[:, 0], pairs[:, 1]), answers[:, o])
    return Tensor(tuple(data["models"]), counts)


@dataclass(frozen=True)
class Faults:
    """`prompts`: each on one pair, with its own luck; `side` helps the left, `habit` differs by rater."""

    prompts: int = 0
    luck: float = 0.0
    side: float = 0.0
    habit: float = 0.0


def drawn(seed: int, n: int, size: int = 8, faults: Faults = Faults()) -> Votes:
    """Votes by Bradley-Terry, a fifth ties."""
    prompts, luck, side, habit = faults.prompts, faults.luck, faults.side, faults.habit
    rng = np.random.default_rng(seed)
    theta = rng.normal(size=size) * 0.5
    case, rater = rng.integers(0, prompts or n, n), rng.integers(0, 40, n)
    of_case = rng.integers(0, size, (prompts or n, 2))
    of_case[:, 1] = (of_case[:, 0] + 1 + of_case[:, 1] % (size - 1)) % size
    left, right = of_case[case].T
    swap = rng.random(n) < 0.5
    left, right = np.where(swap, right, left), np.where(swap, left, right)
    lucky = rng.normal(size=(prompts or n, size)) * luck
    lead = theta[left] - theta[right] + lucky[case, left] - lucky[case, right]
    lead = lead + side + habit * rng.normal(size=40)[rater]
    answer = np.where(rng.random(n) < expit(lead), LEFT, RIGHT)
    answer = np.where(rng.random(n) < 0.2, TIE, answer)
    return Votes(NAMES[:size], left, right, answer, case, rater)


def counted(wins: np.ndarray, ties: np.ndarray | None = None) -> Tensor:
    """A tensor with these wins of the row over the column, half of them seen from either side."""
    counts = np.zeros((4, *wins.shape))
    counts[LEFT], counts[RIGHT] = wins - wins // 2, (wins // 2).T
    counts[TIE] = 0.0 if ties is None else ties
    return Tensor(NAMES[: len(wins)], counts)


# ---- goodness of fit


def test_published_fit_of_chatbot_arena() -> None:
    """G2/df = 1.56 on 3,325 df, p ~ 1e-84 by chi-square: 1.09M decisive votes, August 2024."""
    found = goodness.decisive_fit(arena())
    assert found.df == 3325
    assert found.dispersion == pytest.approx(1.56, abs=0.005)
    assert -85.0 < chi2.logsf(found.statistic, found.df) / np.log(10.0) < -83.0
    assert found.p_value is not None
    assert found.p_value < 1e-70
    assert goodness.half_win_fit(arena()).dispersion == pytest.approx(found.dispersion, rel=0.1)


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 10_000))
def test_deviance_agrees_with_a_loop_over_pairs(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wins = rng.integers(1, 30, size=(4, 4)).astype(float)
    np.fill_diagonal(wins, 0.0)
    theta = minimize(lambda x: -bt.log_likelihood(x, wins), np.zeros(4), method="BFGS", tol=1e-9).x
    total = 0.0
    for i in range(4):
        for j in range(4):
            if i != j:
                expected = (wins[i, j] + wins[j, i]) / (1.0 + np.exp(theta[j] - theta[i]))
                total += 2.0 * wins[i, j] * np.log(wins[i, j] / expected)
    found = goodness.decisive_fit(counted(wins))
    assert found.df == 3
    assert found.statistic == pytest.approx(total, rel=1e-5)


def test_moments_of_the_deviance_are_those_of_the_binomial() -> None:
    n, p = np.array([1.0, 7.0, 50.0, 400.0]), np.array([0.3, 0.8, 0.5, 0.6])
    mean, variance = goodness._deviance_moments(n, p)
    for k, (many, chance) in enumerate(zip(n, p, strict=True)):
        x = np.arange(many + 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            d = 2.0 * (
                np.where(x > 0, x * np.log(x / (many * chance)), 0.0)
                + np.where(x < many, (many - x) * np.log((many - x) / (many * (1 - chance))), 0.0)
            )
        weight = binom.pmf(x, many, chance)
        first, second = (weight * d).sum(), (weight * d**2).sum()
        assert mean[k] == pytest.approx(first, rel=1e-9 if many <= 50 else 1e-3)
        assert variance[k] == pytest.approx(second - first**2, rel=1e-9 if many <= 50 else 0.02)


@pytest.mark.parametrize("measure", [goodness.decisive_fit, goodness.half_win_fit])
def test_size_is_right_where_the_model_holds(measure) -> None:  # type: ignore[no-untyped-def]
    p_values = [measure(tensor_of(drawn(seed, 400))).p_value for seed in range(200)]
    assert np.mean(np.array(p_values) < 0.05) < 0.10
    assert np.mean(np.array(p_values) < 0.5) == pytest.approx(0.5, abs=0.12)


def test_shared_prompts_look_like_misfit_until_the_design_effect_is_known() -> None:
    plain, known, effects = [], [], []
    for seed in range(60):
        votes = drawn(seed, 5000, 8, Faults(prompts=300, luck=0.8))
        effects_of = goodness.design_effects(votes)
        plain.append(goodness.decisive_fit(tensor_of(votes)).p_value)
        known.append(goodness.decisive_fit(tensor_of(votes), effects_of).p_value)
        effects.append(effects_of.fit)
    assert np.mean(np.array(plain) < 0.05) > 0.8
    assert np.mean(np.array(known) < 0.05) < 0.15
    assert np.mean(effects) > 2.0


def test_no_design_effect_where_votes_share_nothing() -> None:
    votes = drawn(3, 5000)
    alone = replace(votes, rater=np.arange(votes.n), case=np.arange(votes.n))
    effects = goodness.design_effects(alone)
    assert effects.fit == pytest.approx(1.0, abs=1e-9)
    assert effects.pairs == pytest.approx(1.0, abs=1e-9)
    assert goodness.design_effects(replace(votes, rater=0 * votes.rater, case=0 * votes.case)).fit is None


def test_the_pair_that_does_not_fit_is_named() -> None:
    theta = np.linspace(-1.0, 1.0, 6)
    wins = 1000.0 * expit(theta[:, None] - theta[None, :])
    np.fill_diagonal(wins, 0.0)
    wins[0, 5], wins[5, 0] = 500.0, 500.0
    found = goodness.decisive_fit(counted(np.round(wins)))
    worst = found.worst[0]
    assert {worst.a, worst.b} == {"a", "f"}
    assert abs(worst.z) > 10.0
    assert found.p_value is not None
    assert found.p_value < 1e-10


def test_residuals_have_unit_variance() -> None:
    z = [r.z for seed in range(120) for r in goodness.decisive_fit(tensor_of(drawn(seed, 900, 4))).worst]
    assert np.std(z) == pytest.approx(1.0, abs=0.08)


def test_no_fit_without_pairs_to_spare() -> None:
    found = goodness.decisive_fit(counted(np.array([[0.0, 4.0], [3.0, 0.0]])))
    assert found.statistic is None
    assert found.reason
    ties = goodness.half_win_fit(counted(np.zeros((3, 3)), ties=1.0 - np.eye(3)))
    assert ties.statistic is None


def test_groups_apart_are_fitted_apart() -> None:
    rng = np.random.default_rng(4)
    one, two = (counted(rng.integers(1, 20, size=(4, 4)).astype(float) * (1 - np.eye(4))) for _ in range(2))
    both = np.zeros((8, 8))
    both[:4, :4], both[4:, 4:] = one.beaten, two.beaten
    both[0, 4] = 3.0
    parts, whole = [goodness.decisive_fit(t) for t in (one, two)], goodness.decisive_fit(counted(both))
    assert whole.df == sum(part.df for part in parts)
    assert whole.statistic == pytest.approx(sum(part.statistic or 0.0 for part in parts))


# ---- cycles


def test_a_real_cycle_is_found_and_noise_is_not() -> None:
    wins = np.full((4, 4), 50.0)
    np.fill_diagonal(wins, 0.0)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        wins[i, j], wins[j, i] = 80.0, 20.0
    found = goodness.supported_cycles(counted(wins))
    assert found.count == 1
    assert found.listed[0].systems == ("a", "b", "c")
    assert found.listed[0].shares == pytest.approx((0.8, 0.8, 0.8))
    assert found.listed[0].votes == (100.0, 100.0, 100.0)
    assert goodness.supported_cycles(counted(wins), goodness.DesignEffects(20.0, 20.0)).count == 0
    noise = [goodness.supported_cycles(tensor_of(drawn(seed, 2000, 12))).count for seed in range(40)]
    assert sum(noise) == 0


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000))
def test_cycles_agree_with_a_triple_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    wins = rng.integers(0, 40, size=(6, 6)).astype(float)
    np.fill_diagonal(wins, 0.0)
    found = goodness.supported_cycles(counted(wins), level=0.5)

    def clear(i: int, j: int) -> bool:
        n = wins[i, j] + wins[j, i]
        return wins[i, j] > wins[j, i] and binom.sf(wins[i, j] - 1, n, 0.5) <= 0.5 / found.pairs

    every = [(i, j, k) for i in range(6) for j in range(6) for k in range(6) if i < j and i < k and j != k]
    assert found.count == sum(clear(i, j) and clear(j, k) and clear(k, i) for i, j, k in every)


# ---- sides, answers, weights, connections


def test_side_effect_covers_the_truth_only_by_rater_where_raters_have_habits() -> None:
    single, by_rater = [], []
    for seed in range(120):
        votes = drawn(seed, 3000, 8, Faults(side=0.3, habit=0.5))
        found = balance.side_effect(tensor_of(votes), votes)
        assert found.by_rater is not None
        single.append(found.single.low < 0.285 < found.single.high)
        by_rater.append(found.by_rater.low < 0.285 < found.by_rater.high)
    assert np.mean(by_rater) > 0.88
    assert np.mean(single) < 0.85


def test_side_effect_agrees_with_a_general_optimiser() -> None:
    votes = drawn(5, 600, 4, Faults(side=0.4))
    counts = tensor_of(votes).counts

    def loss(x: np.ndarray) -> float:
        lead = x[:4, None] - x[None, :4] + x[4]
        value = counts[LEFT] * np.logaddexp(0, -lead) + counts[RIGHT] * np.logaddexp(0, lead)
        return float(value.sum() + x[:4].sum() ** 2)

    best = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-8}).x
    found = balance.side_effect(tensor_of(votes))
    assert found.single.value == pytest.approx(best[4], abs=1e-5)
    assert found.adjusted == pytest.approx(expit(best[4]), abs=1e-5)


def test_influence_on_the_side_effect_is_its_derivative() -> None:
    tensor = tensor_of(drawn(6, 600, 4, Faults(side=0.4)))
    fit = balance._side_fit(tensor)
    assert fit is not None

    def gamma(extra: np.ndarray) -> float:
        counts = tensor.counts.copy()
        counts[LEFT, 0, 1] += extra[0]
        counts[RIGHT, 2, 3] += extra[1]
        return float(balance.side_effect(Tensor(tensor.systems, counts)).single.value or 0.0)

    slope = approx_fprime(np.zeros(2), gamma, 1e-4)
    assert fit.influence[LEFT, 0, 1] == pytest.approx(slope[0], rel=1e-4)
    assert fit.influence[RIGHT, 2, 3] == pytest.approx(slope[1], rel=1e-4)


def test_side_effect_is_unknown_where_sides_never_change() -> None:
    found = balance.side_effect(tensor_of(votes_from_rows([("a", "b", "left", "c", "r")] * 5)))
    assert found.single.value is None
    assert found.single.note
    assert found.left_share == 1.0


def test_published_shift_of_chatbot_arena() -> None:
    """Ratings move by up to 23.7 Elo (median 4.2) between votes as sampled and opponents alike."""
    found = balance.opponent_shift(arena())
    assert found.largest == pytest.approx(23.7, abs=0.05)
    assert found.median == pytest.approx(4.2, abs=0.05)


def test_equal_weights_move_nothing_and_others_are_worth_less() -> None:
    votes = drawn(7, 2000)
    same = balance.propensity_shift(votes, np.full(votes.n, 3.0))
    assert same.largest == pytest.approx(0.0, abs=1e-7)
    assert same.effective_votes == pytest.approx(votes.n)
    assert same.first_stays
    assert same.top_stays
    weights = np.where(votes.case % 2 == 0, 1.0, 9.0)
    other = balance.propensity_shift(votes, weights)
    assert (other.largest or 0.0) > 1.0
    assert other.effective_votes == pytest.approx(weights.sum() ** 2 / (weights**2).sum())
    heavier = replace(votes, weight=weights)
    moved = bt.elo(bt.fit(tensor_of(heavier).wins).theta) - bt.elo(bt.fit(tensor_of(votes).wins).theta)
    assert other.largest == pytest.approx(np.abs(moved).max())
    for wrong in (np.ones(3), np.zeros(votes.n), np.full(votes.n, np.nan)):
        with pytest.raises(InvalidInput, match="weight"):
            balance.propensity_shift(votes, wrong)


def test_answers_and_who_is_worst() -> None:
    rows = [("a", "b", "left"), ("a", "b", "tie"), ("b", "c", "both_bad"), ("a", "c", "both_bad")]
    found = balance.answers(tensor_of(votes_from_rows([(*row, "case", "rater") for row in rows])))
    assert found is not None
    assert (found.decisive, found.tie, found.both_bad) == (0.25, 0.25, 0.5)
    assert found.by_system[0] == ("c", 1.0)
    assert dict(found.by_system) == {"a": pytest.approx(1 / 3), "b": pytest.approx(1 / 3), "c": 1.0}


def test_the_weakest_link_is_found() -> None:
    wins = np.zeros((6, 6))
    wins[:3, :3] = wins[3:, 3:] = 40.0
    np.fill_diagonal(wins, 0.0)
    wins[2, 3] = wins[3, 2] = 4.0
    found = balance.connections(counted(wins))
    assert (found.cut, found.cut_votes) == (("a", "b", "c"), 8.0)
    games = wins + wins.T
    assert found.connectivity == pytest.approx(np.linalg.eigvalsh(np.diag(games.sum(axis=1)) - games)[1])
    assert (found.parts, found.thin, found.one_opponent) == ((tuple("abcdef"),), (), ())


def test_who_was_never_beaten_and_who_met_one_only() -> None:
    wins = np.array([[0.0, 20.0, 0.0], [0.0, 0.0, 9.0], [0.0, 5.0, 0.0]])
    found = balance.connections(counted(wins))
    assert found.unbeaten == ("a",)
    assert found.winless == ()
    assert found.one_opponent == ("a", "c")
    assert found.thin == ("a", "c")
    assert len(found.parts) == 2


# ---- the panel


def test_a_good_board_is_fine() -> None:
    rng = np.random.default_rng(1)
    theta = np.linspace(-1.0, 1.0, 6)
    n = 8000
    left = rng.integers(0, 6, n)
    right = (left + rng.integers(1, 6, n)) % 6
    answer = np.where(rng.random(n) < expit(theta[left] - theta[right]), LEFT, RIGHT)
    votes = Votes(NAMES[:6], left, right, answer, rng.integers(0, 200, n), rng.integers(0, 100, n))
    panel = can_you_trust_this(tensor_of(votes), votes)
    levels = {finding.name: finding.level for finding in panel.findings}
    assert levels.pop("logged chances") is None
    assert set(levels.values()) == {"fine"}
    assert panel.level == "fine"
    assert panel["flip budget"].numbers["drop"] == panel.drop.votes if panel.drop else False


def test_each_fault_is_seen() -> None:
    rng = np.random.default_rng(2)
    votes = drawn(8, 6000, 8, Faults(side=0.6))
    answer = np.where(rng.random(votes.n) < 0.6, BOTH_BAD, votes.answer)
    bad = replace(votes, answer=answer, rater=votes.rater % 5)
    found = {f.name: f for f in can_you_trust_this(tensor_of(bad), bad).findings}
    assert found["side"].level == "stop"
    assert found["both bad"].level == found["ties"].level == found["raters"].level == "look"
    wins = np.full((3, 3), 100.0)
    np.fill_diagonal(wins, 0.0)
    for i, j in ((0, 1), (1, 2), (2, 0)):
        wins[i, j] = 300.0
    cyclic = can_you_trust_this(counted(wins))
    assert cyclic["cycles"].level == cyclic["fit"].level == "look"
    assert "a beats b beats c beats a" in cyclic["cycles"].sentence
    assert "give the votes" in cyclic["fit"].sentence


def test_few_votes_do_not_say_that_no_side_is_favoured() -> None:
    votes = drawn(14, 40, 3)
    found = can_you_trust_this(tensor_of(votes), votes)["side"]
    assert found.level is None
    assert "may be anything from" in found.sentence


def test_logged_chances_are_used() -> None:
    votes = drawn(9, 4000)
    first = np.where(votes.answer == LEFT, votes.left, votes.right) == 0
    weights = np.where(first, 5.0, 1.0)
    panel = can_you_trust_this(tensor_of(votes), votes, weights)
    assert panel["logged chances"].level == "look"
    assert panel["logged chances"].numbers["largest"] > 0.0


DEGENERATE: dict[str, list[tuple[str, str, str]]] = {
    "nothing": [],
    "one vote": [("a", "b", "left")],
    "one pair": [("a", "b", "left")] * 5 + [("b", "a", "left")] * 3,
    "separated": [("a", "b", "left"), ("b", "c", "left"), ("a", "c", "left")],
    "all ties": [("a", "b", "tie"), ("b", "c", "tie"), ("c", "a", "tie")],
    "all bad": [("a", "b", "both_bad"), ("b", "c", "both_bad")],
    "apart": [("a", "b", "left"), ("b", "a", "left"), ("c", "d", "left"), ("d", "c", "left")],
    "one side only": [("a", "b", "left"), ("a", "b", "right"), ("a", "c", "left"), ("a", "c", "right")],
}


@pytest.mark.parametrize("kind", DEGENERATE)
def test_degenerate_boards_get_findings(kind: str) -> None:
    rows = DEGENERATE[kind]
    votes = votes_from_rows([(*row, f"case{k % 3}", f"rater{k % 2}") for k, row in enumerate(rows)])
    for given_votes in (votes, None):
        panel = can_you_trust_this(tensor_of(votes), given_votes)
        assert panel.level in ("look", "stop")
        for finding in panel.findings:
            assert finding.sentence.endswith(".")
            assert (finding.level is None) == (finding.reason is not None)
            assert all(np.isfinite(number) for number in finding.numbers.values())
    levels = {finding.name: finding.level for finding in panel.findings}
    known = {"nothing": None, "one vote": "stop", "separated": "stop", "apart": "stop"}
    assert levels["one scale"] == known.get(kind, "fine")


def test_a_system_without_votes_is_named_and_does_not_spoil_the_rest() -> None:
    votes = drawn(10, 4000)
    wider = replace(votes, systems=(*votes.systems, "new"))
    panel = can_you_trust_this(tensor_of(wider), wider)
    assert panel["votes"].level == "look"
    assert "new" in panel["votes"].sentence
    assert panel["one scale"].level == "fine"
    assert panel.drop is not None


def test_weighted_votes_have_no_flip_budget_but_all_else() -> None:
    votes = drawn(11, 3000)
    weighted = replace(votes, weight=np.random.default_rng(0).uniform(0.0, 2.0, votes.n))
    panel = can_you_trust_this(tensor_of(weighted), weighted)
    assert panel["flip budget"].level is None
    assert "weights" in panel["flip budget"].sentence
    assert panel["fit"].level == "fine"


def test_votes_must_be_those_of_the_tensor() -> None:
    votes = drawn(12, 100)
    with pytest.raises(InvalidInput, match="systems of the tensor"):
        can_you_trust_this(Tensor(("x",), np.zeros((4, 1, 1))), votes)
    with pytest.raises(InvalidInput, match="weights need"):
        can_you_trust_this(tensor_of(votes), None, np.ones(votes.n))


def test_twenty_systems_take_sixty_milliseconds() -> None:
    votes = drawn(13, 10_000, 20)
    tensor = tensor_of(votes)
    spent = []
    for _ in range(5):
        start = time.process_time()
        can_you_trust_this(tensor, votes)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.06
