from __future__ import annotations

import time

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import norm

from evalkit.stats.bootstrap import Resampling
from evalkit.stats.twoway import Observations, drawn_counts, shares
from evalkit.stats.validity import Judgements, agreement, ceiling, naive_interval, verdict
from evalkit.types import Estimate

Ints = NDArray[np.int64]
ONE = np.zeros(1, dtype=np.int64)


def judged(*votes: tuple[int, int, int, int]) -> Judgements:
    """Votes as (pair, prompt, rater, answer)."""
    return Judgements(*(np.array(column, dtype=np.int64) for column in zip(*votes, strict=True)))


def jury(
    rng: np.random.Generator, prompts: int, raters: int, shared: tuple[float, float] = (0.3, 0.0)
) -> tuple[Judgements, NDArray[np.float64]]:
    """Ten pairs per prompt with one vote each; the metric's true accuracy is 0.65.

    `shared` are the parts of the latent variance that votes on a prompt, and of a rater, have in common.
    """
    pair = np.arange(10 * prompts)
    prompt, rater = pair // 10, rng.integers(raters, size=pair.size)
    by_prompt, by_rater = shared
    latent = norm.ppf(0.65) + np.sqrt(1 - by_prompt - by_rater) * rng.normal(size=pair.size)
    latent += np.sqrt(by_prompt) * rng.normal(size=prompts)[prompt]
    latent += np.sqrt(by_rater) * rng.normal(size=raters)[rater]
    side = rng.choice([-1, 1], size=pair.size)
    return Judgements(pair, prompt, rater, np.where(latent > 0, side, -side)), side[:, None].astype(float)


def test_accuracy_gives_each_decided_pair_one_unit_of_weight() -> None:
    votes = judged((0, 0, 0, 1), (0, 0, 1, 1), (0, 0, 2, -1), (1, 1, 0, -1), (2, 2, 0, 0), (3, 2, 1, 1))
    gaps = np.array([[0.5], [-0.1], [0.3], [0.0]])
    (accuracy,) = agreement(votes, gaps, ONE).accuracy
    assert accuracy.value == pytest.approx((2 / 3 + 1 + 0.5) / 3)
    assert (accuracy.n, accuracy.n_clusters) == (3, 3)


def test_ties_of_the_metric_are_half_right_whatever_people_say() -> None:
    votes = judged(*((i, i, i % 7, (-1) ** i) for i in range(20)))
    assert agreement(votes, np.zeros((20, 1)), ONE).accuracy[0].value == 0.5


def test_missing_scores_leave_their_pairs_out_of_that_column_only() -> None:
    votes = judged(*((i, i, i % 7, 1) for i in range(10)))
    gaps = np.ones((10, 2))
    gaps[:4, 1] = np.nan
    gaps[9, 0] = -1.0
    first, second = agreement(votes, gaps, np.arange(2)).accuracy
    assert (first.n, second.n) == (10, 6)
    assert first.value == pytest.approx(0.9)
    assert second.value == 1.0


def test_a_column_without_scores_has_nothing_to_say() -> None:
    votes = judged(*((i, i, i % 7, 1) for i in range(10)))
    (accuracy,) = agreement(votes, np.full((10, 1), np.nan), ONE).accuracy
    assert (accuracy.value, accuracy.n, accuracy.note) == (None, 0, "nothing to compare")


def test_only_undecided_votes() -> None:
    votes = judged((0, 0, 0, 0), (1, 1, 0, 0))
    assert agreement(votes, np.ones((2, 1)), ONE).accuracy[0].note == "no decided pairs"
    assert ceiling(votes).value is None


def test_always_right_still_has_an_interval() -> None:
    votes = judged(*((i, i, i % 7, 1) for i in range(20)))
    (accuracy,) = agreement(votes, np.ones((20, 1)), ONE).accuracy
    assert (accuracy.value, accuracy.high) == (1.0, 1.0)
    assert accuracy.low is not None
    assert 0.3 < accuracy.low < 0.95


def test_one_prompt_has_no_interval() -> None:
    votes = judged(*((i, 0, i, 1) for i in range(20)))
    (accuracy,) = agreement(votes, np.ones((20, 1)), ONE).accuracy
    assert (accuracy.low, accuracy.note) == (None, "one prompt: no interval")


