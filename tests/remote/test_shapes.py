"""Aspect ratios as providers want them."""

import math
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from evalkit.errors import UsageError
from evalkit.remote.shapes import TOLERANCE, Shape, best_size, fit
from evalkit.remote.spec import Model, Pixels

AZURE = Model("MAI-Image-2.5", "t2i", pixels=Pixels(768, 1365, 1_048_576, 16))
FAL = Model("fal", "edit", ratios=("auto", "1:1", "4:3", "3:4", "16:9", "9:16", "3:2", "2:3"))
OPENAI = Model("gpt", "t2i", sizes={"1:1": "1024x1024", "3:2": "1536x1024", "2:3": "1024x1536"})


@pytest.mark.parametrize(
    ("ratio", "size"),
    [
        ("1:1", (1024, 1024)),
        ("5:4", (1120, 896)),
        ("4:3", (1152, 864)),
        ("3:2", (1248, 832)),
        ("16:9", (1360, 768)),
        ("4:5", (896, 1120)),
        ("3:4", (864, 1152)),
        ("2:3", (832, 1248)),
        ("9:16", (768, 1360)),
    ],
)
def test_sizes_for_azure_on_the_grid_of_16(ratio: str, size: tuple[int, int]) -> None:
    shape = fit(AZURE, ratio, degrade=False)
    assert shape == Shape(ratio, f"{size[0]}x{size[1]}", *size)


def test_a_shape_that_cannot_be_made_is_an_error_that_says_what_can() -> None:
    with pytest.raises(UsageError, match="cannot make 21:9") as caught:
        fit(AZURE, "21:9", degrade=False)
    assert "--allow-degrade asks for 16:9" in caught.value.hint
    with pytest.raises(UsageError, match="cannot make 5:4"):
        fit(FAL, "5:4", degrade=False)
    with pytest.raises(UsageError, match="cannot make 16:9"):
        fit(OPENAI, "16:9", degrade=False)


@pytest.mark.parametrize(
    ("model", "asked", "got"),
    [
        (AZURE, "21:9", "16:9"),
        (FAL, "21:9", "16:9"),
        (FAL, "9:21", "9:16"),
        (FAL, "5:4", "4:3"),
        (OPENAI, "16:9", "3:2"),
    ],
)
def test_the_nearest_is_asked_for_where_that_is_allowed(model: Model, asked: str, got: str) -> None:
    shape = fit(model, asked, degrade=True)
    assert shape.aspect_ratio == got
    assert shape.note == f"aspect ratio {asked} -> {got}"
    assert fit(model, got, degrade=False).size == shape.size


def test_degrading_changes_nothing_that_can_be_made() -> None:
    assert fit(FAL, "16:9", degrade=True) == Shape("16:9")
    assert fit(OPENAI, "3:2", degrade=True) == Shape("3:2", "1536x1024", 1536, 1024)


def test_equal_ratios_are_the_same() -> None:
    assert fit(FAL, "32:18", degrade=False) == Shape("16:9")


def test_without_a_list_the_model_decides() -> None:
    assert fit(Model("x", "t2i"), "16:9", degrade=False) == Shape("")


@pytest.mark.parametrize("ratio", ["auto", "", "16x9", "0:1", "1:0", "-1:2", "16:9:1", "1.5:1", "１:１"])
def test_what_is_no_ratio_is_an_error(ratio: str) -> None:
    for model in (AZURE, FAL, OPENAI, Model("x", "t2i")):
        with pytest.raises(UsageError, match="not an aspect ratio"):
            fit(model, ratio, degrade=True)


def test_auto_is_never_chosen() -> None:
    with pytest.raises(UsageError, match="no shape"):
        fit(Model("x", "t2i", ratios=("auto",)), "1:1", degrade=True)


RATIOS = st.builds(lambda a, b: f"{a}:{b}", st.integers(1, 30), st.integers(1, 30))
PIXELS = st.builds(
    lambda low, more, area, step: Pixels(low, low + more, max(area, low * low), step),
    st.integers(16, 900),
    st.integers(0, 900),
    st.integers(40_000, 1_500_000),
    st.sampled_from([1, 8, 16, 32, 64]),
)


@given(PIXELS, st.integers(1, 30), st.integers(1, 30))
def test_every_size_keeps_to_the_limits_and_to_the_ratio(pixels: Pixels, a: int, b: int) -> None:
    size = best_size(pixels, Fraction(a, b))
    assume(size is not None)
    width, height = size
    assert width % pixels.step == height % pixels.step == 0
    assert pixels.min_side <= min(size) <= max(size) <= pixels.max_side
    assert width * height <= pixels.max_area
    assert abs(math.log(width / height / (a / b))) <= TOLERANCE + 1e-12


@given(st.integers(1, 9), st.integers(1, 9), st.integers(4, 20), st.integers(4, 20), st.integers(8, 400))
def test_no_size_is_nearer_at_half_the_area_or_more(a: int, b: int, low: int, more: int, area: int) -> None:
    """Against all sizes of a small grid, one by one."""
    pixels, ratio = Pixels(low, low + more, max(area, low * low), 1), Fraction(a, b)
    sides = range(low, low + more + 1)
    every = [(w, h) for w in sides for h in sides if w * h <= pixels.max_area]
    fitting = [size for size in every if abs(math.log(Fraction(*size) / ratio)) <= TOLERANCE]
    roomy = [size for size in fitting if 2 * size[0] * size[1] >= max(w * h for w, h in fitting)]
    best = (
        min((abs(math.log(Fraction(*size) / ratio)), -size[0] * size[1]) for size in roomy) if roomy else None
    )
    found = best_size(pixels, ratio)
    assert (found is None) == (best is None)
    if found is not None:
        assert (abs(math.log(Fraction(*found) / ratio)), -found[0] * found[1]) == best


@given(st.sampled_from([AZURE, FAL, OPENAI]), RATIOS)
def test_with_degrade_there_is_always_a_shape(model: Model, ratio: str) -> None:
    shape = fit(model, ratio, degrade=True)
    assert shape.aspect_ratio not in ("", "auto")
    if shape.note:
        with pytest.raises(UsageError):
            fit(model, ratio, degrade=False)
    else:
        assert fit(model, ratio, degrade=False) == shape
