"""Pictures behind URLs, and pictures inside answers: as good as what came, and never fetched with the key."""

from __future__ import annotations

import pytest
from contractbench import Bench, Subject, subject, subjects

LINKED = ("fal", "each", "pixazo", "bfl", "replicate", "ideogram")
"""Fakes that give URLs."""
BY_URL = pytest.mark.parametrize("one", [s for s in subjects() if s.face in LINKED], ids=str)
INLINE = pytest.mark.parametrize("one", [s for s in subjects() if s.face not in LINKED], ids=str)

ENDS = {
    "truncate": "download",
    "truncate*1": "ok",
    "truncate_ok": "download",
    "truncate_ok*2": "ok",
    "html": "download",
    "html*1": "ok",
    "empty": "download",
    "wrongtype": "ok",
    "webp": "ok",
    "big": "download",
    "bomb": "download",
    "redirect": "ok",
    "redirect_loop": "download",
    "redirect_private": "download",
    "403": "expired",
    "404": "expired",
    "410": "expired",
    "500*1": "ok",
    "503": "download",
    "429*1": "ok",
    "drop*1": "ok",
    "slow=0.05": "ok",
}
"""What a fault of the store comes to."""


@BY_URL
@pytest.mark.parametrize(("fault", "end"), ENDS.items())
def test_what_a_store_does_wrong(bench: Bench, one: Subject, fault: str, end: str) -> None:
    ran = bench.run(one, f"A red fox [[dl:{fault}]]", bills=1)
    assert (ran.status, ran.end.kind) == (("ok", None) if end == "ok" else ("failed", end))
    assert len(ran.submits) == 1
    assert ran.end.price.usd > 0, "the picture was made, whether it arrived or not"


@BY_URL
def test_a_redirect_into_a_private_network_is_refused(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox [[dl:redirect_private]]", bills=1)
    assert "refusing to download" in (ran.end.reason or "")
    assert len([seen for seen in ran.requests if seen.path.startswith("/files")]) == 1


@pytest.mark.parametrize("one", [s for s in subjects() if s.face in LINKED and s.waits], ids=str)
def test_a_failed_download_can_be_made_up_for(bench: Bench, one: Subject) -> None:
    """Four tries, and the store was down; the fifth is a later run's."""
    prompt = "A red fox [[dl:503*4]]"
    assert bench.run(one, prompt, bills=1).end.kind == "download"
    ran = bench.run(one, prompt, bills=0, retry_failed=True)
    assert ran.status == "ok"
    assert not ran.submits
    assert ran.report.asked == 0


@INLINE
@pytest.mark.parametrize(("fault", "end"), [("truncate_ok", "download"), ("html", "download"),
                                            ("bomb", "download"), ("webp", "ok")])  # fmt: skip
def test_pictures_inside_answers(bench: Bench, one: Subject, fault: str, end: str) -> None:
    ran = bench.run(one, f"A red fox [[dl:{fault}]]", bills=1)
    assert (ran.status, ran.end.kind) == (("ok", None) if end == "ok" else ("failed", end))
    assert (ran.end.price.usd > 0) is not one.free
    assert len(ran.submits) == 1


def test_links_that_have_expired_by_the_time(bench: Bench) -> None:
    """Black Forest Labs keep a picture for ten minutes; a crash may take longer."""
    one = subject("bfl")
    bench.run(one, "A red fox", bills=1)
    bench.crash_after("accepted")
    bench.fakes.advance(700)
    ran = bench.run(one, "A red fox", bills=0)
    assert (ran.status, ran.end.kind) == ("failed", "expired")


@pytest.mark.parametrize("name", ["fal", "ideogram"])
def test_a_flagged_picture_is_left_out_and_the_good_one_kept(bench: Bench, name: str) -> None:
    ran = bench.run(subject(name), "A red fox [[end:nsfw]]", bills=1, params={"n": "2"})
    assert ran.status == "partial"
    assert len(ran.end.images) == 1
    (data,) = [bench.workspace.objects.get(image.sha256) for image in ran.end.images]
    job = next(iter(bench.fakes._world.jobs.values()))
    assert data == job.picture(1), "the second picture is the good one"


@pytest.mark.parametrize("name", ["fal", "ideogram"])
def test_all_pictures_flagged_is_a_refusal(bench: Bench, name: str) -> None:
    ran = bench.run(subject(name), "A red fox [[end:nsfw]]", bills=1)
    assert (ran.status, ran.end.stage) == ("refused", "output")
