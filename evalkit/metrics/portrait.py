"""A portrait as a photographer looks at it: how many faces, how large, where, and how level the eyes are.

It measures the faces that `faces` finds and knows nothing about whose they are. Composition is a choice, so
only the number of faces is ever right or wrong, and only where a case says how many there should be.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from evalkit.metrics import faces
from evalkit.metrics.base import Metric, Output, Subject
from evalkit.types import Case, Json, Value

_PORTRAIT = frozenset({"portrait"})


class Portrait(Metric):
    """Number of faces; height, place and tilt of the largest."""

    name = "portrait"
    version = "1"
    summary = "Number, size, place and tilt of faces"
    bench = faces.BENCH
    outputs = (
        Output("portrait_faces", "Faces found", "neither", "", 0, None, categories=_PORTRAIT),
        Output(
            "portrait_faces_right",
            "As many faces as asked",
            "higher",
            "",
            0,
            1,
            headline=True,
            categories=_PORTRAIT,
        ),
        Output(
            "portrait_face_height", "Height of the largest face", "neither", "", 0, 1, categories=_PORTRAIT
        ),
        Output("portrait_offset", "Largest face off the middle", "neither", "", 0, 0.5, categories=_PORTRAIT),
        Output("portrait_eye_tilt", "Tilt of the eye line", "neither", "°", 0, 90, categories=_PORTRAIT),
    )

    @property
    def config(self) -> Mapping[str, Json]:
        """How faces are found."""
        return faces.settings()

    def weights_digest(self) -> str | None:
        """sha256 of the five points' model. Raises `WeightsMissing`, also where only dlib is missing."""
        return faces.weights_digest(network=False)

    def against(self, case: Case) -> Mapping[str, Any]:
        """How many faces there should be."""
        return {"faces": faces_asked(case)}

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject. Raises `WeightsMissing`."""
        return [self._score(subject) for subject in subjects]

    def _score(self, subject: Subject) -> Mapping[str, Value]:
        image = subject.image
        if image is None:
            return self.missing(subject.image_problem or "decode_error")
        if faces.too_small(image):
            return self.missing("too_small")
        found = faces.find(image, subject.image_sha)
        height, width = image.shape[:2]
        return {**count(len(found), faces_asked(subject.case)), **framing(found, width, height)}


def faces_asked(case: Case) -> int | None:
    """`n` (or `count`) of the case's check of kind `faces`; None if it does not say."""
    for check in case.checks:
        number = check.get("n", check.get("count"))
        if check.get("kind") == "faces" and isinstance(number, int) and not isinstance(number, bool):
            return number
    return None


def count(found: int, asked: int | None) -> dict[str, Value]:
    """The number of faces, and whether it is the one asked for.

    Fewer than asked is flagged `unreliable`: the detector misses profiles, small faces and drawings, and
    seldom sees one too many.
    """
    told = Value(float(found))
    if asked is None:
        return {"portrait_faces": told, "portrait_faces_right": Value(None, "not_asked")}
    right = Value(
        float(found == asked),
        detail=f"asked: {asked}, found: {found}",
        flag="unreliable" if found < asked else None,
    )
    return {"portrait_faces": told, "portrait_faces_right": right}


def framing(found: Sequence[faces.Face], width: int, height: int) -> dict[str, Value]:
    """Height, place and tilt of the largest face in a picture of this size; `no_face` without one."""
    if not found:
        names = ("portrait_face_height", "portrait_offset", "portrait_eye_tilt")
        return {name: Value(None, "no_face") for name in names}
    face = found[0]
    tilt = eye_tilt(face)
    return {
        "portrait_face_height": Value(min(1.0, face.height / height)),
        "portrait_offset": Value(min(0.5, abs(face.centre[0] / width - 0.5))),
        "portrait_eye_tilt": Value(abs(tilt), detail=_turned(tilt)),
    }


def eye_tilt(face: faces.Face) -> float:
    """Degrees by which the line through the eyes' middles is turned clockwise from level, -90 to 90."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = face.points[:4]
    across, down = (ax + bx) - (cx + dx), (ay + by) - (cy + dy)
    return math.degrees(math.atan2(down, abs(across))) if across or down else 0.0


def _turned(tilt: float) -> str:
    return f"{abs(tilt):.1f}° {'clockwise' if tilt > 0 else 'counterclockwise'}"
