"""Faces in a picture: where they are, five points on each, and 128 numbers that tell people apart.

It knows dlib and the two model files of face_recognition_models, and no metric. Faces are looked for in a
copy of fixed size, so the same face is found whatever the picture's resolution, and every find is looked
at again from closer before it counts: a histogram detector takes badges and pockets for faces. It finds
faces that look at the camera, more or less, in photographs; profiles and drawings are mostly missed.
"""

from __future__ import annotations

import functools
import importlib
import importlib.util
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import WeightsMissing
from evalkit.metrics.base import RGB
from evalkit.types import Json
from evalkit.weights.digests import digest_of_files

LONG_SIDE = 1536
"""Longer side of the copy in which faces are looked for. The detector's window is 80 px, so a face is
found from about a nineteenth of the longer side."""

ENLARGE = 3.0
"""Small pictures are enlarged by no more than this: beyond it there is nothing to see."""

SURE = 0.35
"""Mean score of the closer looks that makes a face. On scikit-image's `lfw_subset` it finds 87 of the hundred
faces of 25 px and none in the hundred cut-outs without one; on 120 turned, blurred and reduced copies of its
astronaut exactly the one face 109 times, where the plain detector does 37 times."""

SMALL = 40.0
"""A face narrower than this (px) in its own picture has few pixels to know a person by: reduced from 86 px to
35, a face moves 0.23 to 0.29 away from itself, and to 24, 0.41."""

BENCH = "faces"
"""The bench of every metric that looks for faces: they share what is found in a picture."""

_WINDOW = 80
_FIRST_LOOK = 0.0
_CLOSER = (100, 140)
_AROUND = 1.1
_POINTS = "shape_predictor_5_face_landmarks.dat"
_NETWORK = "dlib_face_recognition_resnet_model_v1.dat"
_KEPT = 256
_HINT = "pip install 'evalkit[face]'"

Box = tuple[float, float, float, float]
Key = tuple[str, tuple[int, ...]]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Face:
    """A face in pixels of its picture, x to the right and y down.

    `box` is left, top, right, bottom: a square from about the brows to the chin, not the whole head, whose
    size comes in steps of a fifth.
    `points` are the outer and inner corner of the eye on the picture's right, the same two of the eye on its
    left, and the base of the nose. `score` is the detector's mean score.
    """

    box: Box
    score: float
    points: tuple[tuple[float, float], ...]

    @property
    def width(self) -> float:
        """Width of the box in pixels."""
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        """Height of the box in pixels."""
        return self.box[3] - self.box[1]

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


# ------------------------------------------------------------------ what is found


def too_small(image: RGB) -> bool:
    """Whether no face could be found in this picture, whatever it shows: a side is too short."""
    height, width = image.shape[:2]
    return bool(min(height, width) * _copy_scale(height, width) < _WINDOW)


def find(image: RGB, sha: str = "") -> tuple[Face, ...]:
    """The faces of a picture, H x W x 3 uint8, the largest first. Raises `WeightsMissing`.

    With the picture's digest the result is remembered for the next metric.
    """
    return _remembered(_found, (sha, image.shape), lambda: _find(image))


def embeddings(image: RGB, sha: str = "") -> NDArray[np.float64]:
    """n x 128: a vector for each face of `find`, in its order. Raises `WeightsMissing`.

    dlib's residual network on a 150 x 150 px chip that is laid out by the five points, without jitter.
    Vectors of one person are closer than 0.6 to each other (Euclidean), those of two people mostly are not.
    """
    return _remembered(_embedded, (sha, image.shape), lambda: _embed(image, find(image, sha)))


def settings() -> dict[str, Json]:
    """What decides which faces are found, for a metric's `config`.

    The detector's weights are compiled into dlib, hence its version.
    """
    return {"dlib": _dlib_version(), "long_side": LONG_SIDE, "enlarge": ENLARGE, "sure": SURE}


def weights_digest(*, network: bool) -> str:
    """sha256 over the model files: the five points', and the network's if asked. Raises `WeightsMissing`."""
    files = model_files()
    return digest_of_files([files[_POINTS], *([files[_NETWORK]] if network else [])])


def model_files() -> Mapping[str, Path]:
    """The model files by name, found without importing their package. Raises `WeightsMissing`.

    The package's own code needs `pkg_resources`, which newer versions of setuptools do not have.
    """
    if importlib.util.find_spec("dlib") is None:
        raise WeightsMissing("the face library dlib is not installed", _HINT)
    package = importlib.util.find_spec("face_recognition_models")
    if package is None or not package.origin:
        raise WeightsMissing("the face models (face_recognition_models) are not installed", _HINT)
    paths = {name: Path(package.origin).parent / "models" / name for name in (_POINTS, _NETWORK)}
    gone = [name for name, path in paths.items() if not path.is_file()]
    if gone:
        hint = "pip install --force-reinstall face_recognition_models"
        raise WeightsMissing(f"face models are missing: {', '.join(gone)}", hint)
    return paths


# ------------------------------------------------------------------ looking for them


