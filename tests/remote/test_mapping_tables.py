"""What each provider's answers mean, case by case, by the descriptions that come with evalkit."""

from __future__ import annotations

import pytest
from providersays import (
    ASYNC,
    EVERY,
    Says,
    each_class,
    each_run,
    fal_model_error,
    gemini_end,
    gemini_error,
    kind,
    openai_error,
)

FAL = [
    (Says("fal", "result", 422, fal_model_error("content_policy_violation")), "moderation"),
    (Says("fal", "result", 422, fal_model_error("no_media_generated")), "moderation"),
    (Says("fal", "submit", 403, {"detail": "User is locked. Reason: Exhausted balance. Top up"}), "balance"),
    (Says("fal", "submit", 403, {"detail": "Forbidden"}), "auth"),
    (
        Says("fal", "result", 504, {"detail": "Timed out"}, {"x-fal-request-timeout-type": "user"}),
        "timeout",
    ),
    (Says("fal", "result", 499, {"detail": "gone", "error_type": "client_cancelled"}), "cancelled"),
    (
        Says("fal", "poll", 200, {"status": "COMPLETED", "error": "c", "error_type": "client_cancelled"}),
        "cancelled",
    ),
    (
        Says("fal", "poll", 200, {"status": "COMPLETED", "error": "c", "error_type": "client_disconnected"}),
        "cancelled",
    ),
    (Says("fal", "result", 504, {"detail": "late", "error_type": "request_timeout"}), "timeout"),
    (Says("fal", "result", 504, {"detail": "late", "error_type": "startup_timeout"}), "timeout"),
    (
        Says("fal", "poll", 200, {"status": "COMPLETED", "error": "t", "error_type": "startup_timeout"}),
        "timeout",
    ),
    (Says("fal", "result", 504, fal_model_error("generation_timeout")), "timeout"),
    (Says("fal", "result", 429, fal_model_error("concurrent_requests_limit")), "rate_limit"),
    (Says("fal", "result", 503, {"detail": "x", "error_type": "runner_disconnected"}), "transient"),
    (Says("fal", "result", 502, {"detail": "x", "error_type": "runner_incomplete_response"}), "transient"),
    (Says("fal", "result", 500, {"detail": "x", "error_type": "internal_error"}), "transient"),
    (
        Says("fal", "poll", 200, {"status": "COMPLETED", "error": "x", "error_type": "runner_server_error"}),
        "transient",
    ),
    (Says("fal", "result", 500, fal_model_error("internal_server_error")), "transient"),
    (Says("fal", "result", 500, fal_model_error("downstream_service_error")), "transient"),
    (Says("fal", "submit", 400, {"detail": "x", "error_type": "bad_request"}), "validation"),
    (Says("fal", "result", 422, fal_model_error("image_too_small")), "validation"),
    (Says("fal", "result", 422, fal_model_error("missing")), "validation"),
    (Says("fal", "poll", 202, {"status": "IN_QUEUE", "queue_position": 3}), None),
    (Says("fal", "poll", 202, {"status": "IN_PROGRESS", "logs": []}), None),
    (Says("fal", "poll", 200, {"status": "COMPLETED", "logs": []}), None),
    (Says("fal", "poll", 200, {"status": "BANANA"}), "permanent"),
    (Says("fal", "poll", 404, {"status": "NOT_FOUND"}), "permanent"),
]

