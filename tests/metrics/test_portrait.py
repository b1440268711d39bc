"""Faces counted and measured in pictures whose composition is known."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from facial import astronaut, astronaut_tile, empty, group, needs_faces, person, pixels
from PIL import Image
from skimage import data

from evalkit.errors import WeightsMissing
from evalkit.metrics.faces import Face
from evalkit.metrics.portrait import Portrait, eye_tilt, faces_asked
from evalkit.types import Case

LANDMARKS = ("portrait_face_height", "portrait_offset", "portrait_eye_tilt")


def asking(*checks) -> dict:
    return {"checks": checks}


@pytest.fixture
def look(make_subject):
    def score(image, *checks):
        (values,) = Portrait().score([make_subject(image, **asking(*checks))])
        assert set(values) == {output.name for output in Portrait.outputs}
        return values

    return score


def face(left_eye: tuple[float, float], right_eye: tuple[float, float]) -> Face:
    """A face whose eyes (as seen in the picture) lie at these places."""
    (lx, ly), (rx, ry) = left_eye, right_eye
    return Face((0, 0, 1, 1), 1, ((rx + 1, ry), (rx - 1, ry), (lx - 1, ly), (lx + 1, ly), (0, 0)))


# ------------------------------------------------------------------ how many


@needs_faces
@pytest.mark.parametrize("count", [1, 2, 3])
def test_faces_are_counted(look, count: int):
    people = [astronaut_tile(), person(2), person(8)][:count]
    values = look(group(*people), {"kind": "faces", "n": count})
    assert values["portrait_faces"].value == count
    assert values["portrait_faces_right"].value == 1
    assert values["portrait_faces_right"].flag is None


@needs_faces
def test_one_too_many_and_one_too_few(look):
    two = group(astronaut_tile(), person(2))
    many, few = (look(two, {"kind": "faces", "n": n})["portrait_faces_right"] for n in (1, 3))
    assert (many.value, many.flag) == (0, None)
    assert (few.value, few.flag) == (0, "unreliable")
    assert few.detail == "asked: 3, found: 2"


@needs_faces
def test_nobody_where_nobody_is_wanted(look):
    values = look(empty(), {"kind": "faces", "n": 0})
    assert values["portrait_faces"].value == 0
    assert values["portrait_faces_right"].value == 1
    assert {values[name].reason for name in LANDMARKS} == {"no_face"}


@needs_faces
def test_without_a_number_faces_are_only_counted(look):
    values = look(data.astronaut(), {"kind": "colour", "object": "suit", "colour": "orange"})
    assert values["portrait_faces"].value == 1
    assert values["portrait_faces_right"].reason == "not_asked"


@pytest.mark.parametrize(
    ("check", "asked"),
    [
        ({"kind": "faces", "n": 2}, 2),
        ({"kind": "faces", "count": 3}, 3),
        ({"kind": "faces"}, None),
        ({"kind": "faces", "n": True}, None),
        ({"kind": "faces", "n": "two"}, None),
        ({"kind": "count", "n": 2}, None),
    ],
)
def test_the_number_asked_for_is_part_of_the_key(check, asked):
    case = Case("c", "p", checks=(check,))
    assert faces_asked(case) == asked
    assert Portrait().against(case) == {"faces": asked}


# ------------------------------------------------------------------ how it is composed


@needs_faces
def test_height_and_place_follow_the_crop(look):
    """About 90 of 512 px high, as boxes come in steps of a fifth; 33 px off the middle."""
    whole = look(data.astronaut())
    assert whole["portrait_face_height"].value == pytest.approx(90 / 512, rel=0.2)
    assert whole["portrait_offset"].value == pytest.approx(33 / 512, abs=0.01)
    cropped = look(data.astronaut()[:300, 73:373])
    assert cropped["portrait_face_height"].value == pytest.approx(90 / 300, rel=0.2)
    assert cropped["portrait_offset"].value == pytest.approx(0, abs=0.02)


@needs_faces
@pytest.mark.parametrize("turn", [-12, -6, 6, 12])
def test_the_eye_line_turns_with_the_picture(look, turn: int):
    """Pillow turns counterclockwise; the astronaut's own eyes are about 2 degrees off level."""
    own = float(look(data.astronaut())["portrait_eye_tilt"].value)
    value = look(pixels(astronaut().rotate(turn, Image.Resampling.BICUBIC)))["portrait_eye_tilt"]
    signed = value.value * (1 if value.detail.endswith(" clockwise") else -1)
    assert signed == pytest.approx(own - turn, abs=3)


@pytest.mark.parametrize(
    ("left", "right", "degrees"),
    [((10, 50), (90, 50), 0), ((10, 10), (90, 90), 45), ((10, 90), (90, 10), -45), ((50, 10), (50, 90), 90)],
)
def test_tilt_by_hand(left, right, degrees):
    assert eye_tilt(face(left, right)) == pytest.approx(degrees)


def test_eyes_on_one_spot_have_no_tilt():
    spot = Face((0, 0, 1, 1), 1, ((5, 5),) * 5)
    assert eye_tilt(spot) == 0


# ------------------------------------------------------------------ bad pictures


@needs_faces
@pytest.mark.parametrize("size", [(1, 1), (2, 2000), (2000, 2), (20, 20)])
def test_pictures_too_small_for_a_face(look, size):
    assert {value.reason for value in look(np.zeros((*size, 3), np.uint8)).values()} == {"too_small"}


@needs_faces
def test_values_stay_within_their_bounds(look):
    close = data.astronaut()[90:165, 185:260]
    for image in (data.astronaut(), close, group(astronaut_tile(), person(2)), empty(40, 40)):
        values = look(image, {"kind": "faces", "n": 1})
        for output in Portrait.outputs:
            value = values[output.name].value
            if value is not None:
                assert output.low <= value
                assert output.high is None or value <= output.high


@needs_faces
def test_a_broken_picture_has_its_reason(make_subject):
    (values,) = Portrait().score([make_subject(None)])
    assert {value.reason for value in values.values()} == {"decode_error"}


def test_without_the_library_the_weights_are_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(WeightsMissing):
        Portrait().weights_digest()
