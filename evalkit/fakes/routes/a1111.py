"""AUTOMATIC1111's web UI: txt2img and img2img, no key, seeds in a string of JSON.

`[[shape:grid]]` puts a contact sheet before the pictures, as an instance with grids switched on does.
Source: https://github.com/AUTOMATIC1111/stable-diffusion-webui/wiki/API
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from evalkit.fakes.face import Face, Invalid, Route, always
from evalkit.fakes.faults import Directive
from evalkit.fakes.inputs import b64, mask_for, picture, seed_of, whole
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.state import Job, Work
from evalkit.types import Json


class A1111(Face):
    name = "a1111"
    open = True
    ids = ("images",)

    def routes(self) -> Sequence[Route]:
        return (
            ("POST", r"(?:/sdapi)?/v1/(?P<task>txt2img|img2img)", self.create),
            (
                "GET",
                r"(?:/sdapi)?/v1/options",
                always({"sd_model_checkpoint": "fake.safetensors"}),
            ),
            (
                "GET",
                r"(?:/sdapi)?/v1/sd-models",
                always([{"title": "fake", "model_name": "fake"}]),
            ),
            ("GET", r"(?:/sdapi)?/v1/progress", always({"progress": 0.0, "eta_relative": 0.0})),
            ("POST", r"(?:/sdapi)?/v1/interrupt", always({})),
        )

    def error(self, status: int, message: str = "", **facts: Any) -> Answer:
        if status == 422:
            place = str(facts.get("field", "prompt"))
            return say({"detail": [{"loc": ["body", place], "msg": message, "type": "value_error"}]}, 422)
        if status >= 500:
            words = message or "CUDA out of memory."
            return say({"error": "OutOfMemoryError", "detail": "", "body": "", "errors": words}, status)
        return say(
            {"detail": message or {401: "Unauthorized", 404: "Not Found"}.get(status, "Failed")}, status
        )

    def create(self, asked: Asked, task: str) -> Answer:
        body = asked.json()
        prompt = body.get("prompt", "")
        if not isinstance(prompt, str):
            raise Invalid("str type expected", 422, field="prompt")
        sources = body.get("init_images") or []
        if task == "img2img" and not sources:
            raise Invalid("init_images is required", 422, field="init_images")
        source = picture(self.world, sources[0], 422) if sources else b""
        if body.get("mask"):
            mask_for(self.world, body["mask"], source, 422)
        work = Work(
            model=str((body.get("override_settings") or {}).get("sd_model_checkpoint", "fake")),
            prompt=prompt,
            n=whole(body.get("batch_size"), "batch_size", 1, 8),
            seed=seed_of(body.get("seed")),
            width=whole(body.get("width"), "width", 8, 4096, 512),
            height=whole(body.get("height"), "height", 8, 4096, 512),
            source=source,
            input=body,
        )
        return self.submit(asked, work, self._delivered)

    def turned_away(self, ending: Directive | None) -> Answer | None:
        if ending is None or ending.name in ("partial", "nsfw", "blank"):
            return None
        return self.error(422 if ending.name == "validation" else 500, "The request failed.")

    def _delivered(self, job: Job) -> Answer:
        images: list[Json] = [b64(job.inline(index)) for index in range(job.delivered)]
        grid = job.plan.find("shape", "grid") is not None and job.delivered > 1
        seeds = [job.seed(index) for index in range(job.delivered)]
        info = {
            "prompt": job.work.prompt,
            "seed": job.seed(0),
            "all_seeds": seeds,
            "width": job.work.width,
            "height": job.work.height,
            "sd_model_hash": "fakefake00",
            "index_of_first_image": int(grid),
        }
        parameters: Json = {key: job.work.input.get(key) for key in ("prompt", "seed", "batch_size")}
        sheet: list[Json] = [b64(job.picture(0))] if grid else []
        return say({"images": [*sheet, *images], "parameters": parameters, "info": json.dumps(info)})