EACH = [
    (Says("each", "poll", 200, {"status": "error", "output": "flagged by the safety system"}), "moderation"),
    (Says("each", "poll", 200, {"status": "failed", "error": "NSFW content"}), "moderation"),
    (Says("each", "poll", 200, each_run(error_message="content policy: prohibited")), "moderation"),
    (
        Says("each", "poll", 200, {"status": "error", "logs": "content_filter hit", "output": ""}),
        "moderation",
    ),
    (Says("each", "submit", 422, {"error": "insufficient balance"}), "balance"),
    (
        Says("each", "submit", 402, {"status": 402, "error": "payment required", "details": "in flight"}),
        "balance",
    ),
    (Says("each", "poll", 200, each_run(error_code="RATE_LIMITED")), "rate_limit"),
    (Says("each", "poll", 200, each_run(error_code="TIMEOUT")), "timeout"),
    (Says("each", "poll", 200, each_class("VALIDATION")), "validation"),
    (Says("each", "poll", 200, each_class("PROVIDER")), "transient"),
    (Says("each", "poll", 200, each_class("NETWORK")), "transient"),
    (Says("each", "poll", 200, each_class("INTERNAL")), "transient"),
    (Says("each", "poll", 200, each_class("AUTH")), "permanent"),
    (Says("each", "poll", 200, {"status": "cancelled", "output": ""}), "cancelled"),
    (Says("each", "poll", 200, {"status": "canceled", "output": ""}), "cancelled"),
    (Says("each", "poll", 200, {"status": "error", "output": "it broke"}), "permanent"),
    (Says("each", "poll", 404, {"error": "prediction not found"}), "permanent"),
    (Says("each", "submit", 404, {"error": "not found"}), "validation"),
    (Says("each", "poll", 200, {"status": "processing", "output": ""}), None),
    (Says("each", "poll", 200, {"status": "success", "output": ["https://x.example/safety.png"]}), None),
]

PIXAZO = [
    (Says("pixazo", "poll", 200, {"status": "FAILED", "error": "blocked by content filter"}), "moderation"),
    (Says("pixazo", "poll", 200, {"status": "ERROR", "error": "worker died"}), "transient"),
    (Says("pixazo", "poll", 200, {"status": "FAILED", "error": "bad aspect ratio"}), "permanent"),
    (
        Says("pixazo", "submit", 400, {"error": "Model not found", "message": "Model 'x' not found"}),
        "validation",
    ),
    (
        Says("pixazo", "submit", 402, {"error": "Insufficient Balance", "message": "Your wallet ..."}),
        "balance",
    ),
    (Says("pixazo", "submit", 401, {"statusCode": 401, "message": "Access denied"}), "auth"),
    (Says("pixazo", "submit", 429, {"statusCode": 429, "message": "Try again in 5 seconds."}), "rate_limit"),
    (Says("pixazo", "poll", 200, {"status": "QUEUED", "error": None, "output": None}), None),
    (Says("pixazo", "submit", 202, {"status": "QUEUED", "request_id": "m_1"}), None),
]

AZURE = [
    (Says("azure", "submit", 400, openai_error("content_filter")), "moderation"),
    (Says("azure", "submit", 400, openai_error("content_policy_violation")), "moderation"),
    (Says("azure", "submit", 400, openai_error("moderation_blocked")), "moderation"),
    (Says("azure", "submit", 400, openai_error("ResponsibleAIPolicyViolation")), "moderation"),
    (
        Says("azure", "submit", 400, openai_error("x", innererror={"code": "ResponsibleAIPolicyViolation"})),
        "moderation",
    ),
    (
        Says("azure", "submit", 400, openai_error("x", inner_error={"code": "ResponsibleAIPolicyViolation"})),
        "moderation",
    ),
    (Says("azure", "submit", 403, openai_error("403", "resource is temporarily blocked")), "auth"),
    (Says("azure", "submit", 404, openai_error("DeploymentNotFound")), "validation"),
    (Says("azure", "submit", 200, {"created": 1, "data": []}), "moderation"),
    (Says("azure", "submit", 200, {"created": 1, "data": [{"revised_prompt": "x"}]}), "moderation"),
    (Says("azure", "submit", 200, {"created": 1, "data": [{"b64_json": "aGk="}]}), None),
    (Says("azure", "submit", 400, openai_error("invalid_size")), "validation"),
    (Says("azure", "submit", 429, openai_error("429")), "rate_limit"),
]

OPENAI = [
    (Says("openai", "submit", 400, openai_error("moderation_blocked")), "moderation"),
    (Says("openai", "submit", 400, openai_error("content_policy_violation")), "moderation"),
    (Says("openai", "submit", 429, openai_error("insufficient_quota")), "balance"),
    (Says("openai", "submit", 400, openai_error("billing_hard_limit_reached")), "balance"),
    (Says("openai", "submit", 429, openai_error("rate_limit_exceeded")), "rate_limit"),
    (Says("openai", "submit", 401, openai_error("invalid_api_key")), "auth"),
    (Says("openai", "submit", 403, openai_error("x", "organization must be verified")), "auth"),
    (Says("openai", "submit", 400, openai_error("invalid_value")), "validation"),
    (Says("openai", "submit", 200, {"data": [{"b64_json": "aGk="}]}), None),
]

