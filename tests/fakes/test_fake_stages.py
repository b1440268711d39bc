"""Each fault happens where it says, and the ledger holds exactly what would be billed."""

from __future__ import annotations

import email.utils
import time
from typing import Any

import httpx
import pytest
from fake_talk import ASYNC, PROVIDERS, Talk, key, size

from evalkit.fakes import FakeServer

SYNC = tuple(sorted(set(PROVIDERS) - set(ASYNC)))


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("code", [401, 402, 403, 404, 429, 500, 503])
def test_a_status_on_submit_is_in_the_providers_own_words(talk: Talk, provider: str, code: int) -> None:
    answer = talk.ask(provider, f"a fox [[submit:{code}]]")
    assert answer.status_code == code
    assert isinstance(answer.json(), dict)
    assert talk.fakes.ledger() == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_twice_too_many_requests_and_then_it_works(talk: Talk, provider: str) -> None:
    answers = [talk.ask(provider, "a fox [[submit:429*2,ra=1]]") for _ in range(3)]
    assert [answer.status_code for answer in answers[:2]] == [429, 429]
    assert answers[0].headers["retry-after"] == "1"
    assert answers[2].is_success
    assert len(talk.fakes.ledger()) == 1


def test_retry_after_can_be_a_date(talk: Talk) -> None:
    header = talk.ask("fal", "a fox [[submit:429,ra=date,in=30]]").headers["retry-after"]
    wait = email.utils.parsedate_to_datetime(header).timestamp() - time.time()
    assert 28 < wait <= 30


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize(("fault", "billed"), [("drop", 0), ("drop_after", 1)])
def test_a_lost_answer_bills_once_if_the_work_was_done(
    talk: Talk, provider: str, fault: str, billed: int
) -> None:
    with pytest.raises(httpx.TransportError):
        talk.ask(provider, f"a fox [[submit:{fault}]]")
    assert len(talk.fakes.ledger()) == billed


@pytest.mark.parametrize("provider", PROVIDERS)
def test_other_broken_acceptances(talk: Talk, provider: str) -> None:
    page = talk.ask(provider, "1 [[submit:html]]")
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html")
    assert talk.ask(provider, "2 [[submit:redirect]]").status_code == 307
    assert talk.fakes.ledger() == []
    nameless = talk.ask(provider, "3 [[submit:noid]]")
    assert nameless.is_success
    for name in ("request_id", "predictionID", "id", "data", "image", "images", "candidates", "prompt_id"):
        assert name not in nameless.json()
    half = talk.ask(provider, "4 [[submit:badjson]]")
    assert half.is_success
    with pytest.raises(ValueError, match="line 1"):
        half.json()
    assert talk.ask(provider, "5 [[submit:503,after=1]]").status_code == 503
    assert talk.ask(provider, "6 [[submit:html,after=1]]").status_code == 502
    empty = talk.ask(provider, "7 [[submit:empty500]]")
    assert (empty.status_code, empty.content) == (500, b"")
    assert len(talk.fakes.ledger()) == 5


def test_slow_is_slow(talk: Talk) -> None:
    start = time.monotonic()
    assert talk.ask("openai", "a fox [[submit:slow=0.2]]").is_success
    assert time.monotonic() - start >= 0.2


@pytest.mark.parametrize(
    ("provider", "fault", "status", "word"),
    [
        ("fal", "quota", 403, "Exhausted balance"),
        ("fal", "locked", 403, "User is locked"),
        ("each", "quota", 402, "in-flight"),
        ("each", "422", 422, "insufficient balance"),
        ("pixazo", "quota", 402, "Insufficient Balance"),
        ("pixazo", "401", 401, "subscription key"),
        ("azure", "blocked", 403, "temporarily blocked"),
        ("azure", "404", 404, "DeploymentNotFound"),
        ("openai", "quota", 429, "insufficient_quota"),
        ("openai", "429", 429, "rate_limit_exceeded"),
        ("gemini", "quota", 429, "PerDay"),
        ("gemini", "429", 429, "retryDelay"),
        ("bfl", "quota", 402, "Insufficient credits"),
        ("replicate", "quota", 402, "Insufficient credit"),
        ("stability", "quota", 402, "payment_required"),
        ("openrouter", "quota", 402, "Insufficient credits"),
    ],
)
def test_money_and_blocks_in_the_words_of_each(
    talk: Talk, provider: str, fault: str, status: int, word: str
) -> None:
    answer = talk.ask(provider, f"a fox [[submit:{fault}]]")
    assert answer.status_code == status
    assert word in answer.text


def test_a_misspelled_fault_is_refused_loudly(talk: Talk) -> None:
    answer = talk.ask("fal", "a fox [[submit:dorp]]")
    assert answer.status_code == 400
    assert "submit:dorp" in answer.text


