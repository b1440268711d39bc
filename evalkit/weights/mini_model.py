"""The bundled mini model: where it is, that it is intact, and how to load it.

It is a CLIP of 4.7 million parameters for pictures that the studio drew, made by scripts/train_mini.py and
described in mini/MODEL_CARD.md. It loads through open_clip's ordinary loader; nothing here is fetched.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.weights.torchguard import import_open_clip

if TYPE_CHECKING:
    from torch import nn

MINI_NAME = "evalkit-mini"
MINI_SHA256 = "5eb5b3ff43f77a3baae78f8b402c39da83e5ccde48dc3533a32e961e50f50e8b"
MINI_CAVEAT = (
    "mini is a small model trained on drawings by the built-in studio: its numbers mean something for studio "
    "pictures only."
)
_FOLDER = Path(__file__).resolve().parent / "mini"
_STEM = ("conv1", "bn1", "act1", "conv2", "bn2", "act2", "conv3", "bn3", "act3", "avgpool")


@dataclass(frozen=True, slots=True)
class LoadedMini:
    """The model in evaluation mode, its picture transform and its tokenizer.

    `preprocess` takes an RGB Pillow image of any size and shape and squashes the whole of it into the
    model's 96 x 96 square; `tokenizer` takes a list of texts and returns rows of 64 tokens.
    """

    model: Any
    preprocess: Any
    tokenizer: Any


def mini_path() -> Path:
    """The weights, as safetensors."""
    return _FOLDER / f"{MINI_NAME}.safetensors"


def mini_digest() -> str:
    """sha256 of the weights as pinned; a test compares it with the file."""
    return MINI_SHA256


@functools.cache
def register_mini() -> None:
    """Make the architecture known to open_clip under `MINI_NAME`."""
    import_open_clip().add_model_config(_FOLDER / f"{MINI_NAME}.json")


@functools.cache
def load_mini(device: str = "cpu") -> LoadedMini:
    """The mini model, loaded once per process and device.

    Pictures are squashed rather than cropped, as in training: a wide picture's edges count as well.
    """
    open_clip = import_open_clip()
    register_mini()
    model, _, preprocess = open_clip.create_model_and_transforms(
        MINI_NAME, pretrained=str(mini_path()), device=device, image_resize_mode="squash"
    )
    return LoadedMini(model.eval(), preprocess, open_clip.get_tokenizer(MINI_NAME))


def trunk(model: Any) -> list[tuple[str, nn.Module]]:
    """The stages of the picture tower, in order: each takes what the one before it gave.

    The first takes pictures (N x 3 x H x W, normalised as `preprocess` does, H and W at least 32) and
    gives 16 channels at a quarter of the size; the others give 64, 128, 256 and 512 channels at 1/4, 1/8,
    1/16 and 1/32.
    """
    from torch import nn

    visual = model.visual
    stem = nn.Sequential(OrderedDict((name, getattr(visual, name)) for name in _STEM))
    layers = [(name, getattr(visual, name)) for name in ("layer1", "layer2", "layer3", "layer4")]
    return [("stem", stem), *layers]
