"""Replayed judgings: a judge that moved by 0.15 is found out, and one that did not is left in peace."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from evalkit.judge.drift import FLOOR, MATTERS, Drift, Reading, drifts, measure

ITEMS, REPEATS, REPLAYS = 60, 2, 1000
Replay = Callable[[np.random.Generator, float], tuple[np.ndarray, np.ndarray]]
"""Answers then and now (items x repeats) of a judge that has moved by so much."""


def smooth(luck: np.random.Generator, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities of yes, times ten: good and bad pictures, each answer off by 0.3 or so.

    A shift is not the same for every picture.
    """
    true = np.where(np.arange(ITEMS) % 2, luck.uniform(1, 4, ITEMS), luck.uniform(6, 9, ITEMS))
    moved = shift + luck.normal(0, 0.15, ITEMS) * (shift > 0)
    moved += shift - moved.mean()
    then = true[:, None] + luck.normal(0, 0.3, (ITEMS, REPEATS))
    return then, (true + moved)[:, None] + luck.normal(0, 0.3, (ITEMS, REPEATS))


def whole(luck: np.random.Generator, shift: float) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of a rubric: whole, one in twenty off by one; a shift moves some pictures by a point."""
    true = luck.integers(2, 9, ITEMS)
    moved = np.zeros(ITEMS, dtype=int)
    moved[luck.permutation(ITEMS)[: round(shift * ITEMS)]] = 1

    def answers(scores: np.ndarray) -> np.ndarray:
        off = luck.choice([-1, 0, 1], p=[0.025, 0.95, 0.025], size=(ITEMS, REPEATS))
        return scores[:, None] + off

    return answers(true), answers(true + moved)


def verdicts(replay: Replay, shift: float) -> list[Drift]:
    luck = np.random.default_rng(20261120)
    found = []
    for _ in range(REPLAYS):
        then, now = (
            {str(i): list(map(float, row)) for i, row in enumerate(answers)}
            for answers in replay(luck, shift)
        )
        found.append(measure(then, now))
    return found


@pytest.mark.parametrize("replay", [smooth, whole])
def test_a_shift_that_matters_is_found_with_95_per_cent(replay: Replay) -> None:
    found = verdicts(replay, MATTERS)
    assert np.mean([drift.verdict == "drift" for drift in found]) >= 0.95


@pytest.mark.parametrize("replay", [smooth, whole])
def test_false_alarms_are_at_most_5_per_cent(replay: Replay) -> None:
    found = verdicts(replay, 0.0)
    assert np.mean([drift.verdict == "drift" for drift in found]) <= 0.05
    assert {drift.verdict for drift in found} <= {"drift", "steady", "unclear"}


def test_the_power_that_is_stated_is_the_power_there_is() -> None:
    """At the shift that it says it would see with 95 %, it does."""
    detectable = float(np.mean([drift.detectable for drift in verdicts(smooth, 0.0)]))
    assert detectable <= MATTERS
    found = verdicts(smooth, detectable)
    assert np.mean([drift.verdict == "drift" for drift in found]) == pytest.approx(0.95, abs=0.02)


def test_the_interval_holds_the_shift() -> None:
    found = verdicts(smooth, MATTERS)
    held = [d.low <= MATTERS <= d.high for d in found if d.low is not None and d.high is not None]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_a_judge_too_noisy_to_tell_is_called_unclear() -> None:
    luck = np.random.default_rng(1)
    then = {str(i): list(luck.normal(5, 2, 2)) for i in range(ITEMS)}
    found = measure(then, then)
    assert found.verdict == "unclear"
    assert found.detectable is not None
    assert found.detectable > MATTERS


def test_a_judge_without_noise_is_steady_until_it_moves() -> None:
    then = {str(i): [5.0, 5.0] for i in range(ITEMS)}
    assert measure(then, then).verdict == "steady"
    assert measure(then, {item: [5.1, 5.1] for item in then}).verdict == "drift"
    assert measure(then, {item: [5 + FLOOR / 2] * 2 for item in then}).verdict == "steady", (
        "of no consequence"
    )


def test_without_repeats_there_is_no_noise_to_measure_against() -> None:
    then = {str(i): [5.0] for i in range(ITEMS)}
    assert measure(then, {item: [9.0] for item in then}).verdict == "unclear"
    assert measure({}, {}).verdict == "unclear"


def readings(occasion: str, at: str, *values: float | None, digest: str = "d") -> list[Reading]:
    return [
        Reading(
            (digest, "judge_followed"),
            occasion,
            f"i{n}",
            value,
            at,
            f"t{n // 2:02d}-{('good', 'bad')[n % 2]}",
        )
        for n, value in enumerate(values)
        for _ in range(2)
    ]


def test_the_first_occasion_is_what_all_are_compared_with() -> None:
    first = readings("a", "2026-01-01", *[9.0, 2.0] * 15)
    second = readings("b", "2026-02-01", *[9.0, 2.1] * 15)
    third = readings("c", "2026-03-01", *[9.0, 2.2] * 15)
    assert [d.verdict for d in drifts(first, "a")] == ["first"]
    (slow,) = drifts([*third, *second, *first], "c")
    assert (slow.verdict, slow.since) == ("drift", "2026-01-01")
    assert slow.shift == pytest.approx(0.1)
    assert slow.right == 1.0


def test_refused_anchors_are_left_out_not_zero() -> None:
    first = readings("a", "2026-01-01", *[9.0, 2.0] * 15)
    refused = readings("b", "2026-02-01", *[9.0, None] * 15)
    (found,) = drifts([*first, *refused], "b")
    assert (found.items, found.shift) == (15, 0.0)
    assert found.right is None


def test_another_template_is_another_series() -> None:
    old = readings("a", "2026-01-01", *[9.0, 2.0] * 15)
    new = readings("b", "2026-02-01", *[5.0, 5.0] * 15, digest="e")
    (found,) = drifts([*old, *new], "b")
    assert (found.verdict, found.right) == ("first", 0.5)
