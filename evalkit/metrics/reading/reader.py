"""The reader: finds boxes of text in a picture and reads them, with the PP-OCRv6 models of RapidOCR's wheel.

The three models (where is text, which way up, what does it say) are run by onnxruntime on one thread, and
nothing is ever fetched. The reader is no language model and does not correct spelling. It knows nothing of
what a picture should say: which of two readings of a box is kept is decided by its own confidence. What is
done with a whole picture is in `looks`.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from evalkit.errors import WeightsMissing
from evalkit.metrics.base import RGB
from evalkit.metrics.reading.layout import Corners, Floats, Line, direction

MAX_SIDE = 736
"""Text is looked for in a copy whose long side is at most this, and read from the picture itself. The
detector misses small text in larger copies: on drawn text 736 found most, at half the cost of 1024."""

BOX_THRESHOLD = 0.4
"""How sure the detector must be of a box: 0.5 loses small print, 0.3 finds letters in textures."""

TEXT_LIKE = 0.3
"""From this value of the detector's map on, a pixel belongs to text."""

LEAST_CONFIDENCE = 0.5
"""A reading below this is noise and is dropped."""

SPACE = 0.14
"""From this chance on a gap is a space. On drawn text, gaps between words had 0.16 and more where the space
was not the likeliest, gaps inside words 0.12 and less."""

_GROW = 1.6
"""The detector draws the core of a line; its box is this times area over perimeter larger on every side."""
_TALL = 1.5
"""From this height over width on, text runs up or down, or it is a single narrow character ..."""
_TALLEST_CHARACTER = 4.0
"""... which is not taller than this."""
_SURE_IT_IS_UPSIDE_DOWN = 0.9
_DOUBTFUL = 0.8
_CLEAR = 0.1
"""Two orientations whose confidences differ by less are both possible: 60 and 09."""
_LEAST_WIDTH = 320
_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}


@dataclass(frozen=True, slots=True)
class Found:
    """Where text is: boxes (n x 4 x 2, pixels of the picture), and the detector's map of a smaller copy.

    `filled` is the share of each box's core that is marked, low where the text bends. `heat` is 0 to 1 per
    pixel; `scale` times its coordinates are those of the picture (x, y).
    """

    boxes: Floats
    filled: Floats
    heat: Floats
    scale: tuple[float, float]


def find(image: RGB) -> Found:
    """Where there is text in an H x W x 3 picture."""
    copy = _reduced(image)
    heat = _run("Det", _normal(copy)[None])[0, 0]
    scale = (image.shape[1] / copy.shape[1], image.shape[0] / copy.shape[0])
    found = _boxes(heat)
    boxes = [box * np.asarray(scale, np.float32) for box, _ in found]
    filled = np.asarray([share for _, share in found], np.float32)
    return Found(np.asarray(boxes, np.float32).reshape(-1, 4, 2), filled, heat, scale)


def read_boxes(image: RGB, boxes: Floats) -> list[Line]:
    """What the boxes say, in their order; a box that says nothing gives no line.

    A box is read as it lies, and upside down as well if the orientation model or a low confidence suggest
    it; a tall box is read upwards, downwards, and as one character.
    """
    lines = _chosen([_readings(image, _upright(box)) for box in boxes])
    return [line for line in lines if line.confidence >= LEAST_CONFIDENCE]


def recognise(line: RGB) -> tuple[str, float]:
    """Text and confidence (mean over its letters, 0 to 1) of a picture that holds one line.

    Never in batches: what a line says must not depend on what else is in the picture.
    """
    width = max(_LEAST_WIDTH, math.ceil(48 * line.shape[1] / line.shape[0]))
    return _decoded(_run("Rec", _fitted(line, width)[None])[0])


