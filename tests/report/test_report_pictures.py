from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from evalkit.errors import StorageError
from evalkit.report.pictures import Thumbnail, thumbnail


def encoded(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def shown(found: Thumbnail) -> np.ndarray:
    assert found.uri is not None
    head, code = found.uri.split(",")
    assert head == "data:image/jpeg;base64"
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB")).astype(int)


def test_long_side_is_320_and_small_pictures_stay_small() -> None:
    wide = thumbnail({"a": encoded(Image.new("RGB", (1024, 512), "teal"))}.__getitem__, "a")
    assert (wide.width, wide.height) == (320, 160)
    tiny = thumbnail({"a": encoded(Image.new("RGB", (40, 60), "teal"))}.__getitem__, "a")
    assert (tiny.width, tiny.height) == (40, 60)


def test_the_mask_is_outlined_and_nothing_else_changes() -> None:
    mask = Image.new("L", (400, 400), 0)
    ImageDraw.Draw(mask).rectangle((100, 100, 300, 300), fill=255)
    store = {"a": encoded(Image.new("RGB", (400, 400), (90, 120, 150))), "m": encoded(mask)}
    changed = np.abs(shown(thumbnail(store.__getitem__, "a", "m")) - shown(thumbnail(store.__getitem__, "a")))
    rows, columns = np.where(changed.max(axis=2) > 40)
    edges = np.minimum.reduce([abs(rows - 80), abs(rows - 240), abs(columns - 80), abs(columns - 240)])
    assert rows.size > 500
    assert edges.max() <= 10


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (KeyError("a"), "picture not in the store"),
        (StorageError("gone"), "picture not in the store"),
        (FileNotFoundError("a"), "picture not in the store"),
    ],
)
def test_a_missing_picture_is_told_not_raised(problem: Exception, said: str) -> None:
    def read(digest: str) -> bytes:
        raise problem

    assert thumbnail(read, "a") == Thumbnail(None, problem=said)


def test_broken_and_absent_pictures() -> None:
    assert thumbnail({"a": b"not a picture"}.__getitem__, "a").problem == "decode error"
    assert thumbnail({}.__getitem__, None).problem == "no picture"


def test_a_missing_mask_leaves_the_picture() -> None:
    store = {"a": encoded(Image.new("RGB", (50, 50), "teal"))}
    assert thumbnail(store.__getitem__, "a", "m") == thumbnail(store.__getitem__, "a")