LOCAL = [
    (Says("local", "submit", 400, openai_error("content_policy_violation")), "moderation"),
    (Says("local", "submit", 400, {"detail": "prompt was flagged"}), "moderation"),
    (Says("local", "submit", 503, {"detail": "model is loading"}), "transient"),
    (Says("local", "submit", 400, {"detail": "unknown model"}), "validation"),
    (Says("local", "submit", 422, {"detail": [{"msg": "field required", "type": "missing"}]}), "validation"),
]

GEMINI = [
    (Says("gemini", "submit", 200, {"promptFeedback": {"blockReason": "OTHER"}}), "moderation"),
    *(
        (Says("gemini", "submit", 200, gemini_end(reason)), "moderation")
        for reason in (
            "SAFETY",
            "IMAGE_SAFETY",
            "PROHIBITED_CONTENT",
            "IMAGE_PROHIBITED_CONTENT",
            "BLOCKLIST",
            "SPII",
            "RECITATION",
            "IMAGE_RECITATION",
            "MODEL_ARMOR",
        )
    ),
    (Says("gemini", "submit", 200, gemini_end("NO_IMAGE")), "permanent"),
    (Says("gemini", "submit", 200, gemini_end("IMAGE_OTHER")), "permanent"),
    (Says("gemini", "submit", 200, gemini_end("STOP")), None),
    (
        Says("gemini", "submit", 400, gemini_error("INVALID_ARGUMENT", "no", {"reason": "API_KEY_INVALID"})),
        "auth",
    ),
    (Says("gemini", "submit", 400, gemini_error("INVALID_ARGUMENT")), "validation"),
    (
        Says("gemini", "submit", 429, gemini_error("RESOURCE_EXHAUSTED", "Quota exceeded: 100 per day")),
        "balance",
    ),
    (
        Says(
            "gemini",
            "submit",
            429,
            gemini_error("RESOURCE_EXHAUSTED", "no", {"violations": [{"quotaId": "RequestsPerDay"}]}),
        ),
        "balance",
    ),
    (
        Says("gemini", "submit", 429, gemini_error("RESOURCE_EXHAUSTED", "Quota exceeded: per minute")),
        "rate_limit",
    ),
    (Says("gemini", "submit", 503, gemini_error("UNAVAILABLE")), "transient"),
]

BFL = [
    (Says("bfl", "poll", 200, {"status": "Request Moderated"}), "moderation"),
    (Says("bfl", "poll", 200, {"status": "Content Moderated"}), "moderation"),
    (Says("bfl", "poll", 200, {"status": "Task not found"}), "permanent"),
    (Says("bfl", "poll", 404, {"status": "Task not found"}), "permanent"),
    (Says("bfl", "poll", 200, {"status": "Error"}), "transient"),
    (Says("bfl", "poll", 200, {"status": "Failed"}), "transient"),
    (Says("bfl", "poll", 200, {"status": "Pending"}), None),
    (Says("bfl", "poll", 200, {"status": "Ready", "result": {"sample": "https://x.example/a.png"}}), None),
    (Says("bfl", "submit", 422, {"detail": [{"msg": "value is not a multiple of 16"}]}), "validation"),
    (Says("bfl", "submit", 403, {"detail": "Not authenticated"}), "auth"),
]

REPLICATE = [
    (Says("replicate", "poll", 200, {"status": "failed", "error": "flagged (E005)"}), "moderation"),
    (Says("replicate", "poll", 200, {"status": "failed", "error": "E005: input"}), "moderation"),
    (Says("replicate", "poll", 200, {"status": "failed", "error": "NSFW content detected"}), "moderation"),
    (Says("replicate", "poll", 200, {"status": "failed", "error": "E003: busy"}), "transient"),
    (Says("replicate", "poll", 200, {"status": "failed", "error": "Prediction interrupted"}), "transient"),
    (Says("replicate", "poll", 200, {"status": "failed", "error": "CUDA error"}), "permanent"),
    (Says("replicate", "poll", 200, {"status": "aborted", "error": None}), "cancelled"),
    (Says("replicate", "poll", 200, {"status": "canceled", "error": None}), "cancelled"),
    (Says("replicate", "poll", 200, {"status": "succeeded", "error": None, "output": ["u"]}), None),
    (Says("replicate", "submit", 422, {"title": "Invalid", "detail": "x"}), "validation"),
    (Says("replicate", "submit", 402, {"title": "Insufficient credit", "detail": "x"}), "balance"),
]

