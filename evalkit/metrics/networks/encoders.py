"""CLIPs that are ready for use, and how a picture is shown to one.

Loading, preprocessing and tokenising are open_clip's own. `Choice` says which CLIP by the words a user has
for it; `Encoder` turns pictures and texts into vectors of unit length. What is remembered, and what the
vectors are good for, is for others.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from evalkit.errors import UnknownName, UsageError, WeightsMissing
from evalkit.ids import digest
from evalkit.metrics.base import RGB
from evalkit.metrics.networks.embeddings import Vector
from evalkit.metrics.networks.prompts import parts
from evalkit.metrics.networks.torchrun import checked_precision, device, inference
from evalkit.types import Json
from evalkit.weights import hub, openclip, store
from evalkit.weights.digests import digest_of_file
from evalkit.weights.mini_model import MINI_CAVEAT, load_mini, mini_digest
from evalkit.weights.registry import Entry, clip_entry, entries

OPTIONS: Mapping[str, str] = {"model": "ViT-B-32", "pretrained": "", "precision": "fp32"}
"""The options of every metric that has a CLIP, with their defaults."""

_MARKS = 2
"""Tokens that every text spends on its start and its end."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """An open_clip model, its preprocess_val and its tokenizer; `precision` is as in `torchrun`."""

    model: Any
    preprocess: Callable[[Image.Image], Any]
    tokenizer: Any
    precision: str = "fp32"

    def prepare(self, picture: RGB) -> Any:
        """The picture as the model takes it: 3 x S x S float32, exactly what preprocess_val makes of it."""
        return self.preprocess(Image.fromarray(picture))

    def embed(self, tensors: Sequence[Any]) -> Vector:
        """N x D embeddings of unit length, of what `prepare` gave."""
        import torch

        batch = torch.stack(list(tensors)).to(self._device)
        with inference(self.precision, str(self._device)):
            return _unit(self.model.encode_image(batch))

    def images(self, pictures: Sequence[RGB]) -> Vector:
        """N x D embeddings of unit length."""
        return self.embed([self.prepare(picture) for picture in pictures])

    def texts(self, texts: Sequence[str]) -> Vector:
        """N x D embeddings of unit length; a text beyond the context is cut but keeps its end token."""
        with inference(self.precision, str(self._device)):
            return _unit(self.model.encode_text(self.tokenizer(list(texts)).to(self._device)))

    def tokens(self, text: str) -> int | None:
        """How many tokens the text has, start and end included; None if the tokenizer does not count."""
        if not hasattr(self.tokenizer, "encode"):
            return None
        return len(self.tokenizer.encode(text)) + _MARKS

    def cut(self, text: str) -> float | None:
        """Share of the text's tokens, start and end included, that do not fit, 0 to 1."""
        tokens = self.tokens(text)
        return None if tokens is None else max(0, tokens - self._context) / tokens

    def parts(self, text: str) -> list[str] | None:
        """The text in parts that fit, cut at sentence ends; `[text]` if it fits, None if nobody counts."""
        if self.tokens(text) is None:
            return None
        return parts(text, lambda part: (self.tokens(part) or 0) <= self._context)

    @property
    def mean_colour(self) -> tuple[int, int, int]:
        """The colour that preprocess_val turns into (nearly) zero, 0 to 255."""
        red, green, blue = (round(255 * float(share)) for share in self._config.get("mean", (0.5,) * 3))
        return red, green, blue

    @property
    def about(self) -> Mapping[str, Json]:
        """What besides the weights decides the vectors, as JSON."""
        config = {key: _plain(value) for key, value in self._config.items()}
        return {"model": type(self.model).__name__, "preprocess": config, "precision": self.precision}

    @property
    def _config(self) -> Mapping[str, Any]:
        """open_clip's settings of preprocess_val; empty for a model that is not open_clip's."""
        return getattr(getattr(self.model, "visual", None), "preprocess_cfg", {})

    @property
    def _context(self) -> int:
        return int(self.tokenizer.context_length)

    @property
    def _device(self) -> Any:
        return next(self.model.parameters()).device


