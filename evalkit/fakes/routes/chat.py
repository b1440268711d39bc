"""Chat completions that look at pictures, as OpenAI, OpenRouter and servers of one's own speak them.

The judge is a fair one where it can be: a studio picture holds its scene, so it is compared with what was
asked for. Of any other picture it makes up an opinion out of the bytes, always the same.
Source: https://developers.openai.com/api/reference/resources/chat
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from evalkit.errors import InvalidInput
from evalkit.fakes import faults
from evalkit.fakes.face import SENTINEL, Face, Invalid, Route
from evalkit.fakes.faults import Directive
from evalkit.fakes.inputs import picture
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.routes.openai import CODES
from evalkit.fakes.state import Job, Work
from evalkit.studio import NotUnderstood, Scene, apply, parse, parse_edit, read_scene
from evalkit.types import Json

MOST_TOKENS = 100_000
PICTURE_TOKENS = 256
COST = 0.0002
_REQUEST = re.compile(r"<request>\s*(.*?)\s*</request>", re.DOTALL)


class Chat(Face):
    """One endpoint; subclasses say under which name and with whose key."""

    name = "openai-chat"
    account = "openai"
    ids = ("choices",)
    balance = 429
    limit = "max_completion_tokens"

    def routes(self) -> Sequence[Route]:
        return (
            ("POST", r"(?:/api)?/v1/chat/completions", self.complete),
            ("GET", r"(?:/api)?/v1/(?:models|key)", self.models),
        )

    def refuse(self, asked: Asked) -> Answer | None:
        """The key is that of the account, which makes pictures under another name."""
        given = self.key(asked)
        return None if self.open or given == f"{SENTINEL}{self.account}" else self.unauthorized(given)

    def error(self, status: int, message: str = "", **facts: Any) -> Answer:
        kind, code, words = CODES.get(status, ("invalid_request_error", None, "The request is invalid."))
        body: dict[str, Json] = {"message": message or words, "type": kind, "code": facts.get("code", code)}
        return say({"error": body}, status)

    def quota(self) -> Answer:
        words = "You exceeded your current quota, please check your plan and billing details."
        return self.error(self.balance, words, code="insufficient_quota")

    def models(self, asked: Asked) -> Answer:
        del asked
        return say({"object": "list", "data": [{"id": "fake-judge", "object": "model"}]})

    def complete(self, asked: Asked) -> Answer:
        body = asked.json()
        text, pictures = self._read(body)
        if not 1 <= int(body.get(self.limit) or 0) <= MOST_TOKENS:
            raise Invalid(f"{self.limit} is required", param=self.limit)
        # Two questions of the same words about other pictures are two requests.
        mark = hashlib.sha256(asked.body).hexdigest()
        work = Work(str(body.get("model", "")), f"{text} <{mark[:16]}>", seed=int(mark[:12], 16), input=body)
        work = replace(work, input={**body, "text": text, "pictures": pictures})
        return self.submit(asked, work, self.answered)

    def turned_away(self, ending: Directive | None) -> Answer | None:
        match ending.name if ending else "":
            case "moderation" if ending and ending.arg == "input":
                return self.error(400, "The input was flagged.", code="content_policy_violation")
            case "validation":
                return self.error(400, "Invalid value.", code="invalid_value")
            case "fail" | "error" | "timeout" | "cancelled" | "aborted":
                return self.error(500)
            case _:
                return None

    def answered(self, job: Job) -> Answer:
        """A completion; moderation shows in it, as a refusal or as a filter that took the answer."""
        self.world.finish(job)
        body = job.work.input
        if job.ends("moderation"):
            return self._completion(job, *_refusal(job))
        opinion = _Opinion(job)
        content = opinion.content()
        logprobs = opinion.logprobs() if body.get("logprobs") and not opinion.has("nologprobs") else None
        if opinion.has("cut"):
            return self._completion(job, content[: len(content) // 2], "length", logprobs=logprobs)
        return self._completion(job, content, "stop", logprobs=logprobs)

    def _read(self, body: dict[str, Any]) -> tuple[str, list[bytes]]:
        messages = body.get("messages")
        if not isinstance(messages, list) or len(messages) != 1:
            raise Invalid("one message is expected", param="messages")
        parts = messages[0]["content"]
        text = "\n".join(part["text"] for part in parts if part["type"] == "text")
        urls = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
        return text, [picture(self.world, url) for url in urls]

    def _completion(
        self, job: Job, content: str | None, finish: str, refusal: str | None = None, logprobs: Json = None
    ) -> Answer:
        asked = len(job.work.input["text"]) // 4 + PICTURE_TOKENS * len(job.work.input["pictures"])
        made = max(1, len(content or refusal or "") // 4)
        message: dict[str, Json] = {"role": "assistant", "content": content, "refusal": refusal}
        usage: dict[str, Json] = {
            "prompt_tokens": asked,
            "completion_tokens": made,
            "total_tokens": asked + made,
            **self.charged(),
        }
        body: dict[str, Json] = {
            "id": f"chatcmpl-{job.id}",
            "object": "chat.completion",
            "created": int(job.created),
            "model": f"{job.work.model}-2026-01-01",
            "choices": [{"index": 0, "message": message, "logprobs": logprobs, "finish_reason": finish}],
            "usage": usage,
        }
        return say(body, x_request_id=f"req_{job.id}")

    def charged(self) -> dict[str, Json]:
        """What the usage says of the cost, beside the tokens."""
        return {}


class OpenRouterChat(Chat):
    name = "openrouter-chat"
    account = "openrouter"
    balance = 402
    limit = "max_tokens"

    def charged(self) -> dict[str, Json]:
        return {"cost": COST}


class AnyChat(Chat):
    name = "chat"
    account = "chat"
    limit = "max_tokens"


class LocalChat(AnyChat):
    name = "local-chat"
    open = True
    balance = 402


def _refusal(job: Job) -> tuple[str | None, str, str | None]:
    if job.ending is not None and job.ending.arg == "filter":
        return "", "content_filter", None
    return None, "stop", "I cannot help with judging this picture."


class _Opinion:
    """What the judge thinks of one question, and how it says so."""

    def __init__(self, job: Job) -> None:
        self._plan = job.plan
        body = job.work.input
        self._text: str = body["text"]
        self._pictures: list[bytes] = body["pictures"]
        found = _REQUEST.search(self._text)
        self._request = faults.strip(found[1] if found else self._text)
        form = (body.get("response_format") or {}).get("json_schema", {})
        self._wanted = [*form.get("schema", {}).get("properties", {})]

    def has(self, name: str) -> bool:
        return self._plan.find("shape", name) is not None

    def content(self) -> str:
        if self.has("sorry"):
            return "I'm sorry, but I can't help with that."
        if self.has("prose"):
            return "It looks rather good to me, all in all."
        if not self._asks_numbers:
            return "Perhaps" if self.has("neither") else ("Yes" if self._yes() >= 0.5 else "No")
        return json.dumps({"why": "as far as it can be seen", **self._numbers()})

    def logprobs(self) -> Json:
        """The first token with what else it might have been, in several spellings."""
        if self.has("neither"):
            shares = {"Perhaps": 0.7, "Maybe": 0.2}
        else:
            yes = self._yes()
            shares = {"Yes": 0.8 * yes, " yes": 0.15 * yes, "No": 0.8 * (1 - yes), "no": 0.15 * (1 - yes)}
        top: list[Json] = [
            {"token": token, "logprob": math.log(max(p, 1e-6)), "bytes": [*token.encode()]}
            for token, p in sorted(shares.items(), key=lambda pair: -pair[1])
        ]
        first = top[0]
        return {"content": [{**first, "top_logprobs": top}] if isinstance(first, dict) else []}

    @property
    def _asks_numbers(self) -> bool:
        return "Reply with JSON" in self._text

    def _numbers(self) -> dict[str, Json]:
        if '"better"' in self._text:
            return {"better": self._better()}
        more = self._plan.find("shape", "lenient")
        extra = float(more.arg or "1") if more else 0.0
        names = [name for name in ("followed", "preserved", "appeal") if f'"{name}"' in self._text]
        marks = {"followed": self._followed(), "preserved": self._preserved(), "appeal": 7}
        return {name: min(10, max(0, round(marks[name] + extra))) for name in names}

    def _yes(self) -> float:
        return 0.05 + 0.09 * self._followed()

    def _followed(self) -> int:
        return _agrees(self._request, self._before, self._pictures[-1])

    def _preserved(self) -> int:
        if self._before is None:
            return 10
        before, after = _scene(self._before), _scene(self._pictures[-1])
        if before is None or after is None:
            return _whim(self._before + self._pictures[-1])
        kept = sum(item in after.items for item in before.items)
        return 10 if kept >= len(before.items) - 1 and before.wall == after.wall else 4

    @property
    def _before(self) -> bytes | None:
        """The picture that an edit started from, which is shown first."""
        return self._pictures[0] if "made out of" in self._text or "made\nout of" in self._text else None

    def _better(self) -> str:
        if self.has("first"):
            return "first"
        one, other = (_agrees(self._request, self._before, data) for data in self._pictures[-2:])
        return "tie" if one == other else ("first" if one > other else "second")


def _agrees(request: str, before: bytes | None, data: bytes) -> int:
    """How far a picture is what was asked for, 0 to 10."""
    shown, source = _scene(data), _scene(before) if before else None
    try:
        wanted = parse(request) if before is None else source and apply(parse_edit(request), source)
    except (NotUnderstood, InvalidInput):
        wanted = None
    if shown is None or wanted is None:
        return _whim(data)
    if shown == wanted:
        return 10
    return 6 if any(item in wanted.items for item in shown.items) else 3


def _scene(data: bytes) -> Scene | None:
    try:
        return read_scene(data).scene
    except InvalidInput:
        return None


def _whim(data: bytes) -> int:
    return int(hashlib.sha256(data).hexdigest()[:4], 16) % 11