STABILITY = [
    (Says("stability", "submit", 403, {"name": "content_moderation", "errors": ["x"]}), "moderation"),
    (Says("stability", "submit", 403, {"name": "permission_denied", "errors": ["x"]}), "auth"),
    (Says("stability", "submit", 200, {"finish_reason": "CONTENT_FILTERED", "image": "aGk="}), "moderation"),
    (Says("stability", "submit", 200, {"finish_reason": "SUCCESS", "image": "aGk="}), None),
    (Says("stability", "submit", 402, {"name": "payment_required", "errors": ["x"]}), "balance"),
    (Says("stability", "submit", 400, {"name": "payment_required", "errors": ["x"]}), "balance"),
    (Says("stability", "submit", 400, {"name": "bad_request", "errors": ["prompt: empty"]}), "validation"),
]

OTHERS = [
    (Says("ideogram", "submit", 422, {"error": "Prompt failed the safety check"}), "moderation"),
    (Says("ideogram", "submit", 422, {"error": "resolution is not known"}), "validation"),
    (
        Says("ideogram", "submit", 200, {"data": [{"url": None, "is_image_safe": False, "seed": 7}]}),
        "moderation",
    ),
    (
        Says("ideogram", "submit", 200, {"data": [{"url": "https://x.example/a", "is_image_safe": True}]}),
        None,
    ),
    (Says("together", "submit", 422, {"error": {"message": "NSFW content", "code": None}}), "moderation"),
    (Says("together", "submit", 400, {"error": {"message": "width too large", "code": None}}), "validation"),
    (
        Says("openrouter", "submit", 403, {"error": {"message": "x", "metadata": {"reasons": ["violence"]}}}),
        "moderation",
    ),
    (Says("openrouter", "submit", 403, {"error": {"message": "key limit exceeded"}}), "auth"),
    (Says("a1111", "submit", 422, {"detail": [{"msg": "field required"}]}), "validation"),
]

CASES = [
    *FAL,
    *EACH,
    *PIXAZO,
    *AZURE,
    *OPENAI,
    *LOCAL,
    *GEMINI,
    *BFL,
    *REPLICATE,
    *STABILITY,
    *OTHERS,
]


def _name(value: object) -> str | None:
    return f"{value.provider}-{value.phase}-{value.status}" if isinstance(value, Says) else None


@pytest.mark.parametrize(("says", "expected"), CASES, ids=_name)
def test_an_answer_means(says: Says, expected: str | None) -> None:
    assert kind(says) == expected


@pytest.mark.parametrize("provider", EVERY)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, "validation"),
        (401, "auth"),
        (402, "balance"),
        (403, "auth"),
        (404, "validation"),
        (408, "timeout"),
        (429, "rate_limit"),
        (499, "cancelled"),
        (500, "transient"),
        (501, "permanent"),
        (503, "transient"),
    ],
)
def test_a_bare_status_means(provider: str, status: int, expected: str) -> None:
    assert kind(Says(provider, "submit", status, {})) == expected


@pytest.mark.parametrize("provider", [name for name in EVERY if name != "each"])
def test_a_bare_422_is_a_broken_request(provider: str) -> None:
    assert kind(Says(provider, "submit", 422, {})) == "validation"


@pytest.mark.parametrize("provider", EVERY)
def test_a_proxys_page_is_nobodys_word(provider: str) -> None:
    page = "<html><h1>502 Bad Gateway</h1><p>moderation, safety, nsfw</p><hr>nginx</html>"
    assert kind(Says(provider, "submit", 502, page)) == "transient"
    if provider not in ASYNC:
        return
    assert kind(Says(provider, "poll", 200, page)) == "transient"
