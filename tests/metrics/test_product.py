"""Product pictures whose framing is known, because they are drawn here."""

from __future__ import annotations

import io
import time
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter
from skimage import data

from evalkit.images import decode
from evalkit.metrics.base import RGB
from evalkit.metrics.product import Product, border, framing, white_border
from evalkit.types import Value

pytestmark = pytest.mark.reference

SIZE = 600
BOX = (120, 180, 420, 480)
"""Of the subject: left, top, right, bottom of the 600 px."""

FILL = 0.25
OFFSET = float(np.hypot(30, 30) / np.hypot(SIZE, SIZE))
WHITE = {"checks": ({"kind": "background", "colour": "white"},)}
GEOMETRY = ("product_offset", "product_fill", "product_clipped", "product_background_spread")

Y, X = np.mgrid[-1 : 1 : SIZE * 1j, -1 : 1 : SIZE * 1j]


def plain(level: float = 255) -> RGB:
    return np.full((SIZE, SIZE, 3), level, np.uint8)


def surface(levels: np.ndarray) -> RGB:
    return np.clip(np.rint(levels), 0, 255).astype(np.uint8)[..., None].repeat(3, axis=2)


def with_thing(background: RGB, box=BOX, colour=(180, 40, 40), shape: str = "ellipse") -> RGB:
    image = Image.fromarray(background.copy())
    left, top, right, bottom = box
    getattr(ImageDraw.Draw(image), shape)((left, top, right - 1, bottom - 1), fill=colour)
    return np.asarray(image)


def with_shadow(background: RGB) -> RGB:
    """A soft shadow under and beside where the subject will stand."""
    shade = Image.new("L", (SIZE, SIZE), 0)
    ImageDraw.Draw(shade).ellipse((110, 440, 530, 520), fill=140)
    depth = np.asarray(shade.filter(ImageFilter.GaussianBlur(18)))[..., None] / 255
    return np.rint(background * (1 - 0.65 * depth)).astype(np.uint8)


def jpeg(image: RGB, quality: int) -> RGB:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return decode(file.getvalue())


def numbers(image: RGB) -> dict[str, float | None]:
    return {name: value.value for name, value in framing(image).items()}


NOISE = np.random.default_rng(2).normal(0, 9, (SIZE, SIZE))

SCENES: dict[str, Callable[[], RGB]] = {
    "white": lambda: with_thing(plain()),
    "black": lambda: with_thing(plain(0)),
    "grey on white": lambda: with_thing(plain(), colour=(200, 200, 200)),
    "nearly white on white": lambda: with_thing(plain(), colour=(236, 236, 236)),
    "jpeg of quality 40": lambda: jpeg(with_thing(plain()), 40),
    "noise": lambda: with_thing(surface(215 + NOISE)),
    "a ramp": lambda: with_thing(surface(150 + 60 * Y)),
    "darker corners": lambda: with_thing(surface(240 - 40 * (X * X + Y * Y))),
    "a spot of light": lambda: with_thing(surface(120 + 100 * np.exp(-(X * X + Y * Y) / 0.4))),
    "a soft shadow": lambda: with_thing(with_shadow(plain())),
    "a grey thing with a soft shadow": lambda: with_thing(with_shadow(plain()), colour=(150, 150, 150)),
}


@pytest.mark.parametrize("scene", SCENES)
def test_the_subject_is_found_where_it_was_drawn(scene: str):
    found = numbers(SCENES[scene]())
    assert found["product_offset"] == pytest.approx(OFFSET, abs=0.005)
    assert found["product_fill"] == pytest.approx(FILL, abs=0.015)
    assert found["product_clipped"] == 0


@pytest.mark.parametrize(
    ("box", "cut"),
    [((200, 400, 400, 700), 200), ((-100, 200, 100, 400), 200), ((150, -50, 250, 650), 200)],
)
@pytest.mark.parametrize("colour", [(180, 40, 40), (150, 150, 150)], ids=["red", "grey"])
def test_a_subject_that_is_cut_off(box, cut, colour):
    found = numbers(with_thing(plain(), box, colour, "rectangle"))
    assert found["product_clipped"] == pytest.approx(cut / (4 * SIZE), abs=0.006)


