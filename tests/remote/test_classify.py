"""What answers mean."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.remote.classify import Reply, Verdict, classify, message_of, retry_after, state_of
from evalkit.remote.spec import Out, Phase, Rule, Spec, State

STATES: Mapping[str, State] = {"QUEUED": "queued", "RUNNING": "running", "DONE": "done", "FAILED": "failed"}


def spec(*rules: Rule, **more: object) -> Spec:
    plain = {"out": Out(), "state": "status", "states": STATES}
    return Spec("x", "", "https://x.example", {}, (), rules=rules, **{**plain, **more})


def reply(status: int, body: object = None, **headers: str) -> Reply:
    text = body if isinstance(body, str) else json.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, named, text, None if isinstance(body, str) else body)


def kind(found: Verdict | None) -> str | None:
    return found.kind if found else None


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (400, "validation"),
        (401, "auth"),
        (402, "balance"),
        (403, "auth"),
        (404, "validation"),
        (408, "timeout"),
        (409, "transient"),
        (413, "validation"),
        (422, "validation"),
        (425, "transient"),
        (429, "rate_limit"),
        (499, "cancelled"),
        (500, "transient"),
        (501, "permanent"),
        (503, "transient"),
        (504, "transient"),
    ],
)
def test_a_status_by_itself(status: int, wanted: str) -> None:
    assert kind(classify(spec(), reply(status, {"error": "no"}), "submit")) == wanted


@pytest.mark.parametrize(
    ("status", "wanted"),
    [(200, "transient"), (502, "transient"), (501, "transient"), (404, "validation"), (401, "auth")],
)
def test_answers_that_are_not_json(status: int, wanted: str) -> None:
    assert kind(classify(spec(), reply(status, "<html>nginx</html>"), "submit")) == wanted


@pytest.mark.parametrize("status", [404, 410])
def test_a_job_that_is_gone_stays_gone(status: int) -> None:
    for phase in ("poll", "result"):
        assert kind(classify(spec(), reply(status, {}), phase)) == "permanent"


def test_redirects_are_never_followed() -> None:
    found = classify(spec(), reply(307, ""), "submit")
    assert kind(found) == "permanent"
    assert "base" in found.message
    assert kind(classify(spec(), reply(302, "<html>portal</html>"), "poll")) == "transient"


def test_nothing_is_wrong_with_what_is_fine() -> None:
    for word in ("QUEUED", "RUNNING", "DONE"):
        assert classify(spec(), reply(202, {"status": word}), "poll") is None
    assert classify(spec(), reply(200, {"images": []}), "submit") is None
    assert classify(spec(), reply(200, {"images": []}), "result", "done") is None


def test_states_that_failed_or_that_nobody_knows() -> None:
    failed = classify(spec(), reply(200, {"status": "FAILED", "error": "the model broke"}), "poll")
    assert (kind(failed), failed.message) == ("permanent", "the model broke")
    assert "FAILED" in classify(spec(), reply(200, {"status": "FAILED"}), "poll").message
    odd = classify(spec(), reply(200, {"status": "BANANA"}), "poll")
    assert (kind(odd), odd.message) == ("permanent", "unknown status 'BANANA'")
    assert kind(classify(spec(), reply(200, {"other": 1}), "poll")) == "transient"
    assert kind(classify(spec(), reply(200, {"any": 1}), "submit", "failed")) == "permanent"
    assert state_of(spec(), reply(200, {"status": "DONE"})) == "done"
    assert state_of(spec(), reply(200, {"status": ["DONE", 1]})) is None


def test_the_first_rule_wins() -> None:
    rules = (Rule("moderation", path="code", match="^bad$"), Rule("validation", path="code", match="b"))
    assert kind(classify(spec(*rules), reply(422, {"code": "bad"}), "submit")) == "moderation"
    assert kind(classify(spec(*rules), reply(422, {"code": "absurd"}), "submit")) == "validation"
    assert kind(classify(spec(*rules[::-1]), reply(422, {"code": "bad"}), "submit")) == "validation"


STATUS_FITS = [
    ("*", 422, None, True),
    ("*", 200, None, False),
    ("*", 200, "failed", True),
    ("200", 200, None, True),
    ("200", 202, None, True),
    ("2xx", 201, None, True),
    ("200|5xx", 503, None, True),
    ("200|5xx", 422, None, False),
    ("5xx", 200, "failed", False),
    ("422", 422, None, True),
    ("422", 421, None, False),
    ("4xx", 418, None, True),
    ("4xx|5xx", 500, None, True),
]


@pytest.mark.parametrize(("wanted", "status", "state", "hits"), STATUS_FITS)
def test_which_statuses_a_rule_is_for(wanted: str, status: int, state: State | None, hits: bool) -> None:
    found = classify(
        spec(Rule("cancelled", status=wanted, path="code")), reply(status, {"code": "x"}), "submit", state
    )
    assert (kind(found) == "cancelled") == hits


@pytest.mark.parametrize(("status", "usual"), [(401, "auth"), (402, "balance")])
def test_no_rule_outranks_401_and_402_unless_it_names_them(status: int, usual: str) -> None:
    answer = reply(status, {"error": "service unavailable, moderated"}, x_kind="x")
    for wanted in ("*", "4xx", "400|4xx"):
        rules = (
            Rule("transient", status=wanted, path="error"),
            Rule("moderation", status=wanted, header="x-kind"),
        )
        assert kind(classify(spec(*rules), answer, "submit")) == usual
    named = Rule("validation", status=f"400|{status}", path="error")
    assert kind(classify(spec(named), answer, "submit")) == "validation"


@pytest.mark.parametrize(
    ("wanted", "phases"), [("*", "submit poll result"), ("poll", "poll"), ("poll|result", "poll result")]
)
def test_rules_are_for_phases(wanted: str, phases: str) -> None:
    rule = Rule("cancelled", phase=wanted, path="code")
    every: tuple[Phase, ...] = ("submit", "poll", "result")
    hit = [p for p in every if kind(classify(spec(rule), reply(422, {"code": "x"}), p)) == "cancelled"]
    assert hit == phases.split()


ECHOES = [
    "a poster about nsfw filters",
    "safety instructions, flagged in red",
    "the moderation team at lunch",
    "prohibited sensitive content policy, a comic",
]
MODERATION = "content_policy|moderat|nsfw|safety|flagged|sensitive|prohibited"


@pytest.mark.parametrize("prompt", ECHOES)
def test_a_prompt_that_is_repeated_is_no_refusal(prompt: str) -> None:
    rules = (
        Rule("moderation", path="detail[*].type", match=MODERATION),
        Rule("moderation", path="error", match=MODERATION),
        Rule("moderation", path="output", match=MODERATION),
    )
    body = {
        "status": "FAILED",
        "prompt": prompt,
        "detail": [
            {"type": "missing", "msg": "field required", "input": {"prompt": prompt}, "loc": ["body"]}
        ],
        "error": {"code": "bad_size", "input": prompt},
        "output": {"error": "width", "prompt": prompt},
    }
    assert kind(classify(spec(*rules), reply(422, body), "submit")) == "validation"
    assert kind(classify(spec(*rules), reply(200, body), "poll")) == "permanent"
    body["error"]["code"] = "nsfw"
    assert kind(classify(spec(*rules), reply(422, body), "submit")) == "moderation"


def test_text_is_searched_only_for_a_status_of_its_own() -> None:
    body = {"detail": "User is locked. Reason: Exhausted balance."}
    assert (
        kind(
            classify(
                spec(Rule("balance", status="403", match="exhausted balance")), reply(403, body), "submit"
            )
        )
        == "balance"
    )
    assert (
        kind(classify(spec(Rule("balance", match="exhausted balance")), reply(403, body), "submit")) == "auth"
    )
    assert (
        kind(classify(spec(Rule("balance", phase="submit", status="422")), reply(422, {}), "submit"))
        == "balance"
    )


def test_headers() -> None:
    rule = Rule("timeout", status="504", header="X-Timeout-Type", match="^user$")
    assert kind(classify(spec(rule), reply(504, {}, x_timeout_type="user"), "poll")) == "timeout"
    assert kind(classify(spec(rule), reply(504, {}, x_timeout_type="server"), "poll")) == "transient"
    assert kind(classify(spec(rule), reply(504, {}), "poll")) == "transient"


@pytest.mark.parametrize("nothing", [None, "", [], {}])
def test_an_empty_match_wants_something_to_be_there(nothing: object) -> None:
    rule = Rule("permanent", status="200", path="error")
    assert classify(spec(rule), reply(200, {"status": "DONE", "error": nothing}), "poll") is None
    assert kind(classify(spec(rule), reply(200, {"status": "DONE", "error": "E1"}), "poll")) == "permanent"


def test_a_rule_may_want_that_something_is_absent() -> None:
    rule = Rule("moderation", phase="submit", status="200", path="data[*].b64", absent=True, code="empty")
    for body in ({"data": []}, {"data": [{"b64": None}]}, {"data": [{"b64": ""}]}):
        found = classify(spec(rule), reply(200, body), "submit")
        assert (kind(found), found.code) == ("moderation", "empty")
    assert classify(spec(rule), reply(200, {"data": [{"b64": "iVBOR"}]}), "submit") is None
    assert kind(classify(spec(rule), reply(500, {}), "submit")) == "transient"


def test_absence_takes_an_answer_with_the_place() -> None:
    rule = Rule("moderation", phase="submit", status="200", path="data[*].b64", absent=True)
    assert classify(spec(rule), reply(200, {}), "submit") is None
    assert classify(spec(rule), reply(200, {"ok": True}), "submit") is None
    page = Reply(200, {}, "<html>", None)
    assert kind(classify(spec(rule), page, "submit")) == "transient"


def test_numbers_and_truth_values_are_matched_as_json_writes_them() -> None:
    assert (
        kind(
            classify(
                spec(Rule("moderation", status="200", path="safe", match="^false$")),
                reply(200, {"safe": False}),
                "submit",
            )
        )
        == "moderation"
    )
    assert (
        kind(
            classify(spec(Rule("balance", path="code", match="^1102$")), reply(400, {"code": 1102}), "submit")
        )
        == "balance"
    )


def test_code_and_stage() -> None:
    plain = classify(
        spec(Rule("moderation", path="code")), reply(400, {"code": "moderation_blocked"}), "submit"
    )
    assert (plain.code, plain.stage) == ("moderation_blocked", "unknown")
    told = Rule("moderation", path="code", code="mine", stage="output")
    assert classify(spec(told), reply(400, {"code": "a b"}), "submit").code == "mine"
    assert classify(spec(told), reply(400, {"code": "a"}), "submit").stage == "output"
    asked = spec(Rule("moderation", path="code"), out=Out(stage="where"))
    for where, stage in (("input", "input"), ("output", "output"), ("elsewhere", "unknown"), (1, "unknown")):
        assert classify(asked, reply(400, {"code": "no, never", "where": where}), "submit").stage == stage
    assert classify(asked, reply(400, {"code": "no, never"}), "submit").code == ""


NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        (" 3 ", 3.0),
        ("86400", 120.0),
        ("Fri, 20 Nov 2026 12:00:09 GMT", 9.0),
        ("Fri, 20 Nov 2026 11:00:00 GMT", 0.0),
        ("Fri, 20 Nov 2026 14:00:00 +0100", 120.0),
        ("Sun, 20 Nov 2099 12:00:00 -0000", 120.0),
        ("-5", None),
        ("soon", None),
        ("nan", None),
        ("1e9", None),
        ("", None),
    ],
)
def test_how_long_to_wait(said: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": said}, NOW) == seconds


def test_how_long_to_wait_in_milliseconds_and_not_at_all() -> None:
    assert retry_after({"retry-after-ms": "1500", "retry-after": "9"}, NOW) == 1.5
    assert retry_after({}, NOW) is None


@given(st.text(max_size=40))
def test_any_header_gives_a_sensible_wait_or_none(said: str) -> None:
    wait = retry_after({"retry-after": said}, NOW)
    assert wait is None or 0 <= wait <= 120


@pytest.mark.parametrize(
    ("message", "seconds"),
    [
        ("Rate limit is exceeded. Try again in 5 seconds.", 5),
        ("Your rate limit resets in ~30s.", 30),
        ("Please retry in 12.3s.", 13),
        ("Try again in 99999 seconds", 120),
        ("Too many requests", None),
    ],
)
def test_waits_that_are_only_in_the_words(message: str, seconds: float | None) -> None:
    assert classify(spec(), reply(429, {"message": message}), "submit").retry_after == seconds
    assert classify(spec(), reply(429, {"message": message}, retry_after="2"), "submit").retry_after == 2
    assert classify(spec(), reply(400, {"message": message}), "submit").retry_after is None


def test_messages_are_error_words_only() -> None:
    body = {
        "detail": [{"msg": "too small", "input": "secret prompt"}, {"msg": "too dark"}],
        "prompt": "secret",
    }
    assert message_of(spec(), reply(422, body)) == "too small; too dark"
    assert message_of(spec(), reply(400, {"error": {"message": "m", "code": "c"}})) == "m"
    assert message_of(spec(), reply(400, {"error": {"code": 5}, "message": "then this"})) == "then this"
    assert message_of(spec(), reply(500, {"prompt": "secret"})) == "HTTP 500"
    assert message_of(spec(), reply(502, "<html>secret</html>")) == "HTTP 502, not JSON"


def test_messages_are_clean() -> None:
    ugly = "bad\x1b[31m\r\n\u202eurl https://u:p@cdn.example/a.png?sig=SECRET&x=1#f \ud800 " + "x" * 900
    said = message_of(spec(), reply(400, {"error": ugly}))
    assert said.startswith("bad [31m url https://cdn.example/a.png x")
    assert len(said) == 300
    assert said.isprintable()
    assert "SECRET" not in said


@given(
    st.integers(100, 599),
    st.recursive(
        st.none() | st.booleans() | st.text(max_size=5),
        lambda x: (
            st.lists(x, max_size=2)
            | st.dictionaries(st.sampled_from(["error", "status", "detail", "message"]), x)
        ),
    ),
    st.sampled_from(["submit", "poll", "result"]),
)
def test_every_failure_is_classified(status: int, body: object, phase: Phase) -> None:
    rules = (Rule("moderation", path="error", match="a"), Rule("transient", status="200|5xx", path="detail"))
    found = classify(spec(*rules), Reply(status, {}, "", body), phase)
    assert found is not None or 200 <= status < 300 or status < 200
    if found is not None:
        assert 0 < len(found.message) <= 300
