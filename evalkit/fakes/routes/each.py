"""each::labs: predictions, their history, uploads.

The acceptance calls the job `predictionID`, the prediction calls it `id`. A run that fails does so with
status `error` (`failed` for `[[end:fail]]`) and an envelope in `output`; the history's
`error_classification` is what tells a refusal from a fault. `[[shape:str|list|object]]` picks the output.
Source: https://docs.eachlabs.ai
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from evalkit.fakes.face import Face, Public, Route, always
from evalkit.fakes.inputs import format_of, picture, prompt_of, ratio_size, seed_of, whole
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.routes.fal_rest import between
from evalkit.fakes.state import Job, Phase, Work, iso
from evalkit.types import Json

PRICE = 0.05
BODIES: Mapping[int, Json] = {
    401: {"error": "invalid API key"},
    402: {
        "status": 402,
        "error": "payment required",
        "details": "the estimated cost of your in-flight executions exceeds your current balance ($1.00).",
    },
    404: {"error": "prediction not found"},
    422: {"error": "insufficient balance"},
    429: {"error": "too many concurrent executions"},
}
ENDINGS = {
    "moderation": ("PROVIDER", "content_moderation", "CONTENT_MODERATION", "flagged by content moderation"),
    "validation": ("VALIDATION", "invalid_user_input", "INVALID_INPUT", "the aspect ratio is not supported"),
    "fail": ("PROVIDER", "provider_error", "PROVIDER_ERROR", "the model failed"),
    "error": ("INTERNAL", "internal_error", "INTERNAL_ERROR", "something went wrong on our side"),
    "timeout": ("TIMEOUT", "execution_timeout", "TIMEOUT", "the execution took too long"),
}
"""By `end:` name: category, classification, error code, message."""
CATEGORIES = {"AUTH": "provider_auth", "RATE_LIMIT": "provider_rate_limit", "NETWORK": "provider_unavailable"}


class Each(Face):
    name = "each"
    keys: ClassVar[Mapping[str, str]] = {"x-api-key": "", "authorization": "Bearer "}
    ids = ("predictionID",)

    def routes(self) -> Sequence[Route]:
        return (
            ("POST", r"/v1/prediction/?", self.create),
            ("GET", r"/v1/prediction/(?P<job_id>[^/]+)", self.get),
            ("POST", r"/v1/prediction/(?P<job_id>[^/]+)/cancel", self.cancel),
            ("GET", r"/v1/executions", self.executions),
            ("POST", r"/v1/upload/presign", self.presign),
            ("PUT", r"/put/(?P<name>[^/]+)", Public(self.put)),
            ("GET", r"/v1/models", Public(always([]))),
            ("GET", r"/v1/model", Public(self.model)),
        )

    def error(self, status: int, message: str = "", **_: Any) -> Answer:
        if status in BODIES and not message:
            return say(BODIES[status], status)
        return say({"status": status, "error": "request failed", "details": message or "no details"}, status)

    def create(self, asked: Asked) -> Answer:
        body = asked.json()
        given = body.get("input")
        if not isinstance(given, dict) or not body.get("model"):
            return self.error(400, "model and input are required")
        urls = given.get("image_urls") or ([given["image_url"]] if given.get("image_url") else [])
        sources = [picture(self.world, url) for url in urls]
        width, height = ratio_size(str(given.get("aspect_ratio", "")), sources[0] if sources else b"")
        work = Work(
            model=str(body["model"]),
            prompt=prompt_of(given.get("prompt")),
            n=whole(given.get("num_images"), "num_images", 1, 4),
            seed=seed_of(given.get("seed")),
            width=width,
            height=height,
            format=format_of(given.get("output_format")),
            source=sources[0] if sources else b"",
            webhook=str(body.get("webhook_url") or ""),
            input=given,
        )
        request_id = asked.headers.get("x-request-id") or uuid.uuid4().hex
        return self.submit(asked, work, lambda job: _created(job, request_id))

    def get(self, asked: Asked, job_id: str) -> Answer:
        return self.poll(job_id, lambda job, phase: say(self._body(asked.origin, job, phase)))

    def _body(self, origin: str, job: Job, phase: Phase) -> dict[str, Json]:
        here = f"{origin}/each/v1/prediction/{job.id}"
        body: dict[str, Json] = {"id": job.id, "input": dict(job.work.input), "logs": None}
        urls: dict[str, Json] = {"cancel": f"{here}/cancel", "get": here}
        if phase != "done":
            words = {"queued": "starting", "running": "processing", "banana": "BANANA"}
            metrics: dict[str, Json] = {"predict_time": 0, "cost": 0}
            return {**body, "status": words[phase], "output": "", "metrics": metrics, "urls": urls}
        metrics = {"predict_time": 12.5, "cost": _cost(job)}
        return {
            **body,
            "status": _status(job),
            "output": _output(origin, job),
            "metrics": metrics,
            "urls": urls,
        }

    def cancel(self, asked: Asked, job_id: str) -> Answer:
        del asked
        job = self.world.job(self.name, job_id)
        if job is None:
            return self.missing(job_id)
        job.cancelled = job.cancelled or not job.ended
        return say({"status": "cancelled", "message": "Prediction cancelled", "predictionID": job_id})

    def missing(self, job_id: str) -> Answer:
        del job_id
        return self.error(404)

    def executions(self, asked: Asked) -> Answer:
        """The history, newest first; every filter is optional."""
        query = asked.query
        jobs = [job for job in self.world.jobs.values() if job.provider == self.name]
        rows = [_execution(asked.origin, job) for job in reversed(jobs)]
        rows = [row for row in rows if between(row["created_at"], query.get("from", ""), query.get("to", ""))]
        for name in ("model", "status", "error_classification"):
            rows = [row for row in rows if query.get(name) in (None, "", row[name])]
        offset, limit = int(query.get("offset", 0)), int(query.get("limit", 50))
        return say({"executions": list(rows[offset : offset + limit]), "total_count": len(rows)})

    def presign(self, asked: Asked) -> Answer:
        body = asked.json()
        name = f"{uuid.uuid4().hex}.{str(body.get('content_type', 'png')).rpartition('/')[2]}"
        return say(
            {
                "id": name,
                "presigned_url": f"{asked.origin}/each/put/{name}?X-Amz-Signature=fake",
                "public_url": f"{asked.origin}/uploads/{name}",
                "required_headers": {"Content-Type": str(body.get("content_type", "image/png"))},
                "expires_at": iso(self.world.now() + 900),
            }
        )

    def put(self, asked: Asked, name: str) -> Answer:
        """As a store does: refuse a wrong content type and any credential of the API's."""
        if not asked.headers.get("content-type", "").startswith("image/"):
            return Answer(403, b"SignatureDoesNotMatch")
        if self.key(asked):
            return Answer(500, b"leaked credential")
        self.world.uploads[name] = asked.body
        return Answer(200)

    def model(self, asked: Asked) -> Answer:
        slug = asked.query.get("slug", "")
        return say({"slug": slug, "version": "0.0.1", "request_schema": {"type": "object"}})

    def hook(self, origin: str, job: Job) -> Json:
        failed = _status(job) != "success"
        head: dict[str, Json] = {"exec_id": job.id, "flow_id": job.work.model}
        if failed:
            words = ENDINGS.get(job.ending.name if job.ending else "", ENDINGS["error"])
            return {**head, "status": "failed", "output": [{"error": words[3]}], "error": words[3]}
        return {**head, "status": "succeeded", "output": _output(origin, job), "error": ""}


