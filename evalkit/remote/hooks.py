"""Hints that a job may be done: a webhook receiver appends them, runs that poll look at them.

    <workspace>/hooks/<provider>.jsonl    {"id": "...", "provider": "fal", "t": "...", "type": "hook"}

A hint carries nothing but a job's id, and all it can do is make a run ask a little earlier. So a hint that
comes twice, too early, out of order, from nobody or not at all changes no result. Who may leave hints is
for `evalkit.remote.receiver`.
"""

from __future__ import annotations

import asyncio
import errno
import json
import os
import re
import time
from pathlib import Path
from typing import TypeGuard
from urllib.parse import quote

from evalkit.clock import now
from evalkit.ids import canonical
from evalkit.store import storage_errors

FOLDER = "hooks"
LOOK_SECONDS = 0.2
"""Files are looked at this often at most, however many jobs are waiting."""

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._:=-]{0,199}")


def hook_url(public: str, provider: str) -> str:
    """What a provider is told to call, `public` being where the receiver is reached from outside.

    >>> hook_url("https://bench.example/", "fal")
    'https://bench.example/hooks/fal'
    """
    return f"{public.rstrip('/')}/{FOLDER}/{quote(provider, safe='')}"


def is_job_id(text: object) -> TypeGuard[str]:
    """Whether this can be a job's id: 1 to 200 plain characters, nothing that could upset a log."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None


def add_hint(folder: Path, provider: str, job_id: str) -> None:
    """Append one hint; any number of processes may. Raises `StorageError` if the disk does not take it."""
    line = canonical({"type": "hook", "provider": provider, "id": job_id, "t": now()}) + b"\n"
    with storage_errors(f"write a hint of {provider}"):
        folder.mkdir(parents=True, exist_ok=True)
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        fd = os.open(folder / f"{provider}.jsonl", flags, 0o644)
        try:
            _append(fd, line)
        finally:
            os.close(fd)


def _append(fd: int, line: bytes) -> None:
    """One write, so that lines never mix; a line that a full disk cut short is closed first."""
    size = os.fstat(fd).st_size
    torn = size > 0 and os.pread(fd, 1, size - 1) != b"\n"
    line = b"\n" + line if torn else line
    if os.write(fd, line) != len(line):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class Hints:
    """The hints of one provider, read from the beginning of its file and then as they come."""

    def __init__(self, folder: Path, provider: str) -> None:
        self._path = folder / f"{provider}.jsonl"
        self._read = 0
        self._looked = float("-inf")
        self._arrived: set[str] = set()

    async def wait(self, job_id: str, seconds: float) -> bool:
        """True as soon as there is a hint for that job, False after `seconds`.

        A hint counts once: after True, the next call waits for another one. One that came before anybody
        waited for it (even before the job's id was known here) is kept.
        """
        end = time.monotonic() + seconds
        while True:
            self._look()
            if job_id in self._arrived:
                self._arrived.discard(job_id)
                return True
            left = end - time.monotonic()
            if left <= 0:
                return False
            await asyncio.sleep(min(left, LOOK_SECONDS))

    def _look(self) -> None:
        """Take in what was appended since the last look."""
        if time.monotonic() - self._looked < LOOK_SECONDS / 2:
            return
        self._looked = time.monotonic()
        try:
            size = self._path.stat().st_size
        except FileNotFoundError:
            return
        if size < self._read:
            self._read = 0
        if size > self._read:
            self._take_in()

    def _take_in(self) -> None:
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new[: new.rfind(b"\n") + 1]
        self._read += len(whole)
        self._arrived.update(job_id for line in whole.splitlines() if (job_id := _job_id(line)))


def _job_id(line: bytes) -> str:
    try:
        record = json.loads(line)
    except ValueError:
        return ""
    found = record.get("id") if isinstance(record, dict) else None
    return found if is_job_id(found) else ""