# Polls --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("provider", ASYNC)
def test_polls_go_wrong_and_the_job_lives_on(talk: Talk, provider: str) -> None:
    accepted = talk.ask(provider, "a fox [[poll:500*1; poll:html*1; poll:drop*1]]")
    with pytest.raises(httpx.TransportError):
        talk.poll(provider, accepted)
    assert [talk.poll(provider, accepted).status_code for _ in range(2)] == [502, 500]
    assert len(talk.finish(provider, accepted)) == 1
    assert len(talk.fakes.ledger()) == 1


def state(provider: str, answer: httpx.Response) -> Any:
    body = answer.json()
    if provider != "comfyui":
        return body.get("status")
    return next(iter(body.values()))["status"]["status_str"] if body else "nothing yet"


@pytest.mark.parametrize("provider", ASYNC)
@pytest.mark.parametrize("fault", ["stuck", "stuckrun"])
def test_stuck_for_ever(talk: Talk, provider: str, fault: str) -> None:
    accepted = talk.ask(provider, f"a fox [[poll:{fault}]]")
    assert len({state(provider, talk.poll(provider, accepted)) for _ in range(10)}) == 1


@pytest.mark.parametrize("provider", ASYNC)
def test_a_status_that_nobody_knows(talk: Talk, provider: str) -> None:
    accepted = talk.ask(provider, "a fox [[poll:unknown]]")
    assert state(provider, talk.poll(provider, accepted)) == "BANANA"


@pytest.mark.parametrize("provider", ASYNC)
def test_a_job_vanishes(talk: Talk, provider: str) -> None:
    accepted = talk.ask(provider, "a fox [[poll:vanish]]")
    answer = talk.poll(provider, accepted)
    assert answer.json() == {} if provider == "comfyui" else answer.status_code == 404
    assert len(talk.fakes.ledger()) == 1


@pytest.mark.parametrize(("provider", "done"), [("fal", "COMPLETED"), ("each", "success"), ("bfl", "Ready")])
def test_done_and_running_again(talk: Talk, provider: str, done: str) -> None:
    accepted = talk.ask(provider, "a fox [[poll:flap]]")
    states = [state(provider, talk.poll(provider, accepted)) == done for _ in range(6)]
    assert states == [False, False, True, False, True, True]


@pytest.mark.parametrize("provider", ["fal", "pixazo", "bfl", "replicate"])
def test_a_polling_url_elsewhere(talk: Talk, provider: str) -> None:
    body = talk.ask(provider, "a fox [[poll:foreign]]").json()
    urls = [
        value for value in (*body.values(), *dict(body.get("urls") or {}).values()) if "://" in str(value)
    ]
    assert any(".example/" in url for url in urls)


def test_time_can_be_real(talk: Talk) -> None:
    accepted = talk.ask("fal", "a fox [[speed=real,queue=0.1,run=0.1]]")
    assert [state("fal", talk.poll("fal", accepted)) for _ in range(4)] == ["IN_QUEUE"] * 4
    talk.fakes.advance(0.15)
    assert state("fal", talk.poll("fal", accepted)) == "IN_PROGRESS"
    talk.fakes.advance(0.15)
    assert state("fal", talk.poll("fal", accepted)) == "COMPLETED"


def test_the_first_poll_can_be_the_last(talk: Talk) -> None:
    assert state("bfl", talk.poll("bfl", talk.ask("bfl", "a fox [[polls=1]]"))) == "Ready"
    with FakeServer(polls=1, side=64) as quick:
        other = Talk(quick, talk.http)
        assert state("bfl", other.poll("bfl", other.ask("bfl", "a fox"))) == "Ready"