def _created(job: Job, request_id: str) -> Answer:
    body: Json = {
        "status": "success",
        "message": "Prediction created successfully",
        "predictionID": job.id,
    }
    return say(body, x_request_id=request_id)


def _status(job: Job) -> str:
    if job.ends("cancelled", "aborted"):
        return "cancelled"
    if job.ends("fail"):
        return "failed"
    return "error" if job.ends(*ENDINGS) else "success"


def _cost(job: Job) -> float:
    return PRICE * job.delivered if _status(job) == "success" else 0


def _output(origin: str, job: Job) -> Json:
    status = _status(job)
    if status == "cancelled":
        return ""
    if status != "success":
        return _envelope(job)
    urls: list[Json] = [origin + job.file(index) for index in range(job.delivered)]
    if job.plan.find("shape", "str") and urls:
        return urls[0]
    if job.plan.find("shape", "object"):
        return {"images": [{"url": url} for url in urls]}
    return urls


def _envelope(job: Job) -> Json:
    end = job.ending
    category, _, code, message = ENDINGS[end.name if end else "error"]
    category = (end.arg if end else "") or category
    return {
        "success": False,
        "error": "Execution failed",
        "error_code": code,
        "error_message": message,
        "error_step": "poll",
        "classification": {"category": category},
        "retryable": category in ("PROVIDER", "NETWORK", "INTERNAL"),
        "provider_error_code": code.lower(),
        "execution_id": job.id,
    }


def _execution(origin: str, job: Job) -> dict[str, Any]:
    end = job.ending
    known = ENDINGS.get(end.name if end else "")
    classified = CATEGORIES.get(end.arg if end else "", known[1] if known else "")
    return {
        "id": job.id,
        "model": job.work.model,
        "status": _status(job) if job.ended else "processing",
        "error_classification": classified if job.ended else "",
        "cost": _cost(job) if job.ended else 0,
        "run_time": job.ended - job.started if job.ended else 0,
        "created_at": iso(job.created),
        "started_at": iso(job.started),
        "completed_at": iso(job.ended),
        "output": _output(origin, job) if job.ended else "",
    }
