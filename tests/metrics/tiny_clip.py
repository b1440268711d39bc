"""A seeded, untrained open_clip model that evaluates in a millisecond, and a wrapper that counts."""

from __future__ import annotations

import functools
import json
import tempfile
from pathlib import Path

import torch

from evalkit.metrics.networks.encoders import Encoder, load_open_clip
from evalkit.weights.torchguard import import_open_clip

NAME = "evalkit-tiny"
CONFIG = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 64, "layers": 2, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@functools.cache
def register() -> None:
    """Make the architecture known to open_clip."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{NAME}.json"
        path.write_text(json.dumps(CONFIG), encoding="utf-8")
        open_clip = import_open_clip()
        open_clip.add_model_config(path)
        from open_clip import factory

        factory._MODEL_CONFIG_PATHS.remove(path)  # it is read already, and will be gone


@functools.cache
def tiny() -> Encoder:
    """The model with seeded random weights."""
    register()
    torch.manual_seed(5)
    return load_open_clip(NAME, None)


class Counting:
    """Wraps an encoder and counts what it is asked to embed."""

    def __init__(self, encoder: Encoder) -> None:
        self._encoder, self.seen_images, self.seen_texts = encoder, 0, 0

    def __getattr__(self, name: str):
        return getattr(self._encoder, name)

    def embed(self, tensors):
        self.seen_images += len(tensors)
        return self._encoder.embed(tensors)

    def texts(self, texts):
        self.seen_texts += len(texts)
        return self._encoder.texts(texts)
