"""`diffusers:stabilityai/sd-turbo?steps=1&guidance=0`: a diffusers pipeline in this process, free of charge.

    steps, guidance      num_inference_steps and guidance_scale; the pipeline's own if not given
    seed                 plus the replicate, from 0
    size                 area of new pictures as the side of a square; the model's own if not given
    strength             of edits, 0 to 1
    negative_prompt
    dtype, device        float16, bfloat16 or float32; cuda, mps, cpu, cuda:1
    variant, revision    of the weights

A case without a source goes to AutoPipelineForText2Image, with one to AutoPipelineForImage2Image, with a
mask as well to AutoPipelineForInpainting. One picture is made at a time, in a thread of its own, and every
system of one model shares its weights. The same seed gives the same picture on the same hardware.
"""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import importlib.util
import io
import sys
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from PIL import Image

from evalkit.errors import UnknownName, UsageError
from evalkit.images import to_pil
from evalkit.providers.base import Check, Ledger, Limits, Provider, Settings
from evalkit.providers.sizes import SIZES, STEP, pixels, whole
from evalkit.remote.redact import plain
from evalkit.types import Case, Delivered, Failed, Outcome, Picture, Refused, Request, System, Timings

INSTALL = "pip install 'evalkit[diffusers]'"
PARAMETERS = (
    "steps",
    "guidance",
    "seed",
    "size",
    "strength",
    "negative_prompt",
    "dtype",
    "device",
    "variant",
    "revision",
)
DTYPES = ("float16", "bfloat16", "float32")
FALLBACK_SIZE = 1024
SHOWN = 300

Kind = Literal["Text2Image", "Image2Image", "Inpainting"]


class NotLoaded(Exception):
    """The weights cannot be had."""


@dataclass(frozen=True, slots=True)
class Weights:
    """What is loaded once and shared. Empty: chosen by the machine (`dtype`, `device`) or the hub."""

    model: str
    dtype: str = ""
    device: str = ""
    variant: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Painting:
    """One call of a pipeline. `options` are passed on as they are; `size` 0 is the model's own."""

    weights: Weights
    kind: Kind
    prompt: str
    aspect_ratio: str
    size: int
    seed: int
    options: Mapping[str, Any]
    source: bytes | None = None
    mask: bytes | None = None


@dataclass(frozen=True, slots=True)
class Painted:
    """PNG files, whether the pipeline's own filter hit one, and the seconds it took without loading."""

    files: tuple[bytes, ...]
    flagged: bool
    seconds: float


class Diffusers(Provider):
    """Runs a pipeline; `fingerprint` is the version of diffusers and every value that was not given."""

    name: ClassVar[str] = "diffusers"
    summary: ClassVar[str] = f"a pipeline on this machine, free: diffusers:MODEL ({INSTALL})"
    replayable = True

    def __init__(self, system: System, settings: Settings = Settings()) -> None:
        super().__init__(system, settings)
        given = system.params
        for name in given:
            if name not in PARAMETERS:
                raise UnknownName("parameter of diffusers", name, PARAMETERS)
        if given.get("dtype", "float32") not in DTYPES:
            raise UnknownName("dtype", given["dtype"], DTYPES)
        self._seed = whole("seed", given.get("seed", "0"), 0, 2**53)
        self._size = whole("size", given["size"], *SIZES) if "size" in given else 0
        self._options = _options(given)
        self._weights = Weights(
            system.model, *(given.get(name, "") for name in ("dtype", "device", "variant", "revision"))
        )
        if not _installed():
            raise UsageError("diffusers is not installed", f"Run: {INSTALL}")
        self._joined = False

    @classmethod
    def missing(cls) -> str:
        return "" if _installed() else INSTALL

    @property
    def lane(self) -> str:
        return self.name

    @property
    def limits(self) -> Limits:
        return Limits(1, 1)

    def fingerprint(self, suite: str, case: Case, replicate: int) -> str:
        del suite, case, replicate
        return f"diffusers {_version()} seed={self._seed} size={self._size or 'model'}"

    async def generate(self, request: Request, ledger: Ledger) -> Outcome:
        del ledger
        if not self._joined:
            WORKSHOP.enter()
            self._joined = True
        try:
            painted = await WORKSHOP.run(self._painting(request))
        except NotLoaded as problem:
            return Failed("validation", f"{self.system.model} cannot be loaded: {problem}")
        except (RuntimeError, ValueError, TypeError, OSError) as error:
            return Failed("permanent", plain(f"the pipeline failed: {type(error).__name__}: {error}", SHOWN))
        if painted.flagged:
            return Refused("the pipeline's safety checker hid the picture", "output", "nsfw_content_detected")
        pictures = tuple(Picture(file) for file in painted.files)
        return Delivered(pictures, timings=Timings(total=painted.seconds, run=painted.seconds))

    async def check(self) -> Check:
        return Check(True, f"diffusers {_version()} is installed; weights are fetched when first used")

    async def aclose(self) -> None:
        if self._joined:
            self._joined = False
            await WORKSHOP.leave()

    def _painting(self, request: Request) -> Painting:
        source = request.source.data if request.source else None
        mask = request.mask.data if request.mask and source else None
        kind: Kind = "Text2Image" if source is None else "Image2Image" if mask is None else "Inpainting"
        return Painting(
            weights=self._weights,
            kind=kind,
            prompt=request.prompt,
            aspect_ratio=request.aspect_ratio,
            size=self._size,
            seed=self._seed + request.replicate,
            options={k: v for k, v in self._options.items() if k != "strength" or source is not None},
            source=source,
            mask=mask,
        )


