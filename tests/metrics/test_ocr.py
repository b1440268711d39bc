"""The metric: what it says about a picture, and when it says nothing."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from drawn_text import pixels, sheet
from PIL import Image, ImageDraw, ImageFont

from evalkit.errors import UnknownName, WeightsMissing
from evalkit.metrics import ocr
from evalkit.metrics.base import RGB
from evalkit.metrics.ocr import Ocr, Second, evidence, is_doubtful, judge
from evalkit.metrics.reading import reader, tesseract
from evalkit.metrics.reading.ceiling import ceiling, typeset
from evalkit.metrics.reading.layout import Line
from evalkit.metrics.reading.looks import Reading, read


def poster(*lines: str, side: int = 512, size: int = 40) -> RGB:
    image = Image.new("RGB", (side, side), (236, 232, 220))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=size)
    for row, line in enumerate(lines):
        draw.text((side // 10, side // 6 + row * 2 * size), line, font=font, fill=(30, 30, 70))
    return np.asarray(image)


def line(text: str, confidence: float = 1.0, row: int = 0, other: str = "") -> Line:
    top = 40.0 * row
    corners = [(0, top), (200, top), (200, top + 30), (0, top + 30)]
    return Line(text, confidence, np.asarray(corners, np.float32), other)


def score(make_subject, image: RGB | None, *expected: str, metric: Ocr | None = None):
    (values,) = (metric or Ocr()).score([make_subject(image, expected_text=expected)])
    return {name: value.value for name, value in values.items()}, {
        n: v.reason for n, v in values.items() if v.reason
    }


def judged(expected: tuple[str, ...], *lines: Line):
    return {name: value.value for name, value in judge(expected, Reading(lines)).items()}


def test_a_right_poster_is_exact(make_subject):
    values, reasons = score(
        make_subject, poster("GRAND OPENING", "Open daily 9:30"), "GRAND OPENING", "Open daily 9:30"
    )
    assert reasons == {"ocr_agree": "one_reader"}
    right = ("ocr_exact", "ocr_exact_lenient", "ocr_line_exact", "ocr_word_f1", "ocr_ceiling")
    assert [values[name] for name in right] == [1] * 5
    wrong = ("ocr_cer", "ocr_cer_strict", "ocr_cer_nospace", "ocr_line_cer", "ocr_wer", "ocr_extra")
    assert [values[name] for name in wrong] == [0] * 6
    assert values["ocr_confidence"] > 0.9


def test_typos_are_read_as_they_stand(make_subject):
    """The whole point: 'Freindly Coffe' must not be read as 'Friendly Coffee'."""
    values, _ = score(make_subject, poster("Freindly Coffe"), "Friendly Coffee")
    assert values["ocr_exact"] == values["ocr_exact_lenient"] == values["ocr_word_recall"] == 0
    assert values["ocr_cer"] == values["ocr_line_cer"] == pytest.approx(3 / 15)
    assert values["ocr_wer"] == 1
    assert values["ocr_extra"] == 0


def test_case_counts_only_in_strict(make_subject):
    values, _ = score(make_subject, poster("OPEN DAILY"), "Open daily")
    assert values["ocr_exact"] == 0
    assert values["ocr_exact_lenient"] == 1
    assert values["ocr_cer_strict"] == pytest.approx(8 / 10)


def test_no_text_is_a_score_not_a_null(make_subject):
    values, reasons = score(make_subject, poster(), "OPEN")
    assert values["ocr_word_recall"] == values["ocr_word_f1"] == values["ocr_exact"] == 0
    assert values["ocr_cer"] == values["ocr_cer_strict"] == values["ocr_wer"] == values["ocr_line_cer"] == 1
    nothing = ("ocr_word_precision", "ocr_confidence", "ocr_extra")
    assert reasons == {**dict.fromkeys(nothing, "no_text_found"), "ocr_agree": "one_reader"}


def test_reasons(make_subject):
    _, broken = score(make_subject, None, "OPEN")
    assert set(broken.values()) == {"decode_error"}
    _, nothing = score(make_subject, poster("OPEN"))
    assert set(nothing.values()) == {"no_text_expected"}
    _, strip = score(make_subject, np.zeros((1, 4000, 3), np.uint8), "OPEN")
    assert set(strip.values()) == {"extreme_aspect"}
    dots, only = score(make_subject, poster("HELLO"), "!!!")
    assert only["ocr_cer"] == only["ocr_word_f1"] == only["ocr_ceiling"] == "only_punctuation"
    assert dots["ocr_exact"] == 0


def test_a_script_the_reader_does_not_know_is_no_score_of_zero(make_subject):
    for word in ("Привет мир", "नमस्ते", "서울", "مرحبا"):
        _, reasons = score(make_subject, poster("HELLO"), word)
        assert set(reasons.values()) == {"script_not_read"}
    assert ocr.can_read("Größe, Crème brûlée, ¿Dónde?, 中文, すし, ΑΒΓ, 9:30 – £4.50!")


def test_lost_spaces_cost_only_where_spaces_count():
    values = judged(("grand opening",), line("grandopening"))
    assert values["ocr_cer_nospace"] == 0
    assert values["ocr_cer"] == pytest.approx(1 / 13)
    assert values["ocr_word_f1"] == 0


def test_a_line_that_nobody_asked_for_is_extra_and_a_misspelt_one_is_not():
    values = judged(("grand opening", "open daily"), line("grnd opening"), line("zq xv wk jj", row=1))
    assert values["ocr_extra"] == pytest.approx(4 / 6)
    assert judged(("grand opening",), line("grnd opning"))["ocr_extra"] == 0


def test_the_order_of_lines_matters_only_where_it_should():
    values = judged(("grand opening", "open daily"), line("open daily"), line("grand opening", row=1))
    assert values["ocr_line_cer"] == 0
    assert values["ocr_line_exact"] == values["ocr_word_f1"] == 1
    assert values["ocr_cer"] > 0.5
    assert values["ocr_wer"] == 1


def test_characters_are_words_where_nobody_writes_spaces():
    values = judged(("营业中",), line("营业中心"))
    assert values["ocr_word_recall"] == 1
    assert values["ocr_word_precision"] == pytest.approx(3 / 4)
    assert values["ocr_cer"] == pytest.approx(1 / 3)


def test_doubtful_readings_are_flagged_and_say_what_was_read():
    sure, unsure = Reading((line("OPEN"),)), Reading((line("OPEN", 0.6),))
    assert {v.flag for v in judge(("OPEN",), sure).values()} == {None}
    flagged = judge(("OPEN",), unsure)
    assert flagged["ocr_word_f1"].flag == flagged["ocr_cer"].flag == "unreliable"
    assert flagged["ocr_confidence"].flag is None
    assert flagged["ocr_word_f1"].detail == "read: OPEN"
    at_odds = Second("OPFN", 0.6, "")
    assert is_doubtful(sure, at_odds)
    assert not is_doubtful(sure, Second("OPEN", 1.0, ""))
    assert is_doubtful(Reading((), unread=True), Second())
    assert not is_doubtful(Reading(()), Second())


def test_the_evidence_names_what_was_not_kept_and_stays_short():
    found = Reading((line("9pm", other="wd6"), line("river", row=1)), ("arc",))
    assert evidence(found, Second("9prn river", 0.9, "")) == (
        "read: 9pm (or: wd6) / river; seen after looking again: arc; tesseract: 9prn river"
    )
    assert evidence(Reading(()), Second()) == "read: nothing"
    assert len(evidence(Reading(tuple(line("word " * 20, row=n) for n in range(40))), Second())) == 600


def test_the_ceiling_is_that_of_the_reader_on_a_faultless_picture():
    assert ceiling(("Grand Opening", "Open daily 9:30")) == 1
    assert ceiling(("营业中",)) is None
    assert typeset(("中",)) is None
    assert ceiling(("Ísbúðin Þórður", "Opið alla daga")) < 1
    before = ceiling.cache_info().hits
    ceiling(("Grand Opening", "Open daily 9:30"))
    assert ceiling.cache_info().hits == before + 1


def test_no_font_is_a_reason(make_subject):
    values, reasons = score(make_subject, poster("HELLO"), "营业中")
    assert reasons["ocr_ceiling"] == "no_font"
    assert values["ocr_word_recall"] == 0


def test_long_texts_are_broken_and_fit():
    image = typeset(("This boat is shorter than a hand and was found in the courtyard. " * 6,))
    assert image is not None
    assert (image[-20:] == image[-1, -1]).all()
    assert (image[:, -20:] == image[-1, -1]).all()


def test_weights_are_the_wheels_and_part_of_the_key(make_subject):
    metric = Ocr()
    digest = metric.weights_digest()
    assert digest is not None
    assert len(digest) == 64
    assert metric.config["rapidocr"]
    assert metric.config["ceiling_fonts"]
    assert metric.against(make_subject(None, expected_text=("A", "B")).case) == {"expected_text": ["A", "B"]}


def test_missing_models_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reader, "_MODELS", {"Det": "gone.onnx"})
    reader.model_files.cache_clear()
    try:
        with pytest.raises(WeightsMissing) as caught:
            Ocr().weights_digest()
        assert "pip install" in caught.value.hint
    finally:
        reader.model_files.cache_clear()


def test_an_unknown_second_reader_is_refused():
    with pytest.raises(UnknownName, match="second reader"):
        Ocr({"second": "tesserakt"})


def test_a_missing_second_reader_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    metric = Ocr({"second": "tesseract"})
    assert metric.config["tesseract"] == ""
    with pytest.raises(WeightsMissing) as caught:
        metric.weights_digest()
    assert "apt-get install tesseract-ocr" in caught.value.hint


@pytest.mark.skipif(shutil.which("tesseract") is None, reason="tesseract is not installed")
def test_two_readers_agree_on_plain_print_whatever_its_colours(make_subject):
    metric = Ocr({"second": "tesseract"})
    assert str(metric.config["tesseract"]).startswith("tesseract")
    light = poster("Fresh bread", "river museum")
    for image in (light, 255 - light):
        values, _ = score(make_subject, image, "Fresh bread", "river museum", metric=metric)
        assert values["ocr_agree"] == 1
    _, reasons = score(make_subject, pixels(sheet(300)), "OPEN", metric=metric)
    assert reasons["ocr_agree"] == "no_text_found"


def test_agreement_ignores_accents_and_spaces_and_fails_softly(monkeypatch: pytest.MonkeyPatch):
    lines = [line("Crème brûlée")]
    assert tesseract.agreement(lines, "Creme brulee") == tesseract.agreement(lines, "cremebrulee") == 1
    assert tesseract.agreement(lines, "xxxx") == 0
    assert not tesseract.can_read("9:30 中")
    monkeypatch.setattr(tesseract, "program", lambda: "/nowhere/tesseract")
    assert tesseract.second_reading(poster("OPEN"), lines) == ""
    assert tesseract.version("/nowhere/tesseract") == ""


def test_what_a_picture_says_does_not_depend_on_what_is_expected():
    """Only the number of letters goes in; the reading of a misspelt sign is the same for any text."""
    image = poster("Freindly Coffe")
    texts = [[line.text for line in read(image, letters=count).lines] for count in (0, 5, 14, 40)]
    assert texts == [["Freindly Coffe"]] * 4
