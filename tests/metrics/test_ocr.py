from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from evalkit.metrics import ocr
from evalkit.metrics.base import RGB
from evalkit.metrics.ocr import Line, Ocr, in_reading_order, judge, read


def poster(*lines: str, side: int = 512, size: int = 40, angle: float = 0) -> RGB:
    image = Image.new("RGB", (side, side), (236, 232, 220))
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=size)
    for row, line in enumerate(lines):
        draw.text((side // 10, side // 6 + row * 2 * size), line, font=font, fill=(30, 30, 70))
    return np.asarray(image.rotate(angle, fillcolor=(236, 232, 220), resample=Image.Resampling.BICUBIC))


def score(make_subject, image: RGB | None, *expected: str):
    (values,) = Ocr().score([make_subject(image, expected_text=expected)])
    return {name: value.value for name, value in values.items()}, {
        n: v.reason for n, v in values.items() if v.reason
    }


def test_a_right_poster_is_exact(make_subject):
    values, reasons = score(
        make_subject, poster("GRAND OPENING", "Open daily 9:30"), "GRAND OPENING", "Open daily 9:30"
    )
    assert not reasons
    assert values["ocr_exact"] == values["ocr_exact_lenient"] == values["ocr_word_f1"] == 1
    assert values["ocr_cer"] == values["ocr_cer_strict"] == values["ocr_cer_nospace"] == 0
    assert values["ocr_confidence"] > 0.9


def test_typos_are_read_as_they_stand(make_subject):
    """The whole point: 'Freindly Coffe' must not be read as 'Friendly Coffee'."""
    values, _ = score(make_subject, poster("Freindly Coffe"), "Friendly Coffee")
    assert values["ocr_exact"] == values["ocr_exact_lenient"] == values["ocr_word_recall"] == 0
    assert values["ocr_cer"] == pytest.approx(3 / 15)


def test_case_counts_only_in_strict(make_subject):
    values, _ = score(make_subject, poster("OPEN DAILY"), "Open daily")
    assert values["ocr_exact"] == 0
    assert values["ocr_exact_lenient"] == 1
    assert values["ocr_cer_strict"] == pytest.approx(8 / 10)


def test_no_text_is_a_score_not_a_null(make_subject):
    values, reasons = score(make_subject, poster(), "OPEN")
    assert values["ocr_word_recall"] == values["ocr_word_f1"] == values["ocr_exact"] == 0
    assert values["ocr_cer"] == values["ocr_cer_strict"] == 1
    assert reasons == {"ocr_word_precision": "no_text_found", "ocr_confidence": "no_text_found"}


def test_reasons(make_subject):
    _, broken = score(make_subject, None, "OPEN")
    assert set(broken.values()) == {"decode_error"}
    _, nothing = score(make_subject, poster("OPEN"))
    assert set(nothing.values()) == {"no_text_expected"}
    _, strip = score(make_subject, np.zeros((1, 4000, 3), np.uint8), "OPEN")
    assert set(strip.values()) == {"extreme_aspect"}
    dots, only = score(make_subject, poster("HELLO"), "!!!")
    assert only["ocr_cer"] == only["ocr_word_f1"] == "only_punctuation"
    assert dots["ocr_exact"] == 0


def test_a_script_the_reader_does_not_know_is_no_score_of_zero(make_subject):
    for word in ("Привет мир", "नमस्ते", "서울", "مرحبا"):
        _, reasons = score(make_subject, poster("HELLO"), word)
        assert set(reasons.values()) == {"script_not_read"}
    assert ocr.can_read("Größe, Crème brûlée, ¿Dónde?, 中文, すし, ΑΒΓ, 9:30 – £4.50!")


@pytest.mark.parametrize(("size", "angle"), [(10, 0), (24, 6), (40, 90), (40, 180)])
def test_sizes_and_a_slight_tilt(size: int, angle: float):
    found = judge("river museum", read(poster("river museum", side=768, size=size, angle=angle)))
    assert found["ocr_word_recall"].value == 1


def test_reading_order_is_rows_then_columns():
    def line(text: str, left: float, top: float, height: float = 20) -> Line:
        return Line(text, 1.0, (left, top, left + 50, top + height))

    lines = [line("d", 80, 52), line("b", 100, 3), line("a", 10, 0), line("e", 0, 100), line("c", 5, 45, 30)]
    assert [one.text for one in in_reading_order(lines)] == ["a", "b", "c", "d", "e"]


def test_two_columns_are_read_across():
    image = Image.new("RGB", (640, 300), "white")
    draw = ImageDraw.Draw(image)
    font = ImageFont.load_default(size=36)
    for x, y, word in ((360, 62, "market"), (40, 60, "winter"), (40, 180, "river"), (360, 178, "stone")):
        draw.text((x, y), word, font=font, fill="black")
    assert [line.text for line in read(np.asarray(image))] == ["winter", "market", "river", "stone"]


def test_lost_spaces_cost_only_where_spaces_count():
    found = judge("grand opening", [Line("grandopening", 0.9, (0, 0, 1, 1))])
    assert found["ocr_cer_nospace"].value == 0
    assert found["ocr_cer"].value == pytest.approx(1 / 13)
    assert found["ocr_word_f1"].value == 0


def test_weights_are_the_wheels_and_part_of_the_key(make_subject):
    metric = Ocr()
    digest = metric.weights_digest()
    assert digest is not None
    assert len(digest) == 64
    assert metric.config["rapidocr"]
    assert metric.against(make_subject(None, expected_text=("A", "B")).case) == {"expected_text": ["A", "B"]}


def test_missing_models_say_how_to_get_them(monkeypatch: pytest.MonkeyPatch):
    from evalkit.errors import WeightsMissing

    monkeypatch.setattr(ocr, "_MODELS", {"Det": "gone.onnx"})
    ocr._model_files.cache_clear()
    try:
        with pytest.raises(WeightsMissing) as caught:
            Ocr().weights_digest()
        assert "pip install" in caught.value.hint
    finally:
        ocr._model_files.cache_clear()


def test_cost_of_one_picture():
    """Budget 0.5 CPU-s at 768 px; asserted loosely, because the machine that runs this may be busy."""
    image = poster("GRAND OPENING", "river museum", side=768)
    read(image)
    started = time.process_time()
    read(image)
    assert time.process_time() - started < 1.2