def _find(image: RGB) -> tuple[Face, ...]:
    canvas = _canvas(image)
    copy = _resized(canvas, min(1.0, LONG_SIDE / max(canvas.shape[:2])))
    to_canvas, to_image = canvas.shape[0] / copy.shape[0], image.shape[0] / canvas.shape[0]
    boxes, _, _ = _detector().run(copy, 0, _FIRST_LOOK)
    faces = []
    for box in map(_corners, boxes):
        score = _closer_look(copy, box)
        if score >= SURE:
            faces.append(_face(canvas, _scaled(box, to_canvas), score, to_image))
    return tuple(sorted(faces, key=lambda face: (-face.width, -face.score)))


def _closer_look(copy: RGB, box: Box) -> float:
    """Mean score of the box in cut-outs of two sizes, each also mirrored; -1 where it is not seen again."""
    views = [_cut_out(copy, box, size) for size in _CLOSER]
    views += [np.ascontiguousarray(view[:, ::-1]) for view in views]
    return float(np.mean([_score_of_the_middle(view) for view in views]))


def _cut_out(copy: RGB, box: Box, size: int) -> RGB:
    """A square around the box in which the box is `size` px wide; beyond the picture its edge goes on."""
    import cv2

    reach = _AROUND * (box[2] - box[0])
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    rows = np.clip(np.arange(round(y - reach), round(y + reach)), 0, copy.shape[0] - 1)
    columns = np.clip(np.arange(round(x - reach), round(x + reach)), 0, copy.shape[1] - 1)
    side = round(2 * _AROUND * size)
    way = cv2.INTER_AREA if len(rows) > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(copy[np.ix_(rows, columns)], (side, side), interpolation=way), np.uint8)


def _score_of_the_middle(view: RGB) -> float:
    boxes, scores, _ = _detector().run(view, 0, -0.5)
    width = view.shape[0] / (2 * _AROUND)
    low, high = (view.shape[0] - width) / 2, (view.shape[0] + width) / 2
    there = [
        s for b, s in zip(boxes, scores, strict=True) if overlap(_corners(b), (low, low, high, high)) > 0.4
    ]
    return max(there, default=-1.0)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, 0 to 1."""
    across = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    down = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    area = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1])
    return across * down / (area - across * down)


def _face(canvas: RGB, box: Box, score: float, to_image: float) -> Face:
    shape = _predictor()(canvas, _rectangle(box))
    points = tuple((part.x * to_image, part.y * to_image) for part in shape.parts())
    return Face(_scaled(box, to_image), score, points)


# ------------------------------------------------------------------ telling them apart


def _embed(image: RGB, faces: tuple[Face, ...]) -> NDArray[np.float64]:
    if not faces:
        return np.empty((0, 128))
    dlib, canvas = importlib.import_module("dlib"), _canvas(image)
    to_canvas = canvas.shape[0] / image.shape[0]
    rows = []
    for face in faces:
        points = [dlib.point(round(x * to_canvas), round(y * to_canvas)) for x, y in face.points]
        shape = dlib.full_object_detection(_rectangle(_scaled(face.box, to_canvas)), points)
        rows.append(np.asarray(_network().compute_face_descriptor(canvas, shape, 0)))
    return np.stack(rows)


# ------------------------------------------------------------------ sizes


def _canvas(image: RGB) -> RGB:
    """The picture, enlarged if it is small: dlib places points on whole pixels."""
    height, width = image.shape[:2]
    return _resized(image, max(1.0, _copy_scale(height, width)))


def _copy_scale(height: int, width: int) -> float:
    return min(ENLARGE, LONG_SIDE / max(height, width))


def _resized(image: RGB, scale: float) -> RGB:
    import cv2

    if scale == 1:
        return np.ascontiguousarray(image)
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)


def _corners(rectangle: Any) -> Box:
    return rectangle.left(), rectangle.top(), rectangle.right() + 1, rectangle.bottom() + 1


def _rectangle(box: Box) -> Any:
    left, top, right, bottom = (round(side) for side in box)
    return importlib.import_module("dlib").rectangle(left, top, right - 1, bottom - 1)


def _scaled(box: Box, scale: float) -> Box:
    return box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale


# ------------------------------------------------------------------ loaded once, found once


_found: OrderedDict[Key, tuple[Face, ...]] = OrderedDict()
_embedded: OrderedDict[Key, NDArray[np.float64]] = OrderedDict()


def _remembered(kept: OrderedDict[Key, T], key: Key, make: Callable[[], T]) -> T:
    """`make()`, once per picture for the latest few hundred; a picture without a digest is not kept."""
    if not key[0]:
        return make()
    if key not in kept:
        kept[key] = make()
        while len(kept) > _KEPT:
            kept.popitem(last=False)
    return kept[key]


@functools.cache
def _detector() -> Any:
    model_files()
    return importlib.import_module("dlib").get_frontal_face_detector()


@functools.cache
def _predictor() -> Any:
    path = model_files()[_POINTS]
    return importlib.import_module("dlib").shape_predictor(str(path))


@functools.cache
def _network() -> Any:
    path = model_files()[_NETWORK]
    return importlib.import_module("dlib").face_recognition_model_v1(str(path))


def _dlib_version() -> str:
    """Of the wheel or of dlib built here; '' where there is none."""
    for name in ("dlib-bin", "dlib"):
        try:
            return version(name)
        except PackageNotFoundError:
            continue
    return ""
