from __future__ import annotations

from decimal import Decimal

import pytest
from sampledb import SampleDb

from evalkit.leaderboard import MoneyRow, money_board, reliability_board


def sample() -> SampleDb:
    made = SampleDb()
    made.suite("product")
    made.system("a")
    for i in range(10):
        made.case("product", f"c{i}")
    return made


def only(made: SampleDb) -> MoneyRow:
    (row,) = money_board(made.db)
    return row


def test_money_is_counted_where_it_went() -> None:
    made = sample()
    for i in range(4):
        made.trial("product", f"c{i}", "a", cost_usd="0.05", cost_basis="list")
    made.trial("product", "c4", "a", status="refused", cost_usd="0.02", cost_basis="list")
    made.trial("product", "c5", "a", status="failed", cost_usd="0.03", cost_basis="list")
    made.trial("product", "c6", "a", status="unknown", cost_usd="0.07", cost_basis="list")
    row = only(made)
    assert (row.delivered, row.refused, row.failed) == (Decimal("0.20"), Decimal("0.02"), Decimal("0.03"))
    assert (row.at_risk, row.n_at_risk) == (Decimal("0.07"), 1)
    assert row.paid == Decimal("0.25")
    assert (row.per_picture, row.picture_alone) == (Decimal("0.0625"), Decimal("0.05"))
    assert not row.mixed


def test_every_attempt_counts_by_its_own_end() -> None:
    made = sample()
    trial = made.trial("product", "c0", "a", attempt=2, cost_usd="0.05", cost_basis="list")
    first = {"status": "unknown", "cost_usd": "0.06", "cost_basis": "list", "attempt": 1}
    made.row("outcomes", trial=trial, run=made.run, t="2026-05-04 11:00:00", **first)
    row = only(made)
    assert (row.pictures, row.delivered, row.at_risk) == (1, Decimal("0.05"), Decimal("0.06"))


def test_bases_are_kept_apart_and_a_free_refusal_has_none() -> None:
    made = sample()
    for i, basis in enumerate(("list", "reported", "list", "tokens")):
        made.trial("product", f"c{i}", "a", cost_usd="0.05", cost_basis=basis)
    made.trial("product", "c5", "a", status="refused", cost_usd="0", cost_basis="units")
    row = only(made)
    assert {basis: (s.charges, s.usd) for basis, s in row.bases.items()} == {
        "reported": (1, Decimal("0.05")),
        "tokens": (1, Decimal("0.05")),
        "list": (2, Decimal("0.10")),
    }
    assert list(row.bases) == ["reported", "tokens", "list"]
    assert row.mixed


def test_a_picture_without_price_lowers_no_average() -> None:
    made = sample()
    made.trial("product", "c0", "a", cost_usd="0.05", cost_basis="list")
    made.trial("product", "c1", "a", cost_usd="0", cost_basis="none")
    row = only(made)
    assert (row.pictures, row.unpriced, row.per_picture) == (2, 1, Decimal("0.05"))


def test_nothing_priced_is_none_and_not_zero() -> None:
    made = sample()
    made.trial("product", "c0", "a", cost_usd="0", cost_basis="none")
    row = only(made)
    assert (row.delivered, row.paid, row.at_risk, row.per_picture, row.bases) == (None, None, None, None, {})


@pytest.mark.parametrize(("last", "at_risk"), [("intent", "0.08"), ("accepted", "0.08"), ("rejected", "0")])
def test_what_is_set_aside_for_a_job_in_flight_is_at_risk(last: str, at_risk: str) -> None:
    made = sample()
    made.trial("product", "c0", "a", cost_usd="0.05", cost_basis="list")
    trial = made.trial("product", "c1", "a", status=None)
    made.step(trial, "intent", usd="0.08")
    if last != "intent":
        made.step(trial, last)
    row = only(made)
    assert (row.at_risk, row.paid) == (Decimal(at_risk), Decimal("0.05"))


def test_reliability_tells_the_same_prices() -> None:
    made = sample()
    for i in range(3):
        made.trial("product", f"c{i}", "a", cost_usd="0.05", cost_basis="list")
    made.trial("product", "c4", "a", status="unknown", cost_usd="0.07", cost_basis="list")
    row, (reliable,) = only(made), reliability_board(made.db)
    assert (reliable.cost_total, reliable.cost_per_image) == (row.paid, row.per_picture)
    assert (reliable.cost_at_risk, reliable.cost_basis) == (row.at_risk, ("list",))


def test_all_categories_together_add_up() -> None:
    made = sample()
    made.suite("portrait")
    made.case("portrait", "p0")
    made.trial("product", "c0", "a", cost_usd="0.05", cost_basis="list")
    made.trial("portrait", "p0", "a", cost_usd="0.07", cost_basis="reported")
    by_category = money_board(made.db)
    (whole,) = money_board(made.db, whole=True)
    assert [row.mixed for row in by_category] == [False, False]
    assert whole.mixed
    assert whole.paid == sum((row.paid or Decimal(0) for row in by_category), Decimal(0))
    assert money_board(made.db, category="portrait") == by_category[:1]
