"""Is the text in the picture the text that was asked for? Read letter by letter, compared in several ways.

The reader's models come inside RapidOCR's wheel, so nothing is ever fetched. It makes mistakes of its own:
`ocr_ceiling` and `ocr_confidence` stand beside every score, what was read is kept as the headline's detail,
and doubtful readings are flagged. Finding no text where text was expected is a score (recall 0), not a NULL.
How a picture is read is in `reading`, how texts are compared in `text` and `lines`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

from evalkit.errors import UnknownName, WeightsMissing
from evalkit.metrics.base import Metric, Need, Output, Subject, value_or
from evalkit.metrics.reading import reader, tesseract, text
from evalkit.metrics.reading.ceiling import ceiling
from evalkit.metrics.reading.layout import Line, joined
from evalkit.metrics.reading.lines import assign
from evalkit.metrics.reading.looks import SURE, Reading, read
from evalkit.studio import fonts
from evalkit.types import Case, Json, Value
from evalkit.weights.digests import digest_of_files

AGREED = 0.7
"""Below this agreement of two readers nobody knows what is written there."""

UNRELIABLE = "unreliable"

_THINNEST = 50
_LONGEST_DETAIL = 600
_READERS = ("none", "tesseract")
_NEEDS: frozenset[Need] = frozenset({"expected_text"})
_ABOUT_THE_READER = frozenset({"ocr_ceiling", "ocr_confidence", "ocr_agree"})


@dataclass(frozen=True, slots=True)
class Second:
    """What a second reader says: the text, and how far it agrees with the first (0 to 1) or why not."""

    text: str = ""
    agreement: float | None = None
    reason: str = "one_reader"


class Ocr(Metric):
    """Exactness, character and word errors, words found, text nobody asked for, and how far to trust them."""

    name = "ocr"
    version = "2"
    summary = "Expected text, read back by OCR"
    defaults = {"second": "none"}
    outputs = (
        Output("ocr_exact", "Text exact", "higher", "", 0, 1, _NEEDS),
        Output("ocr_exact_lenient", "Text exact but for case and punctuation", "higher", "", 0, 1, _NEEDS),
        Output("ocr_line_exact", "Lines exact but for case and punctuation", "higher", "", 0, 1, _NEEDS),
        Output("ocr_cer", "Character errors (lenient)", "lower", "", 0, None, _NEEDS),
        Output("ocr_cer_strict", "Character errors (strict)", "lower", "", 0, None, _NEEDS),
        Output("ocr_cer_nospace", "Character errors (lenient, spaces ignored)", "lower", "", 0, None, _NEEDS),
        Output("ocr_line_cer", "Character errors, lines in any order", "lower", "", 0, 1, _NEEDS),
        Output("ocr_wer", "Word errors", "lower", "", 0, None, _NEEDS),
        Output("ocr_word_precision", "Words read that were asked for", "higher", "", 0, 1, _NEEDS),
        Output("ocr_word_recall", "Words asked for that were read", "higher", "", 0, 1, _NEEDS),
        Output("ocr_word_f1", "Words right (F1)", "higher", "", 0, 1, _NEEDS, headline=True),
        Output("ocr_extra", "Words in lines nobody asked for", "lower", "", 0, 1, _NEEDS),
        Output("ocr_ceiling", "Words right in our own rendering (F1)", "neither", "", 0, 1, _NEEDS),
        Output("ocr_confidence", "Reader's confidence", "neither", "", 0, 1, _NEEDS),
        Output("ocr_agree", "Agreement of two readers", "neither", "", 0, 1, _NEEDS),
    )

    def __init__(self, options: Mapping[str, str] | None = None) -> None:
        super().__init__(options)
        if self.options["second"] not in _READERS:
            raise UnknownName("second reader", self.options["second"], _READERS)

    @property
    def config(self) -> Mapping[str, Json]:
        """The models' wheel, the fonts of the ceiling, and the second reader's version."""
        found = {**self.options, "rapidocr": version("rapidocr"), "ceiling_fonts": fonts.identity()}
        return {**found, "tesseract": _tesseract_version()} if self._has_second else found

    @property
    def _has_second(self) -> bool:
        return self.options["second"] != "none"

    def weights_digest(self) -> str | None:
        """sha256 over the three models in the wheel. Raises `WeightsMissing`, for a second reader as well."""
        if self._has_second:
            tesseract.program()
        return digest_of_files(list(reader.model_files().values()))

    def against(self, case: Case) -> Mapping[str, Any]:
        """The expected text."""
        return {"expected_text": list(case.expected_text)}

    def score(self, subjects: Sequence[Subject]) -> list[Mapping[str, Value]]:
        """One mapping per subject. Raises `WeightsMissing` if a reader is gone."""
        return [self._score(subject) for subject in subjects]

    def _score(self, subject: Subject) -> Mapping[str, Value]:
        if subject.image is None:
            return self.missing(subject.image_problem or "decode_error")
        expected = subject.case.expected_text
        whole = "\n".join(expected)
        if not whole.strip():
            return self.missing("no_text_expected")
        if not can_read(whole):
            return self.missing("script_not_read")
        if max(subject.image.shape[:2]) > _THINNEST * min(subject.image.shape[:2]):
            return self.missing("extreme_aspect")
        found = read(subject.image, letters=len(text.nospace(text.strict(whole))))
        second = Second()
        if self._has_second:
            second = ask_second(subject, found.lines)
        top = value_or(ceiling(expected), "no_font" if text.lenient(whole) else "only_punctuation")
        return {**judge(expected, found, second), "ocr_ceiling": top}


def can_read(expected: str) -> bool:
    """False if a letter or digit of the text is not in the reader's alphabet: any score would be too low."""
    foreign = {char for char in text.strict(expected) if not char.isascii() and char.isalnum()}
    return not foreign or foreign <= reader.alphabet()


