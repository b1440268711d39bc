"""ComfyUI: a graph goes in, its history tells when it is done, `/view` gives the pictures.

No key. A prompt id that the client chose is taken, and the same id twice is one job. What the graph asks
for is read from its sampler, latent and text nodes.
Source: https://docs.comfy.org/development/comfyui-server/comms_routes
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.fakes.face import Face, Invalid, Route, always
from evalkit.fakes.files import fetched
from evalkit.fakes.inputs import picture
from evalkit.fakes.messages import Answer, Asked, say
from evalkit.fakes.state import Job, Phase, Work
from evalkit.types import Json

LOADS = frozenset({"LoadImage", "LoadImageMask"})
OUTPUTS = frozenset({"SaveImage", "PreviewImage", "SaveImageWebsocket"})
ENDINGS = frozenset({"moderation", "validation", "fail", "error", "timeout", "cancelled", "aborted"})

Graph = Mapping[str, Mapping[str, Any]]


class ComfyUI(Face):
    name = "comfyui"
    open = True
    ids = ("prompt_id",)

    def routes(self) -> Sequence[Route]:
        return (
            ("POST", r"(?:/api)?/prompt", self.prompt),
            ("GET", r"(?:/api)?/history/(?P<job_id>[^/]+)", self.history),
            ("GET", r"(?:/api)?/queue", self.queue),
            ("POST", r"(?:/api)?/queue", self.delete),
            ("POST", r"(?:/api)?/interrupt", self.interrupt),
            ("GET", r"(?:/api)?/view", self.view),
            ("POST", r"(?:/api)?/upload/(?:image|mask)", self.upload),
            ("GET", r"(?:/api)?/system_stats", always({"system": {"comfyui_version": "fake"}})),
            ("GET", r"(?:/api)?/object_info(?:/[^/]+)?", always({})),
        )

    def error(self, status: int, message: str = "", **facts: Any) -> Answer:
        kind = str(facts.get("type", "invalid_prompt" if status < 500 else "server_error"))
        error: dict[str, Json] = {"type": kind, "message": message or "The request failed."}
        nodes: dict[str, Json] = facts.get("nodes", {})
        return say({"error": {**error, "details": "", "extra_info": {}}, "node_errors": nodes}, status)

    def prompt(self, asked: Asked) -> Answer:
        body = asked.json()
        graph = body.get("prompt")
        if not isinstance(graph, dict) or not graph:
            raise Invalid("No prompt provided", type="no_prompt")
        given = str(body.get("prompt_id") or "")
        known = self.world.job(self.name, given)
        if known is not None:
            return _queued(known)
        work = self._work(graph, given)
        return self.submit(asked, work, _queued)

    def new_id(self, work: Work) -> str:
        return str(work.input["prompt_id"]) or str(uuid.uuid4())

    def _work(self, graph: Graph, prompt_id: str) -> Work:
        output = next((key for key, node in graph.items() if node.get("class_type") in OUTPUTS), None)
        if output is None:
            raise Invalid("Prompt has no outputs", type="prompt_no_outputs")
        source = self._source(graph)
        sampler = _inputs(graph, "noise_seed") or _inputs(graph, "seed")
        seed = sampler.get("noise_seed", sampler.get("seed"))
        latent = _inputs(graph, "batch_size")
        return Work(
            model=str(_inputs(graph, "ckpt_name").get("ckpt_name", "fake")),
            prompt=_text(graph, sampler.get("positive")),
            n=int(latent.get("batch_size", 1)),
            seed=seed if isinstance(seed, int) else None,
            width=int(latent.get("width", 1024)),
            height=int(latent.get("height", 1024)),
            source=source,
            input={"prompt_id": prompt_id, "output": output},
        )

    def _source(self, graph: Graph) -> bytes:
        """The picture of the first LoadImage node; every one has to have been uploaded."""
        loads = {number: node for number, node in graph.items() if str(node.get("class_type")) in LOADS}
        names = {number: f"comfyui/{node.get('inputs', {}).get('image')}" for number, node in loads.items()}
        for number, name in names.items():
            if name not in self.world.uploads:
                problem: Json = {
                    "type": "custom_validation_failed",
                    "message": "Custom validation failed for node",
                    "details": f"image - Invalid image file: {name.removeprefix('comfyui/')}",
                }
                raise Invalid(
                    "Prompt outputs failed validation",
                    type="prompt_outputs_failed_validation",
                    nodes={number: {"errors": [problem]}},
                )
        return next((self.world.uploads[name] for name in names.values()), b"")

    def history(self, asked: Asked, job_id: str) -> Answer:
        del asked
        return self.poll(job_id, lambda job, phase: say(_history(job, phase)))

    def missing(self, job_id: str) -> Answer:
        """A history without the job looks the same as one where it has not finished."""
        del job_id
        return say({})

    def queue(self, asked: Asked) -> Answer:
        del asked
        open_jobs = [job for job in self._jobs() if not job.ended and not job.plan.find("poll", "vanish")]
        running = [job for job in open_jobs if job.started]
        pending = [job for job in open_jobs if not job.started]
        return say({"queue_running": _rows(running), "queue_pending": _rows(pending)})

    def delete(self, asked: Asked) -> Answer:
        """Whoever is taken out of the queue leaves no trace, not even in the history."""
        for job_id in asked.json().get("delete", []):
            job = self.world.job(self.name, str(job_id))
            if job is not None and not job.started:
                del self.world.jobs[job.id]
        return Answer(200)

    def interrupt(self, asked: Asked) -> Answer:
        """Stops what is running; newer servers take the id of the one to stop."""
        wanted = asked.json().get("prompt_id") if asked.body else None
        for job in self._jobs():
            if job.started and not job.ended and wanted in (None, job.id):
                job.cancelled = True
        return Answer(200)

    def upload(self, asked: Asked) -> Answer:
        """Kept under the name it came with; without `overwrite`, another picture gets another name."""
        form = asked.form
        data = form.file("image")
        if not data:
            raise Invalid("image is required")
        picture(self.world, data[0])
        name = form.names["image"]
        taken = self.world.uploads.get(f"comfyui/{name}", data[0]) != data[0]
        if taken and form.fields.get("overwrite", "").lower() not in ("true", "1"):
            name = f"{uuid.uuid4().hex}_{name}"
        self.world.uploads[f"comfyui/{name}"] = data[0]
        return say({"name": name, "subfolder": "", "type": form.fields.get("type", "input")})

    def view(self, asked: Asked) -> Answer:
        job_id, _, index = asked.query.get("filename", "").removesuffix(".png").rpartition("_")
        job = self.world.job(self.name, job_id)
        if job is None or not index.isdigit():
            return Answer(404)
        return fetched(asked, job, int(index))

    def _jobs(self) -> list[Job]:
        return [job for job in self.world.jobs.values() if job.provider == self.name]


def _queued(job: Job) -> Answer:
    return say({"prompt_id": job.id, "number": 1, "node_errors": {}})


def _rows(jobs: Sequence[Job]) -> list[Json]:
    return [[number, job.id, {}, {}, []] for number, job in enumerate(jobs)]


def _history(job: Job, phase: Phase) -> Json:
    """Empty until the end; then everything below the job's id."""
    if phase in ("queued", "running"):
        return {}
    failed = job.ending is not None and job.ending.name in ENDINGS
    words = "error" if failed else "success"
    status: Json = {
        "status_str": "BANANA" if phase == "banana" else words,
        "completed": not failed,
        "messages": _messages(job, failed),
    }
    node, images = str(job.work.input["output"]), _saved(job)
    outputs: Json = {} if failed or not images else {node: {"images": images}}
    return {job.id: {"outputs": outputs, "status": status}}


