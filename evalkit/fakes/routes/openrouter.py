"""OpenRouter's image API: one shape for many makers, and what each request cost.

Source: https://openrouter.ai/docs/api/api-reference/images/generate-an-image
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.fakes.face import Face, Route, always
from evalkit.fakes.faults import Directive
from evalkit.fakes.inputs import b64, format_of, picture, prompt_of, ratio_size, seed_of, whole
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.pictures import MEDIA_TYPE
from evalkit.fakes.state import Job, Work
from evalkit.types import Json

COST = 0.04
WORDS = {
    401: "No auth credentials found",
    402: "Insufficient credits. Add more using https://openrouter.ai/settings/credits",
    404: "No endpoints found for the model.",
    408: "Request timed out",
    429: "Rate limit exceeded",
    502: "Provider returned error",
    503: "No available model provider meets the routing requirements",
}


class OpenRouter(Face):
    name = "openrouter"
    ids = ("data", "id")

    def routes(self) -> Sequence[Route]:
        return (
            ("POST", r"/api/v1/images", self.create),
            (
                "GET",
                r"/api/v1/images/models",
                always({"data": [{"id": "microsoft/mai-image-2.6"}]}),
            ),
            ("GET", r"/api/v1/key", always({"data": {"label": "fake", "limit_remaining": 10}})),
        )

    def error(self, status: int, message: str = "", **facts: Any) -> Answer:
        error: dict[str, Json] = {
            "code": status,
            "message": message or WORDS.get(status, "The request failed."),
        }
        if "metadata" in facts:
            error["metadata"] = facts["metadata"]
        return say({"error": error}, status)

    def create(self, asked: Asked) -> Answer:
        body = asked.json()
        references = body.get("input_references") or []
        sources = [picture(self.world, item["image_url"]["url"]) for item in references]
        width, height = ratio_size(str(body.get("aspect_ratio") or ""), sources[0] if sources else b"")
        work = Work(
            model=str(body.get("model", "")),
            prompt=prompt_of(body.get("prompt")),
            n=whole(body.get("n"), "n", 1, 10),
            seed=seed_of(body.get("seed")),
            width=width,
            height=height,
            format=format_of(body.get("output_format")),
            source=sources[0] if sources else b"",
            input=body,
        )
        return self.submit(asked, work, _delivered)

    def turned_away(self, ending: Directive | None) -> Answer | None:
        match ending.name if ending else "":
            case "moderation":
                metadata: Json = {"reasons": ["sexual"], "flagged_input": "", "provider_name": "fake"}
                return self.error(403, "Your input was flagged.", metadata=metadata)
            case "validation":
                return self.error(400, "aspect_ratio is not supported by this model.")
            case "fail" | "error" | "timeout" | "cancelled" | "aborted":
                return self.error(502)
            case _:
                return None


def _delivered(job: Job) -> Answer:
    media = MEDIA_TYPE[job.work.format]
    data: list[Json] = [
        {"b64_json": b64(job.inline(index)), "media_type": media} for index in range(job.delivered)
    ]
    tokens = 1024 * job.delivered
    usage: Json = {"prompt_tokens": 10, "completion_tokens": tokens, "total_tokens": tokens + 10,
                   "cost": COST * job.delivered}  # fmt: skip
    body: dict[str, Json] = {"id": f"gen-{job.id}", "created": int(job.created), "model": job.work.model}
    return say({**body, "data": data, "usage": usage})
