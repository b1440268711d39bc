"""Drives the real OpenAI client."""

from __future__ import annotations

import base64
import io
import json
import sys
from typing import Any

import openai
from PIL import Image


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), (200, 90, 40)).save(out, "PNG")
    return out.getvalue()


def generate(prompt: str) -> Any:
    answer = openai.OpenAI().images.generate(model="gpt-image-2", prompt=prompt, n=2, size="1024x1024")
    pictures = [base64.b64decode(item.b64_json or "") for item in answer.data or []]
    usage = answer.usage
    return {
        "sizes": [list(Image.open(io.BytesIO(data)).size) for data in pictures],
        "tokens": usage.output_tokens if usage else None,
        "request": answer._request_id,
    }


def azure(prompt: str) -> Any:
    answer = openai.AzureOpenAI().images.generate(model="my-deployment", prompt=prompt)
    return {"images": len(answer.data or [])}


def edit(prompt: str) -> Any:
    image = ("a.png", png(), "image/png")
    answer = openai.OpenAI().images.edit(model="gpt-image-2", prompt=prompt, image=[image, image])
    return {"images": len(answer.data or [])}


def error(prompt: str) -> Any:
    try:
        openai.OpenAI(max_retries=0).images.generate(model="gpt-image-2", prompt=prompt)
    except openai.APIStatusError as problem:
        return {"error": type(problem).__name__, "code": problem.code, "status": problem.status_code}
    return {}


def lost(prompt: str) -> Any:
    try:
        openai.OpenAI().images.generate(model="gpt-image-2", prompt=prompt)
    except openai.APIConnectionError as problem:
        return {"error": type(problem).__name__}
    return {}


if __name__ == "__main__":
    scenario, text = sys.argv[1:]
    sys.stdout.write(json.dumps(globals()[scenario](text)))
