"""One trial at a time: turned away, accepted, lost, found again, charged too much."""

from __future__ import annotations

import asyncio
import io
from collections import Counter
from decimal import Decimal

import pytest
from PIL import Image

from evalkit.errors import UsageError
from evalkit.providers.base import Limits
from evalkit.providers.systems import parse_systems
from evalkit.runner import asking, limiter
from evalkit.runner.execute import RunOptions, RunReport, execute
from evalkit.runner.plan import build_plan
from evalkit.runs import save_plan
from evalkit.store import Journal, Workspace, read_records
from evalkit.types import Delivered, Failed, Job, Picture, Price, Rejected, Suite, Unknown
from evalkit.warehouse import connect

PRICE = Decimal("0.05")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, counted) -> None:
    monkeypatch.setattr(asking, "BACKOFF_S", 0.001)
    monkeypatch.setattr(limiter, "BACKOFF_S", 0.001)
    monkeypatch.setattr(counted, "lane", property(lambda self: "counted"))


def run(workspace: Workspace, suite: Suite, *systems: str, **options: object) -> RunReport:
    plan, providers = build_plan(
        [suite], parse_systems(systems or ("counted:a",)), keep=workspace.objects.put
    )
    return execute(workspace, save_plan(workspace, plan), providers, RunOptions(**options))


def steps(workspace: Workspace) -> list[str]:
    (journal,) = workspace.runs.glob("*/journal.jsonl")
    return [record["type"] for record in read_records(journal)]


def ok(cost: Decimal = Decimal(0)) -> Delivered:
    return Delivered((Picture(_png()),), price=Price(cost, "list" if cost else "none"))


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()


def answers(counted, *each) -> Counter[str]:
    """Each case is answered by these in turn, then by pictures."""
    seen: Counter[str] = Counter()

    def answer(request, ledger):
        seen[request.case] += 1
        nth = seen[request.case] - 1
        return each[nth] if nth < len(each) else ok()

    counted.answer = staticmethod(answer)
    return seen


def test_turned_away_twice_then_taken(workspace, counted, make_suite) -> None:
    answers(counted, *[Rejected("rate_limit", "slow down", 0.01)] * 2)
    report = run(workspace, make_suite(["a thing"]))
    assert report.made == {"ok": 1}
    assert report.asked == 3
    assert steps(workspace) == ["intent", "rejected", "intent", "rejected", "intent", "done"]
    with connect(workspace) as db:
        attempt, throttle, total = db.execute(
            "SELECT attempt, throttle_s, total_s FROM generations"
        ).fetchone()
    assert attempt == 3
    assert throttle >= 0.02 > total


@pytest.mark.parametrize(("kind", "tries"), [("rate_limit", 8), ("transient", 4), ("validation", 1)])
def test_turned_away_for_ever(workspace, counted, make_suite, kind: str, tries: int) -> None:
    seen = answers(counted, *[Rejected(kind, "no", 0.0)] * 50)
    report = run(workspace, make_suite(["a thing"]))
    assert report.made == {"failed": 1}
    assert seen == {"c0": tries}
    with connect(workspace) as db:
        assert db.execute("SELECT kind, cost_usd FROM generations").fetchall() == [(kind, 0)]


@pytest.mark.parametrize("kind", ["auth", "balance"])
def test_a_bad_key_or_an_empty_account_stops_its_lane_only(workspace, counted, make_suite, kind) -> None:
    counted.answer = staticmethod(
        lambda request, ledger: Rejected(kind, "not you") if request.model == "a" else ok()
    )
    counted.lane = property(lambda self: f"account {self.system.model}")
    report = run(workspace, make_suite(["one", "two", "three"]), "counted:a", "counted:b", concurrency=1)
    assert report.made == {"ok": 3}
    assert report.open == 3
    assert report.exit_code == 3
    assert list(report.stopped) == ["account a"]
    assert steps(workspace).count("rejected") == 1
    counted.answer = None
    assert run(workspace, make_suite(["one", "two", "three"]), "counted:a", "counted:b").made == {"ok": 3}


def test_a_balance_that_counts_what_is_in_flight_is_tried_again_alone(workspace, counted, make_suite) -> None:
    flying, most_after = 0, 0

    async def answer(request, ledger):
        nonlocal flying, most_after
        flying += 1
        try:
            if flying > 1:
                return Rejected("balance", "in flight", hold=True)
            await asyncio.sleep(0.01)
            return ok()
        finally:
            flying -= 1

    counted.answer = staticmethod(answer)
    report = run(workspace, make_suite([f"thing {n}" for n in range(6)]), concurrency=4)
    assert report.made == {"ok": 6}
    assert not report.stopped


def test_a_balance_that_is_empty_stops_after_the_second_look(workspace, counted, make_suite) -> None:
    seen = answers(counted, *[Rejected("balance", "top up", hold=True)] * 9)
    report = run(workspace, make_suite(["one", "two"]), concurrency=1)
    assert seen == {"c0": 2}
    assert "Top up" in report.stopped["counted"]


