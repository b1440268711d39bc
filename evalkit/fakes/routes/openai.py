"""OpenAI's image API, and the servers of one's own that speak it (`/local`).

Always base64. A lack of money is a 429 with another code than too many requests. The local server takes a
seed, needs no key, and answers with URLs unless base64 is asked for.
Source: https://platform.openai.com/docs/api-reference/images
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.fakes.face import Face, Invalid, Route
from evalkit.fakes.faults import Directive
from evalkit.fakes.inputs import b64, format_of, mask_for, picture, pixels, prompt_of, seed_of, whole
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.state import Job, Work
from evalkit.types import Json

IMAGE_TOKENS = 1056
CODES = {
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided. You can find your API key "
          "at https://platform.openai.com/account/api-keys."),
    403: ("invalid_request_error", None, "Your organization must be verified to use the model."),
    404: ("invalid_request_error", "model_not_found", "The model does not exist or is not yours to use."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for images per minute."),
    500: ("server_error", None, "The server had an error while processing your request."),
    503: ("server_error", None, "The engine is currently overloaded."),
}  # fmt: skip


class OpenAI(Face):
    name = "openai"
    ids = ("data",)
    balance = 429

    def routes(self) -> Sequence[Route]:
        return (
            ("POST", r"(?:/v1)?/images/generations", self.generate),
            ("POST", r"(?:/v1)?/images/edits", self.edit),
            ("GET", r"(?:/v1)?/models", self.models),
            ("GET", r"(?:/v1)?/models/(?P<model>.+)", self.models),
        )

    def error(self, status: int, message: str = "", **facts: Any) -> Answer:
        kind, code, words = CODES.get(status, ("invalid_request_error", None, "The request is invalid."))
        code = facts.get("code", code)
        body: dict[str, Json] = {"message": message or words, "type": facts.get("kind", kind)}
        return say({"error": {**body, "param": facts.get("param"), "code": code}}, status)

    def unauthorized(self, given: str) -> Answer:
        return self.error(401) if given else self.error(401, "You didn't provide an API key.", code=None)

    def quota(self) -> Answer:
        words = "You exceeded your current quota, please check your plan and billing details."
        return self.error(429, words, code="insufficient_quota", kind="insufficient_quota")

    def models(self, asked: Asked, model: str = "") -> Answer:
        del asked
        row: dict[str, Json] = {"id": model or "gpt-image-2", "object": "model", "owned_by": "fake"}
        return say(row if model else {"object": "list", "data": [row]})

    def generate(self, asked: Asked) -> Answer:
        body = asked.json()
        return self.submit(asked, self.work(body, b""), lambda job: self.delivered(asked, job))

    def edit(self, asked: Asked) -> Answer:
        """Multipart with files, or JSON with `images: [{image_url}]`."""
        if asked.headers.get("content-type", "").startswith("application/json"):
            body = asked.json()
            sources = [item.get("image_url") for item in body.get("images", [])]
            mask = (body.get("mask") or {}).get("image_url")
        else:
            body = dict(asked.form.fields)
            sources = list(asked.form.file("image[]", "image"))
            mask = next(iter(asked.form.file("mask")), None)
        if not 1 <= len(sources) <= 16:
            raise Invalid("image is required, at most 16 of them", param="image")
        images = [picture(self.world, source) for source in sources]
        if mask:
            mask_for(self.world, mask, images[0])
        return self.submit(asked, self.work(body, images[0]), lambda job: self.delivered(asked, job))

    def work(self, body: Mapping[str, Any], source: bytes) -> Work:
        """What a body asks for; forms hold text where JSON holds numbers."""
        width, height = self._size(body)
        return Work(
            model=str(body.get("model") or "default"),
            prompt=prompt_of(body.get("prompt")),
            n=whole(body.get("n"), "n", 1, 10),
            seed=seed_of(body.get("seed")),
            width=width,
            height=height,
            format=format_of(body.get("output_format")),
            source=source,
            input=dict(body),
        )

    def _size(self, body: Mapping[str, Any]) -> tuple[int, int]:
        width, height = pixels(str(body.get("size") or ""))
        if not width <= 3 * height <= 9 * width:
            raise Invalid("size: the ratio has to be from 1:3 to 3:1", param="size", code="invalid_value")
        return width, height

    def turned_away(self, ending: Directive | None) -> Answer | None:
        match ending.name if ending else "":
            case "moderation":
                return self.moderated(ending.arg if ending else "")
            case "validation":
                return self.error(400, "Invalid value.", param="size", code="invalid_value")
            case "fail" | "timeout" | "cancelled" | "aborted":
                return self.error(500)
            case "error":
                return self.error(503)
            case _:
                return None

    def moderated(self, code: str) -> Answer:
        """A refusal; the argument is the code, `output` the stage."""
        stage = "output" if code == "output" else "input"
        words = "Your request was rejected by the safety system. safety_violations=[sexual]"
        error: dict[str, Json] = {
            "message": words,
            "type": "image_generation_user_error",
            "param": None,
            "code": "moderation_blocked" if code in ("", "output") else code,
            "moderation_details": {"moderation_stage": stage, "categories": ["sexual"]},
        }
        return say({"error": error}, 400, x_request_id="req_fake")

    def delivered(self, asked: Asked, job: Job) -> Answer:
        text = max(len(job.work.prompt) // 4, 1)
        image = IMAGE_TOKENS if job.work.source else 0
        out = IMAGE_TOKENS * job.delivered
        usage: dict[str, Json] = {
            "input_tokens": text + image,
            "input_tokens_details": {"text_tokens": text, "image_tokens": image},
            "output_tokens": out,
            "output_tokens_details": {"text_tokens": 0, "image_tokens": out},
            "total_tokens": text + image + out,
        }
        body: dict[str, Json] = {
            "created": int(job.created),
            "data": [self.item(asked, job, index) for index in range(job.delivered)],
            "size": f"{job.work.width}x{job.work.height}",
            "quality": str(job.work.input.get("quality") or "high"),
            "output_format": job.work.format,
            "background": "opaque",
            "usage": usage,
        }
        return say(body, x_request_id=f"req_{job.id}", openai_processing_ms="1250")

    def item(self, asked: Asked, job: Job, index: int) -> Json:
        """One picture of the answer."""
        del asked
        return {"b64_json": b64(job.inline(index)), "revised_prompt": None}


class Local(OpenAI):
    name = "local"
    open = True
    balance = 402

    def quota(self) -> Answer:
        return self.error(402)

    def item(self, asked: Asked, job: Job, index: int) -> Json:
        if job.work.input.get("response_format") == "b64_json" and not job.plan.find("shape", "url"):
            return {"b64_json": b64(job.inline(index)), "revised_prompt": None}
        return {"url": asked.origin + job.file(index)}
