"""Google's generateContent: pictures among text parts, and refusals that come as a 200.

`[[end:moderation]]` is the finish reason IMAGE_SAFETY; an argument names another one, `input` blocks the
prompt. `[[shape:thought]]` puts a draft before the answer. A wrong key is a 400.
Source: https://ai.google.dev/gemini-api/docs/image-generation
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from evalkit.fakes.face import Face, Invalid, Route
from evalkit.fakes.faults import Directive
from evalkit.fakes.inputs import b64, picture, prompt_of, ratio_size, seed_of
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.pictures import MEDIA_TYPE
from evalkit.fakes.state import Job, Work
from evalkit.types import Json

IMAGE_TOKENS = 1290
SOURCE_TOKENS = 258
ERROR_INFO = "type.googleapis.com/google.rpc.ErrorInfo"
STATUS = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "FAILED_PRECONDITION",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Gemini(Face):
    name = "gemini"
    keys: ClassVar[Mapping[str, str]] = {"x-goog-api-key": ""}
    ids = ("candidates",)
    balance = 429

    def routes(self) -> Sequence[Route]:
        return (
            ("POST", r"/v1(?:beta|alpha)?/models/(?P<model>[^/:]+):generateContent", self.generate),
            ("GET", r"/v1(?:beta|alpha)?/models", self.models),
            ("GET", r"/v1(?:beta|alpha)?/models/(?P<model>[^/:]+)", self.model),
        )

    def key(self, asked: Asked) -> str:
        return super().key(asked) or asked.query.get("key", "")

    def error(self, status: int, message: str = "", **facts: Any) -> Answer:
        words = message or {429: "Resource has been exhausted."}.get(status, "The request failed.")
        body: dict[str, Json] = {"code": status, "message": words, "status": STATUS.get(status, "UNKNOWN")}
        details: list[Json] = list(facts.get("details", ()))
        if status == 429 and not details:
            details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "2s"}]
        if details:
            body["details"] = details
        return say({"error": body}, status)

    def unauthorized(self, given: str) -> Answer:
        if not given:
            words = "Method doesn't allow unregistered callers (callers without established identity)."
            return self.error(403, words)
        info: Json = {"@type": ERROR_INFO, "reason": "API_KEY_INVALID", "domain": "googleapis.com"}
        return self.error(400, "API key not valid. Please pass a valid API key.", details=[info])

    def quota(self) -> Answer:
        words = "You exceeded your current quota: requests per day per project per model."
        violation: Json = {"quotaId": "GenerateRequestsPerDayPerProjectPerModel", "quotaValue": "100"}
        failure: Json = {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [violation]}
        return self.error(429, words, details=[failure])

    def models(self, asked: Asked) -> Answer:
        del asked
        return say({"models": [{"name": "models/gemini-2.5-flash-image", "version": "2.5"}]})

    def model(self, asked: Asked, model: str) -> Answer:
        del asked
        return say({"name": f"models/{model}", "version": "2.5"})

    def generate(self, asked: Asked, model: str) -> Answer:
        body = asked.json()
        parts = [part for content in body.get("contents", []) for part in content.get("parts", [])]
        prompt = "\n".join(part["text"] for part in parts if "text" in part)
        data = [part.get("inlineData") or part.get("inline_data") for part in parts]
        sources = [picture(self.world, item["data"]) for item in data if item]
        config = body.get("generationConfig") or {}
        ratio = str((config.get("imageConfig") or {}).get("aspectRatio", ""))
        width, height = ratio_size(ratio, sources[0] if sources else b"")
        work = Work(
            model=model,
            prompt=prompt_of(prompt),
            seed=seed_of(config.get("seed")),
            width=width,
            height=height,
            source=sources[0] if sources else b"",
            input=body,
        )
        return self.submit(asked, work, self._delivered)

    def turned_away(self, ending: Directive | None) -> Answer | None:
        match ending.name if ending else "":
            case "validation":
                raise Invalid("The aspect ratio is not supported by this model.")
            case "error" | "timeout":
                return self.error(503, "The model is overloaded. Please try again later.")
            case "cancelled" | "aborted":
                return self.error(499)
            case _:
                return None

    def _delivered(self, job: Job) -> Answer:
        text = max(len(job.work.prompt) // 4, 1)
        usage: dict[str, Json] = {
            "promptTokenCount": text + (SOURCE_TOKENS if job.work.source else 0),
            "candidatesTokenCount": 0,
        }
        body: dict[str, Json] = {"modelVersion": job.work.model, "responseId": job.id}
        end = job.ending
        if end is not None and end.name == "moderation" and end.arg == "input":
            return say(
                {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": usage, **body}
            )
        candidate = _candidate(job)
        if "content" in candidate:
            usage["candidatesTokenCount"] = IMAGE_TOKENS
        return say({"candidates": [candidate], "usageMetadata": usage, **body})


def _candidate(job: Job) -> dict[str, Json]:
    end = job.ending
    if end is not None and end.name in ("moderation", "fail"):
        reason = end.arg or {"moderation": "IMAGE_SAFETY", "fail": "NO_IMAGE"}[end.name]
        return {"finishReason": reason, "finishMessage": "Unable to show the generated image.", "index": 0}
    parts: list[Json] = [{"text": "Here is the picture."}]
    if job.plan.find("shape", "thought"):
        draft: Json = {"mimeType": MEDIA_TYPE[job.work.format], "data": b64(job.picture(1))}
        parts.append({"inlineData": draft, "thought": True})
    if job.delivered:
        final: Json = {"mimeType": MEDIA_TYPE[job.work.format], "data": b64(job.inline(0))}
        parts.append({"inlineData": final})
    return {"content": {"parts": parts, "role": "model"}, "finishReason": "STOP", "index": 0}
