"""Does the picture show what the words say? Cosine of CLIP's embeddings of picture and text.

Nothing of the headline is clamped, scaled or prefixed; numbers that are, for comparison with published ones,
stand beside it. An edit is judged against the caption of its target where the suite gives one, because "make
the mug green" describes no picture. Models and their vectors are for `encoders` and `embedder`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evalkit.metrics.base import Metric, Need, Output, Subject
from evalkit.metrics.networks.embedder import Embedder, shared
from evalkit.metrics.networks.embeddings import Vector
from evalkit.metrics.networks.encoders import OPTIONS, Choice, Encoder
from evalkit.metrics.networks.prompts import judged, judged_text
from evalkit.metrics.networks.views import THINNEST, View, in_square, size_of, whole
from evalkit.types import Case, Json, Value

HESSEL_PREFIX = "A photo depicts "
"""What Hessel et al. (2021, https://arxiv.org/abs/2104.08718) put before a caption; their weight is 2.5."""

_NEEDS: frozenset[Need] = frozenset({"prompt"})
_HESSEL = "CLIPScore of Hessel et al.: 2.5 max(cos, 0), prefixed; only comparable on ViT-B/32"


class ClipMetric(Metric):
    """What metrics share that look through a CLIP: its options, and its vectors.

    Options: `model` is an open_clip architecture, `hf-hub:OWNER/NAME` or `mini`; `pretrained` is open_clip's
    tag or a checkpoint file, and may be left out where there is a default; `precision` is fp32, bf16 or fp16.
    `encoder` puts a ready model in place of a named one.
    """

    defaults = OPTIONS
    bench = "embeddings"
    has_model = True

    def __init__(self, options: Mapping[str, str] | None = None, *, encoder: Encoder | None = None) -> None:
        super().__init__(options)
        self.choice = Choice.of(self.options)
        self.options["pretrained"] = self.choice.pretrained
        self._own = None if encoder is None else Embedder(encoder)

    @property
    def config(self) -> Mapping[str, Json]:
        """Architecture and precision; which weights it has is in their digest."""
        return {"model": self.choice.model, "precision": self.choice.precision}

    @property
    def caveat(self) -> str:
        """What the mini model is good for; nothing to add for the others."""
        return self.choice.caveat

    def weights_digest(self) -> str | None:
        """sha256 of the checkpoint. Raises `WeightsMissing`."""
        return self.choice.digest()

    @property
    def embedder(self) -> Embedder:
        """The model and what it has seen, shared by all metrics that choose it. Raises `WeightsMissing`."""
        return self._own or shared(self.choice, self.resources)


class Clip(ClipMetric):
    """Cosine similarity of picture and prompt, -1 to 1, and what else is made of the same two embeddings."""

    name = "clip"
    version = "2"
    summary = "Prompt alignment: CLIP cosine"
    outputs = (
        Output("clip_cos", "Prompt alignment (CLIP)", "higher", "", -1, 1, _NEEDS, headline=True),
        Output("clip_cos_pad", "Prompt alignment, picture seen whole", "higher", "", -1, 1, _NEEDS),
        Output("clip_cos_chunked", "Prompt alignment, prompt read whole", "higher", "", -1, 1, _NEEDS),
        Output("clip_cos_chunked_min", "Prompt alignment, worst part", "higher", "", -1, 1, _NEEDS),
        Output("clip_truncated", "Share of the prompt CLIP cannot see", "neither", "", 0, 1, _NEEDS),
        Output("clipscore", "CLIPScore as 100 max(cos, 0)", "neither", "", 0, 100, _NEEDS),
        Output("clipscore_hessel", _HESSEL, "neither", "", 0, 2.5, _NEEDS),
    )

    def against(self, case: Case) -> Mapping[str, Any]:
        """The text judged, and which field of the case it is."""
        return judged(case)

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject. Raises `WeightsMissing`."""
        asked = [_Asked.of(subject, self.embedder.encoder) for subject in subjects]
        usable = [one for one in asked if isinstance(one, _Asked)]
        seen = self.embedder.see([view for one in usable for view in (one.whole, one.pad)])
        read = self.embedder.read([text for one in usable for text in one.texts])
        return [self._values(one, seen, read) for one in asked]

    def _values(
        self, asked: _Asked | str, seen: Mapping[str, Vector], read: Mapping[str, Vector]
    ) -> Mapping[str, Value]:
        if isinstance(asked, str):
            return self.missing(asked)
        if asked.whole.key not in seen or asked.pad.key not in seen:
            return self.missing(asked.subject.image_problem or "decode_error")
        image, text = seen[asked.whole.key], read[asked.text]
        cosine = _cosine(image, text)
        prefixed = _cosine(image, read[HESSEL_PREFIX + asked.text])
        return {
            "clip_cos": Value(cosine),
            "clip_cos_pad": Value(_cosine(seen[asked.pad.key], text)),
            **_over_parts(image, asked.parts, read),
            "clip_truncated": Value(asked.cut, None if asked.cut is not None else "unknown_tokenizer"),
            "clipscore": Value(100 * max(cosine, 0.0)),
            "clipscore_hessel": Value(2.5 * max(prefixed, 0.0)),
        }


@dataclass(frozen=True, slots=True)
class _Asked:
    """What has to be embedded for one subject. `parts` and `cut` are None where nobody counts tokens."""

    subject: Subject
    text: str
    parts: Sequence[str] | None
    cut: float | None
    whole: View
    pad: View

    @staticmethod
    def of(subject: Subject, encoder: Encoder) -> _Asked | str:
        """The subject as it will be embedded, or why it cannot be."""
        text = judged_text(subject.case)
        size = size_of(subject)
        if size is None:
            return subject.image_problem or "decode_error"
        if not text.strip():
            return "no_prompt"
        if max(size) > THINNEST * min(size):
            return "extreme_aspect"
        plain = whole(subject)
        pad = plain if size[0] == size[1] else in_square(subject, encoder.mean_colour)
        return _Asked(subject, text, encoder.parts(text), encoder.cut(text), plain, pad)

    @property
    def texts(self) -> list[str]:
        """Every text to be read: as it is, with Hessel's prefix, and in parts."""
        return [self.text, HESSEL_PREFIX + self.text, *(self.parts or ())]


def _cosine(image: Vector, text: Vector) -> float:
    return float(image @ text)


def _over_parts(image: Vector, parts: Sequence[str] | None, read: Mapping[str, Vector]) -> dict[str, Value]:
    """Mean and minimum over the parts of the prompt."""
    if not parts:
        return dict.fromkeys(("clip_cos_chunked", "clip_cos_chunked_min"), Value(None, "unknown_tokenizer"))
    cosines = [_cosine(image, read[part]) for part in parts]
    return {
        "clip_cos_chunked": Value(sum(cosines) / len(cosines)),
        "clip_cos_chunked_min": Value(min(cosines)),
    }
