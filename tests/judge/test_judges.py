"""Who can be asked, what a question costs at most, and what is sent to whom."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from judgebench import JUDGE, Bench

from evalkit.errors import UnknownName, UsageError
from evalkit.judge.judges import Judge, Library, make_judge, parse_judge, specs
from evalkit.judge.questions import Question, Shown
from evalkit.judge.templates import template
from evalkit.providers.base import Settings
from evalkit.providers.systems import providers
from evalkit.types import System

YES_NO = Question(template("yes-no"), "a red mug", (Shown("0" * 64, 1024, 1024),))
EDIT = Question(
    template("rubric-edit"), "make it blue", (Shown("0" * 64, 1024, 1024), Shown("1" * 64, 2048, 2048))
)
PRICED = [
    (name, row.id)
    for name, spec in specs().items()
    for row in spec.models
    if row.tariff.image_out is not None
]


def judge(text: str, price: str | None = None) -> Judge:
    library = Library({YES_NO.key: YES_NO, EDIT.key: EDIT}, lambda _: b"")
    return make_judge(parse_judge(text), library, Settings(assume_price=Decimal(price) if price else None))


def test_judges_are_described_and_make_no_pictures() -> None:
    assert set(specs()) >= {"openai-chat", "openrouter-chat", "chat", "local-chat"}
    assert not specs().keys() & providers().keys()
    for spec in specs().values():
        assert {row.task for row in spec.models} == {"answer"}
        assert spec.models[-1].id == "*", "any other model"


def test_a_judge_is_written_like_a_system() -> None:
    assert parse_judge(f"{JUDGE}?detail=low") == System("openai-chat", "gpt-4.1-mini", {"detail": "low"})
    local = parse_judge("local-chat:http://127.0.0.1:8000/v1?model=qwen")
    assert (local.model, dict(local.params)) == ("http://127.0.0.1:8000/v1", {"model": "qwen"})


@pytest.mark.parametrize(
    ("text", "error"),
    [("gpt-4.1", UsageError), ("openai-chat:", UsageError), ("openai:gpt-4.1", UnknownName)],
)
def test_what_is_no_judge_is_an_error(text: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse_judge(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{JUDGE}?detial=low", "unknown parameter"),
        (f"{JUDGE}?detail=huge", "takes no detail=huge"),
        (f"{JUDGE}?max_tokens=none", "not a number of tokens"),
        (f"{JUDGE}?logprobs=true", "cannot be asked"),
        ("openai-chat:gpt-9?temperature=1", "unknown parameter"),
        ("local-chat:qwen", "not the URL of a server"),
    ],
)
def test_what_a_judge_does_not_take_is_an_error(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        judge(text)


@pytest.mark.parametrize(("name", "model"), PRICED)
@pytest.mark.parametrize("question", [YES_NO, EDIT], ids=["yes-no", "edit"])
def test_a_worst_case_counts_every_byte_every_picture_and_a_full_answer(
    name: str, model: str, question: Question
) -> None:
    asked = judge(f"{name}:{model}")
    price, tariff = asked.price(question), asked.row.tariff
    assert tariff.text_in is not None
    assert tariff.image_out is not None
    tokens = len(question.text.encode()) + tariff.source_tokens_max * len(question.pictures)
    at_most = (tokens * tariff.text_in + question.template.most_tokens * tariff.image_out) / 1_000_000
    assert at_most <= price.worst <= at_most + Decimal("0.000002")
    assert Decimal(0) < price.expected < price.worst


def test_a_model_that_thinks_is_given_room_to(bench: Bench) -> None:
    asked = judge("openai-chat:gpt-9", "0.02")
    usual = asked._usual(EDIT, asked._bounded(EDIT))
    assert usual["max_tokens"] == template("rubric-edit").most_tokens + 4000
    assert usual.keys() == {"max_tokens", "response_format"}, "no temperature, no log probabilities"
    assert judge("openai-chat:gpt-9?max_tokens=900", "0.02")._usual(EDIT, asked.row)["max_tokens"] != 900
    assert judge("openai-chat:gpt-9?max_tokens=900", "0.02")._bounded(EDIT).tariff.image_tokens_max == 900


@pytest.mark.parametrize(
    ("text", "there", "gone"),
    [
        (f"{JUDGE}?temperature=0.5&detail=low&seed=7", {"temperature": 0.5, "seed": 7}, {"detail"}),
        (f"{JUDGE}?logprobs=off", {"temperature": 0}, {"logprobs", "top_logprobs"}),
        (
            "local-chat:http://127.0.0.1:9/v1?model=qwen",
            {"max_tokens": 16, "model": "qwen"},
            {"max_completion_tokens"},
        ),
    ],
)
def test_parameters_travel(bench: Bench, text: str, there: dict[str, object], gone: set[str]) -> None:
    bench.judge("yes-no", judge=text, cases=("ball",))
    body = json.loads(next(seen.body for seen in bench.fakes.requests() if seen.method == "POST"))
    assert {name: body[name] for name in there} == there
    assert not gone & body.keys()
    url = body["messages"][0]["content"][1]["image_url"]
    assert (url.get("detail") == "low") is ("detail=low" in text)


def test_the_key_goes_to_its_own_provider_only(bench: Bench) -> None:
    bench.judge("rubric", cases=("ball",))
    keys = {seen.headers.get("authorization") for seen in bench.fakes.requests()}
    assert keys == {"Bearer SENTINEL-KEY-openai"}
    everything = b"".join(path.read_bytes() for path in bench.workspace.root.rglob("*") if path.is_file())
    assert b"SENTINEL-KEY" not in everything


def test_without_a_key_nothing_is_sent(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    report = bench.judge("rubric")
    assert report.ran.exit_code == 3
    assert "OPENAI_API_KEY" in str(report.ran.stopped)
    assert not bench.fakes.requests()
    assert not bench.scores(), "what was not asked has no score, not even an empty one"


def test_a_fake_judge_is_another_judge(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = bench.session("rubric").plan.trials
    monkeypatch.delenv("EVALKIT_OPENAI_CHAT_BASE")
    real = bench.session("rubric").plan.trials
    assert fake.keys() == real.keys()
    assert not {*fake.values()} & {*real.values()}


def test_a_judge_of_ones_own_with_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A description in EVALKIT_PROVIDERS is a judge if it has a [submit.answer]."""
    from evalkit.judge.judges import CATALOG

    text = (CATALOG / "openai-chat.toml").read_text("utf-8")
    (tmp_path / "mine.toml").write_text(text.replace('name = "openai-chat"', 'name = "mine"'))
    monkeypatch.setenv("EVALKIT_PROVIDERS", str(tmp_path))
    specs.cache_clear()
    try:
        assert judge("mine:gpt-4.1").price(YES_NO) == judge("openai-chat:gpt-4.1").price(YES_NO)
    finally:
        specs.cache_clear()


def test_one_picture_more_costs_more() -> None:
    asked = judge(JUDGE)
    twice = replace(YES_NO, pictures=(*YES_NO.pictures, Shown("2" * 64, 64, 64)))
    assert asked.price(twice).worst > asked.price(YES_NO).worst
