"""Did the edit do what was asked? To be read beside what it preserved: doing nothing preserves everything.

Directions in CLIP's space: did the picture move from the source's caption to the target's? And does the
edited part show what it should? Models and their vectors are shared with `clip`, so a picture that `clip`
has seen costs nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evalkit.metrics.base import Bits, Need, Output, Subject
from evalkit.metrics.clip import ClipMetric
from evalkit.metrics.networks import views
from evalkit.metrics.networks.embeddings import Vector
from evalkit.metrics.networks.views import THINNEST, Box, View
from evalkit.types import Case, Value

STILL = 1e-4
"""A difference of two unit vectors that is shorter than this has no direction."""

MARGIN = 0.10
"""The crop is larger than the edit region by this share of its width on the left and on the right, and by
this share of its height above and below."""

SMALLEST = 16
"""Crops with a shorter side than this many pixels show a model nothing but blur."""

SAME_SHAPE = 0.005
"""Aspect ratios that differ by no more than this (ratio of ratios, minus one) count as the same."""

_SOURCE: frozenset[Need] = frozenset({"source"})
_CAPTIONS: frozenset[Need] = frozenset({"source", "captions"})
_REGION: frozenset[Need] = frozenset({"source", "captions", "mask"})


class Edit(ClipMetric):
    """CLIP direction similarity, CLIP similarity of the edited part, and CLIP image similarity.

    Options are those of `clip`.
    """

    name = "edit"
    version = "1"
    summary = "Edit success: CLIP direction"
    outputs = (
        Output("clip_dir", "Edit direction (CLIP)", "higher", "", -1, 1, _CAPTIONS, headline=True),
        Output("clip_edit", "Edited part against its caption (CLIP)", "higher", "", -1, 1, _REGION),
        Output("clip_i", "Edit against source (CLIP)", "neither", "", -1, 1, _SOURCE),
    )

    def against(self, case: Case) -> Mapping[str, Any]:
        """Both captions."""
        return {"source_caption": case.source_caption, "target_caption": case.target_caption}

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject. Raises `WeightsMissing`."""
        asked = [_Asked.of(subject) for subject in subjects]
        usable = [one for one in asked if isinstance(one, _Asked)]
        seen = self.embedder.see([view for one in usable for view in one.shown])
        read = self.embedder.read([text for one in usable for text in one.captions])
        return [self.missing(one) if isinstance(one, str) else self._values(one, seen, read) for one in asked]

    def _values(
        self, asked: _Asked, seen: Mapping[str, Vector], read: Mapping[str, Vector]
    ) -> Mapping[str, Value]:
        image, source = seen.get(asked.image.key), seen.get(asked.source.key)
        if image is None:
            return self.missing(asked.subject.image_problem or "decode_error")
        return {
            "clip_dir": _direction(image, source, asked, read),
            "clip_edit": _part(asked, seen, read),
            "clip_i": _cosine(image, source)
            if source is not None
            else Value(None, views.source_problem(asked.subject)),
        }


@dataclass(frozen=True, slots=True)
class _Asked:
    """What has to be embedded for one subject; `crop` is a reason where there is none."""

    subject: Subject
    image: View
    source: View
    crop: View | str

    @staticmethod
    def of(subject: Subject) -> _Asked | str:
        """The subject as it will be embedded, or why it cannot be."""
        size = views.size_of(subject)
        if size is None:
            return subject.image_problem or "decode_error"
        if subject.source_sha is None:
            return "no_source"
        if max(size) > THINNEST * min(size):
            return "extreme_aspect"
        return _Asked(subject, views.whole(subject), views.source(subject), _crop(subject, size))

    @property
    def shown(self) -> list[View]:
        return [self.image, self.source, *([self.crop] if isinstance(self.crop, View) else [])]

    @property
    def captions(self) -> list[str]:
        """The captions that are there: source and target."""
        case = self.subject.case
        return [text for text in (case.source_caption, case.target_caption) if text and text.strip()]


def edit_box(mask: Bits, size: tuple[int, int]) -> Box | None:
    """The bounding box of `mask` with its margin, in a picture of (height, width) and the mask's shape.

    None if the mask is empty.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    left, right = _spread(int(columns[0]), int(columns[-1]) + 1, mask.shape[1], size[1])
    top, bottom = _spread(int(rows[0]), int(rows[-1]) + 1, mask.shape[0], size[0])
    return left, top, right, bottom


def _spread(start: int, end: int, length: int, pixels: int) -> tuple[int, int]:
    """An interval of `length` with its margin, scaled to `pixels` and kept within."""
    margin = MARGIN * (end - start)
    low, high = (start - margin) * pixels / length, (end + margin) * pixels / length
    return max(0, int(np.floor(low))), min(pixels, int(np.ceil(high)))


def _crop(subject: Subject, size: tuple[int, int]) -> View | str:
    """The edited part of the picture, or why there is none."""
    mask = subject.load_mask()
    if mask is None:
        return "no_mask"
    if abs(size[1] * mask.shape[0] / (size[0] * mask.shape[1]) - 1) > SAME_SHAPE:
        return "unaligned"
    box = edit_box(mask, size)
    if box is None:
        return "no_inside"
    left, top, right, bottom = box
    sides = (bottom - top, right - left)
    if sides == size:
        return views.whole(subject)
    if min(sides) < SMALLEST:
        return "too_small"
    if max(sides) > THINNEST * min(sides):
        return "extreme_aspect"
    return views.part(subject, box)


def _direction(image: Vector, source: Vector | None, asked: _Asked, read: Mapping[str, Vector]) -> Value:
    """Cosine of what changed in the picture and what changed in the words.

    All four vectors have unit length before they are subtracted, as in InstructPix2Pix
    (https://arxiv.org/abs/2211.09800, section 4.1).
    """
    if source is None:
        return Value(None, views.source_problem(asked.subject))
    case = asked.subject.case
    before, after = read.get(case.source_caption or ""), read.get(case.target_caption or "")
    if before is None or after is None:
        return Value(None, "no_captions")
    moved, meant = image - source, after - before
    lengths = float(np.linalg.norm(moved)), float(np.linalg.norm(meant))
    if min(lengths) < STILL:
        return Value(None, "no_change")
    return Value(_within(float(moved @ meant) / (lengths[0] * lengths[1])))


def _part(asked: _Asked, seen: Mapping[str, Vector], read: Mapping[str, Vector]) -> Value:
    if isinstance(asked.crop, str):
        return Value(None, asked.crop)
    part, caption = seen.get(asked.crop.key), read.get(asked.subject.case.target_caption or "")
    if part is None:
        return Value(None, asked.subject.image_problem or "decode_error")
    return _cosine(part, caption) if caption is not None else Value(None, "no_captions")


def _cosine(one: Vector, other: Vector) -> Value:
    """Of two vectors of unit length; rounding may carry it past 1."""
    return Value(_within(float(one @ other)))


def _within(cosine: float) -> float:
    return min(1.0, max(-1.0, cosine))
