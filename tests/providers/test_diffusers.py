from __future__ import annotations

import asyncio
import io
import sys
import threading
import time
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from evalkit.errors import UnknownName, UsageError
from evalkit.ids import sha256
from evalkit.providers import diffusers as module
from evalkit.providers.base import Provider
from evalkit.providers.diffusers import Diffusers
from evalkit.types import Case, Delivered, Failed, ImageInput, Mask, Refused, Request, System

CAT = Case("cat", "a cat", aspect_ratio="16:9")
HAT = Case("hat", "a hat", task="edit", source="a.png", mask=Mask(file="m.png"))


class Pipe:
    """A pipeline that keeps what it was asked and paints one colour per seed."""

    default_sample_size: Any = 64
    vae_scale_factor: Any = 8
    flagged: Any = None
    fails: Exception | None = None
    asked: list[dict[str, Any]] = []
    at_work = 0
    most_at_work = 0

    def __init__(self, kind: str, loaded: dict[str, Any]) -> None:
        self.kind = kind
        self.loaded = loaded
        self.device = ""
        self.progress = True

    def to(self, device: str) -> Pipe:
        self.device = device
        return self

    def set_progress_bar_config(self, *, disable: bool) -> None:
        self.progress = not disable

    def __call__(self, **asked: Any) -> Any:
        Pipe.at_work += 1
        Pipe.most_at_work = max(Pipe.most_at_work, Pipe.at_work)
        Pipe.asked.append(asked | {"pipe": self, "thread": threading.current_thread().name})
        time.sleep(0.01)
        Pipe.at_work -= 1
        if Pipe.fails is not None:
            raise Pipe.fails
        size = (asked["width"], asked["height"]) if "width" in asked else asked["image"].size
        picture = Image.new("RGB", size, (asked["generator"].seed % 256, 0, 0))
        return SimpleNamespace(images=[picture], nsfw_content_detected=Pipe.flagged)


class Maker:
    loads: list[Pipe] = []
    joins: list[tuple[str, Pipe]] = []
    fails: Exception | None = None

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def from_pretrained(self, model: str, **named: Any) -> Pipe:
        if Maker.fails is not None:
            raise Maker.fails
        Maker.loads.append(Pipe(self.kind, {"model": model, **named}))
        return Maker.loads[-1]

    def from_pipe(self, pipe: Pipe) -> Pipe:
        Maker.joins.append((self.kind, pipe))
        return Pipe(self.kind, pipe.loaded)


class Generator:
    def __init__(self, device: str) -> None:
        assert device == "cpu"
        self.seed = -1

    def manual_seed(self, seed: int) -> Generator:
        self.seed = seed
        return self


@pytest.fixture(autouse=True)
def _stubs(monkeypatch: pytest.MonkeyPatch) -> None:
    stub: Any = ModuleType("diffusers")
    for kind in ("Text2Image", "Image2Image", "Inpainting"):
        setattr(stub, f"AutoPipelineFor{kind}", Maker(kind))
    torch: Any = ModuleType("torch")
    torch.Generator = Generator
    torch.cuda = SimpleNamespace(is_available=lambda: False)
    torch.float16, torch.float32, torch.bfloat16 = "f16", "f32", "bf16"
    monkeypatch.setitem(sys.modules, "diffusers", stub)
    monkeypatch.setitem(sys.modules, "torch", torch)
    for cls, name, value in (
        (Pipe, "asked", []),
        (Pipe, "most_at_work", 0),
        (Maker, "loads", []),
        (Maker, "joins", []),
    ):
        monkeypatch.setattr(cls, name, value)


class NoLedger:
    async def accepted(self, job: Any) -> None:
        raise AssertionError("there are no jobs here")


def picture(size: tuple[int, int], mode: str = "RGB", colour: Any = "blue") -> ImageInput:
    out = io.BytesIO()
    Image.new(mode, size, colour).save(out, "PNG")
    return ImageInput(out.getvalue(), sha256(out.getvalue()), *size)


def made(model: str = "org/model", **params: str) -> Diffusers:
    return Diffusers(System("diffusers", model, params))


