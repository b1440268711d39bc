"""Does the picture show what the words say? Cosine of CLIP's embeddings of picture and text.

Loading, preprocessing and tokenising are open_clip's own; nothing is clamped, scaled or prefixed. An edit
is judged against the caption of its target where the suite gives one, because "make the mug green" describes
no picture. Embeddings are remembered by picture and by text within one process.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from evalkit.errors import UnknownName, UsageError, WeightsMissing
from evalkit.metrics.base import RGB, Metric, Need, Output, Subject
from evalkit.metrics.torchrun import device, inference
from evalkit.types import Case, Json, Value
from evalkit.weights import store
from evalkit.weights.digests import digest_of_file
from evalkit.weights.mini_model import MINI_CAVEAT, load_mini, mini_digest
from evalkit.weights.registry import Entry, clip_entry

Vector = NDArray[np.float32]

_BATCH = 16
_NEEDS: frozenset[Need] = frozenset({"prompt"})
_THINNEST = 20
"""Pictures longer than this many times their short side are not scaled to 224 px: it would fill memory."""


@dataclass(frozen=True, slots=True)
class Encoder:
    """A CLIP that is ready for use: an open_clip model, its preprocess_val and its tokenizer."""

    model: Any
    preprocess: Callable[[Image.Image], Any]
    tokenizer: Any

    def images(self, pictures: Sequence[RGB]) -> Vector:
        """N x D embeddings of unit length."""
        import torch

        batch = torch.stack([self.preprocess(Image.fromarray(picture)) for picture in pictures])
        with inference():
            return _unit(self.model.encode_image(batch.to(self._device)))

    def texts(self, texts: Sequence[str]) -> Vector:
        """N x D embeddings of unit length; a text beyond the context is cut but keeps its end token."""
        with inference():
            return _unit(self.model.encode_text(self.tokenizer(list(texts)).to(self._device)))

    def cut(self, text: str) -> float | None:
        """Share of the text's tokens, start and end included, that do not fit, 0 to 1."""
        if not hasattr(self.tokenizer, "encode"):
            return None
        tokens = len(self.tokenizer.encode(text)) + 2
        return max(0, tokens - int(self.tokenizer.context_length)) / tokens

    @property
    def _device(self) -> Any:
        return next(self.model.parameters()).device


