"""The bundled mini model: intact, quick to load, and good at what its card says."""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from evalkit.ids import sha256
from evalkit.providers.studio import dimensions
from evalkit.resources import bundled
from evalkit.studio import apply, draw, parse, parse_edit, seed_of
from evalkit.studio.faults import wrong_colour
from evalkit.studio.scene import Scene
from evalkit.weights import mini_model
from evalkit.weights.mini_model import MINI_SHA256, LoadedMini, load_mini, mini_digest, mini_path, trunk

torch = pytest.importorskip("torch")
SCRIPT = bundled("suites").parent / "scripts" / "train_mini.py"


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def mini() -> LoadedMini:
    return load_mini()


@pytest.fixture(scope="module")
def trainer() -> Iterator[ModuleType]:
    """The training script as a module: its `measure` is how the card's figures are made."""
    spec = importlib.util.spec_from_file_location("train_mini", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["train_mini"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["train_mini"]


def test_the_weights_are_the_pinned_ones_and_small() -> None:
    data = mini_path().read_bytes()
    assert sha256(data) == MINI_SHA256 == mini_digest()
    assert len(data) <= 10_000_000


def test_it_loads_in_two_seconds(mini: LoadedMini) -> None:
    """The fixture has paid for the imports; this loads once more."""
    started = time.process_time()
    again = load_mini.__wrapped__()
    assert time.process_time() - started < 2
    assert not again.model.training
    assert mini is load_mini()


def test_it_is_an_ordinary_open_clip_model() -> None:
    import open_clip

    mini_model.register_mini()
    model, _, _ = open_clip.create_model_and_transforms("evalkit-mini", pretrained=str(mini_path()))
    tokens = open_clip.get_tokenizer("evalkit-mini")(["a red mug"])
    assert model.encode_text(tokens).dtype == torch.float32


def test_wide_pictures_are_seen_whole(mini: LoadedMini) -> None:
    left = draw(parse("a small red ball on the left"), 320, 180, 1)
    right = draw(parse("a small red ball on the right"), 320, 180, 1)
    assert (mini.preprocess(left) - mini.preprocess(right)).abs().max() > 1
    assert mini.preprocess(left).shape == (3, 96, 96)


def test_the_trunk_is_a_chain_of_stages_at_falling_resolution(mini: LoadedMini) -> None:
    shapes = {}
    values = torch.zeros(1, 3, 256, 128)
    with torch.inference_mode():
        for name, stage in trunk(mini.model):
            values = stage(values)
            shapes[name] = tuple(values.shape[1:])
    assert shapes == {
        "stem": (16, 64, 32),
        "layer1": (64, 64, 32),
        "layer2": (128, 32, 16),
        "layer3": (256, 16, 8),
        "layer4": (512, 8, 4),
    }


def test_held_out_scenes_find_their_captions(mini: LoadedMini, trainer: ModuleType) -> None:
    figures = trainer.measure(mini.model, mini.tokenizer, scenes=256, side=256)
    assert figures.of_32 >= 0.98
    shares = figures.changed
    assert sum(shares.values()) / len(shares) >= 0.90, shares
    assert min(shares.values()) >= 0.80, shares


def _pairs() -> Iterator[tuple[str, str, Scene, Scene]]:
    """Text, aspect ratio, right scene and scene with one wrong colour, for every demo case."""
    for name in ("demo-product", "demo-portrait", "demo-typography", "demo-edit"):
        text = (bundled("suites") / name / "cases.jsonl").read_text(encoding="utf-8")
        for case in map(json.loads, text.splitlines()):
            scene, touched = parse(_start(case)), ()
            if case["task"] == "edit":
                before, scene = scene, apply(parse_edit(case["prompt"]), scene)
                touched = tuple(item for item in scene.items if item not in before.items)
            prompt = case.get("target_caption") or case["prompt"]
            yield prompt, case["aspect_ratio"], scene, wrong_colour(scene, f"{case['prompt']}/0", touched)


def _start(case: dict[str, Any]) -> str:
    return str(case.get("source") or case["prompt"]).removeprefix("studio:")


def test_the_right_colour_scores_above_a_wrong_one(mini: LoadedMini) -> None:
    prompts, ratios, right, wrong = zip(*_pairs(), strict=True)
    places = [(*dimensions(ratio, 512), seed_of(p)) for p, ratio in zip(prompts, ratios, strict=True)]
    with torch.inference_mode():
        words = mini.model.encode_text(mini.tokenizer(list(prompts)), normalize=True)
        cosines = []
        for scenes in (right, wrong):
            drawn = [draw(scene, *place) for scene, place in zip(scenes, places, strict=True)]
            seen = mini.model.encode_image(
                torch.stack([mini.preprocess(one) for one in drawn]), normalize=True
            )
            cosines.append((seen * words).sum(1))
    share = float((cosines[0] > cosines[1]).float().mean())
    assert share >= 0.90, [p for p, ok in zip(prompts, cosines[0] > cosines[1], strict=True) if not ok]
