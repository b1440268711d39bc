"""Azure AI Foundry's MAI image models: width and height, one PNG, base64 in the answer.

`n` is ignored. A content filter shows in one of several spellings: `[[end:moderation]]` is `error.code`,
`=inner` and `=inner_error` are the two nested ones, `=empty` a 200 without a picture.
Source: https://learn.microsoft.com/azure/ai-foundry/
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from evalkit.fakes.face import Face, Invalid, Route, always
from evalkit.fakes.faults import Directive
from evalkit.fakes.inputs import b64, picture, prompt_of
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.routes.openai import OpenAI
from evalkit.fakes.state import Job, Work
from evalkit.types import Json

MIN_SIDE = 768
MAX_AREA = 1_048_576
IMAGE_TOKENS = 1024
WORDS = {
    401: ("401", "Access denied due to invalid subscription key or wrong API endpoint."),
    403: ("Forbidden", "Access to this resource is denied."),
    404: ("DeploymentNotFound", "The API deployment for this resource does not exist."),
    429: ("429", "Requests have exceeded the call rate limit of your current pricing tier."),
}
FILTERED: dict[str, Json] = {"sexual": {"filtered": False, "severity": "safe"},
                             "violence": {"filtered": True, "severity": "high"}}  # fmt: skip


class _OpenAIModels(OpenAI):
    """OpenAI's models on Azure: their own answers, Azure's key."""

    name = "azure"


class Azure(Face):
    name = "azure"
    keys: ClassVar[Mapping[str, str]] = {"api-key": "", "authorization": "Bearer "}
    ids = ("data",)
    balance = 403

    def routes(self) -> Sequence[Route]:
        self._openai = _OpenAIModels(self.world)
        return (
            ("POST", r"/openai/deployments/(?P<model>[^/]+)/images/(?P<task>generations|edits)", self.openai),
            ("POST", r"/openai/v1/images/(?P<task>generations|edits)", self.openai),
            ("POST", r"/mai/v1/images/generations", self.generate),
            ("POST", r"/mai/v1/images/edits", self.edit),
            ("GET", r"/(?:openai|mai)/v1/models", always({"object": "list", "data": []})),
            ("GET", r"/openai/deployments", always({"object": "list", "data": []})),
        )

    def error(self, status: int, message: str = "", **facts: Any) -> Answer:
        code, words = WORDS.get(status, ("BadRequest" if status < 500 else "InternalServerError", "Failed."))
        code = str(facts.get("code") or code)
        answer = say({"error": {"code": code, "message": message or words}}, status)
        if status == 429:
            answer.headers["retry-after"] = "2"
        return answer

    def generate(self, asked: Asked) -> Answer:
        body = asked.json()
        width, height = int(body.get("width", 1024)), int(body.get("height", 1024))
        if min(width, height) < MIN_SIDE:
            raise Invalid(f"width and height must be at least {MIN_SIDE}")
        if width * height > MAX_AREA:
            raise Invalid(f"width times height must not exceed {MAX_AREA}")
        work = Work(_model(body), prompt_of(body.get("prompt")), width=width, height=height, input=body)
        return self.submit(asked, work, self._delivered)

    def openai(self, asked: Asked, task: str, model: str = "") -> Answer:
        """The paths of Azure OpenAI; with a deployment in the path, the body names none."""
        del model
        return self._openai.generate(asked) if task == "generations" else self._openai.edit(asked)

    def edit(self, asked: Asked) -> Answer:
        """Multipart; sizes are ignored, 1024 x 1024 comes back."""
        fields = asked.form.fields
        files = asked.form.file("image", "image[]")
        if len(files) != 1:
            raise Invalid("exactly one image is required")
        work = Work(
            _model(fields),
            prompt_of(fields.get("prompt")),
            source=picture(self.world, files[0]),
            input=dict(fields),
        )
        return self.submit(asked, work, self._delivered)

    def turned_away(self, ending: Directive | None) -> Answer | None:
        match ending.name if ending else "":
            case "moderation":
                return self._filtered(ending.arg if ending else "")
            case "validation":
                return self.error(400, "The request is invalid.")
            case "fail" | "timeout" | "cancelled" | "aborted":
                return self.error(500)
            case "error":
                return self.error(503)
            case _:
                return None

    def _filtered(self, spelling: str) -> Answer | None:
        words = "The response was filtered due to the prompt triggering the content management policy."
        error: dict[str, Json] = {"code": "content_filter", "message": words}
        policy = "ResponsibleAIPolicyViolation"
        match spelling:
            case "empty":
                return None
            case "inner":
                inner: Json = {"code": policy, "content_filter_result": FILTERED}
                error = {"code": "BadRequest", "message": words, "innererror": inner}
            case "inner_error":
                inner = {"code": policy, "content_filter_results": FILTERED}
                error = {"code": "BadRequest", "message": words, "inner_error": inner}
            case _:
                error["code"] = spelling or "content_filter"
                error["content_filter_result"] = FILTERED
        return say({"error": error}, 400)

    def _delivered(self, job: Job) -> Answer:
        empty = job.ends("moderation") or job.delivered == 0
        picture: dict[str, Json] = {"b64_json": "" if empty else b64(job.inline(0)), "revised_prompt": None}
        usage: dict[str, Json] = {
            "num_output_tokens": 0 if empty else IMAGE_TOKENS,
            "num_input_text_tokens": max(len(job.work.prompt) // 4, 1),
            "num_input_image_tokens": IMAGE_TOKENS if job.work.source else 0,
        }
        size = f"{job.work.width}x{job.work.height}"
        data: list[Json] = [] if empty else [picture]
        body: dict[str, Json] = {"created": int(job.created), "size": size, "data": data, "usage": usage}
        return say({**body, "inference_time_sec": 1.25}, apim_request_id=job.id)


def _model(body: Mapping[str, Any]) -> str:
    if not body.get("model"):
        raise Invalid("model is required")
    return str(body["model"])
