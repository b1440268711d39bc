"""How alike an edit and its source are to a network that was never told what anything is called.

DINO (Caron et al. 2021, https://arxiv.org/abs/2104.14294) learned from pictures alone, so it minds the
identity and the arrangement of things where CLIP minds what they are. The network is timm's, its weights
come from our store, and its vectors are kept as CLIP's are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from evalkit.metrics.base import Metric, Output, Subject
from evalkit.metrics.networks import views
from evalkit.metrics.networks.embedder import Embedder, shared
from evalkit.metrics.networks.encoders import Encoder
from evalkit.metrics.networks.torchrun import checked_precision, device
from evalkit.types import Json, Value
from evalkit.weights import store

WEIGHTS = "dino-vit-s-16"
ARCHITECTURE = "vit_small_patch16_224.dino"


@dataclass(frozen=True, slots=True)
class _Choice:
    """The one DINO there is, in some precision."""

    precision: str

    @property
    def names(self) -> tuple[str, ...]:
        return (ARCHITECTURE,)

    def digest(self) -> str:
        return store.digest(WEIGHTS)

    def load(self, on: str = "") -> Encoder:
        return load_dino(self.precision, on)


class Dino(Metric):
    """DINO-I: cosine of the class tokens of source and edit, -1 to 1; an edit that does nothing has 1."""

    name = "dino"
    version = "1"
    summary = "Likeness to the source: DINO"
    defaults = {"precision": "fp32"}
    outputs = (
        Output("dino_i", "Edit against source (DINO)", "neither", "", -1, 1, frozenset({"source"}), True),
    )
    bench = "embeddings"
    has_model = True

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        self._choice = _Choice(checked_precision(self.options["precision"]))

    @property
    def config(self) -> Mapping[str, Json]:
        """Network and precision."""
        return {"model": ARCHITECTURE, **self.options}

    def weights_digest(self) -> str | None:
        """sha256 of the checkpoint. Raises `WeightsMissing`."""
        return self._choice.digest()

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject. Raises `WeightsMissing`."""
        embedder = shared(self._choice, self.resources)
        return [{"dino_i": value} for value in likeness(subjects, embedder)]


def likeness(subjects: Sequence[Subject], embedder: Embedder) -> list[Value]:
    """Cosine of source and edit, or the reason why there is none."""
    problems = [_problem(subject) for subject in subjects]
    pairs = [(views.whole(one), views.source(one)) for one in subjects]
    fine = [both for both, problem in zip(pairs, problems, strict=True) if not problem]
    seen = embedder.see([view for both in fine for view in both])
    values = []
    for subject, problem, (image, source) in zip(subjects, problems, pairs, strict=True):
        if problem or image.key not in seen:
            values.append(Value(None, problem or subject.image_problem or "decode_error"))
        elif source.key not in seen:
            values.append(Value(None, views.source_problem(subject)))
        else:
            cosine = float(seen[image.key] @ seen[source.key])
            values.append(Value(min(1.0, max(-1.0, cosine))))
    return values


def load_dino(precision: str = "fp32", on: str = "") -> Encoder:
    """The network as an encoder of pictures; it reads no text. Raises `WeightsMissing`."""
    from safetensors.torch import load_file

    from evalkit.weights.torchguard import torchvision_guard

    torchvision_guard()
    timm: Any = import_module("timm")
    network = timm.create_model(ARCHITECTURE, pretrained=False, num_classes=0)
    network.load_state_dict(load_file(store.locate(WEIGHTS)))
    config = timm.data.resolve_data_config(network.pretrained_cfg)
    network.encode_image = network.forward
    network.visual = SimpleNamespace(preprocess_cfg=config)
    preprocess = timm.data.create_transform(**config)
    return Encoder(network.to(device(on)).eval(), preprocess, None, precision)


def _problem(subject: Subject) -> str | None:
    size = views.size_of(subject)
    if size is None:
        return subject.image_problem or "decode_error"
    if subject.source_sha is None:
        return "no_source"
    return "extreme_aspect" if max(size) > views.THINNEST * min(size) else None