@pytest.mark.parametrize(("raters", "said"), [(1, "one rater"), (4, "4 raters"), (5, None)])
def test_few_raters_are_not_resampled_and_it_says_so(raters: int, said: str | None) -> None:
    votes, gaps = jury(np.random.default_rng(1), 20, raters)
    note = agreement(votes, gaps, ONE).accuracy[0].note
    assert note is None if said is None else note is not None and note.startswith(said)


def test_the_two_way_error_is_that_of_cameron_gelbach_and_miller() -> None:
    rng = np.random.default_rng(2)
    x, w = rng.random(200), rng.random(200) + 0.5
    prompt, rater = rng.integers(12, size=200), rng.integers(9, size=200)
    value = (w * x).sum() / w.sum()
    u = w * (x - value) / w.sum()

    def one_way(labels: Ints) -> float:
        sums = [u[labels == g].sum() for g in np.unique(labels)]
        return float(sum(s * s for s in sums) * len(sums) / (len(sums) - 1))

    both = one_way(prompt) + one_way(rater) - one_way(prompt * 100 + rater)
    expected = max(both, one_way(prompt), one_way(rater))
    found = shares(x[:, None], Observations(prompt, rater, w))
    assert found.value[0] == pytest.approx(value)
    assert found.error[0] == pytest.approx(np.sqrt(expected))


def test_draws_are_those_of_resampled_prompts() -> None:
    rng = np.random.default_rng(3)
    x, prompt = rng.random((60, 3)), np.repeat(np.arange(12), 5)
    x[rng.random((60, 3)) < 0.1] = np.nan
    resampling = Resampling(resamples=50, seed=4)
    found = shares(x, Observations(prompt, np.zeros(60, dtype=np.int64), np.ones(60)), resampling)
    (counts,) = drawn_counts(12, resampling)
    assert counts.sum(axis=1).tolist() == [12.0] * 50
    for row, draw in zip(counts, found.draws, strict=True):
        picked = np.repeat(np.arange(12), row.astype(int))
        rows = np.concatenate([np.flatnonzero(prompt == p) for p in picked])
        assert draw == pytest.approx(np.nanmean(x[rows], axis=0))


def test_the_same_seed_gives_the_same_interval_in_chunks_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    votes, gaps = jury(np.random.default_rng(5), 30, 20)
    whole = agreement(votes, gaps, ONE, Resampling(seed=9)).accuracy
    assert agreement(votes, gaps, ONE, Resampling(seed=9)).accuracy == whole
    monkeypatch.setattr("evalkit.stats.twoway.CHUNK", 30 * 100)
    again = agreement(votes, gaps, ONE, Resampling(seed=9)).accuracy
    assert again[0].low == pytest.approx(whole[0].low or 0.0)


def test_coverage_is_what_it_says_and_the_naive_interval_is_too_narrow() -> None:
    rng, inside = np.random.default_rng(6), np.zeros(3)
    for _ in range(200):
        votes, gaps = jury(rng, 40, 20, (0.3, 0.1))
        alone = Judgements(votes.pair, votes.prompt, votes.rater * 0, votes.answer)
        resampling = Resampling(resamples=400)
        ours, prompts = (agreement(v, gaps, ONE, resampling).accuracy[0] for v in (votes, alone))
        ends = [naive_interval(ours.value or 0.0, votes.pair.size), (prompts.low, prompts.high)]
        ends.append((ours.low, ours.high))
        inside += [low is not None and high is not None and low <= 0.65 <= high for low, high in ends]
    naive, prompts_only, two_way = inside / 200
    assert naive < 0.75
    assert prompts_only < 0.91
    assert 0.91 <= two_way <= 0.985


def test_the_ceiling_is_the_agreement_of_one_person_with_the_others() -> None:
    votes = judged(
        (0, 0, 0, 1), (0, 0, 1, 1), (0, 0, 2, -1), (1, 1, 0, 1), (1, 1, 1, 1), (2, 2, 0, 1), (2, 2, 1, 0)
    )  # fmt: skip
    found = ceiling(votes)
    assert found.value == pytest.approx((1 / 3 + 1) / 2)
    assert (found.n, found.n_clusters) == (2, 2)


