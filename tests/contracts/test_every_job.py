"""Providers whose jobs are polled for: an accepted job is paid for, so nothing may lose it."""

from __future__ import annotations

import pytest
from contractbench import Bench, Subject, subjects

JOBS = pytest.mark.parametrize("one", [s for s in subjects() if s.waits], ids=str)

NOISE = [
    "500*2",
    "503*1",
    "429*2,ra=0",
    "408*1",
    "html*1",
    "drop*2",
    "409*1",
    "404*1",
    "500*1; poll:html*1; poll:drop*1",
]


@JOBS
@pytest.mark.parametrize("fault", NOISE)
def test_trouble_on_the_way_is_waited_out(bench: Bench, one: Subject, fault: str) -> None:
    ran = bench.run(one, f"A red fox [[poll:{fault}]]", bills=1)
    assert ran.status == "ok"
    assert len(ran.submits) == 1


@JOBS
@pytest.mark.parametrize("fault", ["drop*1", "html*1", "429*1,ra=0"])
def test_trouble_with_the_result_is_waited_out(bench: Bench, one: Subject, fault: str) -> None:
    ran = bench.run(one, f"A red fox [[result:{fault}]]", bills=1)
    assert ran.status == "ok"


@JOBS
@pytest.mark.parametrize("fault", ["stuck", "stuckrun"])
def test_a_job_that_never_ends_is_cancelled(bench: Bench, one: Subject, fault: str) -> None:
    ran = bench.run(one, f"A red fox [[poll:{fault}]]", bills=1, deadline=0.1)
    assert (ran.status, ran.end.kind) == ("failed", "timeout")
    cancelled = [seen for seen in ran.requests if seen.path.endswith("/cancel")]
    assert len(cancelled) == (1 if one.spec.cancel else 0)
    assert all(seen.method == one.spec.cancel.method for seen in cancelled if one.spec.cancel)


@JOBS
def test_a_job_given_up_is_asked_for_again_not_made_again(bench: Bench, one: Subject) -> None:
    prompt = "A red fox [[poll:html*80]]"
    ran = bench.run(one, prompt, bills=1, deadline=0.05)
    assert (ran.status, ran.end.kind) == ("failed", "timeout")
    assert ran.end.price.usd > 0, "it may have been billed"
    ran = bench.run(one, prompt, bills=0, retry_failed=True)
    assert ran.status == ("failed" if one.spec.cancel else "ok"), "it was cancelled where that can be done"
    assert not ran.submits
    assert ran.report.asked == 0


@JOBS
def test_a_failed_job_is_not_sent_again_by_itself(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox [[end:fail]]", bills=1)
    assert ran.status == "failed"
    assert ran.end.kind in ("permanent", "transient")
    assert ran.report.exit_code == 3
    assert len(ran.submits) == 1


@JOBS
def test_a_failure_of_the_provider(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox [[end:error]]", bills=1)
    assert (ran.status, ran.end.kind) == ("failed", "transient")
    free = {"transient", "ERROR", "error"} & set(one.spec.free_on)
    assert (ran.end.price.usd == 0) == bool(free)


@JOBS
def test_done_without_a_picture(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox [[result:noimages]]", bills=1)
    assert (ran.status, ran.end.kind) == ("failed", "no_image")


@JOBS
def test_a_status_nobody_has_heard_of(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox [[poll:unknown]]", bills=1)
    assert (ran.status, ran.end.kind) == ("failed", "permanent")
    assert "BANANA" in (ran.end.reason or "")


@JOBS
def test_a_job_that_vanishes_has_expired(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox [[poll:vanish]]", bills=1)
    assert (ran.status, ran.end.kind) == ("failed", "expired")
    assert len(ran.submits) == 1


@JOBS
def test_a_job_that_flaps_is_fetched_once(bench: Bench, one: Subject) -> None:
    assert bench.run(one, "A red fox [[poll:flap]]", bills=1).status == "ok"


@JOBS
def test_the_key_does_not_follow_a_foreign_url(bench: Bench, one: Subject) -> None:
    """The socket guard of all tests would fail it if anything had been sent there."""
    if "{base}" in one.spec.poll[0]:
        pytest.skip("it makes its polling URLs itself")
    ran = bench.run(one, "A red fox [[poll:foreign]]", bills=1, deadline=1)
    assert (ran.status, ran.end.kind) == ("failed", "permanent")
    assert "refusing to send credentials" in (ran.end.reason or "")
    assert len(ran.requests) == 1


@JOBS
def test_a_crash_after_the_acceptance_costs_nothing(bench: Bench, one: Subject) -> None:
    bench.run(one, "A red fox", bills=1)
    bench.crash_after("accepted")
    second = bench.run(one, "A red fox", bills=0)
    assert second.status == "ok"
    assert not second.submits
    assert second.end.facts.get("resumed") is True
    assert second.end.timings is None, "the gap is ours"
    third = bench.run(one, "A red fox", bills=0)
    assert not third.requests


@JOBS
def test_a_crash_does_not_lose_a_refusal(bench: Bench, one: Subject) -> None:
    bench.run(one, "A red fox [[end:moderation]]", bills=1)
    bench.crash_after("accepted")
    assert bench.run(one, "A red fox [[end:moderation]]", bills=0).status == "refused"


@JOBS
def test_a_job_gone_after_a_crash_has_expired(bench: Bench, one: Subject) -> None:
    bench.run(one, "A red fox", bills=1)
    bench.crash_after("accepted")
    bench.fakes._world.jobs.clear()
    ran = bench.run(one, "A red fox", bills=0)
    assert (ran.status, ran.end.kind) == ("failed", "expired")
    assert not ran.submits
