"""Which CLIP a metric looks through, and that it is the one that was asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny_clip
import torch

from evalkit.errors import UnknownName, UsageError, WeightsMissing
from evalkit.metrics.clip import Clip
from evalkit.metrics.networks import encoders
from evalkit.metrics.networks.embedder import shared
from evalkit.metrics.networks.encoders import Choice, Encoder, load_open_clip
from evalkit.metrics.networks.torchrun import Resources
from evalkit.metrics.registry import make, spec
from evalkit.weights.torchguard import import_open_clip

pytestmark = pytest.mark.reference


@pytest.fixture(scope="module")
def tiny() -> Encoder:
    return tiny_clip.tiny()


def test_missing_weights_name_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, make_subject, photo
):
    monkeypatch.setenv("EVALKIT_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(WeightsMissing) as caught:
        Clip().weights_digest()
    assert caught.value.hint == "evalkit weights pull clip-vit-b-32"
    with pytest.raises(WeightsMissing):
        Clip().score([make_subject(photo)])
    with pytest.raises(WeightsMissing):
        Clip({"model": "ViT-B-16", "pretrained": str(tmp_path / "gone.pt")}).weights_digest()


def test_a_checkpoint_of_open_clip_that_is_not_in_the_registry_can_be_pulled(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("EVALKIT_WEIGHTS_DIR", str(tmp_path))
    metric = make("clip", {"model": "ViT-B-16", "pretrained": "laion2b_s34b_b88k"})
    assert spec(metric) == "clip[model=ViT-B-16,pretrained=laion2b_s34b_b88k]"
    with pytest.raises(WeightsMissing) as caught:
        metric.weights_digest()
    assert caught.value.hint == "evalkit weights pull clip:ViT-B-16:laion2b_s34b_b88k"
    with pytest.raises(WeightsMissing) as caught:
        make("clip", {"model": "hf-hub:acme/clip"}).weights_digest()
    assert caught.value.hint == "evalkit weights pull clip:hf-hub:acme/clip"


def test_a_checkpoint_file_gives_the_same_model(tiny: Encoder, tmp_path: Path, make_subject, photo):
    path = tmp_path / "mine.pt"
    torch.save(tiny.model.state_dict(), path)
    metric = Clip({"model": tiny_clip.NAME, "pretrained": str(path)})
    assert len(metric.weights_digest() or "") == 64
    subject = make_subject(photo)
    (ours,), (expected,) = metric.score([subject]), Clip(encoder=tiny).score([subject])
    assert ours["clip_cos"].value == pytest.approx(expected["clip_cos"].value, abs=1e-6)


def test_a_training_checkpoint_is_a_checkpoint(tiny: Encoder, tmp_path: Path, photo):
    """Such as HPS v2.1: the weights under `state_dict`, beside the epoch and what else training left."""
    path = tmp_path / "trained.pt"
    torch.save({"epoch": 3, "state_dict": tiny.model.state_dict()}, path)
    loaded = load_open_clip(tiny_clip.NAME, path)
    assert np.array_equal(loaded.images([photo]), tiny.images([photo]))


def test_wrong_options():
    with pytest.raises(UnknownName, match="ViT-B-33"):
        Clip({"model": "ViT-B-33"})
    with pytest.raises(UnknownName, match="laion400m") as caught:
        Clip({"pretrained": "laion400m"})
    assert "laion400m_e32" in caught.value.hint
    with pytest.raises(UsageError) as caught:
        Clip({"model": "ViT-B-16"})
    assert "pretrained=openai" in caught.value.hint
    with pytest.raises(UsageError, match="one checkpoint"):
        Clip({"model": "mini", "pretrained": "x.pt"})
    with pytest.raises(UsageError, match="names no repository"):
        Clip({"model": "hf-hub:acme"})
    with pytest.raises(UnknownName, match="precision"):
        Clip({"precision": "int8"})
    with pytest.raises(UnknownName):
        load_open_clip("ViT-nothing", None)


def test_a_tag_keeps_its_own_mean_and_std(monkeypatch: pytest.MonkeyPatch):
    """ViT-L-14 laion2b_s32b_b82k was trained with other constants than the architecture's default."""
    open_clip = import_open_clip()
    asked = {}

    def create(model, **options):
        asked.update(options, model=model)
        return torch.nn.Identity(), None, None

    monkeypatch.setattr(open_clip, "create_model_and_transforms", create)
    load_open_clip("ViT-L-14", Path("x.bin"), "laion2b_s32b_b82k")
    assert asked["image_mean"] == (0.5, 0.5, 0.5)
    assert asked["pretrained"] == "x.bin"


@pytest.mark.parametrize("error", [ImportError("No module named 'transformers'"), OSError("not cached")])
def test_a_tokenizer_that_is_not_here_is_said_and_not_fetched(
    monkeypatch: pytest.MonkeyPatch, error: Exception
):
    from huggingface_hub import constants

    seen = []

    def tokenizer(_model: str) -> None:
        seen.append(constants.HF_HUB_OFFLINE)
        raise error

    monkeypatch.setattr(import_open_clip(), "get_tokenizer", tokenizer)
    with pytest.raises(UsageError, match="tokenizer of ViT-B-16-SigLIP") as caught:
        load_open_clip("ViT-B-16-SigLIP", None)
    assert caught.value.hint
    assert seen == [True]
    assert not constants.HF_HUB_OFFLINE


def test_the_device_reaches_the_model(tiny: Encoder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    path = tmp_path / "mine.pt"
    torch.save(tiny.model.state_dict(), path)
    seen = []
    create = import_open_clip().create_model_and_transforms

    def spied(model, **options):
        seen.append(options["device"])
        return create(model, **{**options, "pretrained": None})  # nothing can be loaded onto meta

    monkeypatch.setattr(import_open_clip(), "create_model_and_transforms", spied)
    choice = Choice(tiny_clip.NAME, str(path))
    on_meta = shared(choice, Resources(device="meta"))
    assert next(on_meta.encoder.model.parameters()).device.type == "meta"
    monkeypatch.setenv("EVALKIT_DEVICE", "cpu")
    assert next(choice.load().model.parameters()).device.type == "cpu"
    assert seen == ["meta", "cpu"]


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_low_precision_is_close_and_comes_back_as_float32(tiny: Encoder, photo, noisy, precision: str):
    low = encoders.Encoder(tiny.model, tiny.preprocess, tiny.tokenizer, precision)
    for ours, exact in (
        (low.images([photo, noisy]), tiny.images([photo, noisy])),
        (low.texts(["a cup"]), tiny.texts(["a cup"])),
    ):
        assert ours.dtype == np.float32
        assert np.linalg.norm(ours, axis=1) == pytest.approx(1, abs=1e-6)
        assert np.abs(ours - exact).max() < 1e-2
        assert not np.array_equal(ours, exact)


def test_precision_is_part_of_the_configuration():
    assert Clip({"model": "mini"}).config == {"model": "mini", "precision": "fp32"}
    assert Clip({"model": "mini", "precision": "bf16"}).config["precision"] == "bf16"


def test_one_choice_is_one_encoder_in_a_process():
    resources = Resources("cpu")
    clip, edit = make("clip", {"model": "mini"}), make("edit", {"model": "mini"})
    clip.resources = edit.resources = resources
    assert clip.embedder is edit.embedder
    other = make("clip", {"model": "mini", "precision": "bf16"})
    other.resources = resources
    assert other.embedder is not clip.embedder
