"""Studio files: the scene travels inside the PNG."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from evalkit.errors import InvalidInput
from evalkit.images import to_pil
from evalkit.studio import Drawn, NotUnderstood, encode, parse, read_scene, seed_of, studio_source

PROMPT = "a white card that says “Crème €4”, on a marble table"


def test_a_source_carries_its_scene_and_seed() -> None:
    data = studio_source(PROMPT)
    assert read_scene(data) == Drawn(parse(PROMPT), seed_of(PROMPT))
    assert to_pil(data).size == (768, 768)
    assert data == studio_source(PROMPT)


def test_seeds_are_the_same_in_every_process() -> None:
    assert seed_of("a red mug") == 279298634
    assert seed_of("a red mug") != seed_of("a red mug ")


def test_a_source_outside_the_language_is_refused() -> None:
    with pytest.raises(NotUnderstood, match="zebra"):
        studio_source("a zebra")


def _png(text: str | None) -> bytes:
    image = Image.new("RGB", (8, 8))
    buffer = io.BytesIO()
    if text is None:
        image.save(buffer, "PNG")
        return buffer.getvalue()
    from PIL import PngImagePlugin

    info = PngImagePlugin.PngInfo()
    info.add_itxt("evalkit-scene", text)
    image.save(buffer, "PNG", pnginfo=info)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"not a picture", "readable"),
        (_png(None), "not drawn by the studio"),
        (_png("{"), "broken"),
        (_png('{"scene": {"items": [{"is": "thing"}]}, "seed": 1}'), "scene"),
    ],
)
def test_other_pictures_have_no_scene(data: bytes, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_scene(data)


def test_encoding_keeps_the_pixels() -> None:
    image = Image.effect_noise((40, 30), 50).convert("RGB")
    assert to_pil(encode(image, Drawn(parse("a red mug"), 1))).tobytes() == image.tobytes()
