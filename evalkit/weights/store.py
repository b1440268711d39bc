"""Where a model file lies on this machine, whether it is the right one, and how to get it.

`locate` and `digest` never touch the network and are what metrics call. `pull` fetches; it is only ever
called by `evalkit weights pull`. A file with a wrong digest is an error, never a score.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from evalkit.errors import InvalidInput, StorageError, WeightsMissing
from evalkit.progress import SILENT, Progress
from evalkit.store.disk import write_atomically
from evalkit.types import Json
from evalkit.weights import hub
from evalkit.weights.digests import digest_of_file, hash_file
from evalkit.weights.places import is_chosen, is_offline, torch_cache, weights_dir
from evalkit.weights.registry import Entry, entry

Trust = Literal["pinned", "first use", "unknown"]


@dataclass(frozen=True, slots=True)
class Verified:
    """A file whose every byte was read. `trust` says what its digest was compared with.

    `pinned`: the digest in the registry. `first use`: the one written down when it was pulled.
    `unknown`: nothing, because another program fetched it and no digest is published.
    """

    name: str
    path: Path
    sha256: str
    trust: Trust


def locate(name: str) -> Path:
    """The file of model `name`. Raises `WeightsMissing` with the command that fetches it."""
    wanted = entry(name)
    for place in (place for variant in wanted.variants for place in _places(variant)):
        if place.is_file() and all((place.parent / other).is_file() for other in wanted.beside):
            return place
    size = f" ({wanted.megabytes} MB)" if wanted.size else ""
    raise WeightsMissing(f"the model {name} is not on this machine{size}", f"evalkit weights pull {name}")


def digest(name: str) -> str:
    """sha256 of the file of model `name`; a large unchanged file is not read again.

    Raises `WeightsMissing` if it is not there, or not the file that is expected.
    """
    path = locate(name)
    found = digest_of_file(path)
    expected, _ = _expected(entry(name))
    if expected and found != expected:
        message = f"{path} is not {name}: its sha256 is {found[:12]}..., not {expected[:12]}..."
        raise WeightsMissing(message, f"Remove it, then: evalkit weights pull {name}")
    return found


def verify(name: str) -> Verified:
    """Read the whole file and compare. Raises `WeightsMissing`, or `InvalidInput` on a wrong digest."""
    path = locate(name)
    found = hash_file(path)
    expected, trust = _expected(entry(name))
    if expected and found != expected:
        hint = f"Remove it, then: evalkit weights pull {name}"
        raise InvalidInput(f"{path} is damaged or another file: sha256 {found}, not {expected}", hint)
    return Verified(name, path, found, trust)


def pull(name: str, progress: Progress = SILENT) -> Path:
    """Fetch the file of model `name` if it is not here, check it, and return its path.

    The size is told through `progress` before the first byte. Raises `WeightsMissing` when offline,
    `StorageError` when it does not fit, `InvalidInput` when what came is not what was published (the file
    is removed), `EvalkitError` when the server cannot be reached (the next call continues).
    """
    wanted = entry(name)
    try:
        digest(name)
    except WeightsMissing:
        _refuse_offline(wanted)
        wanted = _as_published(wanted)
        _refuse_if_too_big(wanted)
        progress.note(f"{name}: {wanted.megabytes} MB from {wanted.origin} ({wanted.licence})")
        for other in wanted.beside:
            _fetch(replace(wanted, file=other), progress)
        _accept(wanted, _fetch(wanted, progress))
    return locate(name)


def _places(wanted: Entry) -> Iterator[Path]:
    yield _own_place(wanted)
    if is_chosen():
        return
    if wanted.repo:
        found = hub.cached(wanted)
        if found is not None:
            yield found
    else:
        yield torch_cache() / wanted.file


def _own_place(wanted: Entry) -> Path:
    """Files of a hub repository have names like model.bin, so each gets a folder."""
    folder = weights_dir() / wanted.slug if wanted.repo else weights_dir()
    return folder / wanted.file


def _as_published(wanted: Entry) -> Entry:
    """The entry with what only the hub knows: which file it is, its size, its sha256."""
    if not wanted.repo or wanted.sha256:
        return wanted
    for variant in wanted.variants:
        facts = hub.published(variant)
        if facts is not None:
            return replace(variant, size=facts.size or wanted.size, sha256=facts.sha256 or "")
    hint = "Does the repository hold an open_clip checkpoint, and do you have access to it?"
    raise InvalidInput(f"{wanted.origin} has no file {wanted.file}", hint)


def _fetch(wanted: Entry, progress: Progress) -> Path:
    if wanted.repo:
        return hub.download(wanted, weights_dir() / wanted.slug if is_chosen() else None)
    from evalkit.weights.download import fetch  # httpx is for those who download

    target = _own_place(wanted)
    fetch(wanted.url, target, f"weights {wanted.name}", progress)
    return target


def _accept(wanted: Entry, path: Path) -> None:
    """Keep the file only if its digest is the published one; write the digest down."""
    found = hash_file(path)
    if wanted.sha256 and found != wanted.sha256:
        hub.remove(path)
        hint = f"The file was removed. Try again: evalkit weights pull {wanted.name}"
        raise InvalidInput(
            f"what came for {wanted.name} is another file: sha256 {found}, not {wanted.sha256}", hint
        )
    record: dict[str, Json] = {"sha256": found, "size": path.stat().st_size, "origin": wanted.origin}
    if wanted.model:
        record |= {"model": wanted.model, "pretrained": wanted.pretrained, "repo": wanted.repo}
        record |= {"file": wanted.file, "beside": list(wanted.beside)}
    write_atomically(_lock(wanted), json.dumps(record, indent=1).encode())


def _expected(wanted: Entry) -> tuple[str | None, Trust]:
    if wanted.sha256:
        return wanted.sha256, "pinned"
    try:
        record = json.loads(_lock(wanted).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None, "unknown"
    return str(record["sha256"]), "first use"


def _lock(wanted: Entry) -> Path:
    return weights_dir() / f"{wanted.slug}.lock.json"


def _refuse_offline(wanted: Entry) -> None:
    if is_offline():
        hint = f"Unset it, or copy {wanted.file} to {_own_place(wanted)}"
        raise WeightsMissing(f"{wanted.name} cannot be fetched: HF_HUB_OFFLINE is set", hint)


def _refuse_if_too_big(wanted: Entry) -> None:
    folder = weights_dir()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    if free < wanted.size:
        message = f"{wanted.name} needs {wanted.megabytes} MB, but {folder} has {round(free / 1e6)} MB free"
        raise StorageError(message, "Free some space, or choose another disk with EVALKIT_WEIGHTS_DIR.")
