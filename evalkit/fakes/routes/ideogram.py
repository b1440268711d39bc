"""Ideogram: multipart for 3.0, JSON for 4.0, at once or by polling; links that expire.

A refused prompt is a 422, a refused picture is marked `is_image_safe: false` and has no URL.
Source: https://developer.ideogram.ai/api-reference
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from evalkit.fakes.face import Face, Invalid, Route
from evalkit.fakes.faults import Directive
from evalkit.fakes.inputs import mask_for, picture, pixels, prompt_of, ratio_size, seed_of, whole
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.state import Job, Phase, Work, iso
from evalkit.types import Json

WORDS = {
    400: "Invalid input provided.",
    401: "Unauthorized",
    402: "Payment required: please add credits.",
    422: "Prompt failed the safety check.",
    429: "Too many requests",
}


class Ideogram(Face):
    name = "ideogram"
    keys: ClassVar[Mapping[str, str]] = {"api-key": ""}
    ids = ("data", "generation_id")

    def routes(self) -> Sequence[Route]:
        return (
            ("GET", r"/v[12]/generations/(?P<job_id>[^/]+)", self.get),
            ("POST", r"/v1/ideogram-v(?P<version>[^/]+)/(?P<task>[a-z-]+)/async", self.queue),
            ("POST", r"/v1/ideogram-v(?P<version>[^/]+)/(?P<task>[a-z-]+)", self.create),
        )

    def error(self, status: int, message: str = "", **_: Any) -> Answer:
        return say({"error": message or WORDS.get(status, "Internal error")}, status)

    def create(self, asked: Asked, version: str, task: str) -> Answer:
        work = self._work(asked, version, task)
        return self.submit(asked, work, lambda job: say(_finished(asked.origin, job)))

    def queue(self, asked: Asked, version: str, task: str) -> Answer:
        work = self._work(asked, version, task)
        return self.submit(
            asked, work, lambda job: say({"generation_id": job.id, "created": iso(job.created)})
        )

    def new_id(self, work: Work) -> str:
        del work
        return uuid.uuid4().hex

    def get(self, asked: Asked, job_id: str) -> Answer:
        return self.poll(job_id, lambda job, phase: say(_status(asked.origin, job, phase)))

    def _work(self, asked: Asked, version: str, task: str) -> Work:
        multipart = asked.headers.get("content-type", "").startswith("multipart/form-data")
        body: Mapping[str, Any] = asked.form.fields if multipart else asked.json()
        files = asked.form.file("image", "images")
        if task in ("edit", "remix", "reframe") and not files:
            raise Invalid("image is required")
        source = picture(self.world, files[0]) if files else b""
        masks = asked.form.file("mask")
        if masks:
            mask_for(self.world, masks[0], source)
        width, height = _size(body, source)
        return Work(
            model=f"ideogram-v{version}",
            prompt=prompt_of(body.get("prompt") or body.get("text_prompt")),
            n=whole(body.get("num_images"), "num_images", 1, 8),
            seed=seed_of(body.get("seed")),
            width=width,
            height=height,
            source=source,
            input=dict(body),
        )

    def turned_away(self, ending: Directive | None) -> Answer | None:
        match ending.name if ending else "":
            case "moderation" if ending and ending.arg != "output":
                return self.error(422)
            case "validation":
                return self.error(400)
            case "fail" | "error" | "timeout" | "cancelled" | "aborted":
                return self.error(500)
            case _:
                return None


def _size(body: Mapping[str, Any], source: bytes) -> tuple[int, int]:
    if body.get("resolution"):
        return pixels(str(body["resolution"]))
    return ratio_size(str(body.get("aspect_ratio") or "").replace("x", ":"), source)


def _finished(origin: str, job: Job) -> dict[str, Json]:
    unsafe = job.ends("moderation", "nsfw")
    data: list[Json] = []
    for index in range(job.delivered):
        safe = not (unsafe and index == 0)
        data.append(
            {
                "url": f"{origin}{job.file(index)}?exp=1&sig=fake" if safe else None,
                "prompt": job.work.prompt,
                "resolution": f"{job.work.width}x{job.work.height}",
                "seed": job.seed(index),
                "is_image_safe": safe,
            }
        )
    return {"created": iso(job.created), "data": data}


def _status(origin: str, job: Job, phase: Phase) -> dict[str, Json]:
    words = {"banana": "BANANA", "done": "completed"}
    head: dict[str, Json] = {"generation_id": job.id, "status": words.get(phase, "pending")}
    if phase != "done":
        return {**head, "created": iso(job.created)}
    return {**head, "response_type": "url", **_finished(origin, job)}
