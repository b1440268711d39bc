"""Files as providers may deliver them, through every metric that works here: a right score or a reason."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageOps

from evalkit.errors import WeightsMissing
from evalkit.ids import sha256
from evalkit.images import ImageProblem, decode, read_header
from evalkit.metrics.base import Metric, Subject
from evalkit.metrics.registry import known, make
from evalkit.types import Case

CASE = Case(
    "c",
    "a cup of coffee on a table",
    task="edit",
    source_caption="a cup of coffee",
    target_caption="a cup of tea",
    expected_text=("OPEN",),
)


def photograph(mode: str = "RGB") -> Image.Image:
    from skimage import data

    return Image.fromarray(data.coffee()[::2, ::2]).convert(mode)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def sixteen_bits() -> bytes:
    grey = np.asarray(photograph("L")).astype(np.uint16) * 257
    return saved(Image.fromarray(grey))


def animated() -> bytes:
    first = photograph()
    return saved(first, "GIF", save_all=True, append_images=[ImageOps.invert(first)], duration=100)


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(photograph().transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)


GOOD: dict[str, Callable[[], bytes]] = {
    "plain": lambda: saved(photograph()),
    "palette": lambda: saved(photograph().quantize(256)),
    "alpha": lambda: saved(photograph("RGBA")),
    "grey, 16 bits": sixteen_bits,
    "CMYK": lambda: saved(photograph("CMYK"), "JPEG", quality=95),
    "animated": animated,
    "turned by EXIF": turned,
    "WebP": lambda: saved(photograph(), "WEBP", lossless=True),
}
BAD: dict[str, Callable[[], bytes]] = {
    "zero bytes": lambda: b"",
    "truncated": lambda: saved(photograph())[:5000],
    "an SVG called .png": lambda: b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"></svg>',
    "a page called .png": lambda: b"<!doctype html><html><body>502 Bad Gateway</body></html>",
    "a bomb": lambda: saved(Image.new("1", (20000, 20000))),
    "one pixel": lambda: saved(Image.new("RGB", (1, 1), "red")),
    "20,000 px wide": lambda: saved(Image.new("RGB", (20000, 3), "red")),
    "nothing but alpha": lambda: saved(Image.new("RGBA", (64, 64), (0, 0, 0, 0))),
}


@cache
def metrics() -> tuple[Metric, ...]:
    """Every metric whose model is here; the small model stands in where one has to be downloaded."""
    found = []
    for name, cls in known().items():
        option = next((key for key in ("model", "trunk") if key in cls.defaults), None)
        metric = make(name, {option: "mini"} if option and name != "dino" else None)
        try:
            metric.weights_digest()
        except WeightsMissing:
            continue
        found.append(metric)
    return tuple(found)


def subject(data: bytes) -> Subject:
    source = decode(GOOD["plain"]())
    mask = np.zeros(source.shape[:2], np.bool_)
    mask[60:120, 100:200] = True
    try:
        image, problem, header = decode(data), None, read_header(data)
    except ImageProblem as error:
        image, problem, header = None, error.reason, None
    return Subject(
        sha256(data),
        image,
        problem,
        CASE,
        "source",
        "mask",
        lambda: source,
        lambda: mask,
        header=header,
        asked={"output_format": "png"},
        category="portrait",
    )


def scored(data: bytes) -> dict[str, dict[str, object]]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return {metric.name: dict(metric.score([subject(data)])[0]) for metric in metrics()}


def test_enough_metrics_are_tried() -> None:
    assert {"clip", "delivery", "edit", "faults", "lpips", "ocr", "pixels"} <= {m.name for m in metrics()}
    assert sum(len(metric.outputs) for metric in metrics()) >= 60


@pytest.mark.parametrize("name", [*GOOD, *BAD])
def test_every_output_is_a_number_or_a_reason(name: str) -> None:
    for metric, values in scored((GOOD | BAD)[name]()).items():
        for output, value in values.items():
            assert (value.value is None) == bool(value.reason), (metric, output)
            assert value.value is None or np.isfinite(value.value), (metric, output)


@pytest.mark.parametrize("name", ["zero bytes", "truncated", "an SVG called .png", "a page called .png"])
def test_what_is_no_picture_has_one_reason(name: str) -> None:
    for values in scored(BAD[name]()).values():
        assert {value.reason for value in values.values()} == {"decode_error"}


def test_a_bomb_is_too_large() -> None:
    for values in scored(BAD["a bomb"]()).values():
        assert {value.reason for value in values.values()} == {"too_large"}


@pytest.mark.parametrize("name", ["alpha", "animated", "turned by EXIF", "WebP"])
def test_the_container_does_not_change_the_scores(name: str) -> None:
    """An animation is judged by its first frame, which a GIF has in 256 colours."""
    plain, other = scored(GOOD["plain"]())["pixels"], scored(GOOD[name]())["pixels"]
    if name == "animated":
        assert other["psnr_out"].value > 30
    else:
        assert {k: v.value for k, v in plain.items()} == {k: v.value for k, v in other.items()}


def test_16_bits_are_the_picture_of_8() -> None:
    assert np.array_equal(decode(sixteen_bits()), decode(saved(photograph("L"))))


def test_cmyk_and_palette_are_near_the_picture() -> None:
    plain = decode(GOOD["plain"]()).astype(int)
    for name, within in (("CMYK", 6), ("palette", 12)):
        assert np.abs(decode(GOOD[name]()) - plain).mean() < within
