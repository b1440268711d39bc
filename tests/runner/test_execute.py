"""Runs do what is missing, once, within the budget, and say what happened."""

from __future__ import annotations

import io
from decimal import Decimal

import pytest
from PIL import Image

from evalkit.errors import LaneStopped, Locked, StorageError, UsageError
from evalkit.providers.systems import parse_systems
from evalkit.runner.execute import RunOptions, RunReport, execute
from evalkit.runner.plan import build_plan
from evalkit.runs import read_generations, save_plan
from evalkit.store import Journal, Workspace, read_records
from evalkit.types import Delivered, Failed, Job, Picture, Price, Refused, Suite
from evalkit.warehouse import connect

PROMPTS = [f"thing number {i}" for i in range(6)]


def run(
    workspace: Workspace,
    suite: Suite,
    options: RunOptions = RunOptions(),
    systems: tuple[str, ...] = ("counted:a",),
) -> RunReport:
    plan, providers = build_plan([suite], parse_systems(systems), keep=workspace.objects.put)
    return execute(workspace, save_plan(workspace, plan), providers, options)


def test_every_trial_is_asked_once_and_a_second_run_asks_nothing(workspace, counted, make_suite) -> None:
    suite = make_suite(PROMPTS)
    first = run(workspace, suite)
    second = run(workspace, suite)
    assert first.made == {"ok": 6}
    assert second.made == {}
    assert second.reused == {"ok": 6}
    assert counted.calls == {f"c{i}": 1 for i in range(6)}
    assert first.exit_code == second.exit_code == 0


def test_editing_a_prompt_asks_only_what_it_touches(workspace, counted, make_suite) -> None:
    run(workspace, make_suite(PROMPTS))
    report = run(workspace, make_suite([*PROMPTS[:2], "something else", *PROMPTS[3:]]))
    assert report.made == {"ok": 1}
    assert counted.calls["c2"] == 2
    assert sum(counted.calls.values()) == 7


def test_editing_what_is_not_asked_asks_nothing(workspace, counted, make_suite) -> None:
    run(workspace, make_suite(PROMPTS))
    report = run(workspace, make_suite(PROMPTS, tags=["hard"], expected_text=["HELLO"]))
    assert report.made == {}
    assert report.reused == {"ok": 6}


def test_another_run_of_the_workspace_shares_finished_trials(workspace, counted, make_suite) -> None:
    suite = make_suite(PROMPTS)
    run(workspace, suite)
    report = run(workspace, suite, systems=("counted:a", "counted:b"))
    assert report.made == {"ok": 6}
    assert report.reused == {"ok": 6}


def test_a_refusal_and_a_failure_are_results(workspace, counted, make_suite) -> None:
    def answer(request, ledger):
        if request.case == "c0":
            return Refused("not this", stage="input", code="policy")
        return Failed("timeout", "too slow") if request.case == "c1" else Delivered((), price=Price())

    counted.answer = staticmethod(answer)
    report = run(workspace, make_suite(PROMPTS[:3]))
    assert report.made == {"refused": 1, "failed": 2}
    assert report.exit_code == 3
    assert sum(counted.calls.values()) == 3
    assert run(workspace, make_suite(PROMPTS[:3]), RunOptions(retry_failed=True)).made == {"failed": 2}


def test_a_broken_picture_is_a_failure_and_its_bytes_are_kept(workspace, counted, make_suite) -> None:
    counted.answer = staticmethod(lambda request, ledger: Delivered((Picture(b"<html>sorry</html>"),)))
    report = run(workspace, make_suite(PROMPTS[:1]))
    assert report.made == {"failed": 1}
    assert any(path.read_bytes() == b"<html>sorry</html>" for path in workspace.root.glob("objects/??/*"))


def test_an_attempt_that_was_cut_off_is_never_sent_again(workspace, counted, make_suite) -> None:
    counted.price = Decimal("0.05")
    suite = make_suite(PROMPTS[:2])
    plan, _ = build_plan([suite], parse_systems(["counted:a"]))
    with Journal(workspace.runs / plan.run / "journal.jsonl") as journal:
        journal.append(
            {"type": "intent", "trial": plan.trials[0][0], "attempt": 1, "t": "2026", "usd": "0.05"}
        )
    report = run(workspace, suite, RunOptions(budget=Decimal(1)))
    assert report.made == {"unknown": 1, "ok": 1}
    assert counted.calls == {"c1": 1}
    assert report.spent_usd == Decimal("0.10")


def test_a_free_attempt_that_was_cut_off_is_made_again(workspace, counted, make_suite, monkeypatch) -> None:
    monkeypatch.setattr(counted, "replayable", True)
    suite = make_suite(PROMPTS[:1])
    plan, _ = build_plan([suite], parse_systems(["counted:a"]))
    with Journal(workspace.runs / plan.run / "journal.jsonl") as journal:
        journal.append({"type": "intent", "trial": plan.trials[0][0], "attempt": 1, "t": "2026", "usd": "0"})
    assert run(workspace, suite).made == {"ok": 1}


def test_an_attempt_that_was_rejected_may_be_sent_again(workspace, counted, make_suite) -> None:
    suite = make_suite(PROMPTS[:1])
    plan, _ = build_plan([suite], parse_systems(["counted:a"]))
    head = {"trial": plan.trials[0][0], "attempt": 1, "t": "2026"}
    with Journal(workspace.runs / plan.run / "journal.jsonl") as journal:
        journal.append({"type": "intent", "usd": "0", **head})
        journal.append({"type": "rejected", "kind": "rate_limit", **head})
    assert run(workspace, suite).made == {"ok": 1}