@dataclass(frozen=True, slots=True)
class Choice:
    """Which CLIP: `mini`, a pair of open_clip's names, a repository `hf-hub:OWNER/NAME`, or a file."""

    model: str
    pretrained: str = ""
    precision: str = "fp32"

    @staticmethod
    def of(options: Mapping[str, str]) -> Choice:
        """From a metric's options, with one spelling for one model.

        Raises `UnknownName` or `UsageError` for what does not exist. open_clip is asked only about names that
        are neither in the registry nor on this machine.
        """
        choice = Choice(options["model"], options["pretrained"], checked_precision(options["precision"]))
        if choice.pretrained and (choice.is_mini or choice.is_hub):
            raise UsageError(f"model={choice.model} has one checkpoint", "Leave pretrained out.")
        if choice.is_mini or choice.file or choice.entry != _default(choice.model):
            return choice
        return Choice(choice.model, "", choice.precision)

    @property
    def names(self) -> tuple[str, ...]:
        """What besides the digest of the weights tells this choice from others."""
        return self.model, self.pretrained

    @property
    def caveat(self) -> str:
        """What the mini model is good for; nothing to add for the others."""
        return MINI_CAVEAT if self.is_mini else ""

    @property
    def is_mini(self) -> bool:
        return self.model == "mini"

    @property
    def is_hub(self) -> bool:
        return self.model.startswith(openclip.HUB)

    @property
    def file(self) -> Path | None:
        """The checkpoint, if it is given as a file."""
        path = Path(self.pretrained).expanduser()
        return path if path.suffix in (".bin", ".pt", ".pth", ".safetensors") else None

    @property
    def entry(self) -> Entry:
        """The model file by its names. Raises `UnknownName` or `UsageError`."""
        return clip_entry(self.model, self.pretrained)

    def digest(self) -> str:
        """sha256 of the checkpoint; of a repository, with what it says about it. Raises `WeightsMissing`."""
        if self.is_mini:
            return mini_digest()
        if self.file is not None:
            return digest_of_file(self._checkpoint())
        found = store.digest(self.entry.name)
        return digest([found, digest_of_file(self._folder() / openclip.CONFIG)]) if self.is_hub else found

    def load(self, on: str = "") -> Encoder:
        """The model on the device `on`. Raises `WeightsMissing`."""
        if self.is_mini:
            mini = load_mini(device(on))
            return Encoder(mini.model, mini.preprocess, mini.tokenizer, self.precision)
        if self.is_hub:
            return load_open_clip(f"local-dir:{self._folder()}", None, "", self.precision, on)
        tag = "" if self.file else self.entry.pretrained
        return load_open_clip(self.model, self._checkpoint(), tag, self.precision, on)

    def _folder(self) -> Path:
        return store.locate(self.entry.name).parent

    def _checkpoint(self) -> Path:
        if self.file is None:
            return store.locate(self.entry.name)
        if not self.file.is_file():
            raise WeightsMissing(f"there is no file {self.file}", "Name a checkpoint file that is there.")
        return self.file


def load_open_clip(
    model: str, checkpoint: Path | None, tag: str = "", precision: str = "fp32", on: str = ""
) -> Encoder:
    """An open_clip model from a file; `tag` names the checkpoint whose mean, std and activation apply.

    open_clip itself would look the tag up on the network; given a file it forgets what the tag knows.
    Raises `UnknownName`, or `UsageError` if the model needs a package that is not installed.
    """
    from evalkit.weights.torchguard import import_open_clip

    open_clip = import_open_clip()
    if not model.startswith("local-dir:") and model not in open_clip.list_models():
        raise UnknownName("open_clip architecture", model, open_clip.list_models())
    about = open_clip.get_pretrained_cfg(model, tag) or {}
    tokenizer = _tokenizer(open_clip, model)
    network, _, preprocess = open_clip.create_model_and_transforms(
        model,
        pretrained=None if checkpoint is None else str(checkpoint),
        device=device(on),
        force_quick_gelu=bool(about.get("quick_gelu")),
        image_mean=about.get("mean"),
        image_std=about.get("std"),
        image_interpolation=about.get("interpolation"),
        image_resize_mode=about.get("resize_mode"),
    )
    return Encoder(network.eval(), preprocess, tokenizer, precision)


def _default(model: str) -> Entry | None:
    """The checkpoint that a model has without being named, if there is one."""
    return next((found for found in entries().values() if found.model == model), None)


def _tokenizer(open_clip: Any, model: str) -> Any:
    """The model's tokenizer, from what is on this machine. Raises `UsageError`."""
    try:
        with hub.offline():
            return open_clip.get_tokenizer(model)
    except ImportError as error:
        hint = "pip install transformers sentencepiece, or choose a model with CLIP's own tokenizer."
        raise UsageError(f"the tokenizer of {model} is not installed: {error}", hint) from error
    except OSError as error:
        hint = "Fetch its repository into Hugging Face's cache, or choose a model with CLIP's own tokenizer."
        raise UsageError(f"the tokenizer of {model} is not on this machine", hint) from error


def _plain(value: Any) -> Json:
    return list(value) if isinstance(value, (tuple, list)) else value


def _unit(vectors: Any) -> Vector:
    """Rows scaled to length one, in float32."""
    rows = vectors.float()
    unit: Vector = (rows / rows.norm(dim=-1, keepdim=True)).cpu().numpy()
    return unit