def test_systems_of_one_account_share_its_limit_and_take_turns(workspace, counted, make_suite) -> None:
    order, flying, most = [], 0, 0

    async def answer(request, ledger):
        nonlocal flying, most
        flying += 1
        most = max(most, flying)
        order.append(request.model)
        await asyncio.sleep(0.002)
        flying -= 1
        return ok()

    counted.answer = staticmethod(answer)
    counted.limits = property(lambda self: Limits(2, 2))
    report = run(workspace, make_suite([f"thing {n}" for n in range(6)]), "counted:a", "counted:b")
    assert report.made == {"ok": 12}
    assert most == 2
    assert order[:6].count("a") == 3


def test_an_accepted_job_is_asked_for_its_result_and_not_sent_again(
    workspace, counted, make_suite, monkeypatch
) -> None:
    counted.price = PRICE
    suite = make_suite(["a thing"])
    asked: list[str] = []

    async def resume(self, request, job):
        asked.append(job.id)
        assert job.facts == {"status_url": "http://x"}
        return ok(PRICE)

    monkeypatch.setattr(counted, "resume", resume, raising=False)
    plan, _ = build_plan([suite], parse_systems(["counted:a"]))
    head = {"trial": plan.trials[0][0], "attempt": 1, "t": "2026-01-01T00:00:00.000000Z"}
    with Journal(workspace.runs / plan.run / "journal.jsonl") as journal:
        journal.append({"type": "intent", "usd": "0.05", **head})
        journal.append({"type": "accepted", "note": "j1", "facts": {"status_url": "http://x"}, **head})
    report = run(workspace, suite, budget=Decimal("0.05"))
    assert report.made == {"ok": 1}
    assert asked == ["j1"]
    assert not counted.calls
    assert report.spent_usd == PRICE
    with connect(workspace) as db:
        assert db.execute("SELECT cost_usd, total_s FROM generations").fetchall() == [(PRICE, None)]


def test_a_lost_job_that_is_found_is_paid_once(workspace, counted, make_suite, monkeypatch) -> None:
    counted.price = PRICE
    answers(counted, Unknown("answer lost", Price(PRICE, "list")))
    suite = make_suite(["a thing"])
    first = run(workspace, suite, budget=Decimal(1))
    assert first.made == {"unknown": 1}
    assert [(u.usd, u.reason, u.case) for u in first.unknown] == [(PRICE, "answer lost", "c0")]
    still = run(workspace, suite, budget=Decimal(1))
    assert still.made == {}
    assert still.reused == {"unknown": 1}

    async def found(self, request, lost):
        assert lost.since <= lost.until
        return Job("found-it")

    async def resume(self, request, job):
        return ok(PRICE)

    monkeypatch.setattr(counted, "reconcile", found)
    monkeypatch.setattr(counted, "resume", resume)
    again = run(workspace, suite, budget=Decimal(1))
    assert again.made == {"ok": 1}
    assert again.spent_usd == PRICE
    assert not again.unknown
    assert sum(counted.calls.values()) == 1
    with connect(workspace) as db:
        assert db.execute("SELECT status, cost_usd FROM generations").fetchall() == [("ok", PRICE)]


def test_unknown_is_sent_again_only_when_asked_and_counts_twice(workspace, counted, make_suite) -> None:
    counted.price = PRICE
    answers(counted, Unknown("answer lost", Price(PRICE, "list")), ok(PRICE))
    suite = make_suite(["a thing"])
    run(workspace, suite, budget=Decimal(1))
    report = run(workspace, suite, budget=Decimal(1), resubmit_unknown=True)
    assert report.made == {"ok": 1}
    assert report.spent_usd == 2 * PRICE


def test_a_failed_download_is_fetched_again_without_paying(
    workspace, counted, make_suite, monkeypatch
) -> None:
    counted.price = PRICE

    async def answer(request, ledger):
        await ledger.accepted(Job("j1"))
        return Failed("download", "cut short", Price(PRICE, "list"), retrievable=True)

    async def resume(self, request, job):
        assert job.id == "j1"
        return ok(PRICE)

    counted.answer = staticmethod(answer)
    monkeypatch.setattr(counted, "resume", resume)
    suite = make_suite(["a thing"])
    assert run(workspace, suite, budget=Decimal(1)).made == {"failed": 1}
    assert run(workspace, suite, budget=Decimal(1)).made == {}
    report = run(workspace, suite, budget=Decimal(1), retry_failed=True)
    assert report.made == {"ok": 1}
    assert report.spent_usd == PRICE
    assert sum(counted.calls.values()) == 1


def test_a_mistake_after_acceptance_keeps_the_job(workspace, counted, make_suite) -> None:
    async def answer(request, ledger):
        await ledger.accepted(Job("j1"))
        raise ValueError("polling is broken")

    counted.answer = staticmethod(answer)
    report = run(workspace, make_suite(["a thing"]))
    assert report.made == {"failed": 1}
    (journal,) = workspace.runs.glob("*/journal.jsonl")
    assert list(read_records(journal))[-1]["retrievable"] is True


