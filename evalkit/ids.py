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


class Question:
    """A case as it is put to a model: all that a trial id is a hash of, but the replicate.

    `source` and `mask` are digests of the bytes that are sent. Labels, tags, captions and expected texts are
    not asked and therefore not in it. The fixed part is spelled out once, so that the ids of many replicates
    are cheap.
    """

    __slots__ = ("_head", "_tail")

    def __init__(
        self,
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
    ) -> None:
        ask = {"task": task, "prompt": prompt, "aspect_ratio": aspect_ratio, "source": source, "mask": mask}
        system = {"model": model, "params": dict(params), "provider": provider}
        self._head = b'{"ask":%b,"case":%b,"recipe":%d,"replicate":' % (
            canonical(ask),
            canonical([suite, case]),
            RECIPE,
        )
        self._tail = b"," + canonical(system)[1:] + b"}"

    def trial(self, replicate: int, fingerprint: str = "") -> str:
        """The id of one replicate. `fingerprint` is what the provider says identifies its answer beyond the
        request (the drawing recipe of `studio`, the file's digest of `folder`)."""
        known = b'%d,"system":{"fingerprint":%b' % (
            replicate,
            canonical(fingerprint) if fingerprint else b'""',
        )
        return sha256(self._head + known + self._tail)


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