class Clip(Metric):
    """Cosine similarity of picture and prompt, -1 to 1.

    Options: `model` is an open_clip architecture or `mini`; `pretrained` is open_clip's tag of a model that
    `evalkit weights list` shows, or a checkpoint file, and may be left out for the first known one.
    `encoder` puts a ready model in place of a named one.
    """

    name = "clip"
    version = "1"
    summary = "Prompt alignment: CLIP cosine"
    defaults = {"model": "ViT-B-32", "pretrained": ""}
    outputs = (
        Output("clip_cos", "Prompt alignment (CLIP)", "higher", "", -1, 1, _NEEDS, headline=True),
        Output("clip_truncated", "Share of the prompt CLIP cannot see", "neither", "", 0, 1, _NEEDS),
    )

    def __init__(self, options: Mapping[str, str] | None = None, *, encoder: Encoder | None = None) -> None:
        super().__init__(options)
        self._settle_options(ready=encoder is not None)
        self._encoder = encoder
        self._images = Memory()
        self._texts = Memory()

    @property
    def config(self) -> Mapping[str, Json]:
        """The architecture; which weights it has is in their digest."""
        return {"model": self.options["model"]}

    @property
    def caveat(self) -> str:
        """What the mini model is good for; nothing to add for the others."""
        return MINI_CAVEAT if self._is_mini else ""

    def weights_digest(self) -> str | None:
        """sha256 of the checkpoint. Raises `WeightsMissing`."""
        if self._is_mini:
            return mini_digest()
        return store.digest(self._entry.name) if self._file is None else digest_of_file(self._checkpoint())

    def against(self, case: Case) -> Mapping[str, Any]:
        """The text judged, and which field of the case it is."""
        return {"text": judged_text(case), "of": "target_caption" if _by_caption(case) else "prompt"}

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject. Raises `WeightsMissing`."""
        return [
            values
            for start in range(0, len(subjects), _BATCH)
            for values in self._score_batch(subjects[start : start + _BATCH])
        ]

    def _score_batch(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        problems = [_problem(subject) for subject in subjects]
        usable = [subject for subject, problem in zip(subjects, problems, strict=True) if not problem]
        values = iter(self._values(usable) if usable else [])
        return [self.missing(problem) if problem else next(values) for problem in problems]

    def _values(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        encoder = self._loaded()
        pictures = {one.image_sha: one.image for one in subjects if one.image is not None}
        texts = [judged_text(one.case) for one in subjects]
        images = self._images.fill(list(pictures), lambda new: encoder.images([pictures[sha] for sha in new]))
        words = self._texts.fill(texts, encoder.texts)
        return [
            _value(images[one.image_sha], words[text], encoder.cut(text))
            for one, text in zip(subjects, texts, strict=True)
        ]

    def _loaded(self) -> Encoder:
        if self._encoder is None:
            self._encoder = self._load()
        return self._encoder

    def _load(self) -> Encoder:
        if self._is_mini:
            mini = load_mini(device())
            return Encoder(mini.model, mini.preprocess, mini.tokenizer)
        tag = "" if self._file else self._entry.pretrained
        return load_open_clip(self.options["model"], self._checkpoint(), tag)

    def _checkpoint(self) -> Path:
        if self._file is None:
            return store.locate(self._entry.name)
        if not self._file.is_file():
            raise WeightsMissing(f"there is no file {self._file}", "Name a checkpoint file that is there.")
        return self._file

    def _settle_options(self, ready: bool) -> None:
        if self._is_mini and self.options["pretrained"]:
            raise UsageError("clip[model=mini] has one checkpoint", "Leave pretrained out.")
        if not (ready or self._is_mini or self._file) and self._entry == clip_entry(self.options["model"]):
            self.options["pretrained"] = ""  # one spelling for one model

    @property
    def _entry(self) -> Entry:
        return clip_entry(self.options["model"], self.options["pretrained"])

    @property
    def _is_mini(self) -> bool:
        return self.options["model"] == "mini"

    @property
    def _file(self) -> Path | None:
        path = Path(self.options["pretrained"]).expanduser()
        return path if path.suffix in (".bin", ".pt", ".pth", ".safetensors") else None


class Memory:
    """Embeddings by key, the least recently used ones forgotten."""

    def __init__(self, size: int = 8192) -> None:
        self._size = size
        self._kept: OrderedDict[str, Vector] = OrderedDict()

    def fill(self, keys: Sequence[str], embed: Callable[[list[str]], Vector]) -> dict[str, Vector]:
        """A vector for every key; `embed` is asked once, for the distinct keys that are not kept."""
        new = [key for key in dict.fromkeys(keys) if key not in self._kept]
        fresh = dict(zip(new, embed(new), strict=True)) if new else {}
        answer = {key: fresh[key] if key in fresh else self._kept[key] for key in keys}
        for key, vector in answer.items():
            self._kept[key] = vector
            self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return answer


def judged_text(case: Case) -> str:
    """What the picture should show: an edit's target caption where there is one, else the prompt."""
    return (case.target_caption or "") if _by_caption(case) else case.prompt


def load_open_clip(model: str, checkpoint: Path | None, tag: str = "") -> Encoder:
    """An open_clip model from a file; `tag` names the checkpoint whose mean, std and activation apply.

    open_clip itself would look the tag up on the network; given a file it forgets what the tag knows.
    """
    from evalkit.weights.torchguard import import_open_clip

    open_clip = import_open_clip()
    if model not in open_clip.list_models():
        raise UnknownName("open_clip architecture", model, open_clip.list_models())
    about = open_clip.get_pretrained_cfg(model, tag) or {}
    network, _, preprocess = open_clip.create_model_and_transforms(
        model,
        pretrained=None if checkpoint is None else str(checkpoint),
        device=device(),
        force_quick_gelu=bool(about.get("quick_gelu")),
        image_mean=about.get("mean"),
        image_std=about.get("std"),
        image_interpolation=about.get("interpolation"),
        image_resize_mode=about.get("resize_mode"),
    )
    return Encoder(network.eval(), preprocess, open_clip.get_tokenizer(model))


def _by_caption(case: Case) -> bool:
    return case.task == "edit" and bool((case.target_caption or "").strip())


def _problem(subject: Subject) -> str | None:
    if subject.image is None:
        return subject.image_problem or "decode_error"
    if not judged_text(subject.case).strip():
        return "no_prompt"
    height, width = subject.image.shape[:2]
    return "extreme_aspect" if max(height, width) > _THINNEST * min(height, width) else None


def _value(image: Vector, text: Vector, cut: float | None) -> Mapping[str, Value]:
    return {
        "clip_cos": Value(float(image @ text)),
        "clip_truncated": Value(cut, None if cut is not None else "unknown_tokenizer"),
    }


def _unit(vectors: Any) -> Vector:
    """Rows scaled to length one, in float32."""
    rows = vectors.float()
    unit: Vector = (rows / rows.norm(dim=-1, keepdim=True)).cpu().numpy()
    return unit
