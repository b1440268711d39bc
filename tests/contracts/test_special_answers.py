"""Answers that mean something else at one provider than at all others."""

from __future__ import annotations

import pytest
from contractbench import Bench, subject

ONE = "A red fox"


def test_fal_locked_means_money(bench: Bench) -> None:
    ran = bench.run(subject("fal"), f"{ONE} [[submit:locked]]", bills=0)
    assert ran.report.exit_code == 3
    assert ran.kinds("rejected") == ["balance"]
    assert "Top up" in str(ran.report.stopped)


def test_azure_blocked_is_about_the_account(bench: Bench) -> None:
    ran = bench.run(subject("azure"), f"{ONE} [[submit:blocked]]", bills=0)
    assert ran.report.exit_code == 3
    assert ran.kinds("rejected") == ["auth"]


@pytest.mark.parametrize(
    ("ending", "status", "kind"),
    [
        ("moderation", "refused", "content_policy_violation"),
        ("moderation=no_media_generated", "refused", "no_media"),
        ("validation", "failed", "validation"),
        ("validation=image_too_small", "failed", "validation"),
        ("validation=file_download_error", "failed", "validation"),
        ("fail", "failed", "transient"),
        ("fail=downstream_service_error", "failed", "transient"),
        ("fail=generation_timeout", "failed", "timeout"),
        ("error", "failed", "transient"),
        ("error=runner_disconnected", "failed", "transient"),
        ("cancelled", "failed", "cancelled"),
        ("timeout", "failed", "timeout"),
    ],
)
def test_fal_completed_is_not_success(bench: Bench, ending: str, status: str, kind: str) -> None:
    """A 422 with the result is a refusal or a mistake of ours; a 504 is our own start timeout."""
    ran = bench.run(subject("fal"), f"{ONE} [[end:{ending}]]", bills=1)
    assert (ran.status, ran.end.kind) == (status, kind)
    assert len(ran.submits) == 1


def test_fal_is_told_not_to_retry_or_fall_back(bench: Bench) -> None:
    ran = bench.run(subject("fal"), ONE, bills=1, deadline=77)
    headers = {name.lower(): value for name, value in ran.submits[0].headers.items()}
    assert headers["x-fal-no-retry"] == "1"
    assert headers["x-app-fal-disable-fallback"] == headers["x-fal-disable-fallbacks"] == "true"
    assert headers["x-fal-request-start-timeout"] == "77"


@pytest.mark.parametrize("code", ["402", "422"])
def test_each_counts_what_is_in_flight(bench: Bench, code: str) -> None:
    """Both numbers mean money there; once nothing else is in flight it is tried again, and then it stops."""
    one = subject("each", "edit")
    ran = bench.run(one, f"{ONE} [[submit:{code}*1]]", bills=1)
    assert ran.status == "ok"
    assert ran.kinds("rejected") == ["balance"]
    ran = bench.run(one, f"A blue hen [[submit:{code}]]", bills=0)
    assert ran.report.exit_code == 3
    assert ran.report.open == 1
    assert ran.kinds("rejected") == ["balance", "balance"]


@pytest.mark.parametrize(
    ("category", "kind"),
    [
        ("VALIDATION", "validation"),
        ("PROVIDER", "transient"),
        ("NETWORK", "transient"),
        ("AUTH", "permanent"),
    ],
)
def test_each_tells_whose_fault_it_was(bench: Bench, category: str, kind: str) -> None:
    ran = bench.run(subject("each", "edit"), f"{ONE} [[end:error={category}]]", bills=1)
    assert (ran.status, ran.end.kind) == ("failed", kind)
    assert not ran.report.stopped, "their key at somebody else is not ours"
    assert ran.end.price.usd == 0, "a run that fails settles at nothing"


@pytest.mark.parametrize("shape", ["str", "list", "object"])
def test_each_output_has_three_shapes(bench: Bench, shape: str) -> None:
    assert bench.run(subject("each", "edit"), f"{ONE} [[shape:{shape}]]", bills=1).status == "ok"


@pytest.mark.parametrize("model", ["microsoft-mai-image-2-5", "microsoft-mai-image-2-5-pro"])
def test_pixazo_may_answer_at_once(bench: Bench, model: str) -> None:
    one = subject("pixazo", model=model)
    if model == "microsoft-mai-image-2-5":
        bench.monkeypatch.setitem(one.spec.submit["t2i"].body, "sync_mode", True)
    ran = bench.run(one, ONE, bills=1)
    assert ran.status == "ok"
    assert [seen.path for seen in ran.requests if "/status/" in seen.path] == []


