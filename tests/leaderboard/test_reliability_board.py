from __future__ import annotations

from decimal import Decimal

import pytest
from sampledb import SampleDb

from evalkit.leaderboard import reliability_board
from evalkit.stats import proportion_interval


def busy() -> SampleDb:
    """Ten cases, one system: 6 delivered, 2 refused, 1 failed, 1 never sent."""
    sample = SampleDb()
    sample.suite("product")
    sample.system("a")
    for i in range(10):
        sample.case("product", f"c{i}")
    for i in range(6):
        money = {"cost_usd": "0.04", "cost_basis": "list"}
        sample.trial("product", f"c{i}", "a", total_s=float(i + 1), **money)
    for i in (6, 7):
        sample.trial("product", f"c{i}", "a", status="refused", cost_usd="0.01", cost_basis="reported")
    sample.trial("product", "c8", "a", status="failed", kind="timeout")
    sample.trial("product", "c9", "a", status=None)
    return sample


def test_counts_rates_money_and_time() -> None:
    (row,) = reliability_board(busy().db)
    assert (row.planned, row.delivered, row.open, row.n_refused, row.n_failed, row.n_unknown) == (
        10,
        6,
        1,
        2,
        1,
        0,
    )
    assert (row.refused.low, row.refused.high) == (
        proportion_interval(2, 9).low,
        proportion_interval(2, 9).high,
    )
    assert row.failed.value == pytest.approx(1 / 9)
    assert (row.unknown.low, row.unknown.high) == (0.0, proportion_interval(0, 9).high)
    assert row.cost_total == Decimal("0.26")
    assert row.cost_per_image == Decimal("0.26") / 6
    assert row.cost_basis == ("reported", "list")
    assert (row.latency_p50, row.latency_p95) == (pytest.approx(3.5), pytest.approx(5.75))


def test_agrees_with_the_view() -> None:
    sample = busy()
    (row,) = reliability_board(sample.db)
    view = sample.db.execute(
        "SELECT planned, delivered, partial, refused, failed, unknown, open, cost_usd, latency_p50 "
        "FROM reliability"
    ).fetchone()
    ours = (row.planned, row.delivered, row.partial, row.n_refused, row.n_failed, row.n_unknown, row.open)
    assert (*ours, row.cost_total, row.latency_p50) == view


def test_without_prices_there_is_no_cost() -> None:
    sample = SampleDb()
    sample.suite("product")
    sample.system("a")
    sample.case("product", "c0")
    sample.trial("product", "c0", "a", cost_usd="0", cost_basis="none")
    (row,) = reliability_board(sample.db)
    assert (row.cost_total, row.cost_per_image, row.cost_basis) == (None, None, ())


def test_all_categories_together() -> None:
    sample = busy()
    sample.suite("portrait")
    sample.case("portrait", "p0")
    sample.trial("portrait", "p0", "a", status="refused")
    by_category = reliability_board(sample.db)
    (whole,) = reliability_board(sample.db, whole=True)
    assert [row.category for row in by_category] == ["portrait", "product"]
    assert (whole.category, whole.planned, whole.n_refused) == ("all", 11, 3)
    assert reliability_board(sample.db, category="portrait") == by_category[:1]


def test_replicates_of_one_prompt_are_not_independent() -> None:
    sample = SampleDb()
    sample.suite("product")
    sample.system("a")
    for i in range(10):
        sample.case("product", f"c{i}")
        for replicate in range(10):
            status = "refused" if i < 3 else "ok"
            sample.trial("product", f"c{i}", "a", replicate, status=status)
    (row,) = reliability_board(sample.db)
    pooled = proportion_interval(30, 100)
    assert row.refused.high - row.refused.low > 2 * (pooled.high - pooled.low)


def test_trials_sent_more_than_once_are_counted_whatever_came_of_them() -> None:
    sample = SampleDb()
    sample.suite("product")
    sample.system("a")
    for i in range(6):
        sample.case("product", f"c{i}")
    for i, attempt in enumerate((1, 1, 2, 4)):
        sample.trial("product", f"c{i}", "a", attempt=attempt)
    sample.trial("product", "c4", "a", status="failed", kind="rate_limit", attempt=8)
    sample.trial("product", "c5", "a", status=None)
    (row,) = reliability_board(sample.db)
    assert (row.n_retried, row.most_attempts) == (3, 8)
    assert (row.retried.low, row.retried.high) == (
        proportion_interval(3, 5).low,
        proportion_interval(3, 5).high,
    )