def request(provider: Provider, case: Case, *, replicate: int = 0, **inputs: Any) -> Request:
    ask = provider.ask(case)
    return Request(
        trial=f"{case.id}-{replicate}",
        suite="s",
        case=case.id,
        replicate=replicate,
        task=case.task,
        prompt=case.prompt,
        aspect_ratio=ask.aspect_ratio,
        model=ask.model,
        params=ask.params,
        **inputs,
    )


def generate(*pairs: tuple[Provider, Request]) -> list[Any]:
    async def main() -> list[Any]:
        try:
            return await asyncio.gather(*(one.generate(asked, NoLedger()) for one, asked in pairs))
        finally:
            for one in {id(one): one for one, _ in pairs}.values():
                await one.aclose()

    return asyncio.run(main())


def one(provider: Provider, asked: Request) -> Any:
    return generate((provider, asked))[0]


def decoded(outcome: Any) -> Image.Image:
    assert isinstance(outcome, Delivered)
    image = Image.open(io.BytesIO(outcome.pictures[0].data))
    assert image.format == "PNG"
    return image


def test_a_picture() -> None:
    provider = made("stabilityai/sd-turbo", steps="1", guidance="0", seed="5", dtype="float16", device="cuda")
    outcome = one(provider, request(provider, CAT, replicate=2))
    assert decoded(outcome).getpixel((0, 0)) == (7, 0, 0)
    assert decoded(outcome).size == (688, 384)
    (asked,) = Pipe.asked
    assert asked["prompt"] == "a cat"
    assert (asked["num_inference_steps"], asked["guidance_scale"]) == (1, 0.0)
    assert asked["thread"].startswith("diffusers")
    pipe = asked["pipe"]
    assert pipe.loaded == {"model": "stabilityai/sd-turbo", "torch_dtype": "f16"}
    assert (pipe.device, pipe.progress, pipe.kind) == ("cuda", False, "Text2Image")
    assert outcome.price.usd == 0
    assert 0.01 <= outcome.timings.total < 5


def test_what_is_not_given_is_left_to_the_pipeline() -> None:
    provider = made()
    one(provider, request(provider, CAT))
    (asked,) = Pipe.asked
    assert set(asked) == {"prompt", "generator", "width", "height", "pipe", "thread"}
    assert asked["pipe"].loaded["torch_dtype"] == "f32"
    assert asked["pipe"].device == "cpu"


@pytest.mark.parametrize(
    ("latents", "network", "side"),
    [(64, None, 512), (128, 64, 1024), (None, 64, 512), (None, [64, 32], 1024), (None, None, 1024)],
)
def test_the_size_is_the_models_own(
    monkeypatch: pytest.MonkeyPatch, latents: Any, network: Any, side: int
) -> None:
    monkeypatch.setattr(Pipe, "default_sample_size", latents)
    unet = SimpleNamespace(config=SimpleNamespace(sample_size=network))
    monkeypatch.setattr(Pipe, "unet", unet, raising=False)
    provider = made()
    square = Case("square", "x")
    assert decoded(one(provider, request(provider, square))).size == (side, side)
    provider = made(size="256")
    assert decoded(one(provider, request(provider, square))).size == (256, 256)


def test_an_edit_goes_to_image_to_image() -> None:
    provider = made(strength="0.6", variant="fp16", revision="main")
    outcome = one(provider, request(provider, HAT, source=picture((60, 41))))
    (asked,) = Pipe.asked
    assert asked["pipe"].kind == "Image2Image"
    assert asked["strength"] == 0.6
    assert asked["image"].size == (64, 48)
    assert "width" not in asked
    assert decoded(outcome).size == (64, 48)
    assert asked["pipe"].loaded["variant"] == "fp16"
    assert asked["pipe"].loaded["revision"] == "main"


def test_an_edit_with_a_mask_goes_to_inpainting() -> None:
    provider = made(negative_prompt="blur")
    inputs = {"source": picture((60, 41)), "mask": picture((60, 41), "L", 255)}
    one(provider, request(provider, HAT, **inputs))
    (asked,) = Pipe.asked
    assert asked["pipe"].kind == "Inpainting"
    mask = asked["mask_image"]
    assert (mask.mode, mask.size, mask.getextrema()) == ("L", (64, 48), (255, 255))
    assert (asked["width"], asked["height"]) == (64, 48)
    assert asked["negative_prompt"] == "blur"


