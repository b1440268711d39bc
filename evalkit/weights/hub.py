"""Files on a Hugging Face hub, through huggingface_hub and its cache.

HF_HOME, HF_ENDPOINT and HF_TOKEN mean what they mean everywhere else, and a model that another program has
already fetched is found. The library is imported only when a model is looked for or fetched, and what it
would tell the hub about this machine is switched off.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.weights.places import hub_cache, hub_endpoint
from evalkit.weights.registry import Entry


def cached(entry: Entry) -> Path | None:
    """The file in the hub's cache, or None. Touches no network."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(entry.repo, entry.file, cache_dir=hub_cache(), revision=entry.revision)
    return Path(found) if isinstance(found, str) else None


def download(entry: Entry, folder: Path | None) -> Path:
    """Fetch into `folder`, or into the hub's cache if it is None; resumes. Raises `EvalkitError`.

    The library draws its own progress bar on a terminal.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        with _setting("HF_HUB_DISABLE_TELEMETRY"):
            path = hf_hub_download(
                entry.repo,
                entry.file,
                revision=entry.revision,
                endpoint=hub_endpoint(),
                cache_dir=hub_cache(),
                local_dir=folder,
            )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        raise EvalkitError(f"{entry.origin} could not be fetched: {_first_line(error)}", _reach()) from error
    return Path(path)


@dataclass(frozen=True, slots=True)
class Published:
    """What a hub says about a file: size in bytes, and sha256 where it publishes one."""

    size: int
    sha256: str | None


def published(entry: Entry) -> Published | None:
    """What the hub says about a file, None if it has no such file.

    Raises `EvalkitError` if it cannot be asked.
    """
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(entry.repo, entry.file, revision=entry.revision, endpoint=hub_endpoint())
    try:
        with _setting("HF_HUB_DISABLE_TELEMETRY"):
            facts = get_hf_file_metadata(url, endpoint=hub_endpoint())
    except Exception as error:  # httpx2 or httpx, by version of the library
        if getattr(getattr(error, "response", None), "status_code", None) == 404:
            return None
        raise EvalkitError(f"{entry.origin} cannot be looked up: {_first_line(error)}", _reach()) from error
    etag = facts.etag or ""
    return Published(facts.size or 0, etag if re.fullmatch("[0-9a-f]{64}", etag) else None)


@contextlib.contextmanager
def offline() -> Iterator[None]:
    """Libraries that fetch what they need by themselves find only what is here already."""
    with _setting("HF_HUB_OFFLINE"):
        yield


def remove(path: Path) -> None:
    """Remove a file, and the cache's blob behind it."""
    blob = path.resolve()
    path.unlink(missing_ok=True)
    blob.unlink(missing_ok=True)


@contextlib.contextmanager
def _setting(name: str) -> Iterator[None]:
    """One of the library's switches, on for a while."""
    from huggingface_hub import constants

    before = getattr(constants, name)
    setattr(constants, name, True)
    try:
        yield
    finally:
        setattr(constants, name, before)


def _reach() -> str:
    return f"Is {hub_endpoint()} reachable from here? HF_ENDPOINT names a mirror."


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
