"""Pixazo's gateway: one path per model, one status path for all, Azure API Management in front.

`ERROR` is a fault of theirs and not charged, `FAILED` is the model's. Source: https://www.pixazo.ai/models
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from evalkit.fakes.face import Face, Invalid, Route
from evalkit.fakes.inputs import b64, format_of, picture, prompt_of, ratio_size, whole
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.pictures import MEDIA_TYPE
from evalkit.fakes.state import Job, Phase, Work, iso
from evalkit.types import Json

WORDS = {
    400: ("Model not found", "Model 'unknown' not found or is disabled"),
    402: ("Insufficient Balance", "Your wallet does not have enough balance."),
    403: ("Forbidden", "Access denied."),
    404: ("Not Found", "The request was not found."),
}
GATEWAY = {
    401: "Access denied due to missing subscription key. Make sure to include subscription key when making "
    "requests to an API.",
    429: "Rate limit is exceeded. Try again in 5 seconds.",
}
"""Statuses that the gateway itself answers, in its own shape."""
STATES = {"queued": "QUEUED", "running": "PROCESSING", "banana": "BANANA"}
ENDINGS = {
    "moderation": ("FAILED", "The prompt was flagged by our content moderation."),
    "validation": ("FAILED", "Invalid aspect_ratio."),
    "fail": ("FAILED", "The model could not generate the image."),
    "error": ("ERROR", "System error. You were not charged."),
    "timeout": ("ERROR", "The request timed out."),
    "cancelled": ("ERROR", "The request was cancelled."),
    "aborted": ("ERROR", "The request was aborted."),
}


class Pixazo(Face):
    name = "pixazo"
    keys: ClassVar[Mapping[str, str]] = {"ocp-apim-subscription-key": ""}
    ids = ("request_id", "polling_url")

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", r"/v2/requests/status/(?P<job_id>[^/]+)", self.status),
            ("POST", r"/(?P<model>[^/]+)/v1/(?P<route>[^/]+)-request", self.create),
            ("POST", r"/(?P<model>[^/]+)/v1/(?P<route>text-to-image|image-to-image/editing)", self.at_once),
        )

    def error(self, status: int, message: str = "", **_: Any) -> Answer:
        if status in GATEWAY and not message:
            answer = say({"statusCode": status, "message": GATEWAY[status]}, status)
            if status == 429:
                answer.headers["retry-after"] = "5"
            return answer
        title, words = WORDS.get(status, ("Internal Server Error", "Something went wrong."))
        return say({"error": "Invalid input" if message else title, "message": message or words}, status)

    def create(self, asked: Asked, model: str, route: str) -> Answer:
        if route != model:
            return self.error(404)
        work = self._work(model, asked)
        if work.input.get("sync_mode") is True:
            return self.submit(asked, work, lambda job: say({"images": _inline(job)}))
        return self.submit(asked, work, lambda job: self._queued(asked, job))

    def at_once(self, asked: Asked, model: str, route: str) -> Answer:
        """The Pro model's paths: pictures come with the answer."""
        del route
        work = self._work(model, asked)
        return self.submit(asked, work, lambda job: say({"images": _urls(asked.origin, job)}))

    def _queued(self, asked: Asked, job: Job) -> Answer:
        here = f"{asked.origin}/pixazo/v2/requests/status/{job.id}"
        if job.plan.find("poll", "foreign"):
            here = f"https://gateway.pixazo.example/v2/requests/status/{job.id}"
        return say({"request_id": job.id, "status": "QUEUED", "polling_url": here}, 202)

    def _work(self, model: str, asked: Asked) -> Work:
        body = asked.json()
        prompt = prompt_of(body.get("prompt"))
        if not 3 <= len(prompt) <= 5000:
            raise Invalid("prompt has to be 3 to 5000 characters long")
        urls = body.get("image_urls") or []
        if model.endswith("-edit") and len(urls) != 1:
            raise Invalid("image_urls has to hold exactly one URL")
        sources = [picture(self.world, url) for url in urls]
        width, height = ratio_size(str(body.get("aspect_ratio", "")), sources[0] if sources else b"")
        return Work(
            model=model,
            prompt=prompt,
            n=whole(body.get("num_images"), "num_images", 1, 4),
            width=width,
            height=height,
            format=format_of(body.get("output_format")),
            source=sources[0] if sources else b"",
            webhook=asked.headers.get("x-webhook-url", ""),
            input=body,
        )

    def new_id(self, work: Work) -> str:
        return f"{work.model}_{uuid.uuid4()}"

    def status(self, asked: Asked, job_id: str) -> Answer:
        return self.poll(job_id, lambda job, phase: say(self._body(asked.origin, job, phase)))

    def _body(self, origin: str, job: Job, phase: Phase) -> dict[str, Json]:
        body: dict[str, Json] = {
            "request_id": job.id,
            "status": STATES.get(phase, "COMPLETED"),
            "model_id": job.work.model,
            "error": None,
            "output": None,
            "created_at": iso(job.created),
            "updated_at": iso(self.world.now()),
            "completed_at": iso(job.ended),
        }
        if phase == "done":
            body.update(_ended(origin, job))
        return body

    def hook(self, origin: str, job: Job) -> Json:
        return self._body(origin, job, "done")


def _ended(origin: str, job: Job) -> dict[str, Json]:
    end = job.ending
    if end is not None and end.name in ENDINGS:
        status, words = ENDINGS[end.name]
        return {"status": status, "error": words}
    urls: list[Json] = [origin + job.file(index) for index in range(job.delivered)]
    one = job.plan.find("shape", "str") is not None and bool(urls)
    media: Json = urls[0] if one else urls
    return {"output": {"media_url": media, "media_type": MEDIA_TYPE[job.work.format]}}


def _inline(job: Job) -> list[Json]:
    media = MEDIA_TYPE[job.work.format]
    return [{"url": f"data:{media};base64,{b64(job.inline(index))}"} for index in range(job.delivered)]


def _urls(origin: str, job: Job) -> list[Json]:
    return [{"url": origin + job.file(index)} for index in range(job.delivered)]