def test_a_charge_above_the_quote_stops_the_lane(workspace, counted, make_suite) -> None:
    counted.price = PRICE
    counted.answer = staticmethod(lambda request, ledger: ok(2 * PRICE))
    report = run(workspace, make_suite(["one", "two", "three"]), budget=Decimal(1), concurrency=1)
    assert report.made == {"ok": 1}
    assert report.open == 2
    assert "charged $0.10 where $0.05 was the most expected" in report.stopped["counted"]
    assert "providers show" in report.stopped["counted"]


def test_a_missing_key_stops_before_anything_is_sent(workspace, counted, make_suite, monkeypatch) -> None:
    monkeypatch.setattr(counted, "missing", classmethod(lambda cls: "COUNTED_KEY"))
    report = run(workspace, make_suite(["a thing"]))
    assert report.stopped == {"counted": "set COUNTED_KEY first"}
    assert not counted.calls
    assert report.open == 1
    assert steps(workspace) == []


def test_what_is_in_flight_may_make_room_in_the_budget(workspace, counted, make_suite) -> None:
    """Worst cases of 0.40 do not fit twice into 1.00 beside each other's results, but results cost 0.10."""

    async def answer(request, ledger):
        await asyncio.sleep(0.001)
        return ok(Decimal("0.10"))

    counted.price = Decimal("0.40")
    counted.answer = staticmethod(answer)
    report = run(workspace, make_suite([f"thing {n}" for n in range(7)]), budget=Decimal(1), concurrency=4)
    assert report.made == {"ok": 7}
    assert report.spent_usd == Decimal("0.70")
    assert not report.stopped


def test_the_first_of_a_lane_is_marked_as_warming_up(workspace, counted, make_suite) -> None:
    run(workspace, make_suite(["one", "two", "three"]))
    with connect(workspace) as db:
        rows = db.execute("SELECT warmup FROM generations ORDER BY 1").fetchall()
    assert [warmup for (warmup,) in rows] == [False, False, True]


def test_two_systems_that_ask_the_same_are_refused(counted, make_suite) -> None:
    with pytest.raises(UsageError, match="ask for the same pictures"):
        build_plan([make_suite(["a thing"])], parse_systems(["x=counted:a", "y=counted:a"]))


def test_the_job_of_a_sibling_is_not_taken_for_the_lost_one(
    workspace, counted, make_suite, monkeypatch
) -> None:
    """Two replicates ask the same; the provider's list shows the one whose acceptance is known."""

    async def answer(request, ledger):
        if request.replicate == 0:
            return Unknown("answer lost", Price(PRICE, "list"))
        await ledger.accepted(Job("sibling"))
        return ok(PRICE)

    async def found(self, request, lost):
        assert "sibling" in lost.known
        return Job("sibling")

    counted.price = PRICE
    counted.answer = staticmethod(answer)
    monkeypatch.setattr(counted, "reconcile", found)
    plan, providers = build_plan([make_suite(["a thing"])], parse_systems(["counted:a"]), replicates=2)
    for _ in range(2):
        execute(workspace, save_plan(workspace, plan), providers, RunOptions(budget=Decimal(1)))
    report = execute(workspace, plan, providers, RunOptions(budget=Decimal(1)))
    assert report.reused == {"unknown": 1, "ok": 1}


def test_what_is_to_be_sent_again_is_looked_for_first(workspace, counted, make_suite, monkeypatch) -> None:
    async def found(self, request, lost):
        return Job("found-it") if request.case == "c0" else None

    async def resume(self, request, job):
        return ok(PRICE)

    counted.price = PRICE
    suite = make_suite(["one", "two"])
    plan, _ = build_plan([suite], parse_systems(["counted:a"]))
    with Journal(workspace.runs / plan.run / "journal.jsonl") as journal:
        for trial, *_ in plan.trials:
            head = {"trial": trial, "attempt": 1, "t": "2026-01-01T00:00:00.000000Z"}
            journal.append({"type": "intent", "usd": "0.05", **head})
    monkeypatch.setattr(counted, "reconcile", found)
    monkeypatch.setattr(counted, "resume", resume)
    counted.answer = staticmethod(lambda request, ledger: ok(PRICE))
    report = run(workspace, suite, budget=Decimal(1), resubmit_unknown=True)
    assert report.made == {"ok": 2, "unknown": 0}
    assert counted.calls == {"c1": 1}
    assert report.spent_usd == 3 * PRICE, "what was sent again counts twice"
    assert report.open == 0


def test_a_finished_run_needs_no_budget(workspace, counted, make_suite) -> None:
    counted.price = PRICE
    suite = make_suite(["a thing"])
    run(workspace, suite, budget=Decimal(1))
    assert run(workspace, suite).reused == {"ok": 1}
