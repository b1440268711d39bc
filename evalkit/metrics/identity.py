"""Is the person in an edit still the person of its source? The distance between their faces.

It pairs the faces of two pictures and says how far apart they are. Finding a face and turning it into
numbers is left to `faces`. A source without a face is nobody's fault and gives no score; a face that is in
the source and gone from the edit counts as not kept.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evalkit.images import ImageProblem
from evalkit.metrics import faces
from evalkit.metrics.base import RGB, Metric, Need, Output, Subject
from evalkit.types import Json, Value

SAME = 0.6
"""Distance below which two faces count as one person: what the network's author recommends for it (99.38 %
of the pairs of Labeled Faces in the Wild; dlib's face_recognition example)."""

_REJECTED = 1000.0
"""Added to the cost of pairing two people: more than all distances together, so that first as many faces as
possible find themselves again, and only then the rest is paired."""

_NEEDS: frozenset[Need] = frozenset({"source"})
_PORTRAIT = frozenset({"portrait"})


@dataclass(frozen=True, slots=True)
class Match:
    """Face `source` and face `edit`, by their place in the order of size, and how far they are apart."""

    source: int
    edit: int
    distance: float

    @property
    def same(self) -> bool:
        """Whether they count as one person."""
        return self.distance < SAME


class Identity(Metric):
    """Distance of the source's largest face to itself in the edit, and how many of its faces are kept."""

    name = "identity"
    version = "1"
    summary = "Are the faces of the source still there?"
    bench = faces.BENCH
    outputs = (
        Output(
            "identity_distance",
            "Distance to the source's face",
            "lower",
            "",
            0,
            None,
            _NEEDS,
            headline=True,
            categories=_PORTRAIT,
        ),
        Output("identity_same", "Still the same person", "higher", "", 0, 1, _NEEDS, categories=_PORTRAIT),
        Output("identity_faces_kept", "Faces kept", "higher", "", 0, 1, _NEEDS, categories=_PORTRAIT),
    )

    @property
    def config(self) -> Mapping[str, Json]:
        """How faces are found, and where one person ends."""
        return {**faces.settings(), "same": SAME, "small": faces.SMALL}

    def weights_digest(self) -> str | None:
        """sha256 over the network and the five points. Raises `WeightsMissing`."""
        return faces.weights_digest(network=True)

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject. Raises `WeightsMissing`."""
        return [self._score(subject) for subject in subjects]

    def _score(self, subject: Subject) -> Mapping[str, Value]:
        image = subject.image
        if image is None:
            return self.missing(subject.image_problem or "decode_error")
        try:
            source = subject.load_source()
        except ImageProblem as problem:
            return self.missing(f"source_{problem.reason}")
        if source is None:
            return self.missing("no_source")
        if faces.too_small(source):
            return self.missing("source_too_small")
        if faces.too_small(image):
            return self.missing("too_small")
        return self._compare(source, image, subject)

    def _compare(self, source: RGB, image: RGB, subject: Subject) -> Mapping[str, Value]:
        before = faces.find(source, subject.source_sha or "")
        if not before:
            return self.missing("no_face")
        after = faces.find(image, subject.image_sha)
        matches = pair_up(
            faces.embeddings(source, subject.source_sha or ""), faces.embeddings(image, subject.image_sha)
        )
        return judge(before, after, matches)


def pair_up(source: NDArray[np.float64], edit: NDArray[np.float64]) -> list[Match]:
    """Faces of the source, m x 128, with those of the edit, n x 128: min(m, n) pairs, by source.

    Hungarian assignment: as many pairs of one person as there can be, then the smallest sum of distances.
    """
    from scipy.optimize import linear_sum_assignment

    if not len(source) or not len(edit):
        return []
    apart = np.linalg.norm(source[:, None] - edit[None], axis=-1)
    rows, columns = linear_sum_assignment(apart + _REJECTED * (apart >= SAME))
    return [Match(int(m), int(n), float(apart[m, n])) for m, n in zip(rows, columns, strict=True)]


def judge(
    before: Sequence[faces.Face], after: Sequence[faces.Face], matches: Sequence[Match]
) -> dict[str, Value]:
    """Every output. `before` holds at least one face, and its first is the largest."""
    detail = _told(len(before), len(after), matches)
    largest = next((match for match in matches if match.source == 0), None)
    kept = sum(match.same for match in matches) / len(before)
    flag = None
    if largest and min(before[0].width, after[largest.edit].width) < faces.SMALL:
        flag = "unreliable"
    distance = Value(largest.distance if largest else None, None if largest else "face_lost", detail, flag)
    return {
        "identity_distance": distance,
        "identity_same": Value(float(largest is not None and largest.same), detail=detail, flag=flag),
        "identity_faces_kept": Value(kept, detail=detail, flag=flag),
    }


def _told(before: int, after: int, matches: Sequence[Match]) -> str:
    """The counts, and each face of the source (1 is the largest) with where it went."""
    partner = {match.source: match for match in matches}
    told = [_told_of(m, partner.get(m)) for m in range(before)]
    return f"faces in the source: {before}, in the edit: {after}; " + ", ".join(told)


def _told_of(face: int, match: Match | None) -> str:
    if match is None:
        return f"{face + 1} lost"
    return f"{face + 1} to {match.edit + 1}: {match.distance:.3f}" + ("" if match.same else " (another)")