def test_several_things_are_one_subject():
    found = numbers(with_thing(with_thing(plain(), (60, 250, 200, 350)), (400, 250, 540, 350)))
    assert found["product_fill"] == pytest.approx(480 * 100 / SIZE**2, abs=0.01)
    assert found["product_offset"] == pytest.approx(0, abs=0.005)


def test_specks_are_no_subject():
    image = with_thing(plain())
    image = image.copy()
    image[20:25, 20:25] = image[590:594, 500:504] = 0
    assert numbers(image)["product_fill"] == pytest.approx(FILL, abs=0.01)


@pytest.mark.parametrize(
    "name", ["coffee", "chelsea", "rocket", "astronaut", "camera", "coins", "brick", "grass"]
)
def test_photographs_of_the_world_have_no_plain_background(name: str):
    image = getattr(data, name)()
    image = np.stack([image] * 3, axis=-1) if image.ndim == 2 else image
    assert {framing(image)[name] for name in GEOMETRY} == {Value(None, "no_plain_background")}


def test_wall_and_table_are_not_a_plain_background():
    room = np.where(Y[..., None] > 0.2, (140, 100, 70), (230, 230, 225)).astype(np.uint8)
    assert framing(with_thing(room))["product_offset"].reason == "no_plain_background"


def test_an_empty_background_has_no_subject_but_an_evenness():
    values = framing(plain())
    assert values["product_background_spread"].value == 0
    assert {values[name].reason for name in GEOMETRY[:3]} == {"no_subject"}


def test_unevenness_of_a_ramp_is_known():
    """From 150 - 60 to 150 + 60: 95 % of it lie within 57 levels of the middle."""
    assert numbers(surface(150 + 60 * Y))["product_background_spread"] == pytest.approx(57, abs=2)


def test_unevenness_leaves_the_subject_out():
    assert numbers(with_thing(plain(230), colour=(90, 90, 90)))["product_background_spread"] <= 1


def test_the_border_is_two_per_cent_wide():
    frame = border(100, 200)
    assert frame.sum() == 100 * 200 - 96 * 196
    assert border(1, 1).all()


def test_whiteness_counts_pixels_that_are_white_in_every_channel():
    image = plain(250)
    assert white_border(image) == 1
    image[:, : SIZE // 2, 2] = 249
    assert white_border(image) == pytest.approx(0.5)
    image[20:-20, 20:-20] = 255
    assert white_border(image) == pytest.approx(0.5)


def test_whiteness_is_a_score_only_where_white_was_asked_for(make_subject):
    image = with_thing(plain())
    grey = {"checks": ({"kind": "background", "colour": "grey"},)}
    subjects = [make_subject(image, **WHITE), make_subject(image), make_subject(image, **grey)]
    white = [values["product_white_border"] for values in Product().score(subjects)]
    assert white == [Value(1.0), Value(None, "not_asked"), Value(None, "not_asked")]


def test_a_changed_check_is_another_score(make_subject):
    metric = Product()
    assert metric.against(make_subject(plain(), **WHITE).case) != metric.against(make_subject(plain()).case)


@pytest.mark.parametrize("size", [(1, 1), (2, 2000), (31, 31), (2000, 2), (33, 3000), (40, 40)])
def test_every_output_is_a_number_or_a_reason(make_subject, size):
    rng = np.random.default_rng(0)
    for image in (np.zeros((*size, 3), np.uint8), rng.integers(0, 256, (*size, 3)).astype(np.uint8)):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            (values,) = Product().score([make_subject(image, **WHITE)])
        assert set(values) == {output.name for output in Product.outputs}
        for output in Product.outputs:
            value = values[output.name]
            assert (value.value is None) == bool(value.reason)
            if value.value is not None:
                assert output.low <= value.value <= output.high
        if min(size) < 32:
            assert {values[name].reason for name in GEOMETRY} == {"too_small"}


def test_a_broken_picture_has_its_reason(make_subject):
    (values,) = Product().score([make_subject(None)])
    assert {value.reason for value in values.values()} == {"decode_error"}


def test_it_is_cheap(make_subject):
    """About 0.1 CPU-s at 1024 px."""
    large = np.asarray(Image.fromarray(SCENES["a soft shadow"]()).resize((1024, 1024)))
    subject, metric = make_subject(large), Product()
    metric.score([subject])
    start = time.process_time()
    metric.score([subject])
    assert time.process_time() - start < 0.6
