"""Fetching one large file over HTTP: resumable, and complete or absent, never half.

Bytes go to `<name>.part` and the file appears under its own name only when all of it is there. Whether it
is the right file is for the store to check.
"""

from __future__ import annotations

from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.http import HTTPError, HTTPStatusError, Response, download_client
from evalkit.progress import SILENT, Progress
from evalkit.store.disk import storage_errors

_AGAIN = "Run the same command again: it continues where this one stopped."


def fetch(url: str, target: Path, stage: str = "download", progress: Progress = SILENT) -> None:
    """Download `url` to `target`, continuing `<target>.part` if there is one.

    Raises `EvalkitError` if the server cannot be reached or refuses, `StorageError` if the disk is full.
    """
    part = partial(target)
    with storage_errors(f"write {target.name}"):
        part.parent.mkdir(parents=True, exist_ok=True)
        try:
            _stream(url, part, stage, progress)
        except HTTPStatusError as error:
            status = error.response.status_code
            raise EvalkitError(f"{url} answered {status}", "Is the address reachable from here?") from error
        except HTTPError as error:
            raise EvalkitError(
                f"the download of {url} stopped: {error or type(error).__name__}", _AGAIN
            ) from error
        part.replace(target)


def partial(target: Path) -> Path:
    """Where the bytes lie until all of them are there."""
    return target.with_name(target.name + ".part")


def _stream(url: str, part: Path, stage: str, progress: Progress) -> None:
    have = part.stat().st_size if part.exists() else 0
    headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
    with download_client() as client, client.stream("GET", url, headers=headers) as response:
        if response.status_code == 416:
            _restart_or_accept(response, part, have)
            return
        response.raise_for_status()
        if response.status_code != 206:
            have = 0
        progress.start(stage, have + int(response.headers.get("Content-Length", 0)))
        progress.advance(stage, have)
        _save(response, part, have, stage, progress)
        progress.finish(stage)


def _restart_or_accept(response: Response, part: Path, have: int) -> None:
    """The server has nothing beyond what we have: either it is complete, or it is not this file at all."""
    if response.headers.get("Content-Range") == f"bytes */{have}":
        return
    part.unlink()
    raise EvalkitError(f"the unfinished {part.name} does not fit the file on the server", _AGAIN)


def _save(response: Response, part: Path, have: int, stage: str, progress: Progress) -> None:
    with part.open("r+b" if have else "wb") as file:
        file.seek(have)
        for chunk in response.iter_bytes(1 << 20):
            file.write(chunk)
            progress.advance(stage, len(chunk))
