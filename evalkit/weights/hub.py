"""Files on a Hugging Face hub, through huggingface_hub and its cache.

HF_HOME, HF_ENDPOINT and HF_TOKEN mean what they mean everywhere else, and a model that another program has
already fetched is found. The library is imported only when a model is looked for or fetched.
"""

from __future__ import annotations

import re
from pathlib import Path

from evalkit.errors import EvalkitError, WeightsMissing
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
        path = hf_hub_download(
            entry.repo,
            entry.file,
            revision=entry.revision,
            endpoint=hub_endpoint(),
            cache_dir=hub_cache(),
            local_dir=folder,
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError) as error:
        hint = f"Is {hub_endpoint()} reachable from here? HF_ENDPOINT names a mirror."
        raise EvalkitError(f"{entry.origin} could not be fetched: {_first_line(error)}", hint) from error
    return Path(path)


def published_sha256(entry: Entry) -> str | None:
    """The hub's own digest of a large file, or None where it publishes none. Raises `WeightsMissing`."""
    from huggingface_hub import get_hf_file_metadata, hf_hub_url

    url = hf_hub_url(entry.repo, entry.file, revision=entry.revision, endpoint=hub_endpoint())
    try:
        etag = get_hf_file_metadata(url, endpoint=hub_endpoint()).etag or ""
    except Exception as error:  # httpx2 or httpx, by version of the library; all mean "cannot be asked"
        raise WeightsMissing(f"{entry.origin} cannot be looked up: {_first_line(error)}") from error
    return etag if re.fullmatch("[0-9a-f]{64}", etag) else None


def remove(path: Path) -> None:
    """Remove a file, and the cache's blob behind it."""
    blob = path.resolve()
    path.unlink(missing_ok=True)
    blob.unlink(missing_ok=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
