from __future__ import annotations

import numpy as np
import pytest

from evalkit.stats.ties import tie_aware
from evalkit.stats.validity import Judgements


def voted(answer: np.ndarray, per_prompt: int = 5) -> Judgements:
    """One vote per pair by one of twenty raters."""
    pair = np.arange(answer.size)
    return Judgements(pair, pair // per_prompt, pair % 20, answer)


def test_epsilon_is_where_people_stop_seeing_a_difference() -> None:
    gaps = np.linspace(-1, 1, 401)[np.random.default_rng(0).permutation(401)]
    answer = np.where(np.abs(gaps) <= 0.25, 0, np.sign(gaps)).astype(np.int64)
    found = tie_aware(voted(answer), gaps[:, None])
    assert found.epsilon[0] == pytest.approx(0.25, abs=1e-9)
    assert (found.accuracy[0].value or 0.0) > 0.98
    assert found.null[0] == pytest.approx(1 - 0.5 * (1 + (answer == 0).mean()), abs=1e-9)


def test_the_scale_of_a_metric_does_not_matter() -> None:
    rng = np.random.default_rng(1)
    gaps = rng.normal(size=300)
    answer = np.where(np.abs(gaps + rng.normal(0, 0.5, 300)) < 0.4, 0, np.sign(gaps)).astype(np.int64)
    small, large = (tie_aware(voted(answer), gaps[:, None] * scale) for scale in (1.0, 1000.0))
    assert small.accuracy == large.accuracy
    assert large.epsilon[0] == pytest.approx(1000 * (small.epsilon[0] or 0.0))


def test_noise_does_no_better_than_guessing() -> None:
    """Half of the votes are ties. On held-out prompts noise comes to the null, not above it."""
    rng, over = np.random.default_rng(2), []
    for _ in range(60):
        answer = np.where(rng.random(300) < 0.5, 0, rng.choice([-1, 1], size=300))
        found = tie_aware(voted(answer), rng.normal(size=(300, 1)))
        over.append((found.accuracy[0].value or 0.0) - (found.null[0] or 0.0))
    assert np.mean(over) < 0.0
    assert found.null[0] == pytest.approx(max((answer == 0).mean(), (1 - (answer == 0).mean()) / 2))


def test_cross_validation_by_hand() -> None:
    """Two prompts are two folds: each is judged by the epsilon that suits the other."""
    gaps = np.array([0.1, 0.5, 0.2, 0.6])
    votes = Judgements(np.arange(4), np.array([0, 0, 1, 1]), np.arange(4), np.array([0, 1, 1, 1]))
    found = tie_aware(votes, gaps[:, None])
    # Prompt 0 is judged with epsilon 0 (prompt 1 knows no ties): wrong on its tie. Prompt 1 with 0.1: right.
    assert found.accuracy[0].value == pytest.approx(3 / 4)
    assert found.epsilon[0] == 0.1


def test_equal_values_are_ties_of_the_metric() -> None:
    votes = voted(np.array([0, 0, 1, 1, -1, -1] * 5))
    gaps = np.tile([0.0, 0.0, 1.0, 1.0, -1.0, -1.0], 5)[:, None]
    assert tie_aware(votes, gaps).accuracy[0].value == 1.0


def test_missing_scores_and_no_votes() -> None:
    votes = voted(np.array([1, -1] * 10))
    gaps = np.column_stack([np.full(20, np.nan), np.tile([1.0, -1.0], 10)])
    found = tie_aware(votes, gaps)
    assert (found.accuracy[0].value, found.epsilon[0], found.null[0]) == (None, None, None)
    assert found.accuracy[1].value == 1.0
    empty = Judgements(*(np.zeros(0, dtype=np.int64) for _ in range(4)))
    assert tie_aware(empty, np.zeros((0, 2))).accuracy[0].note == "no votes"
