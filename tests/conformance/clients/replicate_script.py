"""Drives the real Replicate client."""

from __future__ import annotations

import json
import sys
from typing import Any
from urllib.request import urlopen

import replicate
from replicate.exceptions import ModelError, ReplicateError


def run(prompt: str) -> Any:
    output = replicate.run("black-forest-labs/flux-schnell", input={"prompt": prompt, "num_outputs": 2})
    urls = [str(picture) for picture in output]
    return {"forms": [urlopen(url).read()[8:12].decode() for url in urls]}


def error(prompt: str) -> Any:
    try:
        replicate.run("black-forest-labs/flux-schnell", input={"prompt": prompt})
    except ModelError as problem:
        return {"error": "ModelError", "text": str(problem), "status": problem.prediction.status}
    except ReplicateError as problem:
        return {"error": "ReplicateError", "status": problem.status, "title": problem.title}
    return {}


def cancel(prompt: str) -> Any:
    made = replicate.predictions.create("fake-version", input={"prompt": prompt})
    made.cancel()
    made.reload()
    return {"status": made.status}


def lost(prompt: str) -> Any:
    try:
        replicate.predictions.create("fake-version", input={"prompt": prompt})
    except Exception as problem:
        return {"error": type(problem).__name__}
    return {}


if __name__ == "__main__":
    scenario, text = sys.argv[1:]
    sys.stdout.write(json.dumps(globals()[scenario](text)))
