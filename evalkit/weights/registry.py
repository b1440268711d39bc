"""The model files evalkit knows: what each is for, where it comes from, how big it is and its digest.

Facts only, read from registry.toml; where a file lies on this machine is the store's business.
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Entry:
    """One model file. It has either a `url`, or a `repo` and `revision` on a Hugging Face hub.

    `sha256` is empty where the content is trusted on first use. `model` and `pretrained` are open_clip's
    names for it, if it is a CLIP.
    """

    name: str
    purpose: str
    file: str
    size: int
    licence: str
    sha256: str = ""
    url: str = ""
    repo: str = ""
    revision: str = "main"
    model: str = ""
    pretrained: str = ""

    @property
    def megabytes(self) -> int:
        """Size of the download, rounded to whole megabytes (10^6 bytes), at least 1."""
        return max(1, round(self.size / 1e6))

    @property
    def origin(self) -> str:
        """Where it comes from, for people to read."""
        return self.url or f"{self.repo} at {self.revision[:8]}"


@functools.cache
def entries() -> Mapping[str, Entry]:
    """Every entry by name."""
    text = Path(__file__).with_name("registry.toml").read_text(encoding="utf-8")
    return {name: Entry(name=name, **facts) for name, facts in tomllib.loads(text).items()}


def entry(name: str) -> Entry:
    """The entry called `name`. Raises `UnknownName`."""
    if name not in entries():
        raise UnknownName("model", name, entries())
    return entries()[name]


def clip_entry(model: str, pretrained: str = "") -> Entry:
    """The CLIP by open_clip's names; without `pretrained`, the first one of that architecture.

    Raises `UnknownName`, which lists the pairs that are known.
    """
    clips = [found for found in entries().values() if found.model]
    for found in clips:
        if found.model == model and pretrained in ("", found.pretrained):
            return found
    asked = model + (f":{pretrained}" if pretrained else "")
    raise UnknownName("CLIP", asked, [f"{found.model}:{found.pretrained}" for found in clips])
