"""Canonical JSON, digests and the recipes of every key.

Keys are recipes that must never drift: the same question asked next year must have the same id, or it is
paid for twice. `RECIPE` is part of every trial id; tests/test_ids.py pins its results.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

RECIPE = 1


def canonical(value: Any) -> bytes:
    """JSON with sorted keys, no spaces, UTF-8, no NaN: one text per value.

    >>> canonical({"b": 1, "a": "é"})
    b'{"a":"\\xc3\\xa9","b":1}'
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8")


def sha256(data: bytes) -> str:
    """Lower-case hex sha256."""
    return hashlib.sha256(data).hexdigest()


def digest(value: Any) -> str:
    """sha256 of the canonical JSON of `value`."""
    return sha256(canonical(value))


def trial_id(
    *,
    suite: str,
    case: str,
    task: str,
    prompt: str,
    aspect_ratio: str,
    source: str | None,
    mask: str | None,
    provider: str,
    model: str,
    params: Mapping[str, str],
    fingerprint: str,
    replicate: int,
) -> str:
    """The id of a trial: a hash of everything that is asked, and of nothing else.

    `source` and `mask` are digests of the bytes that are sent. `fingerprint` is what the provider says
    identifies its answer beyond the request (the drawing recipe of `studio`, the file's digest of
    `folder`, nothing for a remote API). Labels, tags, captions and expected texts are not asked and
    therefore not in it.
    """
    return digest(
        {
            "recipe": RECIPE,
            "case": [suite, case],
            "ask": {
                "task": task,
                "prompt": prompt,
                "aspect_ratio": aspect_ratio,
                "source": source,
                "mask": mask,
            },
            "system": {
                "provider": provider,
                "model": model,
                "params": dict(params),
                "fingerprint": fingerprint,
            },
            "replicate": replicate,
        }
    )


def score_key(
    *,
    image: str,
    subject: Mapping[str, Any],
    metric: str,
    version: str,
    config: Mapping[str, Any],
    weights: str | None,
) -> str:
    """The id of a score: image x what it is judged against x metric@version(config) x weights digest."""
    return digest(
        {
            "recipe": RECIPE,
            "image": image,
            "subject": dict(subject),
            "metric": [metric, version],
            "config": dict(config),
            "weights": weights,
        }
    )