@pytest.mark.parametrize("provider", ASYNC)
def test_results_go_wrong_and_come_again(talk: Talk, provider: str) -> None:
    accepted = talk.ask(provider, "a fox [[result:500*1; result:html*1]]")
    for _ in range(2):
        talk.poll(provider, accepted)
    answers = [talk.last(provider, accepted) for _ in range(3)] if provider == "fal" else [
        talk.poll(provider, accepted) for _ in range(3)
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [502, 500, 200]


@pytest.mark.parametrize(
    "provider", [p for p in PROVIDERS if p not in ("comfyui", "stability", "bfl", "gemini")]
)
def test_success_without_pictures(talk: Talk, provider: str) -> None:
    assert talk.finish(provider, talk.ask(provider, "a fox [[result:noimages]]")) == []


# Endings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("provider", "ending", "status", "words"),
    [
        ("fal", "moderation", 422, "content_policy_violation"),
        ("fal", "moderation=no_media_generated", 422, "no_media_generated"),
        ("fal", "validation", 422, "one_of"),
        ("fal", "fail", 500, "internal_server_error"),
        ("fal", "fail=generation_timeout", 504, "generation_timeout"),
        ("fal", "error", 500, "runner_server_error"),
        ("fal", "error=runner_disconnected", 503, "runner_disconnected"),
        ("fal", "cancelled", 499, "client_cancelled"),
        ("fal", "timeout", 504, "request_timeout"),
        ("each", "moderation", 200, "CONTENT_MODERATION"),
        ("each", "validation", 200, "VALIDATION"),
        ("each", "fail", 200, '"status":"failed"'),
        ("each", "error", 200, '"status":"error"'),
        ("each", "error=AUTH", 200, '"category":"AUTH"'),
        ("each", "cancelled", 200, '"status":"cancelled"'),
        ("pixazo", "moderation", 200, "content moderation"),
        ("pixazo", "fail", 200, '"status":"FAILED"'),
        ("pixazo", "error", 200, '"status":"ERROR"'),
        ("azure", "moderation", 400, '"code":"content_filter"'),
        ("azure", "moderation=inner", 400, '"innererror":{"code":"ResponsibleAI'),
        ("azure", "moderation=inner_error", 400, "content_filter_results"),
        ("azure", "moderation=empty", 200, '"data":[]'),
        ("openai", "moderation", 400, "moderation_blocked"),
        ("openai", "moderation=content_policy_violation", 400, "content_policy_violation"),
        ("openai", "moderation=output", 400, '"moderation_stage":"output"'),
        ("openai", "validation", 400, "invalid_value"),
        ("local", "moderation", 400, "moderation_blocked"),
        ("gemini", "moderation", 200, '"finishReason":"IMAGE_SAFETY"'),
        ("gemini", "moderation=RECITATION", 200, '"finishReason":"RECITATION"'),
        ("gemini", "moderation=input", 200, "blockReason"),
        ("gemini", "fail", 200, '"finishReason":"NO_IMAGE"'),
        ("gemini", "error", 503, "UNAVAILABLE"),
        ("bfl", "moderation", 200, '"status":"Content Moderated"'),
        ("bfl", "moderation=input", 200, '"status":"Request Moderated"'),
        ("bfl", "error", 200, '"status":"Error"'),
        ("replicate", "moderation", 200, "E005"),
        ("replicate", "error", 200, "E004"),
        ("replicate", "aborted", 200, '"status":"aborted"'),
        ("stability", "moderation", 403, "content_moderation"),
        ("stability", "moderation=output", 200, "CONTENT_FILTERED"),
        ("a1111", "error", 500, "errors"),
        ("comfyui", "error", 200, '"status_str":"error"'),
        ("ideogram", "moderation", 422, "safety"),
        ("ideogram", "moderation=output", 200, '"is_image_safe":false'),
        ("together", "moderation", 422, "nsfw_content"),
        ("openrouter", "moderation", 403, '"reasons"'),
    ],
)
def test_how_it_ends(talk: Talk, provider: str, ending: str, status: int, words: str) -> None:
    accepted = talk.ask(provider, f"a fox [[end:{ending}]]")
    answer = talk.last(provider, accepted) if provider in ASYNC else accepted
    assert answer.status_code == status
    assert words in answer.text
    assert len(talk.fakes.ledger()) == (provider in ASYNC or status == 200)


def test_fal_says_completed_whatever_the_model_did(talk: Talk) -> None:
    accepted = talk.ask("fal", "a fox [[end:moderation]]")
    assert [talk.poll("fal", accepted).json() for _ in range(3)][2].get("error") is None
    accepted = talk.ask("fal", "a fox [[end:error]]")
    assert [talk.poll("fal", accepted).json() for _ in range(3)][2]["error_type"] == "runner_server_error"
    late = talk.last("fal", talk.ask("fal", "a fox [[end:timeout]]"))
    assert late.headers["x-fal-request-timeout-type"] == "user"


@pytest.mark.parametrize("provider", ["fal", "each", "openai", "replicate", "ideogram"])
def test_one_picture_too_few(talk: Talk, provider: str) -> None:
    assert len(talk.finish(provider, talk.ask(provider, "a fox [[end:partial]]", 3))) == 2


def test_a_flagged_picture_is_black(talk: Talk) -> None:
    result = talk.last("fal", talk.ask("fal", "a fox [[end:nsfw]]", 2))
    assert result.json()["has_nsfw_concepts"] == [True, False]
    black, other = (talk.bytes_of(image["url"]) for image in result.json()["images"])
    assert len(black) < len(other)


def test_each_classifies_in_its_history(talk: Talk) -> None:
    talk.last("each", talk.ask("each", "a fox [[end:moderation]]"))
    url = talk.fakes.base("each") + "/v1/executions"
    query = {"error_classification": "content_moderation"}
    (row,) = talk.http.get(url, params=query, headers=key("each")).json()["executions"]
    assert (row["cost"], row["status"]) == (0, "error")


