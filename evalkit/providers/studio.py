"""The provider that draws: offline, free and deterministic, with variants that have known faults.

It knows which fault a variant has and how to turn a request into a drawing job; the studio package draws.
Edits read the scene from the source picture, so only pictures that the studio drew can be edited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from typing import ClassVar

from evalkit.errors import InvalidInput, UnknownName, UsageError
from evalkit.ids import sha256
from evalkit.providers.base import Ledger, Provider, Settings
from evalkit.studio import RECIPE, apply, parse, parse_edit, read_scene, seed_of
from evalkit.studio.faults import misspell, wrong_colour
from evalkit.studio.fonts import identity
from evalkit.studio.jobs import Finish, Fresh, Job, Retouch, work
from evalkit.studio.scene import Scene
from evalkit.types import Case, Delivered, Failed, ImageInput, Outcome, Picture, Refused, Request, System
from evalkit.workers import cpu_count, make_pool

VARIANTS: dict[str, str] = {
    "clean": "draws what is asked",
    "typos": "misspells every text",
    "wrong-colour": "gives one object another colour",
    "soft": "delivers blurred pictures",
    "repaint": "redraws the whole picture on edits, whatever the mask says",
    "shifted": "delivers edits a few pixels off",
    "noop": "returns the source of an edit unchanged",
    "refuser": "refuses about a fifth of the cases",
    "flaky": "fails on about a fifth of the cases",
}
SIZES = (512, 1024)
DEFAULT_SIZE = 768
_FINISHES: dict[str, Finish] = {"soft": Finish(blur=3.2), "shifted": Finish(shift=(7, 5))}
_ONE_IN = 5


class Studio(Provider):
    """Draws studio prompts. `size` is the long side in pixels of a new picture; edits keep their source's."""

    name: ClassVar[str] = "studio"
    summary: ClassVar[str] = "draws simple scenes on this machine; synthetic, for demos and calibration"
    replayable = True

    def __init__(self, system: System, settings: Settings = Settings()) -> None:
        super().__init__(system, settings)
        if system.model not in VARIANTS:
            raise UnknownName("studio variant", system.model, VARIANTS)
        self.variant = system.model
        self.size = _size(system.params)
        self._joined = False

    @classmethod
    def models(cls) -> Mapping[str, str]:
        return VARIANTS

    def fingerprint(self, suite: str, case: Case, replicate: int) -> str:
        del suite, case, replicate
        return f"{RECIPE}/{identity()}"

    async def generate(self, request: Request, ledger: Ledger) -> Outcome:
        del ledger
        declined = self._declined(request)
        if declined is not None:
            return declined
        try:
            if request.task == "edit":
                return await self._edit(request)
            return _delivered(await self._draw(self._fresh(request)))
        except InvalidInput as error:
            return Failed("unsupported", f"{error.message}. {error.hint}".strip())

    def _declined(self, request: Request) -> Outcome | None:
        """Depends on the variant and the case only, so that every replicate has the same fate."""
        fate = int(sha256(f"{self.variant}/{request.suite}/{request.case}".encode())[:8], 16) % _ONE_IN
        if fate or self.variant not in ("refuser", "flaky"):
            return None
        if self.variant == "refuser":
            return Refused("the studio's refuser declines this prompt", stage="input", code="studio_policy")
        return Failed("transient", "the studio's flaky variant dropped its pencil")

    # Jobs ---------------------------------------------------------------------------------------------

    def _fresh(self, request: Request) -> Fresh:
        scene = self._faulty(parse(request.prompt), request)
        width, height = dimensions(request.aspect_ratio, self.size)
        finish = _FINISHES["soft"] if self.variant == "soft" else Finish()
        return Fresh(scene, seed_of(f"{request.prompt}/{request.replicate}"), width, height, finish)

    async def _edit(self, request: Request) -> Outcome:
        if request.source is None:
            raise InvalidInput("an edit needs a source picture", "Give the case a `source`.")
        if self.variant == "noop":
            return _delivered(request.source.data)
        return _delivered(await self._draw(self._retouch(request, request.source)))

    def _retouch(self, request: Request, source: ImageInput) -> Retouch:
        before = read_scene(source.data)
        after = apply(parse_edit(request.prompt), before.scene)
        salt = f"/{request.replicate}" if self.variant == "repaint" else ""
        return Retouch(
            source=source.data,
            mask=request.mask.data if request.mask and self.variant != "repaint" else None,
            before=before,
            after=self._faulty(after, request, before.scene),
            seed=seed_of(f"repaint/{before.seed}{salt}") if salt else before.seed,
            finish=_FINISHES.get(self.variant, Finish()),
        )

    def _faulty(self, scene: Scene, request: Request, before: Scene | None = None) -> Scene:
        key = f"{request.prompt}/{request.replicate}"
        if self.variant == "typos":
            return misspell(scene, key)
        if self.variant != "wrong-colour":
            return scene
        if before is None:
            return wrong_colour(scene, key)
        if scene.wall != before.wall:
            return replace(scene, wall="pink" if scene.wall != "pink" else "mint")
        return wrong_colour(scene, key, tuple(item for item in scene.items if item not in before.items))

    # Workers ------------------------------------------------------------------------------------------

    async def _draw(self, job: Job) -> bytes:
        if not self._joined:
            WORKSHOP.enter()
            self._joined = True
        return await WORKSHOP.run(job)

    async def aclose(self) -> None:
        if self._joined:
            self._joined = False
            await WORKSHOP.leave()


class Workshop:
    """One pool of drawing processes for all the studio's variants; it closes when the last user leaves."""

    def __init__(self) -> None:
        self._users = 0
        self._pool: ProcessPoolExecutor | None = None

    def enter(self) -> None:
        self._users += 1

    async def leave(self) -> None:
        """Close the pool if nobody else uses it."""
        self._users -= 1
        if self._users <= 0 and self._pool is not None:
            pool, self._pool = self._pool, None
            await asyncio.to_thread(pool.shutdown, wait=True, cancel_futures=True)

    async def run(self, job: Job) -> bytes:
        """Draw in a worker; if a worker was killed, once more in a fresh pool."""
        pool = self._open()
        try:
            return await _submit(pool, job)
        except BrokenProcessPool:
            if self._pool is pool:
                self._pool = None
            pool.shutdown(wait=False)
            return await _submit(self._open(), job)

    def _open(self) -> ProcessPoolExecutor:
        if self._pool is None:
            self._pool = make_pool(cpu_count())
        return self._pool


WORKSHOP = Workshop()


async def _submit(pool: ProcessPoolExecutor, job: Job) -> bytes:
    return await asyncio.get_running_loop().run_in_executor(pool, work, job)


def _delivered(data: bytes) -> Delivered:
    return Delivered((Picture(data),))


def dimensions(aspect_ratio: str, size: int) -> tuple[int, int]:
    """Width and height in pixels for `16:9` and the like, the long side being `size`.

    >>> dimensions("16:9", 768)
    (768, 432)
    """
    across, down = (int(part) for part in aspect_ratio.split(":"))
    scale = size / max(across, down)
    return round(across * scale), round(down * scale)


def _size(params: Mapping[str, str]) -> int:
    for name in params:
        if name != "size":
            raise UnknownName("studio parameter", name, ["size"])
    text = params.get("size", str(DEFAULT_SIZE))
    if not text.isdecimal() or not SIZES[0] <= int(text) <= SIZES[1]:
        low, high = SIZES
        raise UsageError(
            f"size {text!r} is not a whole number from {low} to {high}",
            f"Write, for example, studio:clean?size={DEFAULT_SIZE}.",
        )
    return int(text)
