"""`comfyui:workflow_api.json?seed=1`: a workflow of your own on your own ComfyUI server.

The workflow is what ComfyUI's "Export (API)" writes, with placeholders where a case's values go:

    {{prompt}}            needed
    {{seed}}              `seed` plus the replicate; without it there is one replicate only
    {{width}} {{height}}  of the case's ratio, with the area of a `size` x `size` square [1024]
    {{source}} {{mask}}   names of the uploaded pictures, for LoadImage and LoadImageMask (channel red);
                          the mask is white where the picture may change
    {{negative_prompt}}   and any other name: a parameter of the system (`?steps=20`)

`?node=9` takes only the pictures that node saves. The server is at EVALKIT_COMFYUI_BASE.

A job's id is chosen here, from the trial. So a job whose answer was lost is looked up before it is sent
again, and where an old ComfyUI ignores the id, making a picture twice costs time but no money. That is why
this provider is `replayable`, although a workflow need not give the same picture twice.
"""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import ClassVar, TypeVar

from evalkit.errors import UnknownName, UsageError
from evalkit.providers.base import Check, Ledger, Limits, Provider, Settings
from evalkit.providers.comfyserver import Broken, Down, Ended, NotTaken, SavedFile, Server, Stage
from evalkit.providers.sizes import SIZES, pixels, whole
from evalkit.providers.workflow import Value, load_workflow, value_of
from evalkit.types import (
    Ask,
    Case,
    Delivered,
    Failed,
    Job,
    Outcome,
    Picture,
    Rejected,
    Request,
    System,
    Timings,
)

DEFAULT_BASE = "http://127.0.0.1:8188"
DEFAULT_SIZE = "1024"
DEADLINE_SECONDS = 900.0
POLL_SECONDS = (0.25, 1.0)
PATIENCE = 5
"""So many failed looks in a row, and the server is given up."""

_OF_THE_CASE = frozenset({"prompt", "width", "height", "source", "mask"})
_JOBS = uuid.UUID("5a2b6f0e-6c1f-5d0c-9a63-3f1f1f8a7d11")
T = TypeVar("T")


