"""Filled templates against the JSON requests that each provider's documentation shows."""

from __future__ import annotations

import pytest
from askedbodies import MASK, SOURCE_BASE64, URL, Asked, asked_name

from evalkit.remote.catalog import specs
from evalkit.types import Json

COMMON = {"n": 1, "aspect_ratio": "auto", "output_format": "png"}
SQUARE = {"width": 1024, "height": 1024}
FAL_SHOWN = {"prompt": "a red door", "num_images": 1, "aspect_ratio": "auto", "output_format": "png"}
FLUX = {"prompt": "a red door", "width": 1024, "height": 768, "seed": 42, "output_format": "jpeg"}
GEMINI_CONFIG = {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "16:9", "imageSize": "2K"}}
A1111_MODEL = {
    "override_settings": {"sd_model_checkpoint": "sd_xl_base_1.0"},
    "override_settings_restore_afterwards": False,
    "do_not_save_grid": True,
}

JSON_BODIES: list[tuple[Asked, str, Json]] = [
    (
        Asked("fal", "microsoft/mai-image-2.5", "t2i", COMMON),
        "/microsoft/mai-image-2.5",
        {**FAL_SHOWN},
    ),
    (
        Asked("fal", "microsoft/mai-image-2.5/edit", "edit", COMMON),
        "/microsoft/mai-image-2.5/edit",
        {**FAL_SHOWN, "image_urls": [URL]},
    ),
    (
        Asked("fal", "someone/model", "t2i", {"params": {"image_size": "square_hd", "steps": 4}}),
        "/someone/model",
        {"prompt": "a red door", "image_size": "square_hd", "steps": 4},
    ),
    (
        Asked("each", "microsoft-mai-image-2-5-image-to-image", "edit", COMMON),
        "/v1/prediction/",
        {
            "model": "microsoft-mai-image-2-5-image-to-image",
            "version": "0.0.1",
            "input": {
                "prompt": "a red door",
                "image_urls": [URL],
                "num_images": 1,
                "aspect_ratio": "auto",
                "output_format": "png",
            },
        },
    ),
    (
        Asked("each", "flux-dev", "t2i", {"params": {"width": 512}}, webhook="https://hooks.example/each"),
        "/v1/prediction/",
        {
            "model": "flux-dev",
            "version": "0.0.1",
            "webhook_url": "https://hooks.example/each",
            "input": {"prompt": "a red door", "width": 512},
        },
    ),
    (
        Asked("pixazo", "microsoft-mai-image-2-5", "t2i", COMMON),
        "/microsoft-mai-image-2-5/v1/microsoft-mai-image-2-5-request",
        {**FAL_SHOWN, "sync_mode": False},
    ),
    (
        Asked("pixazo", "microsoft-mai-image-2-5-edit", "edit", COMMON),
        "/microsoft-mai-image-2-5-edit/v1/microsoft-mai-image-2-5-edit-request",
        {**FAL_SHOWN, "image_urls": [URL], "sync_mode": False},
    ),
    (
        Asked("pixazo", "microsoft-mai-image-2-5-pro", "t2i", COMMON),
        "/microsoft-mai-image-2-5-pro/v1/text-to-image",
        {**FAL_SHOWN, "sync_mode": False},
    ),
    (
        Asked("pixazo", "microsoft-mai-image-2-5-pro", "edit", COMMON),
        "/microsoft-mai-image-2-5-pro/v1/image-to-image/editing",
        {**FAL_SHOWN, "image_urls": [URL], "sync_mode": False},
    ),
    (
        Asked("azure", "MAI-Image-2.5", "t2i", SQUARE),
        "/images/generations",
        {"model": "MAI-Image-2.5", "prompt": "a red door", "width": 1024, "height": 1024},
    ),
    (
        Asked("azure", "MAI-Image-2.5", "t2i", {**SQUARE, "params": {"model": "my-deployment"}}),
        "/images/generations",
        {"model": "my-deployment", "prompt": "a red door", "width": 1024, "height": 1024},
    ),
    (
        Asked("azure", "my-deployment", "t2i", SQUARE),
        "/images/generations",
        {"model": "my-deployment", "prompt": "a red door", "width": 1024, "height": 1024},
    ),
    (
        Asked(
            "openai",
            "gpt-image-2",
            "t2i",
            {**SQUARE, "n": 2, "output_format": "png", "params": {"quality": "low"}},
        ),
        "/images/generations",
        {
            "model": "gpt-image-2",
            "prompt": "a red door",
            "n": 2,
            "size": "1024x1024",
            "output_format": "png",
            "quality": "low",
            "user": "trial-1",
        },
    ),
    (
        Asked(
            "gemini", "gemini-3-pro-image", "t2i", {"aspect_ratio": "16:9", "params": {"image_size": "2K"}}
        ),
        "/v1beta/models/gemini-3-pro-image:generateContent",
        {
            "contents": [{"role": "user", "parts": [{"text": "a red door"}]}],
            "generationConfig": GEMINI_CONFIG,
        },
    ),
    (
        Asked("gemini", "gemini-2.5-flash-image", "edit", {"aspect_ratio": "1:1"}),
        "/v1beta/models/gemini-2.5-flash-image:generateContent",
        {
            "contents": [
                {
                    "role": "user",
                    "parts": [
                        {"text": "a red door"},
                        {"inlineData": {"mimeType": "image/png", "data": SOURCE_BASE64}},
                    ],
                }
            ],
            "generationConfig": {"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "1:1"}},
        },
    ),
    (
        Asked(
            "bfl", "flux-2-pro", "t2i", {"width": 1024, "height": 768, "seed": 42, "output_format": "jpeg"}
        ),
        "/v1/flux-2-pro",
        FLUX,
    ),
    (
        Asked(
            "bfl",
            "flux-2-pro",
            "edit",
            {
                "width": 1024,
                "height": 768,
                "seed": 42,
                "output_format": "jpeg",
                "params": {"safety_tolerance": 2},
            },
        ),
        "/v1/flux-2-pro",
        {**FLUX, "input_image": URL, "safety_tolerance": 2},
    ),
    (
        Asked("bfl", "flux-kontext-pro", "edit", {"aspect_ratio": "16:9", "seed": 7, "output_format": "png"}),
        "/v1/flux-kontext-pro",
        {
            "prompt": "a red door",
            "input_image": URL,
            "aspect_ratio": "16:9",
            "seed": 7,
            "output_format": "png",
        },
    ),
    (
        Asked(
            "replicate",
            "black-forest-labs/flux-schnell",
            "t2i",
            {"n": 2, "aspect_ratio": "1:1", "output_format": "png", "seed": 7, "params": {"go_fast": False}},
        ),
        "/v1/models/black-forest-labs/flux-schnell/predictions",
        {
            "input": {
                "prompt": "a red door",
                "num_outputs": 2,
                "aspect_ratio": "1:1",
                "output_format": "png",
                "seed": 7,
                "go_fast": False,
            }
        },
    ),
    (
        Asked("replicate", "qwen/qwen-image-2", "edit", {"params": {"match_input_image": True}}),
        "/v1/models/qwen/qwen-image-2/predictions",
        {"input": {"prompt": "a red door", "image": URL, "match_input_image": True}},
    ),
    (
        Asked("a1111", "sd_xl_base_1.0", "t2i", {**SQUARE, "seed": 7, "params": {"steps": 20}}),
        "/sdapi/v1/txt2img",
        {"prompt": "a red door", **SQUARE, "batch_size": 1, "seed": 7, "steps": 20, **A1111_MODEL},
    ),
    (
        Asked(
            "a1111",
            "sd_xl_base_1.0",
            "edit",
            {**SQUARE, "seed": 7, "mask": MASK, "params": {"strength": 0.6}},
        ),
        "/sdapi/v1/img2img",
        {
            "prompt": "a red door",
            "init_images": [URL],
            "mask": "data:image/png;base64,MASK",
            **SQUARE,
            "batch_size": 1,
            "seed": 7,
            "denoising_strength": 0.6,
            **A1111_MODEL,
        },
    ),
    (
        Asked("together", "black-forest-labs/FLUX.1-schnell", "t2i", {**SQUARE, "params": {"steps": 4}}),
        "/images/generations",
        {
            "model": "black-forest-labs/FLUX.1-schnell",
            "prompt": "a red door",
            "n": 1,
            **SQUARE,
            "steps": 4,
            "response_format": "base64",
        },
    ),
    (
        Asked("together", "black-forest-labs/FLUX.1-kontext-pro", "edit", {**SQUARE, "seed": 7}),
        "/images/generations",
        {
            "model": "black-forest-labs/FLUX.1-kontext-pro",
            "prompt": "a red door",
            "image_url": URL,
            "n": 1,
            "seed": 7,
            **SQUARE,
            "response_format": "base64",
        },
    ),
    (
        Asked("openrouter", "bytedance-seed/seedream-4.5", "t2i", {"aspect_ratio": "16:9"}),
        "/images",
        {"model": "bytedance-seed/seedream-4.5", "prompt": "a red door", "n": 1, "aspect_ratio": "16:9"},
    ),
    (
        Asked("openrouter", "microsoft/mai-image-2.6", "edit", {"aspect_ratio": "1:1"}),
        "/images",
        {
            "model": "microsoft/mai-image-2.6",
            "prompt": "a red door",
            "n": 1,
            "aspect_ratio": "1:1",
            "input_references": [{"type": "image_url", "image_url": {"url": URL}}],
        },
    ),
    (
        Asked("local", "flux-schnell", "t2i", {**SQUARE, "seed": 7, "params": {"num_inference_steps": 4}}),
        "/images/generations",
        {
            "model": "flux-schnell",
            "prompt": "a red door",
            "n": 1,
            "size": "1024x1024",
            "seed": 7,
            "response_format": "b64_json",
            "num_inference_steps": 4,
        },
    ),
]


@pytest.mark.parametrize(("asked", "path", "body"), JSON_BODIES, ids=asked_name)
def test_a_json_body(asked: Asked, path: str, body: Json) -> None:
    filled = asked.filled()
    assert filled.json == body
    assert not filled.fields
    assert not filled.files
    assert asked.path() == path


@pytest.mark.parametrize(
    ("asked", "key"),
    [
        (Asked("bfl", "flux-2-max", "t2i", webhook="https://h.example"), "webhook_url"),
        (Asked("each", "x", "t2i", webhook="https://h.example"), "webhook_url"),
        (Asked("replicate", "a/b", "t2i", webhook="https://h.example"), "webhook"),
    ],
    ids=asked_name,
)
def test_where_a_webhook_goes(asked: Asked, key: str) -> None:
    body = asked.filled().json
    assert isinstance(body, dict)
    assert body[key] == "https://h.example"


def test_webhooks_outside_the_body() -> None:
    assert specs()["fal"].webhook_query == "fal_webhook"
    assert specs()["pixazo"].webhook_header == "X-Webhook-URL"
