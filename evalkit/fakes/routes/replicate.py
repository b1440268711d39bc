"""Replicate: predictions of models or versions, files, the account.

A refusal is a failure whose text says so. `[[end:aborted]]` ends before it starts and is not charged.
Source: https://replicate.com/docs/reference/http
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.fakes.face import Face, Invalid, Route, always
from evalkit.fakes.hooks import REPLICATE_SECRET
from evalkit.fakes.inputs import format_of, picture, ratio_size, seed_of, whole
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.state import Job, Phase, Work, iso
from evalkit.types import Json

TITLES = {
    401: ("Unauthenticated", "You did not pass an authentication token"),
    402: ("Insufficient credit", "You have insufficient credit to run this model."),
    404: ("Not found", "The requested resource could not be found."),
    422: ("Input validation failed", "- input: prompt is required"),
    429: ("Too many requests", "Request was throttled. Your rate limit resets in ~30s."),
}
STATES = {"queued": "starting", "running": "processing", "banana": "BANANA"}
ERRORS = {
    "moderation": "The input or output was flagged as sensitive. Please try other inputs. (E005)",
    "validation": "The aspect ratio is not supported.",
    "fail": "Prediction failed: the model raised an exception.",
    "error": "Prediction interrupted; please retry (code: PA) (E004)",
    "timeout": "Prediction timed out.",
}
INPUTS = ("image", "input_image", "image_input", "input_images", "image_prompt", "control_image")
_JOB = r"/v1/predictions/(?P<job_id>[^/]+)"


class Replicate(Face):
    name = "replicate"

    def routes(self) -> Sequence[Route]:
        return (
            ("POST", r"/v1/models/(?P<owner>[^/]+)/(?P<model>[^/]+)/predictions", self.create),
            ("GET", r"/v1/models/(?P<owner>[^/]+)/(?P<model>[^/]+)", self.model),
            ("POST", r"/v1/predictions", self.create),
            ("GET", _JOB, self.get),
            ("POST", _JOB + "/cancel", self.cancel),
            ("GET", r"/v1/account", always({"type": "user", "username": "fake"})),
            ("GET", r"/v1/webhooks/default/secret", always({"key": REPLICATE_SECRET})),
            ("POST", r"/v1/files", self.upload),
        )

    def error(self, status: int, message: str = "", **_: Any) -> Answer:
        title, words = TITLES.get(status, ("The request failed", "Something went wrong."))
        answer = say({"title": title, "detail": message or words, "status": status}, status)
        answer.headers["content-type"] = "application/problem+json"
        return answer

    def model(self, asked: Asked, owner: str, model: str) -> Answer:
        del asked
        return say({"owner": owner, "name": model, "latest_version": {"id": "fake"}, "visibility": "public"})

    def create(self, asked: Asked, owner: str = "", model: str = "") -> Answer:
        body = asked.json()
        given = body.get("input")
        if not isinstance(given, dict) or not str(given.get("prompt") or "").strip():
            raise Invalid("- input: prompt is required", 422)
        sources = self._sources(given)
        width, height = _size(given, sources[0] if sources else b"")
        work = Work(
            model=f"{owner}/{model}" if owner else str(body.get("version", "")),
            prompt=str(given["prompt"]),
            n=whole(given.get("num_outputs"), "num_outputs", 1, 4),
            seed=seed_of(given.get("seed")),
            width=width,
            height=height,
            format=format_of(given.get("output_format"), "webp"),
            source=sources[0] if sources else b"",
            webhook=str(body.get("webhook") or ""),
            input=given,
        )
        return self.submit(asked, work, lambda job: say(self._body(asked.origin, job, "queued"), 201))

    def _sources(self, given: Mapping[str, Any]) -> list[bytes]:
        values = [given[name] for name in INPUTS if given.get(name)]
        flat = [item for value in values for item in (value if isinstance(value, list) else [value])]
        return [picture(self.world, item, 422) for item in flat]

    def get(self, asked: Asked, job_id: str) -> Answer:
        return self.poll(job_id, lambda job, phase: say(self._body(asked.origin, job, phase)))

    def _body(self, origin: str, job: Job, phase: Phase) -> dict[str, Json]:
        here = f"{origin}/replicate/v1/predictions/{job.id}"
        if job.plan.find("poll", "foreign"):
            here = f"https://api.replicate.example/v1/predictions/{job.id}"
        urls: dict[str, Json] = {"get": here, "cancel": f"{here}/cancel", "web": here}
        body: dict[str, Json] = {
            "id": job.id,
            "model": job.work.model,
            "version": "fake",
            "input": dict(job.work.input),
            "logs": "",
            "output": None,
            "error": None,
            "status": STATES.get(phase, "succeeded"),
            "created_at": iso(job.created),
            "started_at": iso(job.started),
            "completed_at": iso(job.ended),
            "metrics": {},
            "urls": urls,
        }
        return {**body, **_ended(origin, job)} if phase == "done" else body

    def cancel(self, asked: Asked, job_id: str) -> Answer:
        job = self.world.job(self.name, job_id)
        if job is None:
            return self.missing(job_id)
        if not job.ended:
            job.cancelled = True
            self.world.finish(job)
        return say(self._body(asked.origin, job, "done"))

    def upload(self, asked: Asked) -> Answer:
        data = asked.form.file("content")
        if not data:
            raise Invalid("- content is required", 422)
        name = uuid.uuid4().hex
        self.world.uploads[name] = data[0]
        here = f"{asked.origin}/uploads/{name}"
        return say({"id": name, "name": "file", "size": len(data[0]), "urls": {"get": here}}, 201)

    def hook(self, origin: str, job: Job) -> Json:
        return self._body(origin, job, "done")


def _size(given: Mapping[str, Any], source: bytes) -> tuple[int, int]:
    if given.get("width") and given.get("height"):
        return int(given["width"]), int(given["height"])
    return ratio_size(str(given.get("aspect_ratio") or ""), source)


def _ended(origin: str, job: Job) -> dict[str, Json]:
    end = job.ending
    name = end.name if end else ""
    if name == "cancelled":
        return {"status": "canceled"}
    if name == "aborted":
        return {"status": "aborted", "started_at": None, "error": "The prediction was aborted."}
    metrics: dict[str, Json] = {"predict_time": 1.25, "total_time": 1.5}
    if name in ERRORS:
        return {"status": "failed", "error": ERRORS[name], "metrics": metrics}
    urls: list[Json] = [f"{origin}{job.file(index)}?token=fake" for index in range(job.delivered)]
    output: Json = urls[0] if job.plan.find("shape", "str") and urls else urls
    return {"output": output, "metrics": metrics}
