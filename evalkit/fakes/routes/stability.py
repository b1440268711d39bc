"""Stability's image API: multipart always, JSON with base64 or the bytes themselves.

A refused prompt is a 403 by name; a filtered picture a 200 that says CONTENT_FILTERED (`=output`).
Source: https://platform.stability.ai/docs/api-reference
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.fakes.face import Face, Invalid, Route, always
from evalkit.fakes.faults import Directive
from evalkit.fakes.inputs import b64, format_of, mask_for, picture, prompt_of, ratio_size, seed_of
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.pictures import MEDIA_TYPE
from evalkit.fakes.state import Job, Work

NAMES = {
    400: ("bad_request", "The request is invalid."),
    401: ("unauthorized", "The API key is invalid or missing."),
    402: ("payment_required", "You lack sufficient credits to make this request."),
    403: ("forbidden", "You lack the permission to make this request."),
    404: ("not_found", "The resource was not found."),
    413: ("payload_too_large", "The request is larger than 10 MiB."),
    422: ("unprocessable_entity", "The request could not be processed."),
    429: ("rate_limit_exceeded", "You have exceeded the rate limit of 150 requests in 10 seconds."),
}


class Stability(Face):
    name = "stability"
    ids = ("image",)

    def routes(self) -> Sequence[Route]:
        return (
            ("POST", r"/v2beta/stable-image/(?P<task>generate|edit)/(?P<model>[^/]+)", self.create),
            ("GET", r"/v1/user/balance", always({"credits": 1000.0})),
            ("GET", r"/v1/user/account", always({"id": "user-fake", "email": "fake@example.com"})),
        )

    def error(self, status: int, message: str = "", **facts: Any) -> Answer:
        name, words = NAMES.get(status, ("internal_error", "An unexpected error occurred."))
        name = str(facts.get("name", name))
        return say({"id": "fake-error", "name": name, "errors": [message or words]}, status)

    def create(self, asked: Asked, task: str, model: str) -> Answer:
        if not asked.headers.get("content-type", "").startswith("multipart/form-data"):
            raise Invalid("content-type: must be multipart/form-data")
        fields, form = asked.form.fields, asked.form
        files = form.file("image")
        if task == "edit" and not files:
            raise Invalid("image: required")
        source = picture(self.world, files[0]) if files else b""
        masks = form.file("mask")
        if masks:
            mask_for(self.world, masks[0], source)
        width, height = ratio_size(fields.get("aspect_ratio", ""), source)
        work = Work(
            model=fields.get("model", model),
            prompt=prompt_of(fields.get("prompt")),
            seed=seed_of(None if fields.get("seed") in (None, "", "0") else fields["seed"]),
            width=width,
            height=height,
            format=format_of(fields.get("output_format")),
            source=source,
            input=dict(fields),
        )
        return self.submit(asked, work, lambda job: self._delivered(asked, job))

    def turned_away(self, ending: Directive | None) -> Answer | None:
        match ending.name if ending else "":
            case "moderation" if ending and ending.arg != "output":
                words = "Your request was flagged by our content moderation system."
                return self.error(403, words, name="content_moderation")
            case "validation":
                return self.error(400, "aspect_ratio: must be one of the allowed values")
            case "fail" | "error" | "timeout" | "cancelled" | "aborted":
                return self.error(500)
            case _:
                return None

    def _delivered(self, asked: Asked, job: Job) -> Answer:
        filtered = job.ends("moderation", "nsfw", "blank")
        reason = "CONTENT_FILTERED" if filtered else "SUCCESS"
        if job.delivered == 0:
            return say({"finish_reason": reason, "seed": job.seed(0)})
        data = job.inline(0)
        if not asked.headers.get("accept", "").startswith("image/"):
            return say({"image": b64(data), "finish_reason": reason, "seed": job.seed(0)})
        headers = {
            "content-type": MEDIA_TYPE[job.work.format],
            "finish-reason": reason,
            "seed": str(job.seed(0)),
        }
        return Answer(200, data, headers)
