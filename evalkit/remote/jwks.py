"""The public keys a provider publishes for its webhooks, fetched when needed and kept for a day at most."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections.abc import Callable, Iterator

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from evalkit.http import USER_AGENT, AsyncClient, HTTPError
from evalkit.types import Json

KEEP_SECONDS = 24 * 3600.0
PAUSE_SECONDS = 30.0
"""Between two fetches, so that forged deliveries cannot make us knock without end."""
MOST_BYTES = 64 * 1024


class KeysUnavailable(Exception):
    """The keys cannot be fetched right now; the sender should try again."""


class KeySet:
    """The keys behind one address. `clock` gives seconds that never go back."""

    def __init__(self, url: str, clock: Callable[[], float]) -> None:
        self.url = url
        self._clock = clock
        self._lock = asyncio.Lock()
        self._keys: tuple[Ed25519PublicKey, ...] = ()
        self._fetched = float("-inf")
        self._tried = float("-inf")

    async def get(self) -> tuple[Ed25519PublicKey, ...]:
        """The keys, at most a day old. Raises `KeysUnavailable`."""
        async with self._lock:
            if self._clock() - self._fetched > KEEP_SECONDS:
                await self._fetch()
            return self._keys

    async def renewed(self) -> tuple[Ed25519PublicKey, ...]:
        """The keys, fetched anew unless that was done a moment ago. Raises `KeysUnavailable`."""
        async with self._lock:
            if self._clock() - self._fetched > PAUSE_SECONDS:
                await self._fetch()
            return self._keys

    async def _fetch(self) -> None:
        if self._clock() - self._tried < PAUSE_SECONDS:
            raise KeysUnavailable("the keys could not be fetched a moment ago")
        self._tried = self._clock()
        try:
            self._keys = tuple(_read_keys(await _download(self.url)))
        except (HTTPError, ValueError) as error:
            raise KeysUnavailable(f"the keys cannot be fetched: {type(error).__name__}") from error
        self._fetched = self._clock()
        self._tried = float("-inf")


async def _download(url: str) -> Json:
    async with AsyncClient(timeout=10.0, headers={"User-Agent": USER_AGENT}) as client:
        response = await client.get(url)
    response.raise_for_status()
    if len(response.content) > MOST_BYTES:
        raise ValueError("that is no key set")
    found: Json = response.json()
    return found


def _read_keys(document: Json) -> Iterator[Ed25519PublicKey]:
    """The Ed25519 keys of a JSON Web Key Set (RFC 8037); others are passed over. Raises `ValueError`."""
    match document:
        case {"keys": list(listed)}:
            for entry in listed:
                key = _key(entry)
                if key is not None:
                    yield key
        case _:
            raise ValueError("there is no list of keys")


def _key(entry: Json) -> Ed25519PublicKey | None:
    match entry:
        case {"kty": "OKP", "crv": "Ed25519", "x": str(x)}:
            with contextlib.suppress(ValueError):
                return Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(x + "=" * (-len(x) % 4)))
    return None