class Workshop:
    """One thread that paints, and the pipelines it has loaded; all are let go when the last user leaves."""

    def __init__(self) -> None:
        self._users = 0
        self._thread: ThreadPoolExecutor | None = None
        self._pipelines: dict[Weights, dict[Kind, Any]] = {}
        self._lock = threading.Lock()

    def enter(self) -> None:
        self._users += 1

    async def leave(self) -> None:
        """Wait for the picture that is being made, and free the memory, if nobody else is here."""
        self._users -= 1
        if self._users <= 0:
            thread, self._thread = self._thread, None
            if thread is not None:
                await asyncio.to_thread(thread.shutdown, wait=True, cancel_futures=True)
            self._pipelines.clear()

    async def run(self, painting: Painting) -> Painted:
        """Paint in the thread. Raises `NotLoaded`, or what the pipeline raises."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="diffusers")
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._paint, painting)

    def _paint(self, painting: Painting) -> Painted:
        with self._lock:
            pipeline = self._pipeline(painting.weights, painting.kind)
            started = time.monotonic()
            made = pipeline(**_arguments(pipeline, painting))
            files = tuple(_png(image) for image in made.images)
            flagged = any(getattr(made, "nsfw_content_detected", None) or ())
            return Painted(files, flagged, time.monotonic() - started)

    def _pipeline(self, weights: Weights, kind: Kind) -> Any:
        """A pipeline of that kind; a second kind for the same weights is built around those of the first."""
        ready = self._pipelines.setdefault(weights, {})
        if kind not in ready:
            ready[kind] = _load(weights, kind, next(iter(ready.values()), None))
        return ready[kind]


WORKSHOP = Workshop()


def _load(weights: Weights, kind: Kind, sibling: Any) -> Any:
    try:
        maker = getattr(importlib.import_module("diffusers"), f"AutoPipelineFor{kind}")
        if sibling is not None:
            return _quiet(maker.from_pipe(sibling))
        return _quiet(_fetch(maker, weights))
    except (ImportError, OSError, ValueError, RuntimeError, AttributeError) as error:
        raise NotLoaded(plain(f"{type(error).__name__}: {error}", SHOWN)) from error


def _fetch(maker: Any, weights: Weights) -> Any:
    torch = importlib.import_module("torch")
    device = weights.device or ("cuda" if torch.cuda.is_available() else "cpu")
    dtype = weights.dtype or ("float32" if device == "cpu" else "float16")
    named = {"variant": weights.variant, "revision": weights.revision}
    chosen = {name: value for name, value in named.items() if value}
    return maker.from_pretrained(weights.model, torch_dtype=getattr(torch, dtype), **chosen).to(device)


def _quiet(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _arguments(pipeline: Any, painting: Painting) -> dict[str, Any]:
    torch = importlib.import_module("torch")
    asked: dict[str, Any] = {"prompt": painting.prompt, **painting.options}
    # On the CPU, whatever the pipeline runs on: the noise is then the same on every machine.
    asked["generator"] = torch.Generator(device="cpu").manual_seed(painting.seed)
    if painting.source is None:
        size = painting.size or _own_size(pipeline)
        asked["width"], asked["height"] = pixels(painting.aspect_ratio, size)
        return asked
    source = _even(to_pil(painting.source))
    asked["image"] = source
    if painting.mask is not None:
        asked["mask_image"] = to_pil(painting.mask).convert("L").resize(source.size, Image.Resampling.NEAREST)
        asked["width"], asked["height"] = source.size
    return asked


def _own_size(pipeline: Any) -> int:
    """The side of the square the model was trained for, as far as pipelines tell.

    Newer pipelines say it themselves; those of Stable Diffusion 1 and 2 leave it to the network's config.
    """
    network = getattr(getattr(pipeline, "unet", None), "config", None)
    latents = getattr(pipeline, "default_sample_size", None) or getattr(network, "sample_size", None)
    scale = getattr(pipeline, "vae_scale_factor", None)
    return latents * scale if isinstance(latents, int) and isinstance(scale, int) else FALLBACK_SIZE


def _even(image: Image.Image) -> Image.Image:
    """Sides that latent models can take; pictures of other sides are scaled by a few pixels."""
    width, height = (max(STEP, round(side / STEP) * STEP) for side in image.size)
    if (width, height) == image.size:
        return image
    return image.resize((width, height), Image.Resampling.LANCZOS)


def _png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def _options(given: Mapping[str, str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if "steps" in given:
        options["num_inference_steps"] = whole("steps", given["steps"], 1, 1000)
    if "guidance" in given:
        options["guidance_scale"] = _number("guidance", given["guidance"], 100.0)
    if "strength" in given:
        options["strength"] = _number("strength", given["strength"], 1.0)
    if "negative_prompt" in given:
        options["negative_prompt"] = given["negative_prompt"]
    return options


def _number(name: str, text: str, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= most:
        raise UsageError(f"{name}={text} is not a number from 0 to {most:g}", f"Write {name}=1.")
    return value


def _installed() -> bool:
    return "diffusers" in sys.modules or importlib.util.find_spec("diffusers") is not None


def _version() -> str:
    try:
        return importlib.metadata.version("diffusers")
    except importlib.metadata.PackageNotFoundError:
        return "of unknown version"
