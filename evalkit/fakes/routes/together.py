"""Together: OpenAI's path with other words, seeds, and a store that turns away whoever has no User-Agent.

Source: https://docs.together.ai/reference/post-images-generations
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from evalkit.fakes.face import Face, Route, always
from evalkit.fakes.faults import Directive
from evalkit.fakes.inputs import b64, format_of, picture, prompt_of, seed_of, whole
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.state import Job, Work
from evalkit.types import Json

CODES = {
    401: ("invalid_api_key", "Invalid API key provided."),
    402: ("insufficient_funds", "Credit limit exceeded, please navigate to billing."),
    404: ("model_not_available", "Unable to access model."),
    422: ("nsfw_content", "The prompt contains NSFW content."),
    429: ("rate_limit", "You have reached the rate limit."),
}


class Together(Face):
    name = "together"
    ids = ("data", "id")

    def routes(self) -> Sequence[Route]:
        return (
            ("POST", r"/v1/images/generations", self.create),
            ("GET", r"/v1/models", always([{"id": "fake", "type": "image"}])),
        )

    def error(self, status: int, message: str = "", **_: Any) -> Answer:
        code, words = CODES.get(status, (None, "The request failed."))
        error: dict[str, Json] = {"message": message or words, "type": "invalid_request_error"}
        return say({"id": "fake", "error": {**error, "param": None, "code": code}}, status)

    def create(self, asked: Asked) -> Answer:
        body = asked.json()
        sources = [
            *(body.get("reference_images") or []),
            *([body["image_url"]] if body.get("image_url") else []),
        ]
        pictures = [picture(self.world, source) for source in sources]
        work = Work(
            model=str(body.get("model", "")),
            prompt=prompt_of(body.get("prompt")),
            n=whole(body.get("n"), "n", 1, 4),
            seed=seed_of(body.get("seed")),
            width=whole(body.get("width"), "width", 64, 2048, 1024),
            height=whole(body.get("height"), "height", 64, 2048, 1024),
            format=format_of(body.get("output_format"), "jpeg"),
            source=pictures[0] if pictures else b"",
            input=body,
        )
        return self.submit(asked, work, lambda job: _delivered(asked, job))

    def turned_away(self, ending: Directive | None) -> Answer | None:
        match ending.name if ending else "":
            case "moderation":
                return self.error(422)
            case "validation":
                return self.error(400, "steps has to be from 1 to 4.")
            case "fail" | "error" | "timeout" | "cancelled" | "aborted":
                return self.error(500)
            case _:
                return None


def _delivered(asked: Asked, job: Job) -> Answer:
    data: list[Json] = []
    for index in range(job.delivered):
        row: dict[str, Json] = {"index": index, "timings": {"inference": 1.25}, "type": "url"}
        if job.work.input.get("response_format") in ("base64", "b64_json"):
            row = {**row, "b64_json": b64(job.inline(index)), "type": "b64_json"}
        else:
            row["url"] = asked.origin + job.file(index)
        data.append(row)
    return say({"id": job.id, "model": job.work.model, "object": "list", "data": data})
