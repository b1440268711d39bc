"""What every provider of the catalogue keeps to: nothing is paid twice, and nothing is lost."""

from __future__ import annotations

import pytest
from contractbench import Bench, Subject, every_row, subjects

from evalkit.fakes.server import BASES

EVERYBODY = pytest.mark.parametrize("one", subjects(), ids=str)
PAID = pytest.mark.parametrize("one", [s for s in subjects() if not s.free], ids=str)
KEYED = pytest.mark.parametrize("one", [s for s in subjects() if not s.spec.auth.optional], ids=str)


@pytest.mark.parametrize("one", every_row(), ids=str)
def test_one_picture(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox", bills=1)
    assert ran.status == "ok"
    assert len(ran.end.images) == 1
    assert len(ran.submits) == 1
    assert (ran.end.price.usd > 0) is not one.free
    assert ran.end.timings is not None


@EVERYBODY
def test_three_replicates_are_three_requests(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox", bills=3, replicates=3)
    assert ran.statuses == ["ok"] * 3
    assert len(ran.submits) == 3


@pytest.mark.parametrize("one", [s for s in every_row() if s.row.max_n >= 3], ids=str)
def test_three_pictures_in_one_request(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox", bills=1, params={"n": "3"})
    assert ran.status == "ok"
    assert len(ran.end.images) == 3
    assert [job.n for job in bench.fakes.ledger()] == [3]


@pytest.mark.parametrize("one", [s for s in subjects() if s.row.max_n >= 3], ids=str)
def test_one_picture_too_few_is_partial(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox [[end:partial]]", bills=1, params={"n": "3"})
    assert ran.status == "partial"
    assert len(ran.end.images) == 2


@EVERYBODY
def test_being_told_to_slow_down_is_waited_out(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox [[submit:429*2]]", bills=1)
    assert ran.status == "ok"
    assert ran.kinds("rejected") == ["rate_limit"] * 2
    assert len(ran.submits) == 3


@EVERYBODY
def test_being_told_so_for_ever_is_a_failure(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox [[submit:429]]", bills=0)
    assert (ran.status, ran.end.kind) == ("failed", "rate_limit")
    assert len(ran.submits) == 8
    assert ran.end.price.usd == 0


@EVERYBODY
def test_a_wait_may_be_an_http_date(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox [[submit:429*1,ra=date,in=40]]", bills=1)
    assert ran.status == "ok"
    (wait,) = bench.told
    assert wait is not None
    assert 35 < wait <= 40


@EVERYBODY
@pytest.mark.parametrize("fault", ["402", "quota"])
def test_without_money_the_lane_stops(bench: Bench, one: Subject, fault: str) -> None:
    prompts = [f"{thing} [[submit:{fault}]]" for thing in ("A fox", "A hen")]
    ran = bench.run(one, *prompts, bills=0, concurrency=1)
    assert ran.report.exit_code == 3
    assert ran.report.open == 2
    said = "auth" if (one.face, fault) == ("azure", "quota") else "balance"
    assert set(ran.kinds("rejected")) == {said}
    assert len(ran.submits) == (2 if one.spec.balance_in_flight else 1), "the second case was never asked for"


@KEYED
def test_without_a_key_nothing_is_asked(bench: Bench, one: Subject) -> None:
    for entry in one.spec.env:
        for variable in entry.split(":"):
            bench.monkeypatch.delenv(variable, raising=False)
    bench.monkeypatch.setattr(bench, "introduce", lambda _: None)
    ran = bench.run(one, "A red fox", bills=0)
    assert ran.report.exit_code == 3
    assert ran.status == "open"
    assert not ran.requests
    assert one.spec.env[0].split(":")[0] in str(ran.report.stopped)


@KEYED
def test_a_wrong_key_stops_the_lane(bench: Bench, one: Subject) -> None:
    bench.introduce(one)
    bench.monkeypatch.setenv(one.spec.env[0].split(":")[0], "SENTINEL-KEY-of-somebody-else")
    bench.monkeypatch.setattr(bench, "introduce", lambda _: None)
    ran = bench.run(one, "A fox", "A hen", bills=0, concurrency=1)
    assert ran.report.exit_code == 3
    assert ran.statuses == ["open", "open"]
    assert ran.kinds("rejected") == ["auth"] or not ran.submits


LOST = {
    "drop_after": 1,
    "drop": 0,
    "html": 0,
    "html,after=1": 1,
    "noid": 1,
    "badjson": 1,
    "empty500": 1,
    "500,after=1": 1,
    "503": 0,
    "408,after=1": 1,
}
"""Faults after which nobody knows whether there is a job, and how many there are."""


@PAID
@pytest.mark.parametrize(("fault", "billed"), LOST.items())
def test_a_lost_answer_is_unknown_and_not_sent_again(
    bench: Bench, one: Subject, fault: str, billed: int
) -> None:
    ran = bench.run(one, f"A red fox [[submit:{fault}]]", bills=billed)
    assert ran.status == "unknown"
    assert len(ran.submits) == 1
    assert ran.end.price.usd > 0, "it counts at the most it may have cost"
    assert ran.report.exit_code == 3
    assert [trial.usd for trial in ran.report.unknown] == [ran.end.price.usd]


@pytest.mark.parametrize("one", [s for s in subjects() if s.free], ids=str)
@pytest.mark.parametrize("fault", ["drop_after", "html", "badjson", "empty500"])
def test_a_lost_answer_of_a_free_model_has_failed(bench: Bench, one: Subject, fault: str) -> None:
    ran = bench.run(one, f"A red fox [[submit:{fault}]]", bills=LOST[fault])
    assert ran.status == "failed"
    assert len(ran.submits) == 1


@KEYED
@pytest.mark.parametrize(
    ("code", "status"), [(400, "failed"), (401, "open"), (429, "failed"), (500, "unknown")]
)
def test_an_answer_that_repeats_the_key(bench: Bench, one: Subject, code: int, status: str) -> None:
    """What the bench looks through for keys holds the provider's own words."""
    bench.fakes.faults(one.face, f"submit:{code}=your_key_SENTINEL-KEY-{one.face}_is_odd")
    ran = bench.run(one, "A red fox", bills=0)
    assert ran.statuses == [status]
    said = f"{ran.report.stopped} {ran.records}"
    assert "your key" in said


@pytest.mark.parametrize("one", [s for s in every_row() if s.row.seed], ids=str)
def test_each_replicate_has_its_own_seed(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox", bills=2, replicates=2, params={"seed": "7"})
    assert ran.statuses == ["ok", "ok"]
    assert {job.work.seed for job in bench.fakes._world.jobs.values()} == {7, 8}


@EVERYBODY
def test_a_redirect_is_not_followed(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox [[submit:redirect]]", bills=0)
    assert (ran.status, ran.end.kind) == ("failed", "permanent")
    assert len(ran.requests) == len(ran.submits) == 1 or one.spec.upload


@PAID
def test_a_crash_before_the_answer_is_unknown(bench: Bench, one: Subject) -> None:
    ran = bench.run(one, "A red fox", bills=1)
    bench.crash_after("intent")
    ran = bench.run(one, "A red fox", bills=0)
    assert not ran.submits
    assert ran.status == ("ok" if one.spec.reconcile else "unknown")


@EVERYBODY
def test_a_prompt_about_filters_is_no_refusal(bench: Bench, one: Subject) -> None:
    prompt = "A poster: NSFW filter, safety system, content_policy, flagged as sensitive [[end:validation]]"
    ran = bench.run(one, prompt, bills=1 if one.waits else 0)
    assert ran.status == "failed"
    assert ran.end.kind in ("validation", "permanent", "transient")


REFUSALS = [
    ("fal", "", "unknown", 1),
    ("fal", "no_media_generated", "unknown", 1),
    ("each", "", "unknown", 1),
    ("pixazo", "", "unknown", 1),
    ("azure", "", "unknown", 0),
    ("azure", "inner", "unknown", 0),
    ("azure", "inner_error", "unknown", 0),
    ("azure", "content_policy_violation", "unknown", 0),
    ("azure", "empty", "output", 1),
    ("openai", "", "input", 0),
    ("openai", "output", "output", 0),
    ("openai", "content_policy_violation", "input", 0),
    ("local", "", "unknown", 0),
    ("gemini", "", "output", 1),
    ("gemini", "PROHIBITED_CONTENT", "output", 1),
    ("gemini", "input", "input", 1),
    ("bfl", "", "output", 1),
    ("bfl", "input", "input", 1),
    ("replicate", "", "unknown", 1),
    ("stability", "", "unknown", 0),
    ("stability", "output", "output", 1),
    ("ideogram", "", "input", 0),
    ("ideogram", "output", "output", 1),
    ("together", "", "unknown", 0),
    ("openrouter", "", "input", 0),
]


def newcomers() -> list[tuple[str, str, str, int]]:
    """The same for descriptions that are mirrored, by their first rule of that kind."""
    mirrored = [s for s in subjects() if s.face not in BASES]
    rules = [(s, [rule for rule in s.spec.rules if rule.kind == "moderation"]) for s in mirrored]
    return [(s.name, "", found[0].stage, int(s.waits)) for s, found in rules if found]


@pytest.mark.parametrize(("name", "how", "stage", "billed"), [*REFUSALS, *newcomers()])
def test_moderation_is_a_refusal(bench: Bench, name: str, how: str, stage: str, billed: int) -> None:
    one = next(s for s in subjects() if s.name == name)
    ending = f"moderation={how}" if how else "moderation"
    ran = bench.run(one, f"A red fox [[end:{ending}]]", bills=billed)
    assert ran.status == "refused"
    assert ran.end.stage == stage
    assert ran.report.exit_code == 0, "a refusal is a result"
    assert len(ran.submits) == 1


def test_every_provider_with_a_filter_is_tried() -> None:
    written = {s.name for s in subjects() if s.face == s.name and s.name in BASES}
    assert {name for name, *_ in REFUSALS} == written - {"a1111"}