def _saved(job: Job) -> list[Json]:
    return [
        {"filename": f"{job.id}_{index}.png", "subfolder": "", "type": "output"}
        for index in range(job.delivered)
    ]


def _messages(job: Job, failed: bool) -> list[Json]:
    """The events of a run, as far as they tell how it ended."""
    start: Json = ["execution_start", {"prompt_id": job.id}]
    node: dict[str, Json] = {"prompt_id": job.id, "node_id": "3", "node_type": "KSampler"}
    if not failed:
        return [start, ["execution_success", {"prompt_id": job.id}]]
    if job.ends("cancelled", "aborted"):
        return [start, ["execution_interrupted", node]]
    return [start, ["execution_error", {**node, "exception_message": "the node failed"}]]


def _inputs(graph: Graph, name: str) -> Mapping[str, Any]:
    """The inputs of the first node that has this one."""
    found = (node.get("inputs", {}) for node in graph.values() if name in node.get("inputs", {}))
    return next(found, {})


def _text(graph: Graph, link: Any) -> str:
    """The text that a sampler's positive input leads to; else the longest in the graph."""
    if isinstance(link, list) and link and str(link[0]) in graph:
        text = graph[str(link[0])].get("inputs", {}).get("text")
        if isinstance(text, str):
            return text
    texts = [str(node.get("inputs", {}).get("text", "")) for node in graph.values()]
    return max(texts, key=len, default="")
