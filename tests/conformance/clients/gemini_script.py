"""Drives the real Google Gen AI client."""

from __future__ import annotations

import io
import json
import sys
from typing import Any

from google import genai
from google.genai import errors, types
from PIL import Image

client = genai.Client()
MODEL = "gemini-2.5-flash-image"
CONFIG = types.GenerateContentConfig(
    response_modalities=["IMAGE"], image_config=types.ImageConfig(aspect_ratio="16:9")
)


def generate(prompt: str) -> Any:
    answer = client.models.generate_content(model=MODEL, contents=[prompt], config=CONFIG)
    candidate = (answer.candidates or [])[0]
    parts = (candidate.content.parts if candidate.content else None) or []
    data = [part.inline_data.data for part in parts if part.inline_data]
    return {
        "sizes": [list(Image.open(io.BytesIO(item or b"")).size) for item in data],
        "reason": candidate.finish_reason.name if candidate.finish_reason else None,
        "version": answer.model_version,
    }


def error(prompt: str) -> Any:
    try:
        client.models.generate_content(model=MODEL, contents=[prompt], config=CONFIG)
    except errors.APIError as problem:
        return {"code": problem.code, "status": problem.status}
    return {}


def lost(prompt: str) -> Any:
    try:
        client.models.generate_content(model=MODEL, contents=[prompt], config=CONFIG)
    except Exception as problem:
        return {"error": type(problem).__name__}
    return {}


if __name__ == "__main__":
    scenario, text = sys.argv[1:]
    sys.stdout.write(json.dumps(globals()[scenario](text)))