def test_no_ceiling_without_two_votes_on_a_pair() -> None:
    found = ceiling(judged((0, 0, 0, 1), (1, 1, 1, -1)))
    assert (found.value, found.note) == (None, "no pair has the votes of two people")


def test_a_metric_that_votes_like_a_person_reaches_the_ceiling() -> None:
    """Votes and metric are coins of the pair's own bias: then accuracy and ceiling are one number."""
    rng = np.random.default_rng(7)
    bias = rng.beta(2, 2, size=4000)
    pair = np.repeat(np.arange(4000), 3)
    answer = np.where(rng.random(pair.size) < bias[pair], 1, -1)
    votes = Judgements(pair, pair // 10, np.tile(np.arange(3), 4000) + 3 * (pair % 20), answer)
    metric = np.where(rng.random(4000) < bias, 1.0, -1.0)[:, None]
    accuracy, people = agreement(votes, metric, ONE).accuracy[0], ceiling(votes)
    truth = float((bias**2 + (1 - bias) ** 2).mean())
    assert accuracy.value == pytest.approx(truth, abs=0.02)
    assert people.value == pytest.approx(truth, abs=0.02)


def test_the_rival_is_the_best_output_of_another_metric() -> None:
    rng = np.random.default_rng(8)
    votes, truth = jury(rng, 40, 20)
    noise = rng.normal(size=truth.shape)
    gaps = np.hstack([truth, truth + 0.01 * noise, noise, -truth])
    rivals = agreement(votes, gaps, np.array([0, 0, 1, 2])).rivals
    assert [rival.column for rival in rivals] == [2, 2, 0, 0]
    assert (rivals[0].p or 1.0) < 0.05
    assert rivals[0].difference.low is not None
    assert rivals[0].difference.low > 0
    assert (rivals[3].difference.high or 0.0) < 0


def test_no_rival_where_there_is_one_metric() -> None:
    votes, gaps = jury(np.random.default_rng(9), 10, 20)
    rivals = agreement(votes, np.hstack([gaps, gaps]), np.zeros(2, dtype=np.int64)).rivals
    assert [(rival.column, rival.p) for rival in rivals] == [(None, None)] * 2


def test_p_values_of_equal_metrics_are_rarely_small() -> None:
    rng, small = np.random.default_rng(10), 0
    for _ in range(200):
        votes, _ = jury(rng, 30, 20)
        gaps = rng.normal(size=(votes.pair.size, 2))
        p = agreement(votes, gaps, np.arange(2), Resampling(resamples=400)).rivals[0].p
        small += p is not None and p < 0.05
    assert small <= 22


@pytest.mark.parametrize(
    ("accuracy", "reason"),
    [
        (Estimate(0.7, 0.6, 0.8, n=250), ""),
        (Estimate(0.7, 0.6, 0.8, n=37), "37 decided pairs, 200 are needed"),
        (Estimate(1.0, 0.6, 1.0, n=1), "1 decided pair, 200 are needed"),
        (Estimate(0.6, 0.49, 0.7, n=250), "interval includes chance"),
        (Estimate(0.6, 0.5, 0.7, n=250), "interval includes chance"),
        (Estimate(0.3, 0.2, 0.4, n=250), "people prefer the opposite: the interval is below chance"),
        (Estimate(0.9, n=250, note="one prompt: no interval"), "one prompt: no interval"),
        (Estimate(None, note="no decided pairs"), "no decided pairs"),
    ],
)
def test_validated_or_why_not(accuracy: Estimate, reason: str) -> None:
    assert verdict(accuracy) == reason


def test_fifty_outputs_on_25000_votes_take_a_moment() -> None:
    """A quarter of the stated size: four categories may take 2 s on an idle core."""
    rng = np.random.default_rng(11)
    pair = rng.integers(8000, size=25_000)
    answer = rng.choice([-1, 0, 1], size=pair.size)
    votes = Judgements(pair, pair // 20, rng.integers(50, size=pair.size), answer)
    gaps = rng.normal(size=(8000, 50))
    started = time.process_time()
    agreement(votes, gaps, np.arange(50) // 5)
    assert time.process_time() - started < 2.0