def cut(image: RGB, corners: Corners) -> RGB:
    """The quadrilateral as an upright rectangle of its own size."""
    import cv2

    across = max(np.linalg.norm(corners[0] - corners[1]), np.linalg.norm(corners[3] - corners[2]))
    down = max(np.linalg.norm(corners[0] - corners[3]), np.linalg.norm(corners[1] - corners[2]))
    wide, high = max(int(across), 1), max(int(down), 1)
    target = np.asarray([(0, 0), (wide, 0), (wide, high), (0, high)], np.float32)
    matrix = cv2.getPerspectiveTransform(np.asarray(corners, np.float32), target)
    flags = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
    return np.asarray(cv2.warpPerspective(image, matrix, (wide, high), **flags), np.uint8)


def alphabet() -> frozenset[str]:
    """Every character that the reader can give."""
    return frozenset(_characters())


@functools.cache
def model_files() -> Mapping[str, Path]:
    """The three models in RapidOCR's wheel. Raises `WeightsMissing`."""
    found = importlib.util.find_spec("rapidocr")
    folder = Path(found.origin).parent / "models" if found and found.origin else Path("rapidocr")
    paths = {part: folder / name for part, name in _MODELS.items()}
    gone = [path.name for path in paths.values() if not path.is_file()]
    if gone:
        hint = 'They come with the wheel: pip install --force-reinstall "rapidocr>=3.10,<4"'
        raise WeightsMissing(f"RapidOCR's models are missing: {', '.join(gone)}", hint)
    return paths


def _reduced(image: RGB) -> RGB:
    """A copy with sides that are multiples of 32, as the detector needs them."""
    import cv2

    shrink = min(1.0, MAX_SIDE / max(image.shape[:2]))
    high, wide = (max(32, round(side * shrink / 32) * 32) for side in image.shape[:2])
    how = cv2.INTER_AREA if shrink < 1 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, (wide, high), interpolation=how), np.uint8)


def _normal(image: RGB) -> Floats:
    """3 x H x W from -1 to 1, blue first, as all three models were trained."""
    planes = image[:, :, ::-1].transpose(2, 0, 1).astype(np.float32)
    return np.ascontiguousarray(planes / np.float32(127.5) - np.float32(1))