class ComfyUI(Provider):
    """Runs a workflow; `fingerprint` is the digest of its file, so a changed one is a new trial."""

    name: ClassVar[str] = "comfyui"
    summary: ClassVar[str] = "a workflow on your own ComfyUI server: comfyui:workflow_api.json"
    replayable = True

    def __init__(self, system: System, settings: Settings = Settings()) -> None:
        super().__init__(system, settings)
        self.workflow = load_workflow(Path(system.model).expanduser())
        self._check_names()
        self._size = whole("size", system.params.get("size", DEFAULT_SIZE), *SIZES)
        self._seed = whole("seed", system.params.get("seed", "0"), 0, 2**53)
        self._deadline = settings.deadline or DEADLINE_SECONDS
        self._server = Server(os.environ.get("EVALKIT_COMFYUI_BASE") or DEFAULT_BASE)

    @property
    def lane(self) -> str:
        return f"comfyui {self._server.base}"

    @property
    def limits(self) -> Limits:
        """One: the server works on one job at a time, and its queue would only be measured."""
        return Limits(1, 1)

    def fingerprint(self, suite: str, case: Case, replicate: int) -> str:
        del suite, case, replicate
        return self.workflow.digest

    def replicates(self, suite: str, case: Case, asked: int) -> int:
        """One where the workflow takes no seed: the others would be the same picture."""
        return super().replicates(suite, case, asked) if "seed" in self.workflow.names else 1

    def ask(self, case: Case) -> Ask:
        names, model = self.workflow.names, self.system.model
        for name, given in (("source", case.task == "edit"), ("mask", case.mask is not None)):
            if name in names and not given:
                raise UsageError(f"{model} needs a {name} and case {case.id!r} has none", "Leave it out.")
        if case.task == "edit" and "source" not in names:
            raise UsageError(f"{model} takes no source picture", "Put {{source}} into a LoadImage node.")
        notes = () if case.task == "edit" or names >= {"width", "height"} else self._fixed_shape()
        return Ask(model, case.aspect_ratio, self.system.params, "mask" in names, notes)

    async def generate(self, request: Request, ledger: Ledger) -> Outcome | Rejected:
        job = Job(str(uuid.uuid5(_JOBS, request.trial)))
        started = time.monotonic()
        try:
            if await self._is_there(job.id):
                await ledger.accepted(job)
                return await self._finish(job, None)
            job = Job(await self._submit(request, job.id))
        except NotTaken as problem:
            return Rejected("validation", f"ComfyUI does not take the workflow: {problem}")
        except Down as problem:
            return Rejected("transient", f"ComfyUI at {self._server.base} does not answer: {problem}")
        sent = (started, time.monotonic())
        await ledger.accepted(job)
        return await self._finish(job, sent)

    async def resume(self, request: Request, job: Job) -> Outcome:
        del request
        return await self._finish(job, None)

    async def check(self) -> Check:
        try:
            return Check(True, f"ComfyUI {await self._server.version()} at {self._server.base}")
        except Down as problem:
            return Check(False, f"nothing answers at {self._server.base} ({problem}); start ComfyUI")

    async def aclose(self) -> None:
        await self._server.aclose()

    # Before ---------------------------------------------------------------------------------------------

    def _check_names(self) -> None:
        """Every placeholder has a value and every parameter a place."""
        names, given = self.workflow.names, self.system.params.keys()
        if "prompt" not in names:
            raise UsageError(
                f"{self.system.model} has no {{{{prompt}}}}", "Write {{prompt}} where the prompt belongs."
            )
        places = (names - _OF_THE_CASE) | {"node"} | ({"size"} if names & {"width", "height"} else set())
        for name in given:
            if name not in places:
                raise UnknownName(f"parameter of {self.system.model}", name, places)
        for name in sorted(names - _OF_THE_CASE - {"seed", "negative_prompt"} - given):
            raise UsageError(
                f"{self.system.model} asks for {{{{{name}}}}}", f"Add it to the system: ?{name}=..."
            )

    def _fixed_shape(self) -> tuple[str, ...]:
        if not self.settings.allow_degrade:
            raise UsageError(
                f"{self.system.model} has no {{{{width}}}} and {{{{height}}}}, so no ratio can be asked for",
                "Put them into the node that sets the size, or allow it with --allow-degrade.",
            )
        return ("aspect_ratio: as the workflow has it",)

    async def _is_there(self, job: str) -> bool:
        """Whether the job survived a crash or a lost answer and has not failed."""
        stage = await self._server.stage(job)
        return stage in ("queued", "running") or (isinstance(stage, Ended) and stage.how == "done")

    async def _submit(self, request: Request, job: str) -> str:
        graph = self.workflow.fill(await self._values(request))
        return await self._server.submit(graph, job)

    async def _values(self, request: Request) -> dict[str, Value]:
        names = self.workflow.names
        width, height = pixels(request.aspect_ratio, self._size)
        values: dict[str, Value] = {"negative_prompt": "", "width": width, "height": height}
        values |= {name: value_of(text) for name, text in self.system.params.items()}
        values |= {"prompt": request.prompt, "seed": self._seed + request.replicate}
        for name, picture in (("source", request.source), ("mask", request.mask)):
            if picture is not None and name in names:
                values[name] = await self._server.upload(picture)
        return values

    # After ----------------------------------------------------------------------------------------------

    async def _finish(self, job: Job, sent: tuple[float, float] | None) -> Outcome:
        """Wait for the end of a job and fetch what it saved. `sent`: when its request began and ended."""
        watch = _Watch()
        try:
            async with asyncio.timeout(self._deadline):
                ended = await self._await_end(job.id, watch)
        except TimeoutError:
            return await self._give_up(job.id)
        except Down as problem:
            return Failed("transient", f"ComfyUI does not answer any more: {problem}", retrievable=True)
        match ended:
            case None:
                return Failed("permanent", "ComfyUI does not know the job any more; was it restarted?")
            case Ended("done"):
                return await self._deliver(ended, watch, sent)
            case Ended("interrupted"):
                return Failed("cancelled", ended.message)
        return Failed("permanent", ended.message)

    async def _await_end(self, job: str, watch: _Watch) -> Ended | None:
        """How the job ended; None if the server has forgotten it."""
        pause, most = POLL_SECONDS
        missed = 0
        while True:
            stage = await _patiently(lambda: self._server.stage(job), Down)
            watch.see(stage, pause)
            if isinstance(stage, Ended):
                return stage
            missed = missed + 1 if stage == "nowhere" else 0
            if missed == 3:
                return None
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, most)

    async def _give_up(self, job: str) -> Failed:
        try:
            await self._server.cancel(job)
        except Down as problem:
            return Failed("timeout", f"not done within {self._deadline:g} s and not cancelled: {problem}")
        return Failed("timeout", f"not done within {self._deadline:g} s; cancelled")

    async def _deliver(self, ended: Ended, watch: _Watch, sent: tuple[float, float] | None) -> Outcome:
        wanted = self.system.params.get("node")
        files = [file for file in ended.files if wanted in (None, file.node)]
        if not files:
            where = f"node {wanted}" if wanted else "the workflow"
            return Failed("permanent", f"{where} saved no picture; it takes a SaveImage node")
        try:
            pictures = [await self._fetch(file) for file in files]
        except (Broken, Down) as problem:
            return Failed("download", f"the picture cannot be fetched: {problem}", retrievable=True)
        return Delivered(tuple(pictures), len(pictures), timings=watch.timings(sent))

    async def _fetch(self, file: SavedFile) -> Picture:
        return Picture(await _patiently(lambda: self._server.fetch(file), Down, Broken))


class _Watch:
    """When a job was first seen running, when it was seen done, and how closely one looked."""

    def __init__(self) -> None:
        self._running: float | None = None
        self._done = 0.0
        self._pause = 0.0

    def see(self, stage: Stage, pause: float) -> None:
        now = time.monotonic()
        if stage == "running" and self._running is None:
            self._running = now
        if isinstance(stage, Ended):
            self._done, self._pause = now, pause

    def timings(self, sent: tuple[float, float] | None) -> Timings | None:
        """None for a job that was sent before this process began."""
        if sent is None:
            return None
        now, (started, submitted) = time.monotonic(), sent
        begun = self._running
        return Timings(
            total=now - started,
            submit=submitted - started,
            queue=None if begun is None else begun - submitted,
            run=None if begun is None else self._done - begun,
            download=now - self._done,
            poll=self._pause,
        )


async def _patiently(call: Callable[[], Awaitable[T]], *problems: type[Exception]) -> T:
    """The same question up to `PATIENCE` times; asking costs nothing."""
    for tries in range(1, PATIENCE):
        try:
            return await call()
        except problems:
            await asyncio.sleep(0.2 * tries)
    return await call()