def test_what_is_priced_needs_a_budget_and_never_passes_it(workspace, counted, make_suite) -> None:
    counted.price = Decimal("0.30")
    suite = make_suite(PROMPTS)
    with pytest.raises(UsageError, match=r"up to \$1.80") as caught:
        run(workspace, suite)
    assert "--budget" in caught.value.hint
    report = run(workspace, suite, RunOptions(budget=Decimal(1)))
    assert report.made == {"ok": 3}
    assert report.exit_code == 5
    assert report.spent_usd == Decimal("0.90")
    assert report.open == 3
    again = run(workspace, suite, RunOptions(budget=Decimal(2)))
    assert again.made == {"ok": 3}
    assert again.spent_usd == Decimal("1.80")


def test_a_stopped_lane_leaves_the_others_running(workspace, counted, make_suite) -> None:
    def answer(request, ledger):
        if request.model == "a":
            raise LaneStopped("the key is not valid", "Set COUNTED_KEY.")
        return Delivered((Picture(_png()),))

    counted.answer = staticmethod(answer)
    report = run(workspace, make_suite(PROMPTS), systems=("counted:a", "counted:b"))
    assert report.made == {"ok": 6}
    assert list(report.stopped) == ["counted:a"]
    assert report.exit_code == 3
    counted.answer = None
    again = run(workspace, make_suite(PROMPTS), systems=("counted:a", "counted:b"))
    assert again.made == {"ok": 6}, "what a stopped lane turned down was never accepted"


def test_a_stopped_lane_gives_its_reservation_back(workspace, counted, make_suite) -> None:
    def answer(request, ledger):
        if request.model == "a":
            raise LaneStopped("the key is not valid", "Set COUNTED_KEY.")
        return Delivered((Picture(_png()),), price=Price(Decimal("0.5"), "list"))

    counted.price = Decimal("0.5")
    counted.answer = staticmethod(answer)
    report = run(
        workspace, make_suite(PROMPTS[:2]), RunOptions(1, Decimal("1.0")), ("counted:a", "counted:b")
    )
    assert report.made == {"ok": 2}
    assert report.spent_usd == Decimal("1.0")


def test_every_attempt_has_cost_what_it_cost(workspace, counted, make_suite) -> None:
    counted.price = Decimal("0.25")
    counted.answer = staticmethod(
        lambda request, ledger: Failed("timeout", "slow", Price(Decimal("0.25"), "list"))
    )
    suite = make_suite(PROMPTS[:1])
    run(workspace, suite, RunOptions(budget=Decimal(1)))
    report = run(workspace, suite, RunOptions(budget=Decimal(1), retry_failed=True))
    assert report.spent_usd == Decimal("0.50")
    with connect(workspace) as db:
        assert db.execute("SELECT cost_usd FROM generations").fetchall() == [(Decimal("0.50"),)]


def test_an_unexpected_error_is_unknown_where_it_may_have_cost(workspace, counted, make_suite) -> None:
    def answer(request, ledger):
        raise RuntimeError("boom")

    counted.answer = staticmethod(answer)
    assert run(workspace, make_suite(PROMPTS[:1])).made == {"unknown": 1}


def test_the_order_of_writes(workspace, counted, make_suite) -> None:
    async def answer(request, ledger):
        steps = [r["type"] for r in read_records(next(workspace.runs.glob("*/journal.jsonl")))]
        assert steps == ["intent"]
        await ledger.accepted(Job("job-1"))
        return Delivered((Picture(_png()),))

    counted.answer = staticmethod(answer)
    report = run(workspace, make_suite(PROMPTS[:1]))
    steps = [record["type"] for record in read_records(workspace.runs / report.run / "journal.jsonl")]
    assert steps == ["intent", "accepted", "done"]


def test_two_runs_at_once_are_refused(workspace, counted, make_suite) -> None:
    suite = make_suite(PROMPTS[:1])

    def answer(request, ledger):
        with pytest.raises(Locked, match="running counted:a in this workspace"):
            run(workspace, suite)
        return Delivered((Picture(_png()),))

    counted.answer = staticmethod(answer)
    assert run(workspace, suite).made == {"ok": 1}


def test_a_full_disk_stops_the_run_and_the_next_one_continues(
    workspace, counted, make_suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counted, "replayable", True)
    suite = make_suite(PROMPTS)
    calls = 0
    real = type(workspace.objects).put

    def full(self: object, data: bytes) -> str:
        nonlocal calls
        calls += 1
        if calls > 2:
            raise StorageError("cannot store an image: No space left on device", "Free some space")
        return real(self, data)

    monkeypatch.setattr(type(workspace.objects), "put", full)
    with pytest.raises(StorageError, match="No space"):
        run(workspace, suite)
    monkeypatch.setattr(type(workspace.objects), "put", real)
    report = run(workspace, suite)
    assert report.made["ok"] + report.reused["ok"] == 6
    assert len(read_generations(workspace)) == 6


def test_replicates_are_trials_of_their_own(workspace, counted, make_suite) -> None:
    plan, providers = build_plan([make_suite(PROMPTS[:2])], parse_systems(["counted:a"]), replicates=3)
    assert len({trial for trial, *_ in plan.trials}) == 6
    assert execute(workspace, save_plan(workspace, plan), providers).made == {"ok": 6}


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "PNG")
    return buffer.getvalue()