def _boxes(heat: Floats) -> list[tuple[Corners, float]]:
    """Rectangles around the marked areas of the detector's map (Liao et al. 2020), and how full they are."""
    import cv2

    areas = cv2.dilate((heat > TEXT_LIKE).astype(np.uint8), np.ones((2, 2), np.uint8))
    outlines, _ = cv2.findContours(areas, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    boxes = []
    for outline in outlines:
        centre, (wide, high), angle = cv2.minAreaRect(outline)
        core = cv2.boxPoints((centre, (wide, high), angle))
        if min(wide, high) < 3 or _mean_inside(heat, core) < BOX_THRESHOLD:
            continue
        grown = 2 * _GROW * wide * high / (2 * (wide + high))
        corners = cv2.boxPoints((centre, (wide + grown, high + grown), angle))
        inside = np.clip(corners, 0, np.asarray(heat.shape[::-1], np.float32))
        boxes.append((inside, cv2.contourArea(outline) / (wide * high)))
    return boxes


def _mean_inside(heat: Floats, corners: Corners) -> float:
    import cv2

    left, top = np.clip(np.floor(corners.min(axis=0)).astype(int), 0, None)
    right, bottom = np.ceil(corners.max(axis=0)).astype(int) + 1
    part = heat[top:bottom, left:right]
    inside = np.zeros(part.shape, np.uint8)
    cv2.fillPoly(inside, [(corners - (left, top)).astype(np.int32)], 1)
    return float(cv2.mean(part, inside)[0])


def _upright(box: Corners) -> Corners:
    """The corners so that the first is the upper one of the two on the left."""
    by_x = box[np.argsort(box[:, 0], kind="stable")]
    left = by_x[:2][np.argsort(by_x[:2, 1], kind="stable")]
    right = by_x[2:][np.argsort(by_x[2:, 1], kind="stable")]
    return np.asarray([left[0], right[0], right[1], left[1]], np.float32)


def _readings(image: RGB, corners: Corners) -> list[Line]:
    """What a box says in every orientation that is possible."""
    across, down = np.linalg.norm(corners[0] - corners[1]), np.linalg.norm(corners[0] - corners[3])
    if down >= _TALL * across:
        return _tall_readings(image, corners, character=bool(down < _TALLEST_CHARACTER * across))
    first = _reading(image, corners)
    if first.confidence >= _DOUBTFUL and not _is_upside_down(cut(image, corners)):
        return [first]
    return [first, _reading(image, np.roll(corners, 2, axis=0))]


def _tall_readings(image: RGB, corners: Corners, *, character: bool) -> list[Line]:
    """Upwards and downwards; as it stands where it may be a single character, an I or a 1."""
    lines = [_reading(image, np.roll(corners, step, axis=0)) for step in (-1, 1)]
    if not character:
        return lines
    standing = _reading(image, corners)
    short = all(line.letters <= 1 for line in lines)
    return [standing] if short and standing.letters == 1 else [*lines, standing]


def _reading(image: RGB, view: Corners) -> Line:
    words, sure = recognise(cut(image, view))
    return Line(words, sure, view)


def _is_upside_down(line: RGB) -> bool:
    chances = _run("Cls", _fitted(line, 192)[None])[0]
    return bool(chances[1] > _SURE_IT_IS_UPSIDE_DOWN)


def _chosen(readings: Sequence[Sequence[Line]]) -> list[Line]:
    """One reading per box: the surest; of two that are about as sure, the one that lies as the others do."""
    sorted_ones = [sorted(some, key=lambda one: -one.confidence) for some in readings]
    clear = [s[0] for s in sorted_ones if len(s) == 1 or s[0].confidence - s[1].confidence >= _CLEAR]
    way = direction(clear)
    chosen = []
    for some in sorted_ones:
        possible = [one for one in some if some[0].confidence - one.confidence < _CLEAR]
        best = possible[0] if not clear else max(possible, key=lambda one: float(direction([one]) @ way))
        others = [one.text for one in some if one is not best and one.confidence >= LEAST_CONFIDENCE]
        chosen.append(replace(best, other=others[0] if others else ""))
    return chosen


def _fitted(image: RGB, width: int) -> Floats:
    import cv2

    wide = max(1, min(width, math.ceil(48 * image.shape[1] / image.shape[0])))
    padded = np.zeros((3, 48, width), np.float32)
    padded[:, :, :wide] = _normal(np.asarray(cv2.resize(image, (wide, 48)), np.uint8))
    return padded


def _decoded(chances: Floats) -> tuple[str, float]:
    """The likeliest character of every column, repeats and blanks taken out (CTC, Graves et al. 2006).

    A column that would be blank is a space from `SPACE` on: a gap between words is blank as well, and the
    model often takes it for nothing else.
    """
    characters = _characters()
    best = chances.argmax(axis=1)
    best[(best == 0) & (chances[:, len(characters)] >= SPACE)] = len(characters)
    first = np.concatenate(([True], best[1:] != best[:-1])) & (best != 0)
    letters = first & (best != len(characters))
    if not letters.any():
        return "", 0.0
    words = "".join(characters[n - 1] for n in best[first])
    return " ".join(words.split()), float(chances.max(axis=1)[letters].mean())


@functools.cache
def _characters() -> tuple[str, ...]:
    """What the recognition model's columns stand for, from the model file; the space comes last."""
    known = _session("Rec").get_modelmeta().custom_metadata_map["character"]
    return (*known.splitlines(), " ")


def _run(part: str, pixels: Floats) -> Floats:
    session = _session(part)
    (answer,) = session.run(None, {session.get_inputs()[0].name: pixels})
    return np.asarray(answer, np.float32)


@functools.cache
def _session(part: str) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    path = str(model_files()[part])
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
