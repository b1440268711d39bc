"""Which pairs are decided: who is ahead, who is equal for practical purposes, and who is not yet either."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from evalkit.errors import UsageError
from evalkit.preference.models.fitted import ELO_PER_LOGIT
from evalkit.preference.stopping import StopRule, board_verdicts, pair_evidence
from evalkit.preference.votes import Votes, votes_from_rows
from evalkit.stats.sequential import asymptotic_reach, block_process, closed_blocks, tuned_to, vote_process

NAMES = ("a", "b", "c")
MANY = 1e6


def elo(*points: float) -> np.ndarray:
    return np.array(points) / ELO_PER_LOGIT


def spread(error: float, size: int = 3) -> np.ndarray:
    """A covariance under which every difference has this standard error in Elo points."""
    return np.eye(size) * (error / ELO_PER_LOGIT) ** 2 / 2.0


def test_who_is_ahead_equal_or_open() -> None:
    rule = StopRule(difference=35.0, equal_within=15.0)
    found = board_verdicts(NAMES, elo(-40.0, 62.0, 60.0), spread(2.5), MANY, rule)
    outcomes = {(v.a, v.b): v.outcome for v in found}
    assert outcomes == {("b", "a"): "ahead", ("c", "a"): "ahead", ("b", "c"): "equal"}
    assert [v.decided for v in found] == [True, True, True]
    assert found[0].log_e >= found[1].log_e
    wide = board_verdicts(NAMES, elo(-4.0, 2.0, 0.0), spread(20.0), MANY, rule)
    assert {v.outcome for v in wide} == {"open"}
    assert not any(v.decided for v in wide)


def test_nobody_is_equal_unless_asked() -> None:
    found = board_verdicts(NAMES, elo(0.0, 0.0, 0.0), spread(0.5), MANY)
    assert {v.outcome for v in found} == {"open"}
    assert {v.log_e_equal for v in found} == {None}


def test_the_difference_is_a_confidence_sequence() -> None:
    V = np.array([[9.0, 2.0, 1.0], [2.0, 16.0, 0.0], [1.0, 0.0, 4.0]]) / ELO_PER_LOGIT**2
    found = board_verdicts(NAMES, elo(10.0, 0.0, -5.0), V, 30.0, StopRule(difference=50.0))
    pair = next(v for v in found if (v.a, v.b) == ("a", "b"))
    reach = float(asymptotic_reach(9.0 + 16.0 - 4.0, tuned_to(50.0), 0.05, 30.0))
    assert pair.difference.value == pytest.approx(10.0)
    assert pair.difference.low == pytest.approx(10.0 - reach)
    assert pair.difference.high == pytest.approx(10.0 + reach)
    assert pair.difference.n_clusters == 31


@pytest.mark.parametrize("gap", [10.0, 14.0, 16.0, 20.0, 40.0])
def test_one_pair_is_decided_when_its_sequence_leaves_out_zero(gap: float) -> None:
    (pair,) = board_verdicts(("a", "b"), elo(gap, 0.0), spread(5.0, 2), MANY)
    assert pair.difference.low is not None
    assert (pair.outcome == "ahead") == (pair.difference.low > 0)


@pytest.mark.parametrize("gap", [0.0, 3.0, 6.0, 9.0, 14.0])
def test_equal_means_that_the_sequence_is_inside(gap: float) -> None:
    rule = StopRule(equal_within=15.0, alpha=0.05)
    (pair,) = board_verdicts(("a", "b"), elo(gap, 0.0), spread(3.0, 2), MANY, rule)
    assert pair.difference.high is not None
    assert pair.log_e_equal is not None
    assert (pair.log_e_equal >= np.log(20.0)) == (pair.difference.high < 15.0)


def test_few_clusters_decide_nothing() -> None:
    found = board_verdicts(NAMES, elo(300.0, 0.0, -300.0), spread(1.0), 11.0)
    assert {v.outcome for v in found} == {"too few"}
    allowed = board_verdicts(NAMES, elo(300.0, 0.0, -300.0), spread(1.0), 11.0, StopRule(least_clusters=10))
    assert {v.outcome for v in allowed} == {"ahead"}


def test_false_alarms_with_many_looks() -> None:
    """Three equal systems; a claim about any pair at any look is false."""
    rng, n = np.random.default_rng(3), np.arange(1, 61)
    alarms = naive = 0
    for _ in range(200):
        theta = rng.normal(size=(60, 3)).cumsum(axis=0) * 0.5 / n[:, None]
        V = [np.eye(3) * 0.25 / i for i in n]
        looks = zip(theta[9::5], V[9::5], strict=True)
        alarms += any(any(v.decided for v in board_verdicts(NAMES, t, v_, MANY)) for t, v_ in looks)
        gaps = np.abs(theta[9::5, [0, 0, 1]] - theta[9::5, [1, 2, 2]]) / np.sqrt(0.5 / n[9::5, None])
        naive += bool((gaps > 1.96).any())
    assert alarms / 200 <= 0.05
    assert naive / 200 > 0.2


# ------------------------------------------------------------- one pair, vote by vote


def rows(pattern: str) -> Votes:
    """Votes on a and b, sides alternating: + for a, - for b, = for a tie; others in between."""
    made = []
    for i, sign in enumerate(pattern):
        left, right = ("a", "b") if i % 2 else ("b", "a")
        winner = {"+": "a", "-": "b"}.get(sign)
        answer = "tie" if winner is None else "left" if winner == left else "right"
        made += [(left, right, answer, f"p{i % 3}", f"r{i % 4}"), ("c", "a", "left", "p0", "r0")]
    return votes_from_rows(made)


def test_sides_ties_and_other_systems_do_not_matter() -> None:
    found = pair_evidence(rows("++-=+-++"), "a", "b", size=1)
    assert (found.wins, found.losses) == (5, 2)
    assert found.votes.log_e == pytest.approx(vote_process([1, 1, -1, 1, -1, 1, 1]).log_e)
    turned = pair_evidence(rows("++-=+-++"), "b", "a", size=1)
    assert (turned.wins, turned.losses) == (2, 5)
    assert turned.votes.log_e == pytest.approx(found.votes.log_e)


def test_blocks_are_those_of_raters_and_prompts() -> None:
    found = pair_evidence(rows("+" * 24), "a", "b", size=6)
    sign, place = np.ones(24), np.arange(24)
    assert found.rater.log_e == pytest.approx(block_process(closed_blocks(sign, place % 4, 6)).log_e)
    assert found.prompt.log_e == pytest.approx(block_process(closed_blocks(sign, place % 3, 6)).log_e)
    assert found.rater.last > found.prompt.last > 0.0
    assert found.weaker.log_e == pytest.approx(np.minimum(found.rater.log_e, found.prompt.log_e))


def test_bad_input_is_refused() -> None:
    votes = rows("+-")
    with pytest.raises(UsageError, match="no order"):
        pair_evidence(replace(votes, weight=np.ones(votes.n)), "a", "b")
    with pytest.raises(UsageError, match="not two systems"):
        pair_evidence(votes, "a", "x")
    with pytest.raises(UsageError, match="not two systems"):
        pair_evidence(votes, "a", "a")
    with pytest.raises(UsageError, match="equal within"):
        board_verdicts(NAMES, elo(1, 0, 0), spread(1.0), MANY, StopRule(equal_within=0.0))
