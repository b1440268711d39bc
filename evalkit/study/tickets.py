"""What leaves the process is sealed: ballot tickets, image handles, rater cookies.

All three are AES-GCM under keys derived from the study's `secret.key`, so they survive a restart, cannot
be read or forged, and one kind is never taken for another. The plaintext is padded, so that the length
tells nothing either.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import hashlib
import hmac
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from evalkit.ids import canonical
from evalkit.store import Workspace, storage_errors

Side = Literal["a", "b"]
_BLOCK = 128
_NONCE = 12


@dataclass(frozen=True, slots=True)
class Ticket:
    """The right of one rater to vote once on one comparison. `left` is the system on the left side.

    `issued` is in unix seconds; `propensity` is the probability with which the sampler chose this
    comparison, given what had been voted and shown until then, `pair_propensity` that with which it chose the
    pair of systems.
    """

    ballot: str
    comparison: str
    left: Side
    rater: str
    issued: float
    propensity: float | None
    pair_propensity: float | None = None


@dataclass(frozen=True, slots=True)
class Handle:
    """The right to fetch one picture until `expires` (unix seconds).

    `image` is delivered at the size it shares with `beside`, the other picture of the pair.
    """

    image: str
    beside: str | None
    ballot: str
    side: str
    expires: float


class Sealer:
    """Seals JSON for one purpose. What it sealed for another purpose or study, it does not open."""

    def __init__(self, secret: bytes, purpose: str) -> None:
        self._purpose = purpose.encode()
        self._aead = AESGCM(hmac.digest(secret, b"evalkit " + self._purpose, hashlib.sha256))

    def seal(self, value: dict[str, Any]) -> str:
        plain = canonical(value)
        padded = plain.ljust(-(-len(plain) // _BLOCK) * _BLOCK)
        nonce = os.urandom(_NONCE)
        return base64.urlsafe_b64encode(nonce + self._aead.encrypt(nonce, padded, self._purpose)).decode()

    def open(self, sealed: str) -> dict[str, Any] | None:
        """What was sealed, or None for anything else."""
        try:
            raw = base64.b64decode(sealed.encode("ascii"), altchars=b"-_", validate=True)
            plain = self._aead.decrypt(raw[:_NONCE], raw[_NONCE:], self._purpose)
        except (InvalidTag, binascii.Error, ValueError):
            return None
        value = json.loads(plain)
        return value if isinstance(value, dict) else None


class Tickets:
    """Everything of one study that is sealed."""

    def __init__(self, secret: bytes) -> None:
        self._ids = hmac.digest(secret, b"evalkit ballot ids", hashlib.sha256)
        self._ballots = Sealer(secret, "ballot")
        self._images = Sealer(secret, "image")
        self._raters = Sealer(secret, "rater")

    def ballot_id(self, rater: str, comparison: str) -> str:
        """One id per rater and comparison: however often it is issued, it can be cast once."""
        return self.mark(f"{rater}\n{comparison}")

    def mark(self, text: str) -> str:
        """A keyed digest: tells nothing about `text` to those without the secret."""
        return hmac.digest(self._ids, text.encode(), hashlib.sha256).hex()[:24]

    def seal_ballot(self, ticket: Ticket) -> str:
        return self._ballots.seal(asdict(ticket))

    def open_ballot(self, sealed: str) -> Ticket | None:
        value = self._ballots.open(sealed)
        return None if value is None else Ticket(**value)

    def seal_image(self, handle: Handle) -> str:
        return self._images.seal(asdict(handle))

    def open_image(self, sealed: str) -> Handle | None:
        value = self._images.open(sealed)
        return None if value is None else Handle(**value)

    def seal_rater(self, rater: str) -> str:
        return self._raters.seal({"rater": rater})

    def open_rater(self, sealed: str) -> str | None:
        value = self._raters.open(sealed)
        return None if value is None else str(value["rater"])


def study_secret(workspace: Workspace, study: str) -> bytes:
    """The 32 random bytes of a study, made on first use and readable by their owner only.

    A study that was copied without its key gets a new one: tickets given out before are void, votes stay.
    """
    path = workspace.studies / study / "secret.key"
    with storage_errors("write the key of the study"), contextlib.suppress(FileExistsError):
        _write_once(path, os.urandom(32))
    return path.read_bytes()


def _write_once(path: Path, data: bytes) -> None:
    """Create `path` whole or not at all; raises FileExistsError if somebody else did."""
    if path.exists():
        raise FileExistsError(path)
    aside = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
    fd = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        path.hardlink_to(aside)
    finally:
        aside.unlink(missing_ok=True)
