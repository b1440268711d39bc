"""The model files evalkit knows: what each is for, where it comes from, how big it is and its digest.

Facts only, read from registry.toml; where a file lies on this machine is the store's business. Names that
begin with `clip:` are looked up among those that open_clip knows (`evalkit.weights.openclip`).
"""

from __future__ import annotations

import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from evalkit.errors import UnknownName


@dataclass(frozen=True, slots=True)
class Entry:
    """One model file. It has either a `url`, or a `repo` and `revision` on a Hugging Face hub.

    `sha256` is empty where the content is trusted on first use, and `size` 0 where only the hub knows it.
    `model` and `pretrained` are open_clip's names for it, if it is a CLIP. `rather` lists other names of the
    file that are taken if the hub has them, the best first; `beside` files that must lie in the same folder.
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
    rather: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()

    @property
    def megabytes(self) -> int:
        """Size of the download, rounded to whole megabytes (10^6 bytes), at least 1; 0 if it is unknown."""
        return max(1, round(self.size / 1e6)) if self.size else 0

    @property
    def slug(self) -> str:
        """The name as it can be used for a file."""
        return self.name.replace(":", "--").replace("/", "--")

    @property
    def variants(self) -> tuple[Entry, ...]:
        """This entry under each name its file may have, the best first."""
        return *(replace(self, file=name, rather=()) for name in self.rather), replace(self, rather=())

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
    """The entry called `name`. Raises `UnknownName`, or `UsageError` for a name that says too little."""
    if name.startswith("clip:"):
        from evalkit.weights import openclip

        return openclip.find(name)
    if name not in entries():
        raise UnknownName("model", name, entries())
    return entries()[name]


def clip_entry(model: str, pretrained: str = "") -> Entry:
    """The CLIP by open_clip's names; without `pretrained`, the first one of that architecture.

    Raises `UnknownName` for what neither evalkit nor open_clip knows, `UsageError` where a tag is needed.
    """
    for found in entries().values():
        if found.model == model and pretrained in ("", found.pretrained):
            return found
    return entry(f"clip:{model}" + (f":{pretrained}" if pretrained else ""))