# Downloads ----------------------------------------------------------------------------------------------


def link(talk: Talk, fault: str) -> str:
    return str(talk.last("fal", talk.ask("fal", f"a fox [[dl:{fault}]]")).json()["images"][0]["url"])


def test_downloads_that_break_off(talk: Talk) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        talk.http.get(link(talk, "truncate"))
    with pytest.raises(httpx.RemoteProtocolError):
        talk.http.get(link(talk, "drop"))


@pytest.mark.parametrize("fault", ["truncate_ok", "html", "empty", "bomb"])
def test_downloads_that_are_no_pictures(talk: Talk, fault: str) -> None:
    answer = talk.http.get(link(talk, fault))
    assert answer.status_code == 200
    with pytest.raises(Exception, match=r"truncated|identify|exceeds|trunc"):
        size(answer.content)


@pytest.mark.parametrize(("fault", "kind", "form"), [
    ("wrongtype", "application/octet-stream", b"\x89PNG"), ("webp", "image/png", b"RIFF")])  # fmt: skip
def test_downloads_with_the_wrong_label(talk: Talk, fault: str, kind: str, form: bytes) -> None:
    answer = talk.http.get(link(talk, fault))
    assert answer.headers["content-type"] == kind
    assert answer.content.startswith(form)


def test_downloads_that_lead_elsewhere(talk: Talk) -> None:
    url = link(talk, "redirect")
    moved = talk.http.get(url)
    assert moved.status_code == 302
    assert talk.http.get(moved.headers["location"]).content.startswith(b"\x89PNG")
    assert "169.254.169.254" in talk.http.get(link(talk, "redirect_private")).headers["location"]
    loop = link(talk, "redirect_loop")
    assert talk.http.get(loop).headers["location"] == loop


def test_downloads_that_come_later(talk: Talk) -> None:
    url = link(talk, "500*1")
    assert [talk.http.get(url).status_code for _ in range(2)] == [500, 200]
    assert talk.http.get(link(talk, "403")).status_code == 403
    start = time.monotonic()
    talk.http.get(link(talk, "slow=0.1"))
    assert time.monotonic() - start >= 0.1


def test_a_download_without_end(talk: Talk) -> None:
    got = 0
    with talk.http.stream("GET", link(talk, "big")) as answer:
        for chunk in answer.iter_bytes():
            got += len(chunk)
            if got > 1_000_000:
                break
    assert answer.headers["transfer-encoding"] == "chunked"


def test_inline_pictures_can_be_broken_too(talk: Talk) -> None:
    (data,) = talk.finish("openai", talk.ask("openai", "a fox [[dl:truncate_ok]]"))
    with pytest.raises(OSError, match="truncated"):
        size(data)


@pytest.mark.parametrize("header", ["Authorization", "x-key", "X-API-Key", "Cookie"])
def test_a_key_at_the_download_is_an_alarm(talk: Talk, header: str) -> None:
    answer = talk.http.get(link(talk, "wrongtype"), headers={header: "anything"})
    assert (answer.status_code, answer.text) == (500, "leaked credential")


# Faults from outside ------------------------------------------------------------------------------------


def test_faults_for_prompts_that_cannot_be_changed(talk: Talk) -> None:
    talk.fakes.faults("fal", "submit:429*1")
    assert [talk.ask("fal", "a fox").status_code for _ in range(2)] == [429, 200]
    assert talk.ask("openai", "a fox").status_code == 200
    talk.fakes.faults("fal", "")
    talk.http.post(talk.fakes.url + "/__fake__/faults", json={"provider": "*", "directives": "submit:503"})
    assert talk.ask("openai", "a crow").status_code == 503
    with pytest.raises(ValueError, match="nonsense"):
        talk.fakes.faults("fal", "submit:nonsense")


def test_the_controls_speak_http(talk: Talk) -> None:
    control = talk.fakes.url + "/__fake__"
    talk.ask("openai", "a fox")
    assert talk.http.get(control + "/ledger").json()[0]["provider"] == "openai"
    (seen,) = talk.http.get(control + "/requests").json()
    assert (seen["method"], seen["path"]) == ("POST", "/openai/v1/images/generations")
    assert talk.http.post(control + "/clock", json={"advance": 5}).json() == {"ok": True}
    assert talk.http.post(control + "/clock", json={}).status_code == 400
    talk.http.post(control + "/reset")
    assert talk.http.get(control + "/ledger").json() == []
    assert talk.http.get(control + "/nothing").status_code == 404


def test_requests_keep_what_came(talk: Talk) -> None:
    talk.ask("openai", "a fox")
    (seen,) = talk.fakes.requests()
    assert seen.headers["authorization"] == "Bearer SENTINEL-KEY-openai"
    assert b"a fox" in seen.body
    assert len(seen.body_sha256) == 64
