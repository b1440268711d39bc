"""Black Forest Labs: a polling URL on another host, credits per job, pictures that live ten minutes.

Source: https://docs.bfl.ai
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from evalkit.fakes.face import Face, Invalid, Route, always
from evalkit.fakes.inputs import format_of, picture, prompt_of, ratio_size, seed_of
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.state import Job, Phase, Work
from evalkit.types import Json

CREDITS = 3.0
STATES = {"queued": "Pending", "running": "Pending", "banana": "BANANA"}
WORDS = {
    401: "Not authenticated",
    402: "Insufficient credits. Add credits at https://api.bfl.ai",
    403: "Not authenticated - Invalid Authentication",
    429: "Too many active tasks",
}


class Bfl(Face):
    name = "bfl"
    keys: ClassVar[Mapping[str, str]] = {"x-key": ""}
    ids = ("id", "polling_url")

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", r"/v1/get_result", self.get_result),
            ("GET", r"/v1/credits", always({"credits": 1000.0})),
            ("POST", r"/v1/(?P<model>[^/]+)", self.create),
        )

    def error(self, status: int, message: str = "", **facts: Any) -> Answer:
        if status == 422:
            place = str(facts.get("field", "prompt"))
            problem: Json = {"loc": ["body", place], "msg": message or "Invalid value", "type": "value_error"}
            return say({"detail": [problem]}, 422)
        return say({"detail": message or WORDS.get(status, "Internal Server Error")}, status)

    def unauthorized(self, given: str) -> Answer:
        del given
        return self.error(403)

    def missing(self, job_id: str) -> Answer:
        return say({"id": job_id, "status": "Task not found", "result": None}, 404)

    def create(self, asked: Asked, model: str) -> Answer:
        body = asked.json()
        if not isinstance(body.get("prompt"), str):
            raise Invalid("Field required", 422, field="prompt")
        names = ["input_image", *(f"input_image_{number}" for number in range(2, 9))]
        sources = [picture(self.world, body[name], 422, name) for name in names if body.get(name)]
        width, height = self._size(body, sources[0] if sources else b"")
        work = Work(
            model=model,
            prompt=prompt_of(body["prompt"], 422),
            seed=seed_of(body.get("seed")),
            width=width,
            height=height,
            format=format_of(body.get("output_format"), "jpeg"),
            source=sources[0] if sources else b"",
            webhook=str(body.get("webhook_url") or ""),
            input=body,
        )
        return self.submit(asked, work, lambda job: self._created(asked, job))

    def _size(self, body: Mapping[str, Any], source: bytes) -> tuple[int, int]:
        if not (body.get("width") and body.get("height")):
            return ratio_size(str(body.get("aspect_ratio") or ""), source)
        width, height = int(body["width"]), int(body["height"])
        if width % 16 or height % 16 or width * height > 4_194_304:
            raise Invalid("has to be a multiple of 16, at most 4 megapixels", 422, field="width")
        return width, height

    def _created(self, asked: Asked, job: Job) -> Answer:
        host = "api.bfl.example" if job.plan.find("poll", "foreign") else _other_name(asked.headers["host"])
        here = f"{asked.scheme}://{host}/bfl/v1/get_result?id={job.id}"
        megapixels = job.work.width * job.work.height / 1e6
        source = 1.0 if job.work.source else 0.0
        body: dict[str, Json] = {"id": job.id, "polling_url": here, "cost": CREDITS}
        return say({**body, "input_mp": source, "output_mp": round(megapixels, 2)})

    def get_result(self, asked: Asked) -> Answer:
        job_id = asked.query.get("id", "")
        return self.poll(job_id, lambda job, phase: say(self._body(asked.origin, job, phase)))

    def _body(self, origin: str, job: Job, phase: Phase) -> dict[str, Json]:
        body: dict[str, Json] = {"id": job.id, "progress": None, "result": None, "details": None}
        if phase != "done":
            return {**body, "status": STATES[phase]}
        end = job.ending
        match end.name if end else "":
            case "moderation":
                stage = "Request" if end and end.arg == "input" else "Content"
                details: Json = {"Moderation Reasons": ["Derivative Works Filter"]}
                return {**body, "status": f"{stage} Moderated", "details": details}
            case "fail" | "error" | "timeout" | "cancelled" | "aborted":
                return {**body, "status": "Error"}
            case "validation":
                return {**body, "status": "Error", "details": {"error": "invalid input"}}
            case _:
                return {**body, "status": "Ready", "progress": 1.0, "result": _result(origin, job)}

    def hook(self, origin: str, job: Job) -> Json:
        return self._body(origin, job, "done")


def _result(origin: str, job: Job) -> Json:
    url = f"{origin}{job.file(0)}?se=2026&sig=fake-signature" if job.delivered else ""
    return {
        "sample": url,
        "prompt": job.work.prompt,
        "seed": job.seed(0),
        "start_time": job.started,
        "end_time": job.started + 1.25,
        "duration": 1.25,
    }


def _other_name(host: str) -> str:
    """The same server under another name, as a region's host would be."""
    name, _, port = host.rpartition(":")
    return f"{'127.0.0.1' if name == 'localhost' else 'localhost'}:{port}"
