"""Masks: which pixels, which bytes, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from evalkit.ids import sha256
from evalkit.suite import MaskProblem, load_suite, resolve_mask, resolve_source
from evalkit.suite.maskpng import mask_png
from evalkit.suite.masks import mask_bits, shape_bits
from evalkit.types import Mask, Shape

sides = st.integers(1, 40)
units = st.integers(0, 64).map(lambda n: n / 64)
corner_lists = st.lists(st.tuples(units, units), min_size=3, max_size=8)


def opened(data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "L"
        return np.asarray(image)


@settings(max_examples=100, deadline=None)
@given(arrays(np.bool_, st.tuples(sides, st.integers(1, 700))))
def test_the_png_reads_back_as_the_mask(bits: np.ndarray[Any, np.dtype[np.bool_]]) -> None:
    assert np.array_equal(opened(mask_png(bits)), np.where(bits, 255, 0))


def test_the_bytes_of_a_mask_are_pinned() -> None:
    """They are part of trial ids: if this changes, every masked edit is paid for again."""
    mask = (Shape("ellipse", (0.1, 0.1, 0.6, 0.9)), Shape("polygon", (0.5, 0.5, 1.0, 0.5, 0.75, 0.9)))
    data = mask_png(shape_bits(mask, 64, 48))
    assert sha256(data) == "d60064f402c3a92adef06cbd01396bdf2162c2043563ae79dc7fbf9fe16421bc"


def inside(x: float, y: float, corners: list[tuple[float, float]]) -> bool:
    """The textbook even-odd test, one point at a time."""
    odd = False
    for (x0, y0), (x1, y1) in zip(corners, corners[1:] + corners[:1], strict=True):
        if (y0 <= y) != (y1 <= y) and x0 + (y - y0) * ((x1 - x0) / (y1 - y0)) <= x:
            odd = not odd
    return odd


@settings(max_examples=100, deadline=None)
@given(corner_lists, sides, sides)
def test_polygons_agree_with_the_textbook(
    corners: list[tuple[float, float]], width: int, height: int
) -> None:
    points = tuple(number for corner in corners for number in corner)
    bits = shape_bits((Shape("polygon", points),), width, height)
    for row in range(height):
        for column in range(width):
            centre = (column + 0.5) / width, (row + 0.5) / height
            assert bits[row, column] == inside(*centre, corners)


@pytest.mark.parametrize("size", [(64, 64), (301, 97)])
def test_shapes_agree_with_a_drawing_library(size: tuple[int, int]) -> None:
    """Within the pixels of the outline, drawn eight times finer."""
    width, height = size
    shapes = (Shape("ellipse", (0.05, 0.1, 0.7, 0.95)), Shape("polygon", (0.5, 0.1, 0.95, 0.5, 0.6, 0.9)))
    fine = Image.new("L", (width * 8, height * 8))
    draw = ImageDraw.Draw(fine)
    scale = np.tile([width * 8, height * 8], 3)
    draw.ellipse(list(shapes[0].points * scale[:4]), fill=255)
    draw.polygon(list(shapes[1].points * scale), fill=255)
    theirs = np.asarray(fine.resize(size, Image.Resampling.BOX)) >= 128
    assert np.mean(theirs != shape_bits(shapes, width, height)) < 0.005


def test_a_rectangle_covers_the_pixels_whose_centres_it_holds() -> None:
    bits = shape_bits((Shape("rect", (0.25, 0.5, 0.75, 1.0)),), 8, 4)
    assert bits.tolist() == [[False] * 8] * 2 + [[False] * 2 + [True] * 4 + [False] * 2] * 2


def test_invert_is_the_complement() -> None:
    shapes = (Shape("ellipse", (0.2, 0.2, 0.8, 0.8)),)
    plain = mask_bits(Path(), Mask(shapes), 30, 20)
    assert np.array_equal(mask_bits(Path(), Mask(shapes, invert=True), 30, 20), ~plain)


def test_the_mask_that_is_sent(folder: Any) -> None:
    folder.edit()
    suite = load_suite(folder.path)
    (case,) = suite.cases
    source = resolve_source(suite, case)
    mask = resolve_mask(suite, case, source)
    assert mask is not None
    assert (mask.width, mask.height, mask.sha256) == (40, 20, sha256(mask.data))
    pixels = opened(mask.data)
    assert pixels.shape == (20, 40)
    assert pixels[10, 20] == 255
    assert pixels[0, 0] == 0
    assert resolve_mask(suite, case, None) is None


def test_a_mask_file_is_sent_in_our_own_bytes(folder: Any) -> None:
    picture = Image.new("1", (40, 20))
    ImageDraw.Draw(picture).rectangle((10, 5, 29, 14), fill=1)
    picture.save(folder.path / "inputs" / "mask.png")
    folder.edit(mask="inputs/mask.png")
    by_file = load_suite(folder.path)
    folder.edit()
    by_shape = load_suite(folder.path)
    sent = [resolve_mask(s, s.cases[0], resolve_source(s, s.cases[0])) for s in (by_file, by_shape)]
    assert sent[0] == sent[1]
    assert by_file.digest != by_shape.digest


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("inputs/none.png", "is missing"),
        ("../outside.png", "outside"),
        ("inputs/large.png", "is 80 x 40, but the source is 40 x 20"),
        ("inputs/grey.png", "is not black and white"),
        ("inputs/red.png", "is not black and white"),
        ("inputs/black.png", "the mask is empty"),
        ("inputs/white.png", "covers the whole picture"),
        ("inputs/words.png", "not a picture"),
        ("inputs/torn.png", "broken"),
    ],
)
def test_what_is_no_mask(folder: Any, make_png: Callable[..., bytes], name: str, part: str) -> None:
    inputs = folder.path / "inputs"
    (inputs / "large.png").write_bytes(make_png(80, 40, 255, "L"))
    (inputs / "grey.png").write_bytes(make_png(40, 20, 128, "L"))
    (inputs / "red.png").write_bytes(make_png(40, 20, "red"))
    (inputs / "black.png").write_bytes(make_png(40, 20, 0, "L"))
    (inputs / "white.png").write_bytes(make_png(40, 20, 255, "L"))
    (inputs / "words.png").write_bytes(b"words")
    Image.effect_noise((40, 20), 80).save(inputs / "whole.png")
    (inputs / "torn.png").write_bytes((inputs / "whole.png").read_bytes()[:400])
    folder.edit(mask=name)
    problem = folder.problem()
    assert '"mask"' in problem
    assert part in problem


def test_soft_edges_are_cut_in_the_middle(folder: Any) -> None:
    pixels = np.zeros((20, 40), np.uint8)
    pixels[:, 20:] = 255
    pixels[3, 19], pixels[3, 20] = 120, 130
    Image.fromarray(pixels).save(folder.path / "inputs" / "soft.png")
    bits = mask_bits(folder.path, Mask(file="inputs/soft.png"), 40, 20)
    assert np.array_equal(bits, pixels >= 128)


def test_a_mask_problem_is_an_error_with_a_sentence() -> None:
    with pytest.raises(MaskProblem, match="no pixel of the 8 x 8 picture may change"):
        mask_bits(Path(), Mask(), 8, 8)
