"""The CLIP checkpoints that open_clip knows by name, as model files that can be fetched.

`clip:MODEL:TAG` is a pair of open_clip's own table; `clip:hf-hub:OWNER/NAME` a repository that says itself
what its architecture is. Their content is trusted on first use. open_clip is imported only for a name that
has not been fetched before: what was fetched is written down beside the file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from evalkit.errors import UnknownName, UsageError
from evalkit.weights.places import weights_dir
from evalkit.weights.registry import Entry
from evalkit.weights.torchguard import import_open_clip

PREFIX = "clip:"
HUB = "hf-hub:"
CONFIG = "open_clip_config.json"
_PLAIN, _SAFE = "open_clip_pytorch_model.bin", "open_clip_model.safetensors"


def find(name: str) -> Entry:
    """The entry called `clip:...`. Raises `UnknownName` or `UsageError`."""
    asked = name.removeprefix(PREFIX)
    if asked.startswith(HUB):
        return hub_entry(asked)
    model, _, tag = asked.partition(":")
    return checkpoint(model, tag)


def checkpoint(model: str, tag: str) -> Entry:
    """open_clip's checkpoint `tag` of `model`. Raises `UnknownName`, or `UsageError` without a tag."""
    return _fetched(model, tag) or _known(model, tag)


def hub_entry(model: str) -> Entry:
    """`hf-hub:OWNER/NAME`: weights, and beside them the file that says what they are weights of."""
    repo = model.removeprefix(HUB)
    if repo.count("/") != 1 or repo.startswith("/") or repo.endswith("/"):
        raise UsageError(f"{model!r} names no repository", "Write hf-hub:OWNER/NAME")
    return _entry(model, "", repo, _PLAIN, (_SAFE,), (CONFIG,))


def pulled() -> Iterator[Entry]:
    """Every checkpoint of open_clip's that `pull` has fetched to this machine."""
    for path in sorted(weights_dir().glob("clip--*.lock.json")):
        record = _read(path)
        if "model" in record:
            yield _from_record(record)


def _fetched(model: str, tag: str) -> Entry | None:
    record = _read(weights_dir() / f"{_entry(model, tag, '', '').slug}.lock.json")
    return _from_record(record) if "model" in record else None


def _from_record(record: Mapping[str, Any]) -> Entry:
    beside = tuple(record.get("beside", ()))
    return _entry(record["model"], record["pretrained"], record["repo"], record["file"], (), beside)


def _read(path: Any) -> dict[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _known(model: str, tag: str) -> Entry:
    open_clip = import_open_clip()
    if model not in open_clip.list_models():
        raise UnknownName("open_clip architecture", model, open_clip.list_models())
    tags = open_clip.list_pretrained_tags_by_model(model)
    if not tag:
        offered = f"Name one: pretrained={', '.join(tags)}" if tags else "Give its file: pretrained=model.pt"
        raise UsageError(f"{model} has no default checkpoint", offered)
    about = open_clip.get_pretrained_cfg(model, tag) or {}
    repo, _, file = about.get("hf_hub", "").rpartition("/")
    if not repo:
        raise UnknownName(f"checkpoint of {model}", tag, tags)
    if file:
        return _entry(model, tag, repo, file, (file.rpartition(".")[0] + ".safetensors",))
    return _entry(model, tag, repo, _PLAIN, (_SAFE,))


def _entry(
    model: str,
    tag: str,
    repo: str,
    file: str,
    rather: tuple[str, ...] = (),
    beside: tuple[str, ...] = (),
) -> Entry:
    return Entry(
        name=PREFIX + (f"{model}:{tag}" if tag else model),
        purpose=f"clip[model={model}" + (f",pretrained={tag}]" if tag else "]"),
        file=file,
        size=0,
        licence=f"see the model card of {repo}",
        repo=repo,
        model=model,
        pretrained=tag,
        rather=rather,
        beside=beside,
    )
