from __future__ import annotations

import numpy as np
import pytest
from sampledb import SampleDb

from evalkit.leaderboard import LatencyRow, latency_board, reliability_board
from evalkit.leaderboard.latency import quantile_interval


def sample(cases: int = 10) -> SampleDb:
    made = SampleDb()
    made.suite("product")
    made.system("a")
    for i in range(cases):
        made.case("product", f"c{i}")
    return made


def only(made: SampleDb) -> LatencyRow:
    (row,) = latency_board(made.db)
    return row


def test_only_comparable_deliveries_count_and_the_others_are_named() -> None:
    made = sample()
    made.trial("product", "c0", "a", total_s=90.0, warmup=True)
    made.trial("product", "c1", "a", total_s=500.0, resumed=True)
    made.trial("product", "c2", "a", total_s=None)
    made.trial("product", "c3", "a", status="refused", total_s=0.1)
    made.trial("product", "c4", "a", status="failed", total_s=60.0)
    for i, seconds in enumerate((1.0, 2.0, 3.0), start=5):
        made.trial("product", f"c{i}", "a", total_s=seconds)
    row = only(made)
    assert (row.n, row.warmup, row.resumed, row.untimed, row.left_out) == (3, 1, 1, 1, 3)
    assert row.p50.value == 2.0
    (reliable,) = reliability_board(made.db)
    assert reliable.latency_p50 == 2.0
    assert made.db.execute("SELECT latency_p50 FROM reliability").fetchone() == (2.0,)


def test_phases_are_split_and_waiting_for_our_turn_is_in_none_of_them() -> None:
    made = sample()
    phases = {"submit_s": 0.5, "queue_s": 2.0, "run_s": 4.0, "download_s": 1.0}
    for i in range(4):
        extra = {"provider_s": 3.5, "provider_queue_s": 1.5, "poll_s": 1.0, "throttle_s": 20.0 if i else None}
        made.trial("product", f"c{i}", "a", total_s=7.5, **phases, **extra)
    row = only(made)
    assert {name: phase.p50 for name, phase in row.phases.items()} == {
        "submit": 0.5,
        "queue": 2.0,
        "run": 4.0,
        "download": 1.0,
        "provider": 3.5,
        "provider_queue": 1.5,
    }
    assert row.p50.value == 7.5
    assert (row.throttled, row.throttle_s) == (3, 60.0)
    assert not row.in_answer


def test_a_job_never_seen_running_has_queue_and_work_in_one() -> None:
    made = sample()
    made.trial("product", "c0", "a", total_s=5.0, submit_s=0.5, download_s=0.5, poll_s=0.1)
    row = only(made)
    assert row.phases["wait"].p50 == pytest.approx(4.0)
    assert not row.in_answer


def test_a_picture_in_the_answer_has_no_phase_but_sending() -> None:
    made = sample()
    made.trial("product", "c0", "a", total_s=5.0, submit_s=4.9, download_s=0.1)
    assert only(made).in_answer


@pytest.mark.parametrize(("poll", "said"), [(0.5, False), (0.51, True), (None, False)])
def test_looking_seldom_is_said_from_5_percent_of_the_median(poll: float | None, said: bool) -> None:
    made = sample()
    made.trial("product", "c0", "a", total_s=10.0, poll_s=poll)
    assert only(made).polled is said


def test_nothing_but_a_first_request_has_no_median() -> None:
    made = sample()
    made.trial("product", "c0", "a", total_s=9.0, warmup=True)
    row = only(made)
    assert (row.n, row.p50.value, row.p95.value, row.left_out) == (0, None, None, 1)


def test_all_categories_together() -> None:
    made = sample()
    made.suite("portrait")
    made.case("portrait", "p0")
    made.trial("product", "c0", "a", total_s=1.0)
    made.trial("portrait", "p0", "a", total_s=3.0)
    (whole,) = latency_board(made.db, whole=True)
    assert (whole.category, whole.n, whole.p50.value) == ("all", 2, 2.0)
    assert [row.category for row in latency_board(made.db)] == ["portrait", "product"]


@pytest.mark.parametrize(
    ("n", "q", "low", "high"),
    [
        (5, 0.5, None, None),
        (6, 0.5, 1.0, 6.0),
        (10, 0.5, 2.0, 9.0),
        (20, 0.5, 6.0, 15.0),
        (100, 0.5, 40.0, 61.0),
        (71, 0.95, 63.0, None),
        (72, 0.95, 64.0, 72.0),
    ],
)
def test_order_statistics_of_the_interval(n: int, q: float, low: float | None, high: float | None) -> None:
    """For the median: the ranks of the sign test's table (Conover 1999, table A3)."""
    found = quantile_interval([float(i + 1) for i in range(n)], q)
    assert (found.low, found.high) == (low, high)
    assert found.value == pytest.approx(np.quantile(np.arange(1, n + 1), q))


def test_intervals_hold_what_they_promise() -> None:
    rng = np.random.default_rng(4)
    truth = {0.5: np.exp(0.0), 0.95: np.exp(1.6448536)}
    for q, true in truth.items():
        hits = 0
        for _ in range(400):
            found = quantile_interval(sorted(np.exp(rng.normal(size=120)).tolist()), q)
            assert found.low is not None
            assert found.high is not None
            hits += found.low <= true <= found.high
        assert hits / 400 >= 0.935
