"""Sample sizes: a published table, the exact binomial beside the approximation, and ways back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm

from evalkit.errors import UsageError
from evalkit.stats.power import (
    board_share,
    decisive_share,
    decisive_votes,
    elo_of_share,
    power_of,
    share_of_elo,
    smallest_difference,
    votes_needed,
)

# The textbook formula for one proportion against 1/2 (Fleiss, Levin & Paik 2003), worked out independently.
TABLE = [
    (0.52, 14, 4903, 6563),
    (0.53, 21, 2178, 2915),
    (0.55, 35, 783, 1047),
    (0.575, 53, 346, 463),
    (0.60, 70, 194, 259),
    (0.65, 108, 85, 113),
]


@pytest.mark.parametrize(("share", "elo", "at_80", "at_90"), TABLE)
def test_the_table(share: float, elo: int, at_80: int, at_90: int) -> None:
    assert round(elo_of_share(share)) == elo
    assert round(decisive_votes(share)) == at_80
    assert round(decisive_votes(share, power=0.9)) == at_90


def test_ties_and_a_design_effect_cost_votes() -> None:
    assert votes_needed(0.55, tie_rate=0.25) == 1044
    assert votes_needed(0.55) == 783
    assert votes_needed(0.55, tie_rate=0.25, design_effect=2.0) == 2087
    assert votes_needed(0.45, tie_rate=0.25) == 1044


@pytest.mark.parametrize("share", [0.52, 0.55, 0.6, 0.65])
@pytest.mark.parametrize("power", [0.8, 0.9])
def test_the_power_is_that_of_the_exact_binomial(share: float, power: float) -> None:
    n = votes_needed(share, power)
    wins = np.arange(n + 1)
    rejected = (wins - n / 2) / np.sqrt(n / 4) >= norm.isf(0.025)
    assert binom.pmf(wins, n, share)[rejected].sum() == pytest.approx(power, abs=0.03)


@given(
    st.floats(0.51, 0.9), st.floats(0.5, 0.97), st.floats(0.001, 0.2), st.floats(0.0, 0.7), st.floats(0.5, 5)
)
def test_there_is_a_way_back(share: float, power: float, alpha: float, ties: float, effect: float) -> None:
    votes = decisive_votes(share, power, alpha) / (1 - ties) * effect
    found = smallest_difference(votes, power, alpha, tie_rate=ties, design_effect=effect)
    assert found == pytest.approx(share, abs=1e-9)
    assert power_of(votes, share, alpha, tie_rate=ties, design_effect=effect) == pytest.approx(
        power, abs=1e-9
    )


@given(st.floats(-600, 600))
def test_elo_points_and_shares(difference: float) -> None:
    assert elo_of_share(share_of_elo(difference)) == pytest.approx(difference, abs=1e-9)


@given(st.floats(0.01, 0.99), st.floats(0.0, 0.9))
def test_ties_pull_a_share_towards_one_half_and_back(share: float, ties: float) -> None:
    there = board_share(share, ties)
    assert abs(there - 0.5) == pytest.approx((1 - ties) * abs(share - 0.5))
    assert decisive_share(there, ties) == pytest.approx(share)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: decisive_votes(0.5),
        lambda: decisive_votes(1.0),
        lambda: decisive_votes(0.6, power=0.4),
        lambda: decisive_votes(0.6, alpha=0.0),
        lambda: votes_needed(0.6, tie_rate=1.0),
        lambda: votes_needed(0.6, design_effect=0.0),
        lambda: smallest_difference(3),
        lambda: decisive_share(0.9, 0.5),
        lambda: elo_of_share(0.0),
    ],
)
def test_bad_input_is_refused(wrong: Callable[[], object]) -> None:
    with pytest.raises(UsageError):
        wrong()
