"""DINO-I through a tiny network of timm's with seeded random weights: it holds for any."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from evalkit.errors import WeightsMissing
from evalkit.images import ImageProblem
from evalkit.metrics import dino
from evalkit.metrics.dino import WEIGHTS, Dino
from evalkit.metrics.networks.embedder import _shared
from evalkit.weights.torchguard import torchvision_guard

pytestmark = pytest.mark.reference


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The network, with its checkpoint where `weights pull` would have put it."""
    torchvision_guard()
    import timm
    from safetensors.torch import save_file

    monkeypatch.setattr(dino, "ARCHITECTURE", "test_vit.r160_in1k")
    monkeypatch.setenv("EVALKIT_WEIGHTS_DIR", str(tmp_path))
    torch.manual_seed(6)
    made = timm.create_model("test_vit.r160_in1k", pretrained=False, num_classes=0).eval()
    (tmp_path / WEIGHTS).mkdir()
    save_file(made.state_dict(), tmp_path / WEIGHTS / "model.safetensors")
    _shared.cache_clear()
    yield made
    _shared.cache_clear()


def test_equals_timm(network, make_subject, photo, noisy):
    import timm

    transform = timm.data.create_transform(**timm.data.resolve_data_config(network.pretrained_cfg))
    with torch.no_grad():
        one, other = (network(transform(Image.fromarray(picture))[None]) for picture in (noisy, photo))
    expected = torch.nn.functional.cosine_similarity(one, other).item()
    (values,) = Dino().score([make_subject(noisy, photo)])
    assert values["dino_i"].value == pytest.approx(expected, abs=1e-5)
    assert len(Dino().weights_digest() or "") == 64


def test_an_edit_that_does_nothing_is_at_one(network, make_subject, photo):
    (values,) = Dino().score([make_subject(photo, photo)])
    assert values["dino_i"].value == pytest.approx(1, abs=1e-6)


def test_reasons(network, make_subject, photo, noisy):
    def broken():
        raise ImageProblem("decode_error", "broken")

    subjects = [
        make_subject(None, photo),
        make_subject(noisy),
        replace(make_subject(noisy, photo), load_source=broken, source_sha="broken"),
        make_subject(np.zeros((2, 500, 3), np.uint8), photo),
    ]
    reasons = [values["dino_i"].reason for values in Dino().score(subjects)]
    assert reasons == ["decode_error", "no_source", "source_decode_error", "extreme_aspect"]


def test_missing_weights_name_the_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("EVALKIT_WEIGHTS_DIR", str(tmp_path))
    with pytest.raises(WeightsMissing) as caught:
        Dino().weights_digest()
    assert caught.value.hint == "evalkit weights pull dino-vit-s-16"


def test_the_registered_network_is_the_published_one():
    """The size of the file is that of its parameters; timm names the repository and the licence."""
    torchvision_guard()
    import timm

    from evalkit.weights.registry import entry

    about = timm.get_pretrained_cfg(dino.ARCHITECTURE)
    assert about.hf_hub_id == entry(WEIGHTS).repo
    assert about.license == "apache-2.0"
    with torch.device("meta"):
        network = timm.create_model(dino.ARCHITECTURE, pretrained=False, num_classes=0)
    assert 4 * sum(p.numel() for p in network.parameters()) == pytest.approx(entry(WEIGHTS).size, rel=0.01)
