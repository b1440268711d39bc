"""Is the text in the picture the text that was asked for? Read by RapidOCR, compared letter by letter.

The reader's models come inside its wheel, so nothing is ever fetched. It is not a language model and does
not correct spelling. It makes mistakes of its own: docs/metrics.md says how many, and `ocr_confidence` is
reported beside every score. Finding no text where text was expected is a score (recall 0), not a NULL.
"""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evalkit.errors import WeightsMissing
from evalkit.metrics import text
from evalkit.metrics.base import RGB, Metric, Need, Output, Subject
from evalkit.types import Case, Json, Value
from evalkit.weights.digests import digest_of_files

MAX_SIDE = 736
"""Text is looked for in a copy whose long side is at most this, and read from the picture itself. The
detector misses small text in larger copies: on drawn text 736 found most, at half the cost of 1024."""

BOX_THRESHOLD = 0.4
"""How sure the detector must be of a box: 0.5 loses small print, 0.3 finds letters in textures."""

_MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
}
_THINNEST = 50
_NEEDS: frozenset[Need] = frozenset({"expected_text"})


@dataclass(frozen=True, slots=True)
class Line:
    """One piece of text as it was read; the box is left, top, right, bottom in pixels."""

    text: str
    confidence: float
    box: tuple[float, float, float, float]


class Ocr(Metric):
    """Exactness, character error rate and word precision, recall and F1 of the text in a picture."""

    name = "ocr"
    version = "1"
    summary = "Expected text, read back by OCR"
    outputs = (
        Output("ocr_exact", "Text exact", "higher", "", 0, 1, _NEEDS),
        Output("ocr_exact_lenient", "Text exact but for case and punctuation", "higher", "", 0, 1, _NEEDS),
        Output("ocr_cer", "Character errors (lenient)", "lower", "", 0, None, _NEEDS),
        Output("ocr_cer_strict", "Character errors (strict)", "lower", "", 0, None, _NEEDS),
        Output("ocr_cer_nospace", "Character errors (lenient, spaces ignored)", "lower", "", 0, None, _NEEDS),
        Output("ocr_word_precision", "Words read that were asked for", "higher", "", 0, 1, _NEEDS),
        Output("ocr_word_recall", "Words asked for that were read", "higher", "", 0, 1, _NEEDS),
        Output("ocr_word_f1", "Words right (F1)", "higher", "", 0, 1, _NEEDS, headline=True),
        Output("ocr_confidence", "Reader's confidence", "neither", "", 0, 1, _NEEDS),
    )

    @property
    def config(self) -> Mapping[str, Json]:
        """The reader's version is part of it: boxes and orientation are decided in its code."""
        return {
            **self.options,
            "rapidocr": version("rapidocr"),
            "max_side": MAX_SIDE,
            "box_threshold": BOX_THRESHOLD,
        }

    def weights_digest(self) -> str | None:
        """sha256 over the three models in the wheel. Raises `WeightsMissing`."""
        return digest_of_files(list(_model_files().values()))

    def against(self, case: Case) -> Mapping[str, Any]:
        """The expected text."""
        return {"expected_text": list(case.expected_text)}

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject. Raises `WeightsMissing` if the reader's models are gone."""
        return [self._score(subject) for subject in subjects]

    def _score(self, subject: Subject) -> Mapping[str, Value]:
        if subject.image is None:
            return self.missing(subject.image_problem or "decode_error")
        expected = "\n".join(subject.case.expected_text)
        if not expected.strip():
            return self.missing("no_text_expected")
        if not can_read(expected):
            return self.missing("script_not_read")
        if max(subject.image.shape[:2]) > _THINNEST * min(subject.image.shape[:2]):
            return self.missing("extreme_aspect")
        return judge(expected, read(subject.image))


def can_read(expected: str) -> bool:
    """False if a letter or digit of the text is not in the reader's alphabet: any score would be too low."""
    foreign = {char for char in text.strict(expected) if not char.isascii() and char.isalnum()}
    return not foreign or foreign <= _alphabet()


def read(image: RGB) -> list[Line]:
    """Every line of text in the picture, in reading order."""
    result = _reader()(np.ascontiguousarray(image[:, :, ::-1]))
    if result.boxes is None or result.txts is None:
        return []
    found = zip(result.txts, result.scores, result.boxes, strict=True)
    return in_reading_order([Line(words, float(sure), _extent(box)) for words, sure, box in found])