def ask_second(subject: Subject, lines: Sequence[Line]) -> Second:
    """Tesseract's reading of the lines that were found, and how far it agrees."""
    if not lines or subject.image is None:
        return Second(reason="no_text_found")
    if not tesseract.can_read(joined(lines)):
        return Second(reason="script_not_read")
    other = tesseract.second_reading(subject.image, lines)
    return Second(other, tesseract.agreement(lines, other))


def judge(expected: Sequence[str], found: Reading, second: Second | None = None) -> dict[str, Value]:
    """Every output but `ocr_ceiling` for what was read. `expected` holds at least one visible character."""
    second = second or Second()
    values = {**_whole(expected, found.lines), **_by_line(expected, found.lines)}
    values["ocr_confidence"] = value_or(found.confidence, "no_text_found")
    values["ocr_agree"] = value_or(second.agreement, second.reason)
    values["ocr_word_f1"] = replace(values["ocr_word_f1"], detail=evidence(found, second))
    return _flagged(values) if is_doubtful(found, second) else values


def is_doubtful(found: Reading, second: Second) -> bool:
    """Whether a person should look: low confidence, readers at odds, or text that was seen and not read."""
    unsure = found.confidence is not None and found.confidence < SURE
    at_odds = second.agreement is not None and second.agreement < AGREED
    return unsure or at_odds or found.unread


def evidence(found: Reading, second: Second) -> str:
    """What was read, line by line, with the readings that were not kept; at most 600 characters."""
    said = " / ".join(f"{line.text} (or: {line.other})" if line.other else line.text for line in found.lines)
    parts = [f"read: {said or 'nothing'}"]
    parts += [f"seen after looking again: {', '.join(found.looks)}"] if found.looks else []
    parts += [f"tesseract: {second.text}"] if second.text else []
    whole = "; ".join(parts)
    return whole if len(whole) <= _LONGEST_DETAIL else whole[: _LONGEST_DETAIL - 1] + "…"


def _whole(expected: Sequence[str], lines: Sequence[Line]) -> dict[str, Value]:
    """Numbers that compare all that was read, in reading order, with all that was expected."""
    target, everything = "\n".join(expected), joined(lines)
    wanted, got = text.strict(target), text.strict(everything)
    plain_wanted, plain_got = text.lenient(target), text.lenient(everything, target)
    words = text.match_words(plain_wanted, plain_got)
    tight = text.error_rate(text.nospace(plain_wanted), text.nospace(plain_got))
    nothing = "only_punctuation"
    return {
        "ocr_exact": Value(float(wanted == got)),
        "ocr_exact_lenient": value_or(float(plain_wanted == plain_got) if plain_wanted else None, nothing),
        "ocr_cer": value_or(text.error_rate(plain_wanted, plain_got), nothing),
        "ocr_cer_strict": value_or(text.error_rate(wanted, got), nothing),
        "ocr_cer_nospace": value_or(tight, nothing),
        "ocr_wer": value_or(text.word_error_rate(plain_wanted, plain_got), nothing),
        "ocr_word_precision": value_or(words.precision, "no_text_found"),
        "ocr_word_recall": value_or(words.recall, nothing),
        "ocr_word_f1": value_or(words.f1, nothing),
    }


def _by_line(expected: Sequence[str], lines: Sequence[Line]) -> dict[str, Value]:
    """Numbers that do not depend on the order of lines."""
    target = "\n".join(expected)
    got = [text.lenient(line.text, target) for line in lines]
    matched = assign([text.lenient(line, target) for line in expected], got)
    counts = [len(text.words(line)) for line in got]
    extra = sum(counts[n] for n in matched.extra) / sum(counts) if sum(counts) else None
    return {
        "ocr_line_exact": value_or(matched.exact_share, "only_punctuation"),
        "ocr_line_cer": value_or(matched.error_rate, "only_punctuation"),
        "ocr_extra": value_or(extra, "no_text_found"),
    }


def _flagged(values: Mapping[str, Value]) -> dict[str, Value]:
    return {
        name: value if value.value is None or name in _ABOUT_THE_READER else replace(value, flag=UNRELIABLE)
        for name, value in values.items()
    }


def _tesseract_version() -> str:
    try:
        return tesseract.version(tesseract.program())
    except WeightsMissing:
        return ""
