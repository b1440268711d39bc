"""fal: the queue, results and cancelling. Storage, prices and the request history are in `fal_rest.py`.

Two things matter most. `COMPLETED` does not mean success: what went wrong is told by the result. And input
is not validated on submit, but by the model, so a 422 also comes with the result.
Source: https://docs.fal.ai/model-apis/model-endpoints/queue and https://docs.fal.ai/errors
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from evalkit.fakes.face import Face, Invalid, Route
from evalkit.fakes.inputs import b64, format_of, picture, prompt_of, ratio_size, seed_of, whole
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.pictures import EXTENSION, MEDIA_TYPE
from evalkit.fakes.routes.fal_rest import rest_routes
from evalkit.fakes.state import Job, Phase, Work
from evalkit.types import Json

RESULT_SECONDS = 3600
DOCS = "https://docs.fal.ai/errors"
PRESETS = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
WORDS = {
    401: "Cannot access application. Authentication is required to access this application.",
    403: "Access to this application is forbidden.",
    404: "Application not found.",
    429: "Too many requests.",
    500: "Internal server error.",
}
TYPES = {
    400: "bad_request",
    500: "internal_error",
    502: "runner_incomplete_response",
    503: "runner_scheduling_failure",
    504: "request_timeout",
}
RUNNER = {"runner_incomplete_response": 502, "runner_server_error": 500, "internal_error": 500}
_JOB = r"/(?P<app>[^/]+/[^/]+)/requests/(?P<job_id>[^/]+)"


class Fal(Face):
    name = "fal"
    keys: ClassVar[Mapping[str, str]] = {"authorization": "Key "}
    ids = ("request_id", "status_url", "response_url", "cancel_url")
    balance = 403

    def routes(self) -> Sequence[Route]:
        return (
            *rest_routes(self),
            ("GET", _JOB + "/status", self.status),
            ("GET", _JOB + "/status/stream", self.stream),
            ("GET", _JOB, self.result),
            ("PUT", _JOB + "/cancel", self.cancel),
            ("POST", r"/(?P<endpoint>[^/]+/[^/]+(?:/[^/]+)*)", self.create),
        )

    def error(self, status: int, message: str = "", **facts: Any) -> Answer:
        kind = str(facts.get("type") or TYPES.get(status, ""))
        body: dict[str, Json] = {"detail": message or WORDS.get(status, "The request failed.")}
        if not kind:
            return say(body, status)
        answer = say({**body, "error_type": kind}, status)
        answer.headers["x-fal-error-type"] = kind
        return answer

    def quota(self) -> Answer:
        return self.locked()

    def missing(self, job_id: str) -> Answer:
        del job_id
        return say({"status": "NOT_FOUND"}, 404)

    def create(self, asked: Asked, endpoint: str) -> Answer:
        """`POST /{owner}/{app}[/...]`: the body is the model's input as it is."""
        body = asked.json()
        work, problems = self._work(endpoint, body, asked.query.get("fal_webhook", ""))

        def accepted(job: Job) -> Answer:
            job.problems = problems
            job.facts.update(endpoint=endpoint, stored=asked.headers.get("x-fal-store-io") != "0")
            urls = self.urls(asked, job)
            if job.plan.find("poll", "foreign"):
                urls["status_url"] = f"https://queue.fal.example/requests/{job.id}/status"
            first: dict[str, Json] = {"status": "IN_QUEUE", "request_id": job.id}
            return say({**first, **urls, "queue_position": 0}, x_fal_request_id=job.id)

        return self.submit(asked, work, accepted)

    def _work(self, endpoint: str, body: dict[str, Any], webhook: str) -> tuple[Work, list[Any]]:
        """The input, and what the model will find wrong with it."""
        problems: list[Any] = []
        try:
            source = self._source(endpoint, body)
            width, height = _size(body, source)
            work = Work(
                model=endpoint,
                prompt=prompt_of(body.get("prompt")),
                n=whole(body.get("num_images"), "num_images", 1, 4),
                seed=seed_of(body.get("seed")),
                width=width,
                height=height,
                format=format_of(body.get("output_format")),
                source=source,
                webhook=webhook,
                input=body,
            )
        except Invalid as wrong:
            problems.append(_problem(wrong, body))
            work = Work(endpoint, str(body.get("prompt", "")), webhook=webhook, input=body)
        return work, problems

    def _source(self, endpoint: str, body: dict[str, Any]) -> bytes:
        urls = body.get("image_urls") or [body[key] for key in ("image_url",) if body.get(key)]
        edits = endpoint.rpartition("/")[2] in ("edit", "image-to-image", "inpaint")
        if edits and not urls:
            raise Invalid("field required", type="missing", field="image_urls")
        if edits and "mai-image" in endpoint and len(urls) != 1:
            raise Invalid("provide one image", type="too_long", field="image_urls")
        pictures = [picture(self.world, url) for url in urls]
        if body.get("mask_url"):
            picture(self.world, body["mask_url"], what="mask")
        return pictures[0] if pictures else b""

    def urls(self, asked: Asked, job: Job) -> dict[str, Json]:
        """Built from owner and app only, whatever else the endpoint id has."""
        app = "/".join(job.facts["endpoint"].split("/")[:2])
        base = f"{asked.origin}/fal/{app}/requests/{job.id}"
        return {"response_url": base, "status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}

    def status(self, asked: Asked, app: str, job_id: str) -> Answer:
        del app
        return self.poll(job_id, lambda job, phase: self._status_of(asked, job, phase), last=False)

    def _status_of(self, asked: Asked, job: Job, phase: Phase) -> Answer:
        logs = asked.query.get("logs", "").lower() in ("1", "true")
        body: dict[str, Json] = {"request_id": job.id, **self.urls(asked, job)}
        match phase:
            case "queued":
                return say({"status": "IN_QUEUE", "queue_position": 0, **body}, 202)
            case "running":
                return say({"status": "IN_PROGRESS", "logs": _logs(job) if logs else [], **body}, 202)
            case "banana":
                return say({"status": "BANANA", "logs": [], **body}, 202)
            case "done":
                self.world.finish(job)
                done: dict[str, Json] = {"status": "COMPLETED", "logs": _logs(job) if logs else []}
                return say({**done, **_ending(job), **body})

    def stream(self, asked: Asked, app: str, job_id: str) -> Answer:
        """The statuses until the end, as server-sent events."""
        events = []
        for _ in range(50):
            answer = self.status(asked, app, job_id)
            events.append(b"data: " + answer.body + b"\n\n")
            if answer.status != 202:
                break
        return Answer(200, headers={"content-type": "text/event-stream"}, events=tuple(events))

    def result(self, asked: Asked, app: str, job_id: str) -> Answer:
        """What the model said, be it pictures or an error."""
        del app
        job = self.world.job(self.name, job_id)
        if job is None or job.plan.find("poll", "vanish"):
            return self.missing(job_id)
        if not job.ended:
            return say({"detail": "Request is still in progress"}, 400)
        if self.world.now() - job.ended > RESULT_SECONDS:
            return self.missing(job_id)
        answer = self._in_the_way(job, "result") or self.outcome(asked, job)
        answer.delay += job.plan.delay("result")
        return answer

    def outcome(self, asked: Asked, job: Job) -> Answer:
        """The stored answer of the model; asking again gives the same."""
        failed = self._failed(job)
        if failed is not None:
            failed.headers["x-fal-request-id"] = job.id
            return failed
        units = str(job.delivered)
        return say(self.payload(asked.origin, job), x_fal_request_id=job.id, x_fal_billable_units=units)

    def payload(self, origin: str, job: Job) -> dict[str, Json]:
        """The pictures, as the result and a webhook tell them."""
        images: list[Json] = [_image(origin, job, index) for index in range(job.delivered)]
        body: dict[str, Json] = {"images": images, "description": ""}
        if "seed" in job.work.input:
            body["seed"] = job.seed(0)
        if job.ends("nsfw"):
            body["has_nsfw_concepts"] = [index == 0 for index in range(job.delivered)]
        return body

    def hook(self, origin: str, job: Job) -> Json:
        head: dict[str, Json] = {"request_id": job.id, "gateway_request_id": job.id}
        failed = self._failed(job)
        if failed is not None:
            error = f"Invalid status code: {failed.status}"
            return {**head, "status": "ERROR", "error": error, "payload": failed.json}
        if job.plan.find("hook", "unserializable"):
            problem = "Response payload is not JSON serializable."
            return {**head, "status": "OK", "payload": None, "payload_error": problem}
        return {**head, "status": "OK", "payload": self.payload(origin, job)}

    def _failed(self, job: Job) -> Answer | None:
        """The model's own error body, if it ends with one."""
        if job.problems:
            return _model_error(job.problems, 422)
        end = job.ending
        match end.name if end else "":
            case "moderation":
                return _model_error([_moderated(end.arg if end else "")], 422)
            case "validation":
                return _model_error([_invalid(end.arg if end else "")], 422)
            case "fail":
                kind = (end.arg if end else "") or "internal_server_error"
                status = {"generation_timeout": 504, "concurrent_requests_limit": 429}.get(kind, 500)
                problem = {"loc": ["body"], "msg": "The model failed.", "type": kind, "url": f"{DOCS}#{kind}"}
                return _model_error([problem], status)
            case "error":
                kind = (end.arg if end else "") or "runner_server_error"
                return self.error(RUNNER.get(kind, 503), "The runner failed.", type=kind)
            case "timeout":
                answer = self.error(504, "The request did not start in time.", type="request_timeout")
                answer.headers["x-fal-request-timeout-type"] = "user"
                return answer
            case "cancelled" | "aborted":
                return self.error(499, "The request was cancelled by the client.", type="client_cancelled")
            case _:
                return None

    def cancel(self, asked: Asked, app: str, job_id: str) -> Answer:
        del asked, app
        job = self.world.job(self.name, job_id)
        if job is None:
            return self.missing(job_id)
        if job.ended:
            return say({"status": "ALREADY_COMPLETED"}, 400)
        job.cancelled = True
        return say({"status": "CANCELLATION_REQUESTED"}, 202)


def _size(body: dict[str, Any], source: bytes) -> tuple[int, int]:
    size = body.get("image_size")
    if isinstance(size, dict):
        return int(size["width"]), int(size["height"])
    if size in PRESETS:
        return PRESETS[str(size)]
    return ratio_size(str(body.get("aspect_ratio", "")), source)


def _problem(wrong: Invalid, body: dict[str, Any]) -> dict[str, Any]:
    kind = str(wrong.facts.get("type", "value_error"))
    place = str(wrong.facts.get("field") or ("prompt" if "prompt" in wrong.message else "input"))
    return {
        "loc": ["body", place],
        "msg": wrong.message,
        "type": kind,
        "url": f"{DOCS}#{kind}",
        "input": body.get("prompt"),
    }


def _moderated(kind: str) -> dict[str, Any]:
    kind = kind or "content_policy_violation"
    words = "The content could not be processed because it was flagged by a content checker."
    return {"loc": ["body", "prompt"], "msg": words, "type": kind, "url": f"{DOCS}#{kind}"}


def _invalid(kind: str) -> dict[str, Any]:
    kind = kind or "one_of"
    return {
        "loc": ["body", "aspect_ratio"],
        "msg": "The value is not one of those that the model takes.",
        "type": kind,
        "url": f"{DOCS}#{kind}",
        "ctx": {"expected": ["1:1", "16:9"]},
        "input": "7:5",
    }


def _model_error(detail: Json | list[Any], status: int) -> Answer:
    retryable = "true" if status >= 500 else "false"
    return say({"detail": detail}, status, x_fal_retryable=retryable)


def _ending(job: Job) -> dict[str, Json]:
    """What the status adds at the end: an error only where the request failed, not where the model did."""
    end = job.ending
    match end.name if end and not job.problems else "":
        case "cancelled" | "aborted":
            return {"error": "The request was cancelled by the client.", "error_type": "client_cancelled"}
        case "error":
            kind = (end.arg if end else "") or "runner_server_error"
            return {"error": "The runner failed.", "error_type": kind}
        case "timeout":
            return {"error": "The request did not start in time.", "error_type": "request_timeout"}
        case _:
            return {"metrics": {"inference_time": 1.25}}


def _logs(job: Job) -> list[Json]:
    return [
        {"message": f"drawing {job.work.n}", "level": "INFO", "source": "USER",
         "timestamp": "2026-01-01T00:00:00Z"}
    ]  # fmt: skip


def _image(origin: str, job: Job, index: int) -> Json:
    if job.work.input.get("sync_mode") is True:
        return {"url": f"data:{MEDIA_TYPE[job.work.format]};base64,{b64(job.inline(index))}"}
    return {
        "url": origin + job.file(index),
        "content_type": MEDIA_TYPE[job.work.format],
        "file_name": f"{index}.{EXTENSION[job.work.format]}",
        "file_size": len(job.picture(index)),
        "width": job.work.width,
        "height": job.work.height,
    }
