"""Filled templates against the forms that each provider's documentation shows."""

from __future__ import annotations

import io

import pytest
from askedbodies import MASK, Asked, asked_name
from PIL import Image
from test_catalog_bodies import JSON_BODIES

from evalkit.remote.catalog import specs

SQUARE = {"width": 1024, "height": 1024}

FORMS: list[tuple[Asked, str, dict[str, str], list[str]]] = [
    (
        Asked("azure", "MAI-Image-2.5", "edit"),
        "/images/edits",
        {"model": "MAI-Image-2.5", "prompt": "a red door"},
        ["image"],
    ),
    (
        Asked("azure", "MAI-Image-2.5", "edit", {"params": {"model": "my-deployment"}}),
        "/images/edits",
        {"model": "my-deployment", "prompt": "a red door"},
        ["image"],
    ),
    (
        Asked("openai", "gpt-image-2", "edit", {**SQUARE, "mask": MASK, "output_format": "png"}),
        "/images/edits",
        {
            "model": "gpt-image-2",
            "prompt": "a red door",
            "n": "1",
            "size": "1024x1024",
            "output_format": "png",
            "user": "trial-1",
        },
        ["image[]", "mask"],
    ),
    (
        Asked("local", "qwen-image-edit", "edit", {**SQUARE, "seed": 7}),
        "/images/edits",
        {
            "model": "qwen-image-edit",
            "prompt": "a red door",
            "n": "1",
            "size": "1024x1024",
            "seed": "7",
            "response_format": "b64_json",
        },
        ["image"],
    ),
    (
        Asked("stability", "core", "t2i", {"aspect_ratio": "16:9", "seed": 7, "output_format": "png"}),
        "/v2beta/stable-image/generate/core",
        {"prompt": "a red door", "aspect_ratio": "16:9", "seed": "7", "output_format": "png"},
        [],
    ),
    (
        Asked("stability", "sd3.5-large", "t2i", {"aspect_ratio": "1:1", "output_format": "png"}),
        "/v2beta/stable-image/generate/sd3",
        {
            "model": "sd3.5-large",
            "mode": "text-to-image",
            "prompt": "a red door",
            "aspect_ratio": "1:1",
            "output_format": "png",
        },
        [],
    ),
    (
        Asked("stability", "sd3.5-large", "edit", {"output_format": "png", "params": {"strength": 0.7}}),
        "/v2beta/stable-image/generate/sd3",
        {
            "model": "sd3.5-large",
            "mode": "image-to-image",
            "prompt": "a red door",
            "strength": "0.7",
            "output_format": "png",
        },
        ["image"],
    ),
    (
        Asked("stability", "inpaint", "edit", {"mask": MASK, "output_format": "png"}),
        "/v2beta/stable-image/edit/inpaint",
        {"prompt": "a red door", "output_format": "png"},
        ["image", "mask"],
    ),
    (
        Asked(
            "ideogram",
            "ideogram-v3-turbo",
            "t2i",
            {"width": 16, "height": 9, "seed": 7, "params": {"magic_prompt": "OFF"}},
        ),
        "/v1/ideogram-v3/generate",
        {
            "prompt": "a red door",
            "aspect_ratio": "16x9",
            "num_images": "1",
            "seed": "7",
            "rendering_speed": "TURBO",
            "magic_prompt": "OFF",
        },
        [],
    ),
    (
        Asked("ideogram", "ideogram-v3-default", "edit", {"width": 1, "height": 1}),
        "/v1/ideogram-v3/remix",
        {"prompt": "a red door", "aspect_ratio": "1x1", "num_images": "1", "rendering_speed": "DEFAULT"},
        ["image"],
    ),
    (
        Asked("ideogram", "ideogram-v4-quality", "t2i", {"width": 2048, "height": 2048}),
        "/v1/ideogram-v4/generate",
        {"text_prompt": "a red door", "resolution": "2048x2048", "rendering_speed": "QUALITY"},
        [],
    ),
]


@pytest.mark.parametrize(("asked", "path", "fields", "files"), FORMS, ids=asked_name)
def test_a_form(asked: Asked, path: str, fields: dict[str, str], files: list[str]) -> None:
    filled = asked.filled()
    assert filled.json is None
    assert dict(filled.fields) == fields
    assert [name for name, _ in filled.files] == files
    assert asked.path() == path


def test_every_provider_and_task_is_shown() -> None:
    shown = {(asked.provider, asked.task) for asked, *_ in (*JSON_BODIES, *FORMS)}
    offered = {(spec.name, task) for spec in specs().values() for task in spec.submit}
    assert offered == shown


def test_openai_masks_are_transparent_where_the_picture_may_change() -> None:
    files = dict(Asked("openai", "gpt-image-2", "edit", {"mask": MASK}).filled().files)
    with Image.open(io.BytesIO(files["mask"][1])) as mask:
        assert mask.getchannel("A").getextrema() == (0, 0)