def in_reading_order(lines: Sequence[Line]) -> list[Line]:
    """Rows from top to bottom, each from left to right.

    A line belongs to a row if it overlaps it by at least half of the lower of the two heights.
    """
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda one: (one.box[1] + one.box[3], one.box[0])):
        row = next((row for row in rows if _overlap(row[0], line) >= 0.5), None)
        if row is None:
            rows.append([line])
        else:
            row.append(line)
    return [line for row in rows for line in sorted(row, key=lambda one: one.box[0])]


def judge(expected: str, lines: Sequence[Line]) -> dict[str, Value]:
    """Every output for the lines that were read. `expected` holds at least one visible character."""
    whole = " ".join(line.text for line in lines)
    wanted, got = text.strict(expected), text.strict(whole)
    plain_wanted, plain_got = text.lenient(expected), text.lenient(whole, expected)
    words = text.match_words(plain_wanted, plain_got)
    joined_wanted, joined_got = text.nospace(plain_wanted), text.nospace(plain_got)
    return {
        "ocr_exact": Value(float(wanted == got)),
        "ocr_cer_strict": _or(text.error_rate(wanted, got), "only_punctuation"),
        "ocr_exact_lenient": _or(_same(plain_wanted, plain_got), "only_punctuation"),
        "ocr_cer": _or(text.error_rate(plain_wanted, plain_got), "only_punctuation"),
        "ocr_cer_nospace": _or(text.error_rate(joined_wanted, joined_got), "only_punctuation"),
        "ocr_word_recall": _or(words.recall, "only_punctuation"),
        "ocr_word_precision": _or(words.precision, "no_text_found"),
        "ocr_word_f1": _or(words.f1, "only_punctuation"),
        "ocr_confidence": _or(_mean_confidence(lines), "no_text_found"),
    }


def _same(wanted: str, got: str) -> float | None:
    return float(wanted == got) if wanted else None


def _mean_confidence(lines: Sequence[Line]) -> float | None:
    return sum(line.confidence for line in lines) / len(lines) if lines else None


def _or(value: float | None, reason: str) -> Value:
    return Value(value, None if value is not None else reason)


def _extent(box: NDArray[np.float32]) -> tuple[float, float, float, float]:
    left, top = box.min(axis=0)
    right, bottom = box.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _overlap(a: Line, b: Line) -> float:
    """Shared height over the lower of the two heights."""
    shared = min(a.box[3], b.box[3]) - max(a.box[1], b.box[1])
    return shared / max(min(a.box[3] - a.box[1], b.box[3] - b.box[1]), 1e-6)


@functools.cache
def _reader() -> Any:
    """RapidOCR on one thread; explicit model paths keep it from ever asking the network."""
    from rapidocr import RapidOCR

    one_thread = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    paths = {f"{part}.model_path": str(path) for part, path in _model_files().items()}
    limits = {"Det.limit_type": "max", "Det.limit_side_len": MAX_SIDE, "Det.box_thresh": BOX_THRESHOLD}
    return RapidOCR(params={"Global.log_level": "error", **one_thread, **paths, **limits})


@functools.cache
def _alphabet() -> frozenset[str]:
    """The characters the recognition model can give, from the model file itself."""
    onnxruntime = importlib.import_module("onnxruntime")
    session = onnxruntime.InferenceSession(_model_files()["Rec"], providers=["CPUExecutionProvider"])
    return frozenset(session.get_modelmeta().custom_metadata_map["character"].splitlines())


@functools.cache
def _model_files() -> Mapping[str, Path]:
    found = importlib.util.find_spec("rapidocr")
    folder = Path(found.origin).parent / "models" if found and found.origin else Path("rapidocr")
    paths = {part: folder / name for part, name in _MODELS.items()}
    gone = [path.name for path in paths.values() if not path.is_file()]
    if gone:
        hint = 'They come with the wheel: pip install --force-reinstall "rapidocr>=3.10,<4"'
        raise WeightsMissing(f"RapidOCR's models are missing: {', '.join(gone)}", hint)
    return paths