def test_strength_is_for_edits_only() -> None:
    provider = made(strength="0.6")
    one(provider, request(provider, CAT))
    assert "strength" not in Pipe.asked[0]


def test_weights_are_loaded_once_and_shared() -> None:
    first, second, other = made(steps="1"), made(steps="2"), made("org/other")
    edit = request(first, HAT, source=picture((64, 64)))
    pairs = [(p, request(p, CAT, replicate=k)) for p in (first, second, other) for k in range(2)]
    outcomes = generate(*pairs, (first, edit))
    assert all(isinstance(outcome, Delivered) for outcome in outcomes)
    assert sorted(pipe.loaded["model"] for pipe in Maker.loads) == ["org/model", "org/other"]
    assert [(kind, pipe.loaded["model"]) for kind, pipe in Maker.joins] == [("Image2Image", "org/model")]
    assert Pipe.most_at_work == 1


def test_the_last_one_frees_the_memory() -> None:
    provider = made()
    one(provider, request(provider, CAT))
    assert module.WORKSHOP._pipelines == {}
    one(provider, request(provider, CAT))
    assert len(Maker.loads) == 2


def test_the_same_seed_is_the_same_picture() -> None:
    provider = made(seed="3")
    outcomes = generate(*((provider, request(provider, CAT, replicate=k)) for k in (0, 1, 0)))
    first, second, again = (outcome.pictures[0].data for outcome in outcomes)
    assert first == again != second


@pytest.mark.parametrize("flagged", [[True], [False, True]])
def test_the_safety_checker_is_a_refusal(monkeypatch: pytest.MonkeyPatch, flagged: list[bool]) -> None:
    monkeypatch.setattr(Pipe, "flagged", flagged)
    provider = made()
    outcome = one(provider, request(provider, CAT))
    assert isinstance(outcome, Refused)
    assert (outcome.stage, outcome.code) == ("output", "nsfw_content_detected")


def test_no_flag_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Pipe, "flagged", [False])
    provider = made()
    assert isinstance(one(provider, request(provider, CAT)), Delivered)


def test_weights_that_cannot_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Maker, "fails", OSError("org/model is not a valid model identifier\n" * 50))
    provider = made()
    outcome = one(provider, request(provider, CAT))
    assert isinstance(outcome, Failed)
    assert outcome.kind == "validation"
    assert outcome.message.startswith("org/model cannot be loaded: OSError: org/model is not")
    assert len(outcome.message) < 400


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory"), TypeError("unexpected keyword")])
def test_a_pipeline_that_fails(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(Pipe, "fails", error)
    provider = made()
    outcome = one(provider, request(provider, CAT))
    assert isinstance(outcome, Failed)
    assert outcome.kind == "permanent"
    assert str(error) in outcome.message
    monkeypatch.setattr(Pipe, "fails", None)
    assert isinstance(one(provider, request(provider, CAT)), Delivered)


def test_without_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "diffusers")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert Diffusers.missing() == "pip install 'evalkit[diffusers]'"
    with pytest.raises(UsageError) as caught:
        made()
    assert caught.value.hint == "Run: pip install 'evalkit[diffusers]'"


def test_the_fingerprint_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda name: "0.35.1")
    assert made().fingerprint("s", CAT, 0) == "diffusers 0.35.1 seed=0 size=model"
    assert made(seed="2", size="512").fingerprint("s", CAT, 0) == "diffusers 0.35.1 seed=2 size=512"


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("step", "1", UnknownName),
        ("dtype", "int8", UnknownName),
        ("steps", "0", UsageError),
        ("steps", "many", UsageError),
        ("seed", "-1", UsageError),
        ("size", "10", UsageError),
        ("guidance", "nan", UsageError),
        ("guidance", "x", UsageError),
        ("strength", "1.5", UsageError),
    ],
)
def test_parameters_that_cannot_be(name: str, value: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        made(**{name: value})


def test_importing_it_loads_nothing_heavy() -> None:
    assert not {"torch", "diffusers"} & set(vars(module))
