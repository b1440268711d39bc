"""How to ask each fake provider for pictures with a bare HTTP client, and how to wait for them."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from PIL import Image

from evalkit.fakes import FakeServer

KEY_HEADERS: Mapping[str, tuple[str, str]] = {
    "fal": ("Authorization", "Key "),
    "each": ("X-API-Key", ""),
    "pixazo": ("Ocp-Apim-Subscription-Key", ""),
    "azure": ("api-key", ""),
    "openai": ("Authorization", "Bearer "),
    "gemini": ("x-goog-api-key", ""),
    "bfl": ("x-key", ""),
    "replicate": ("Authorization", "Bearer "),
    "stability": ("Authorization", "Bearer "),
    "ideogram": ("Api-Key", ""),
    "together": ("Authorization", "Bearer "),
    "openrouter": ("Authorization", "Bearer "),
}


def key(provider: str) -> dict[str, str]:
    if provider not in KEY_HEADERS:
        return {}
    name, before = KEY_HEADERS[provider]
    return {name: f"{before}SENTINEL-KEY-{provider}"}


def graph(prompt: str, n: int = 1) -> dict[str, Any]:
    return {
        "3": {
            "class_type": "KSampler",
            "inputs": {"seed": 7, "positive": ["6", 0], "latent_image": ["5", 0]},
        },
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "x.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 256, "height": 192, "batch_size": n}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": prompt}},
        "9": {"class_type": "SaveImage", "inputs": {"images": ["3", 0]}},
    }


def multipart(**fields: str) -> dict[str, Any]:
    return {"files": {name: (None, value) for name, value in fields.items()}}


def _json(**body: Any) -> dict[str, Any]:
    return {"json": body}


Body = Callable[[str, int], dict[str, Any]]
ASKS: Mapping[str, tuple[str, Body]] = {
    "fal": ("/microsoft/mai-image-2.5", lambda p, n: _json(prompt=p, num_images=n)),
    "each": (
        "/v1/prediction/",
        lambda p, n: _json(model="m", version="0.0.1", input={"prompt": p, "num_images": n}),
    ),
    "pixazo": (
        "/microsoft-mai-image-2-5/v1/microsoft-mai-image-2-5-request",
        lambda p, n: _json(prompt=p, num_images=n),
    ),
    "azure": ("/mai/v1/images/generations", lambda p, n: _json(model="d", prompt=p, width=1024, height=768)),
    "openai": ("/images/generations", lambda p, n: _json(model="gpt-image-2", prompt=p, n=n)),
    "local": (
        "/images/generations",
        lambda p, n: _json(model="x", prompt=p, n=n, response_format="b64_json"),
    ),
    "gemini": (
        "/v1beta/models/gemini-2.5-flash-image:generateContent",
        lambda p, n: _json(contents=[{"parts": [{"text": p}]}], generationConfig={}),
    ),
    "bfl": ("/v1/flux-2-pro", lambda p, n: _json(prompt=p, width=512, height=256, output_format="png")),
    "replicate": (
        "/v1/models/a/b/predictions",
        lambda p, n: _json(input={"prompt": p, "num_outputs": n, "output_format": "png"}),
    ),
    "stability": ("/v2beta/stable-image/generate/core", lambda p, n: multipart(prompt=p, seed="5")),
    "a1111": ("/sdapi/v1/txt2img", lambda p, n: _json(prompt=p, batch_size=n, seed=3, width=128, height=64)),
    "comfyui": ("/prompt", lambda p, n: _json(prompt=graph(p, n), client_id="c")),
    "ideogram": ("/v1/ideogram-v3/generate", lambda p, n: multipart(prompt=p, num_images=str(n), seed="4")),
    "together": (
        "/images/generations",
        lambda p, n: _json(model="x", prompt=p, n=n, width=64, height=64),
    ),
    "openrouter": ("/images", lambda p, n: _json(model="x", prompt=p, n=n)),
}
PROVIDERS = tuple(ASKS)
ONE_ONLY = ("azure", "gemini", "bfl", "stability")
SEVERAL = tuple(sorted(set(PROVIDERS) - set(ONE_ONLY)))
ASYNC = ("fal", "each", "pixazo", "bfl", "replicate", "comfyui")


@dataclass
class Talk:
    """A bare client that speaks to one fake server."""

    fakes: FakeServer
    http: httpx.Client

    def ask(self, provider: str, prompt: str, n: int = 1, /, **extra: Any) -> httpx.Response:
        """The request that submits; `extra` goes into a JSON body."""
        path, make = ASKS[provider]
        parts = make(prompt, n)
        if extra:
            parts["json"] |= extra
        return self.http.post(self.fakes.base(provider) + path, headers=key(provider), **parts)

    def poll(self, provider: str, accepted: httpx.Response) -> httpx.Response:
        """One look at the job."""
        body = accepted.json()
        base = self.fakes.base(provider)
        url = {
            "fal": lambda: body["status_url"],
            "each": lambda: f"{base}/v1/prediction/{body['predictionID']}",
            "pixazo": lambda: body["polling_url"],
            "bfl": lambda: body["polling_url"],
            "replicate": lambda: body["urls"]["get"],
            "comfyui": lambda: f"{base}/history/{body['prompt_id']}",
        }[provider]()
        return self.http.get(url, headers=key(provider))

    def last(self, provider: str, accepted: httpx.Response) -> httpx.Response:
        """The third look, which finds a job finished; for fal, its result."""
        for _ in range(3):
            answer = self.poll(provider, accepted)
        if provider != "fal":
            return answer
        return self.http.get(accepted.json()["response_url"], headers=key("fal"))

    def finish(self, provider: str, accepted: httpx.Response) -> list[bytes]:
        """The pictures' bytes, whatever it takes."""
        body = (self.last(provider, accepted) if provider in ASYNC else accepted).json()
        return [self.bytes_of(value) for value in values(provider, body, self.fakes.base(provider))]

    def bytes_of(self, value: str) -> bytes:
        if value.startswith("http"):
            return self.http.get(value).raise_for_status().content
        return base64.b64decode(value.partition(",")[2] if value.startswith("data:") else value)


def values(provider: str, body: Any, base: str) -> list[str]:
    """Where each provider puts its pictures: URLs or base64."""
    match provider:
        case "fal":
            return [image["url"] for image in body["images"]]
        case "each" | "replicate":
            return list(body["output"])
        case "pixazo":
            return list(body["output"]["media_url"])
        case "gemini":
            return [
                p["inlineData"]["data"]
                for p in body["candidates"][0]["content"]["parts"]
                if "inlineData" in p
            ]
        case "bfl":
            return [body["result"]["sample"]]
        case "stability":
            return [body["image"]]
        case "a1111":
            return list(body["images"])
        case "comfyui":
            (job,) = body.values()
            return [f"{base}/view?filename={image['filename']}" for image in job["outputs"]["9"]["images"]]
        case _:
            return [item.get("b64_json") or item["url"] for item in body["data"]]


def size(data: bytes) -> tuple[int, int]:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        return image.size


def png(width: int = 64, height: int = 64, mode: str = "RGB") -> bytes:
    out = io.BytesIO()
    Image.new(mode, (width, height), 90 if mode == "L" else (90, 120, 150)).save(out, "PNG")
    return out.getvalue()


def data_uri(data: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(data).decode()