@pytest.mark.parametrize(
    ("ending", "kind", "free"), [("error", "transient", True), ("fail", "permanent", False)]
)
def test_pixazo_tells_errors_from_failures(bench: Bench, ending: str, kind: str, free: bool) -> None:
    ran = bench.run(subject("pixazo"), f"{ONE} [[end:{ending}]]", bills=1)
    assert (ran.status, ran.end.kind) == ("failed", kind)
    assert (ran.end.price.usd == 0) is free, "only ERROR is documented as not charged"


@pytest.mark.parametrize(("name", "fault"), [("openai", "quota"), ("gemini", "quota")])
def test_a_429_may_mean_money(bench: Bench, name: str, fault: str) -> None:
    ran = bench.run(subject(name), f"{ONE} [[submit:{fault}]]", "A blue hen", bills=0, concurrency=1)
    assert ran.report.exit_code == 3
    assert ran.statuses == ["open", "open"]
    assert ran.kinds("rejected") == ["balance"]
    assert len(ran.submits) == 1, "it was not waited out like a rate limit"


def test_gemini_drafts_are_not_the_answer(bench: Bench) -> None:
    ran = bench.run(subject("gemini"), f"{ONE} [[shape:thought]]", bills=1)
    assert ran.status == "ok"
    (image,) = ran.end.images
    job = next(iter(bench.fakes._world.jobs.values()))
    assert bench.workspace.objects.get(image.sha256) == job.picture(0)


def test_gemini_without_a_picture_is_no_refusal(bench: Bench) -> None:
    ran = bench.run(subject("gemini"), f"{ONE} [[end:fail]]", bills=1)
    assert ran.status == "failed"
    assert ran.end.kind in ("permanent", "no_image")


def test_replicate_aborted_is_not_charged(bench: Bench) -> None:
    ran = bench.run(subject("replicate"), f"{ONE} [[end:aborted]]", bills=1)
    assert (ran.status, ran.end.kind) == ("failed", "cancelled")
    assert ran.end.price.usd == 0


def test_a1111_contact_sheets_are_dropped(bench: Bench) -> None:
    """The table asks for one picture; a server may put its own grid before it."""
    ran = bench.run(subject("a1111"), f"{ONE} [[shape:grid]]", bills=1)
    assert ran.status == "ok"
    assert len(ran.end.images) == 1


def test_bfl_is_asked_where_it_says(bench: Bench) -> None:
    """Its polling URL is on another host of its own, and that is where the key may go."""
    ran = bench.run(subject("bfl"), ONE, bills=1)
    polls = [seen for seen in ran.requests if "get_result" in seen.path]
    assert polls
    assert all(dict(seen.headers)["host"].startswith("localhost") for seen in polls)


def test_bfl_webhooks_are_signed_with_a_secret_that_stays_here(bench: Bench) -> None:
    bench.monkeypatch.setenv("BFL_WEBHOOK_SECRET", "SENTINEL-KEY-of-the-webhook")
    ran = bench.run(subject("bfl"), f"{ONE} [[hook:never]]", bills=1, webhook="http://127.0.0.1:9/in")
    body = ran.submits[0].body.decode()
    assert '"webhook_secret":"SENTINEL-KEY-of-the-webhook"' in body.replace(" ", "")
    assert '"webhook_url":"http://127.0.0.1:9/in/hooks/bfl"' in body.replace(" ", "")


def test_no_webhook_no_secret(bench: Bench) -> None:
    bench.monkeypatch.setenv("BFL_WEBHOOK_SECRET", "SENTINEL-KEY-of-the-webhook")
    assert b"webhook" not in bench.run(subject("bfl"), ONE, bills=1).submits[0].body
    assert b"webhook" not in bench.run(subject("replicate"), "A blue hen", bills=1).submits[0].body


def test_replicate_webhooks_are_only_for_the_end(bench: Bench) -> None:
    ran = bench.run(subject("replicate"), f"{ONE} [[hook:never]]", bills=1, webhook="http://127.0.0.1:9/in")
    body = ran.submits[0].body.decode().replace(" ", "")
    assert '"webhook_events_filter":["completed"]' in body
