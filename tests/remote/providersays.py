"""What providers answer when something is wrong, for the tests of what that means."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from evalkit.remote.catalog import specs
from evalkit.remote.classify import Reply, Verdict, classify
from evalkit.remote.spec import Phase

ASYNC = ("fal", "each", "pixazo", "bfl", "replicate")
SYNC = (
    "azure",
    "openai",
    "local",
    "gemini",
    "stability",
    "a1111",
    "ideogram",
    "together",
    "openrouter",
)
EVERY = (*ASYNC, *SYNC)
PAID = tuple(name for name in EVERY if name not in ("local", "a1111"))


@dataclass(frozen=True)
class Says:
    """A provider's answer in one phase: a status with a body (JSON, or text) and headers."""

    provider: str
    phase: Phase
    status: int
    body: Any = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


def verdict(says: Says) -> Verdict | None:
    if isinstance(says.body, str):
        reply = Reply(says.status, says.headers, says.body)
    else:
        reply = Reply(says.status, says.headers, json.dumps(says.body), says.body)
    return classify(specs()[says.provider], reply, says.phase)


def kind(says: Says) -> str | None:
    found = verdict(says)
    return found.kind if found else None


def fal_model_error(type_: str, **more: Any) -> dict[str, Any]:
    return {"detail": [{"loc": ["body", "prompt"], "msg": "it did not work", "type": type_, **more}]}


def each_run(status: str = "error", **output: Any) -> dict[str, Any]:
    return {"id": "x", "status": status, "output": {"success": False, **output}}


def each_class(category: str) -> dict[str, Any]:
    return each_run(error_code="FAILED", classification={"category": category})


def openai_error(code: str, message: str = "no", **more: Any) -> dict[str, Any]:
    return {"error": {"type": "image_generation_user_error", "code": code, "message": message, **more}}


def gemini_error(status: str, message: str = "no", *details: dict[str, Any]) -> dict[str, Any]:
    return {"error": {"code": 400, "status": status, "message": message, "details": list(details)}}


def gemini_end(reason: str) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": []}, "finishReason": reason}]}
