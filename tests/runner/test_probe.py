"""What a probe asks, what it learns, and that it pays for each answer once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from evalkit.errors import InvalidInput, UnknownName, UsageError
from evalkit.fakes import FakeServer
from evalkit.fakes.face import SENTINEL, Invalid
from evalkit.fakes.routes import each as each_face
from evalkit.providers.base import Settings
from evalkit.remote.catalog import specs
from evalkit.runner.probing import Fact, Probe, ProbeReport, Target, facts_path, keep_facts, read_facts
from evalkit.runner.probing.learn import read_answer
from evalkit.runner.probing.steps import rows_to_probe, steps_of
from evalkit.types import System

ENOUGH = Decimal(5)
MODELS = {"a1111": "any", "local": "http://127.0.0.1:1/v1"}


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeServer]:
    with FakeServer(polls=1, side=64) as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        yield server


def make(root: Path, provider: str, **more: Any) -> Probe:
    price = more.pop("price", Decimal("0.07"))
    system = System(provider, MODELS.get(provider, more.pop("model", "")))
    return Probe(root, Target(system, **more), Settings(assume_price=price))


def probe(root: Path, provider: str, budget: Decimal | None = ENOUGH, **more: Any) -> ProbeReport:
    retry = more.pop("retry_failed", False)
    return make(root, provider, **more).run(budget, retry_failed=retry)


def statuses(report: ProbeReport) -> dict[str, str]:
    return {result.step: result.status for result in report.results}


def known(root: Path, provider: str, task: str = "") -> dict[tuple[str, str], str]:
    return {
        (fact.name, fact.about): fact.value for fact in read_facts(root, provider) if task in ("", fact.task)
    }


def bodies(fake: FakeServer) -> list[dict[str, Any]]:
    return [json.loads(seen.body) for seen in fake.requests() if seen.method == "POST" and seen.body]


def test_the_questions_about_fal_are_answered(fake: FakeServer, tmp_path: Path) -> None:
    report = probe(tmp_path, "fal")
    assert report.exit_code == 0
    assert statuses(report) == {
        "t2i-invalid": "turned away",
        "t2i-one": "ok",
        "t2i-two": "ok",
        "t2i-21x9": "ok",
        "edit-one": "ok",
    }
    facts = known(tmp_path, "fal", "t2i")
    assert facts["invalid request", "no prompt"].startswith("refused at its result, after it was taken")
    assert facts["served", ""] == "yes"
    assert facts["units", "n=1 at 1:1"] == "1"
    assert facts["units", "n=2 at 1:1"] == "2"
    assert facts["pictures", "n=2 at 1:1"] == "2 of 2"
    assert facts["headers about money", ""] == "x-fal-billable-units: 1"
    assert "its own work 1.2" in facts["seconds", "n=1 at 1:1"]
    assert known(tmp_path, "fal", "edit")["data URI", ""] == "taken"
    account = known(tmp_path, "fal")
    assert account["job that is not there", "key in Authorization"] == "404"
    assert account["job that is not there", "without a key"].startswith("401")
    assert '"unit_price":0.05' in account["price list", ""]
    asked = bodies(fake)
    assert "prompt" not in asked[0]
    assert [body.get("num_images", 1) for body in asked] == [1, 1, 2, 1, 1]
    assert asked[3]["aspect_ratio"] == "21:9"
    assert asked[4]["image_urls"][0].startswith("data:image/png;base64,")


def test_each_tells_its_cost_and_refuses_at_once(fake: FakeServer, tmp_path: Path) -> None:
    report = probe(tmp_path, "each")
    assert statuses(report)["edit-one"] == "not needed"
    facts = known(tmp_path, "each")
    assert facts["invalid request", "no prompt"].startswith("refused when it is sent")
    assert facts["reported cost", "n=2 at 1:1"] == "0.1"
    assert facts["data URI", ""] == "taken"
    assert facts["job that is not there", "key in X-API-Key"].startswith("404")
    assert facts["job that is not there", "key in Authorization"].startswith("401")
    assert len(fake.ledger()) == 3
    assert report.spent_usd == Decimal("0.20")


def test_where_data_uris_are_refused_the_source_is_uploaded(
    fake: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = each_face.picture

    def picky(world: Any, value: Any) -> bytes:
        if str(value).startswith("data:"):
            raise Invalid("image_urls have to be URLs")
        return real(world, value)

    monkeypatch.setattr(each_face, "picture", picky)
    report = probe(tmp_path, "each")
    assert statuses(report)["edit-inline"] == "turned away"
    assert statuses(report)["edit-one"] == "ok"
    assert known(tmp_path, "each")["data URI", ""] == "refused: image_urls have to be URLs"
    assert known(tmp_path, "each")["served", ""] == "yes"
    assert report.exit_code == 0


@pytest.mark.parametrize("provider", sorted(specs()))
def test_every_provider_of_the_catalogue_can_be_probed_and_pays_once(
    fake: FakeServer, tmp_path: Path, provider: str
) -> None:
    first = probe(tmp_path, provider)
    paid, facts = len(fake.ledger()), read_facts(tmp_path, provider)
    assert first.exit_code == 0, first
    assert paid
    assert ("served", "") in known(tmp_path, provider)
    second = probe(tmp_path, provider)
    assert len(fake.ledger()) == paid
    assert read_facts(tmp_path, provider) == facts
    assert second.spent_usd == first.spent_usd
    assert all(result.earlier for result in second.results if result.status != "not needed")


def test_again_asks_everything_anew(fake: FakeServer, tmp_path: Path) -> None:
    probe(tmp_path, "replicate")
    paid = len(fake.ledger())
    report = probe(tmp_path, "replicate", again=True)
    assert len(fake.ledger()) == 2 * paid
    assert not any(result.earlier for result in report.results)
    probe(tmp_path, "replicate")
    assert len(fake.ledger()) == 2 * paid


def test_every_shape_is_asked_for_where_that_is_wanted(fake: FakeServer, tmp_path: Path) -> None:
    probe(tmp_path, "replicate", all_ratios=True)
    ratios = {about for name, about in known(tmp_path, "replicate") if name == "pixels"}
    assert ratios == set(specs()["replicate"].models[0].ratios)


@pytest.mark.parametrize("provider", ["replicate", "openai"])
def test_a_lost_answer_is_unknown_and_stays_unsent(fake: FakeServer, tmp_path: Path, provider: str) -> None:
    fake.faults(provider, "submit:drop_after")
    report = probe(tmp_path, provider)
    assert statuses(report)["t2i-one"] == "unknown"
    assert report.exit_code == 3
    assert report.spent_usd > 0
    assert ("served", "") not in known(tmp_path, provider)
    paid = len(fake.ledger())
    fake.faults(provider, "")
    second = probe(tmp_path, provider)
    assert len(fake.ledger()) == paid
    assert statuses(second)["t2i-one"] == "unknown"
    assert "may have been billed" in next(r.outcome for r in second.results if r.step == "t2i-one")


def test_a_lost_answer_is_found_where_jobs_can_be_looked_up(fake: FakeServer, tmp_path: Path) -> None:
    fake.faults("fal", "submit:drop_after")
    assert statuses(probe(tmp_path, "fal"))["t2i-two"] == "unknown"
    paid = len(fake.ledger())
    fake.faults("fal", "")
    report = probe(tmp_path, "fal")
    assert len(fake.ledger()) == paid
    assert statuses(report)["t2i-two"] == "ok"
    assert known(tmp_path, "fal")["units", "n=2 at 1:1"] == "2"


def test_without_a_budget_nothing_is_sent_or_written(fake: FakeServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"up to \$0.3179") as caught:
        probe(tmp_path, "fal", None)
    assert "--budget" in caught.value.hint
    assert not fake.requests()
    assert not list(tmp_path.iterdir())


def test_a_budget_is_never_passed_and_can_be_raised(fake: FakeServer, tmp_path: Path) -> None:
    report = probe(tmp_path, "each", Decimal("0.12"))
    assert report.exit_code == 5
    assert "does not cover edit-two" in report.stopped
    assert report.spent_usd == Decimal("0.05")
    assert statuses(report)["edit-16x9"] == "open"
    assert probe(tmp_path, "each").exit_code == 0
    assert len(fake.ledger()) == 3


def test_what_is_free_needs_no_budget(fake: FakeServer, tmp_path: Path) -> None:
    assert probe(tmp_path, "local", None, price=None).exit_code == 0
    assert fake.requests()


def test_with_a_bad_key_nothing_is_paid_for(
    fake: FakeServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAL_KEY", "a-key-that-is-wrong")
    report = probe(tmp_path, "fal")
    assert report.exit_code == 3
    assert report.stopped.startswith("no: ")
    assert set(statuses(report).values()) == {"open"}
    assert not [seen for seen in fake.requests() if seen.method == "POST"]


def test_without_a_key_it_says_which(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FAL_KEY", "FAL_KEY_ID", "FAL_KEY_SECRET"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(UsageError) as caught:
        probe(tmp_path, "fal")
    assert "FAL_KEY" in caught.value.hint


def test_failures_of_the_moment_teach_nothing_and_can_be_asked_again(
    fake: FakeServer, tmp_path: Path
) -> None:
    fake.faults("replicate", "end:error")
    report = probe(tmp_path, "replicate")
    assert report.exit_code == 3
    assert ("served", "") not in known(tmp_path, "replicate")
    fake.faults("replicate", "")
    assert statuses(probe(tmp_path, "replicate"))["t2i-one"] == "failed"
    assert statuses(probe(tmp_path, "replicate", retry_failed=True))["t2i-one"] == "ok"


def test_no_key_is_written_anywhere(fake: FakeServer, tmp_path: Path) -> None:
    for provider in ("fal", "each", "bfl"):
        probe(tmp_path, provider)
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if SENTINEL.encode() in path.read_bytes()] == []


def test_steps_are_on_the_disk_before_they_are_sent(fake: FakeServer, tmp_path: Path) -> None:
    probe(tmp_path, "each")
    for journal in (tmp_path / "probes" / "each" / "runs").glob("*/journal.jsonl"):
        records = [json.loads(line) for line in journal.read_text().splitlines()]
        assert records[0]["type"] == "intent"
        assert {record["attempt"] for record in records} == {1}


def test_a_model_that_is_gone_can_be_asked_whether_it_is(fake: FakeServer, tmp_path: Path) -> None:
    report = probe(tmp_path, "openai", model="gpt-image-1", task="t2i")
    assert statuses(report)["t2i-one"] == "ok"


def test_parameters_belong_to_the_facts(fake: FakeServer, tmp_path: Path) -> None:
    system = System("openai", "gpt-image-1-mini", {"quality": "low", "n": "3"})
    assert Probe(tmp_path, Target(system, "t2i")).run(ENOUGH).exit_code == 0
    assert {fact.model for fact in read_facts(tmp_path, "openai")} == {"gpt-image-1-mini?quality=low"}
    assert [body.get("n", 1) for body in bodies(fake)] == [1, 1, 2, 1]
    assert {body["quality"] for body in bodies(fake)} == {"low"}


def test_what_cannot_be_probed(fake: FakeServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing to probe"):
        make(tmp_path, "studio", model="clean")
    with pytest.raises(UnknownName, match="model of bfl"):
        make(tmp_path, "bfl", model="flux-9")
    with pytest.raises(UsageError, match="nobody knows what"):
        make(tmp_path, "pixazo", price=None)
    with pytest.raises(UsageError, match="could be chosen"):
        Probe(tmp_path, Target(System("a1111", "")))


def test_a_family_is_probed_for_both_tasks_and_an_id_for_its_own() -> None:
    fal = specs()["fal"]
    assert [row.task for row in rows_to_probe(fal, "")] == ["t2i", "edit"]
    assert [row.task for row in rows_to_probe(fal, "mai-image-2.5")] == ["t2i", "edit"]
    assert [row.task for row in rows_to_probe(fal, "microsoft/mai-image-2.5/edit")] == ["edit"]
    assert [row.id for row in rows_to_probe(fal, "other/model", "edit")] == ["*"]


@pytest.mark.parametrize("provider", sorted(specs()))
def test_steps_have_names_of_their_own(provider: str) -> None:
    spec = specs()[provider]
    for row in spec.models:
        names = [step.name for step in steps_of(spec, [row], all_ratios=True)]
        assert len(names) == len(set(names))


def test_an_open_attempt_has_no_status() -> None:
    head = {"trial": "a" * 64, "t": "2026-11-20T00:00:00.000000Z"}
    failed = {"type": "done", "status": "failed", "usd": "0", "basis": "none", "attempt": 1, **head}
    sent = {"type": "intent", "usd": "1", "attempt": 2, **head}
    assert read_answer([failed]).status == "failed"
    assert read_answer([failed, sent]).status == ""
    taken = {"type": "accepted", "note": "job-1", "facts": {}, "attempt": 2, **head}
    answer = read_answer([failed, sent, taken])
    assert answer.job is not None
    assert answer.job.id == "job-1"


def fact(value: str, date: str = "2026-11-20", at: str = "https://x.example") -> Fact:
    return Fact("served", value, date, at, "m", "t2i")


def test_a_newer_fact_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    keep_facts(tmp_path, "x", [fact("yes")])
    keep_facts(tmp_path, "x", [fact("no", "2026-12-01"), fact("late", "2026-10-01")])
    keep_facts(tmp_path, "x", [fact("in a rehearsal", at="loopback")])
    assert [found.value for found in read_facts(tmp_path, "x")] == ["no", "in a rehearsal"]


def test_facts_that_cannot_be_read_are_reported(tmp_path: Path) -> None:
    assert read_facts(tmp_path, "x") == []
    path = facts_path(tmp_path, "x")
    path.parent.mkdir()
    path.write_text('{"facts": [{"name": "served"}]}')
    with pytest.raises(InvalidInput, match="does not hold facts"):
        read_facts(tmp_path, "x")
