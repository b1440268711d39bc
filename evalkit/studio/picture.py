"""Studio pictures as files: PNG with the scene inside, so that an edit knows what it is looking at."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass

from PIL import Image, PngImagePlugin, UnidentifiedImageError

from evalkit.errors import InvalidInput
from evalkit.ids import canonical, sha256
from evalkit.studio.drawing import draw
from evalkit.studio.grammar import parse
from evalkit.studio.scene import Scene, from_json, to_json

CHUNK = "evalkit-scene"
SOURCE_SIZE = 768
_PNG_LEVEL = 1


@dataclass(frozen=True, slots=True)
class Drawn:
    """What the text chunk of a studio picture says: the scene and the seed it was drawn with."""

    scene: Scene
    seed: int


def encode(image: Image.Image, drawn: Drawn) -> bytes:
    """The picture as PNG bytes with its scene in a text chunk. Lightly packed, for speed."""
    info = PngImagePlugin.PngInfo()
    text = canonical({"scene": to_json(drawn.scene), "seed": drawn.seed}).decode("utf-8")
    info.add_itxt(CHUNK, text)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", pnginfo=info, compress_level=_PNG_LEVEL)
    return buffer.getvalue()


def read_scene(data: bytes) -> Drawn:
    """The scene inside a studio picture. Raises `InvalidInput` if there is none."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if CHUNK not in image.info:
                image.load()
            text = image.info.get(CHUNK)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise InvalidInput(f"the source is not a readable picture: {error}") from error
    if not isinstance(text, str):
        raise InvalidInput(
            "the source picture was not drawn by the studio, so there is no scene to edit",
            "Give the case a source such as “studio:a red mug”, or use another provider for photographs.",
        )
    try:
        value = json.loads(text)
        return Drawn(from_json(value["scene"]), int(value["seed"]))
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"the scene inside the source picture is broken: {error}") from error


def seed_of(text: str) -> int:
    """A seed (0 to 2^32 - 1) that depends on the text only."""
    return int(sha256(text.encode("utf-8"))[:8], 16)


def studio_source(text: str) -> bytes:
    """The PNG of a suite source written `studio:<text>`: square, 768 px, the seed from the text.

    Raises `NotUnderstood` for a text outside the studio's language.
    """
    scene, seed = parse(text), seed_of(text)
    return encode(draw(scene, SOURCE_SIZE, SOURCE_SIZE, seed), Drawn(scene, seed))
