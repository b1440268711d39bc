"""Answers that are easily taken for something else."""

from __future__ import annotations

from typing import Any

import pytest
from providersays import (
    EVERY,
    PAID,
    Says,
    fal_model_error,
    gemini_end,
    gemini_error,
    kind,
    openai_error,
    verdict,
)

from evalkit.remote.catalog import specs
from evalkit.remote.spec import Phase

ECHOES: list[tuple[str, Phase, int, dict[str, Any]]] = [
    ("fal", "result", 422, fal_model_error("missing", input="how an nsfw filter works")),
    (
        "fal",
        "result",
        500,
        {"detail": "x", "error_type": "runner_error", "input": "content_policy_violation"},
    ),
    ("each", "poll", 200, {"status": "error", "output": "it broke", "input": {"prompt": "an nsfw filter"}}),
    ("pixazo", "poll", 200, {"status": "FAILED", "error": "it broke", "input": "an nsfw filter"}),
    ("replicate", "poll", 200, {"status": "failed", "error": "it broke", "input": {"prompt": "a nsfw flag"}}),
    ("bfl", "submit", 422, {"detail": [{"msg": "too long", "input": "an nsfw filter, Moderated"}]}),
    ("azure", "submit", 400, openai_error("invalid_size", prompt="ResponsibleAI content_filter")),
    ("openai", "submit", 400, openai_error("invalid_value", "no", input="moderation_blocked")),
    ("local", "submit", 422, {"detail": [{"msg": "too long", "input": "an nsfw filter"}]}),
    ("gemini", "submit", 400, gemini_error("INVALID_ARGUMENT", "prompt about SAFETY")),
    ("stability", "submit", 400, {"name": "bad_request", "errors": ["about content_moderation"]}),
    ("ideogram", "submit", 422, {"error": "too long", "prompt": "a safety check"}),
    ("together", "submit", 400, {"error": {"message": "too long"}, "prompt": "an nsfw filter"}),
    ("openrouter", "submit", 400, {"error": {"message": "too long"}, "prompt": "an nsfw filter"}),
]


@pytest.mark.parametrize(("provider", "phase", "status", "body"), ECHOES)
def test_an_echoed_prompt_is_no_refusal(
    provider: str, phase: Phase, status: int, body: dict[str, Any]
) -> None:
    found = verdict(Says(provider, phase, status, body))
    assert found is not None
    assert found.kind != "moderation"


@pytest.mark.parametrize("provider", EVERY)
@pytest.mark.parametrize(("status", "expected"), [(401, "auth"), (402, "balance")])
def test_no_words_outrank_401_and_402(provider: str, status: int, expected: str) -> None:
    body = {
        "error": {"code": "moderation_blocked", "message": "flagged by the safety system"},
        "detail": [{"type": "internal_server_error", "msg": "nsfw"}],
        "error_type": "runner_error",
        "name": "content_moderation",
        "status": "error",
    }
    assert kind(Says(provider, "submit", status, body)) == expected


def test_codes_and_stages() -> None:
    def told(says: Says) -> tuple[str, str]:
        found = verdict(says)
        assert found is not None
        return found.code, found.stage

    assert told(Says("fal", "result", 422, fal_model_error("no_media_generated")))[0] == "no_media"
    assert told(Says("bfl", "poll", 200, {"status": "Request Moderated"})) == ("request_moderated", "input")
    assert told(Says("bfl", "poll", 200, {"status": "Content Moderated"})) == ("content_moderated", "output")
    assert told(Says("azure", "submit", 200, {"data": []})) == ("empty", "output")
    assert (
        told(Says("azure", "submit", 403, openai_error("x", "temporarily blocked")))[0] == "resource_blocked"
    )
    blocked = openai_error("moderation_blocked", moderation_details={"moderation_stage": "output"})
    assert told(Says("openai", "submit", 400, blocked)) == ("moderation_blocked", "output")
    assert told(Says("gemini", "submit", 200, {"promptFeedback": {"blockReason": "SAFETY"}}))[1] == "input"
    assert told(Says("gemini", "submit", 200, gemini_end("IMAGE_SAFETY"))) == ("IMAGE_SAFETY", "output")
    daily = gemini_error("RESOURCE_EXHAUSTED", "Quota exceeded: 100 per day")
    assert told(Says("gemini", "submit", 429, daily))[0] == "daily_quota"
    filtered = {"finish_reason": "CONTENT_FILTERED", "image": "aGk="}
    assert told(Says("stability", "submit", 200, filtered)) == ("content_filtered", "output")


def test_only_what_is_documented_as_free_is_free() -> None:
    free = {name: set(specs()[name].free_on) for name in PAID if specs()[name].free_on}
    assert free == {
        "fal": {"transient"},
        "each": {"error", "failed", "cancelled", "canceled"},
        "pixazo": {"ERROR"},
        "replicate": {"aborted"},
    }
