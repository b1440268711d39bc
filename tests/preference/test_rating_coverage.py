"""Whether 95 % intervals of ratings hold the truth in 95 % of studies, by what votes share. Seeded."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from evalkit.preference import Votes
from evalkit.preference.board import RatingOptions
from evalkit.preference.clustering import count_clusters, meats
from evalkit.preference.covariance import SHARINGS
from evalkit.preference.measured import fit_of, known_of, pulls_of
from evalkit.preference.models.bradley_terry import fit
from evalkit.preference.ranks import RankOptions, rank_ranges
from evalkit.preference.tensor import tensor_of

K, TIES = 8, 0.22
THETA = np.linspace(-0.6, 0.6, K)
STUDIES = 250


def draw(rng: np.random.Generator, raters: int, cases: int, votes: int, taste: float, luck: float) -> Votes:
    left = rng.integers(K, size=votes)
    right = (left + rng.integers(1, K, size=votes)) % K
    case, rater = rng.integers(cases, size=votes), rng.integers(raters, size=votes)
    worth = THETA + luck * rng.normal(size=(cases, K))[case] + taste * rng.normal(size=(raters, K))[rater]
    rows = np.arange(votes)
    won = rng.random(votes) < expit(worth[rows, left] - worth[rows, right])
    answer = np.where(rng.random(votes) < TIES, 2, np.where(won, 0, 1))
    return Votes(tuple("abcdefgh"), left, right, answer, case, rater)


def truth(taste: float, luck: float) -> np.ndarray:
    """What endless votes would give: the mean of a logistic of a normal, by Gauss-Hermite quadrature."""
    points, mass = np.polynomial.hermite_e.hermegauss(60)
    gap = (THETA[:, None] - THETA)[..., None] + np.sqrt(2 * (taste**2 + luck**2)) * points
    wins = (1 - TIES) * (expit(gap) * mass).sum(axis=-1) / mass.sum() + TIES / 2
    np.fill_diagonal(wins, 0.0)
    return fit(wins).theta


def covered(seed: int, raters: int, cases: int, taste: float, luck: float) -> dict[str, float]:
    """Share of intervals that hold the truth, by what votes are taken to share, and of rank ranges."""
    rng, true = np.random.default_rng(seed), truth(taste, luck)
    place = K - np.argsort(np.argsort(true))
    inside = dict.fromkeys((*SHARINGS, "ranks"), 0.0)
    for _ in range(STUDIES):
        votes = draw(rng, raters, cases, 4000, taste, luck)
        tensor = tensor_of(votes)
        found, clusters = fit_of(tensor), count_clusters(votes)
        known = known_of(meats(votes, pulls_of(tensor, found)), found, clusters, RatingOptions())
        for sharing in SHARINGS:
            V = known.pieces.shared(sharing)
            inside[sharing] += (np.abs(found.theta - true) <= V.reach() * V.error).mean()
        ranks = rank_ranges(found.theta, known.rating.V, known.rating.freedom, RankOptions(draws=1000))
        inside["ranks"] += ((ranks.low <= place) & (place <= ranks.high)).mean()
    return {name: total / STUDIES for name, total in inside.items()}


def test_independent_votes() -> None:
    found = covered(1, 200, 100, 0.0, 0.0)
    assert 0.935 <= found["votes"] <= 0.965
    assert 0.94 <= found["two-way"] <= 0.97
    assert found["ranks"] >= 0.95


def test_votes_that_share_raters_and_prompts() -> None:
    found = covered(2, 100, 80, 0.6, 0.8)
    assert found["votes"] <= 0.80
    assert found["rater"] <= 0.90
    assert found["two-way"] >= 0.93
    assert found["ranks"] >= 0.95


@pytest.mark.parametrize(("taste", "luck", "enough"), [(0.6, 0.0, "rater"), (0.0, 0.8, "case")])
def test_one_way_is_enough_where_only_one_is_shared(taste: float, luck: float, enough: str) -> None:
    found = covered(3, 100, 80, taste, luck)
    assert found[enough] >= 0.93
    assert found["two-way"] >= 0.93
    assert found["votes"] <= 0.91
