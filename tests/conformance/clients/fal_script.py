"""Drives the real fal client, in a process of its own because it reads its hosts when it is imported."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import fal_client
import fal_client.client

APP = "microsoft/mai-image-2.5"


def subscribe(prompt: str) -> Any:
    updates: list[str] = []
    result = fal_client.subscribe(
        APP,
        arguments={"prompt": prompt, "num_images": 2},
        with_logs=True,
        on_queue_update=lambda update: updates.append(type(update).__name__),
    )
    return {"updates": list(dict.fromkeys(updates)), "images": len(result["images"])}


def resume(prompt: str) -> Any:
    handle = fal_client.submit(APP, arguments={"prompt": prompt})
    again = fal_client.SyncRequestHandle.from_request_id(handle.client, APP, handle.request_id)
    return {"images": len(again.get()["images"])}


def error(prompt: str) -> Any:
    try:
        fal_client.subscribe(APP, arguments={"prompt": prompt})
    except fal_client.FalClientHTTPError as problem:
        return {"status": problem.status_code, "type": problem.error_type, "text": str(problem)}
    return {}


def cancel(prompt: str) -> Any:
    handle = fal_client.submit(APP, arguments={"prompt": prompt})
    waiting = type(handle.status()).__name__
    handle.cancel()
    ended = handle.status()
    return {"waiting": waiting, "ended": type(ended).__name__, "type": getattr(ended, "error_type", None)}


def lost(prompt: str) -> Any:
    time.sleep = lambda seconds: None
    try:
        fal_client.submit(APP, arguments={"prompt": prompt})
    except Exception as problem:
        return {"error": type(problem).__name__}
    return {}


def upload(prompt: str) -> Any:
    base = fal_client.client.QUEUE_URL_FORMAT.rstrip("/")
    fal_client.client.REST_URL = fal_client.client.CDN_URL = base
    return {"url": fal_client.upload(prompt.encode(), "image/png")}


if __name__ == "__main__":
    scenario, text = sys.argv[1:]
    sys.stdout.write(json.dumps(globals()[scenario](text)))
