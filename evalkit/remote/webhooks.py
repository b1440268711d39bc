"""Whether a webhook really comes from the provider it names, provider by provider.

    fal        Ed25519 over request id, user id, timestamp and body digest; public keys from a JWKS
    ideogram   the same with headers of its own
    bfl        X-BFL-Signature: sha256=<hex HMAC of the body>
    replicate  webhook-signature: v1,<base64 HMAC of id.timestamp.body>
    each       X-Webhook-Secret: the shared secret itself
    pixazo     nothing; anybody may send one

Nothing in a body is believed beyond the job's id: a webhook only makes a run ask sooner. Receiving,
counting and storing are for `evalkit.remote.receiver`.

Sources: https://fal.ai/docs/model-endpoints/webhooks, https://developer.ideogram.ai/ideogram-api/webhooks,
https://docs.bfl.ai, https://replicate.com/docs/topics/webhooks/verify-webhook,
https://docs.eachlabs.ai, https://www.pixazo.ai/models.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from evalkit.ids import sha256
from evalkit.remote.hooks import is_job_id
from evalkit.remote.jwks import KeySet

WINDOW_SECONDS = 300
"""How far a delivery's timestamp may be from our clock, either way."""

Keys = Sequence[Ed25519PublicKey]


class Forged(Exception):
    """There is no proof that the provider sent this. The text is for our log, never for the sender."""


class NoKeyFits(Forged):
    """Well-formed and in time, but signed by none of the keys we know."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request as it came: header names in lower case, the raw body, and when (unix seconds)."""

    headers: Mapping[str, str]
    body: bytes
    now: float

    def header(self, name: str) -> str:
        """A header's value. Raises `Forged` without one."""
        value = self.headers.get(name, "").strip()
        if not value:
            raise Forged(f"no {name}")
        return value

    def timestamp(self, name: str) -> str:
        """The text of a header of unix seconds. Raises `Forged` if it is more than 300 s away from now."""
        text = self.header(name)
        if not (text.isascii() and text.isdigit() and len(text) <= 12):
            raise Forged("the timestamp is not a number")
        if abs(self.now - int(text)) > WINDOW_SECONDS:
            raise Forged("the timestamp is too old or too new")
        return text


@dataclass(frozen=True, slots=True)
class Scheme:
    """How one provider signs. `check` gets the shared secret and the public keys and raises `Forged`.

    `secret` is the environment variable of the secret and `jwks` the address of the keys, empty where there
    is none; `base` is the variable that moves the provider's hosts. `ids` name the body's fields that may
    hold the job's id.
    """

    check: Callable[[Delivery, bytes, Keys], None]
    ids: tuple[str, ...]
    secret: str = ""
    jwks: str = ""
    base: str = ""

    @property
    def signed(self) -> bool:
        return bool(self.secret or self.jwks)


def verify_fal(delivery: Delivery, secret: bytes, keys: Keys) -> None:
    """Ed25519 by any of the keys over the four lines id, user, timestamp, sha256 of the body."""
    del secret
    _verify_ed25519(delivery, "x-fal-webhook-", "request-id", keys)


def verify_ideogram(delivery: Delivery, secret: bytes, keys: Keys) -> None:
    """As fal does it, with a generation id."""
    del secret
    _verify_ed25519(delivery, "x-ideogram-webhook-", "generation-id", keys)


def verify_bfl(delivery: Delivery, secret: bytes, keys: Keys) -> None:
    """Hex HMAC-SHA256 of the raw body; there is no timestamp."""
    del keys
    found = delivery.header("x-bfl-signature")
    _compare(found, "sha256=" + hmac.new(secret, delivery.body, hashlib.sha256).hexdigest())


def verify_replicate(delivery: Delivery, secret: bytes, keys: Keys) -> None:
    """Svix's scheme: one of the space-separated `v1,` signatures has to fit."""
    del keys
    stamp = delivery.timestamp("webhook-timestamp")
    message = f"{delivery.header('webhook-id')}.{stamp}.".encode() + delivery.body
    wanted = b"v1," + base64.b64encode(hmac.new(_svix_key(secret), message, hashlib.sha256).digest())
    offered = delivery.header("webhook-signature").split()
    fits = [hmac.compare_digest(one.encode(), wanted) for one in offered]
    if not any(fits):
        raise Forged("the signature does not fit")


def verify_each(delivery: Delivery, secret: bytes, keys: Keys) -> None:
    """The secret itself is in a header; there is no timestamp."""
    del keys
    _compare(delivery.header("x-webhook-secret"), secret.decode("utf-8"))


def verify_nothing(delivery: Delivery, secret: bytes, keys: Keys) -> None:
    """For providers that do not sign: whoever knows the address can make us ask once more."""
    del delivery, secret, keys


SCHEMES: Mapping[str, Scheme] = {
    "fal": Scheme(
        verify_fal,
        ("request_id", "gateway_request_id"),
        jwks="https://rest.fal.ai/.well-known/jwks.json",
        base="EVALKIT_FAL_BASE",
    ),
    "ideogram": Scheme(
        verify_ideogram,
        ("generation_id",),
        jwks="https://api.ideogram.ai/v1/.well-known/jwks.json",
        base="EVALKIT_IDEOGRAM_BASE",
    ),
    "bfl": Scheme(verify_bfl, ("id",), secret="BFL_WEBHOOK_SECRET"),
    "replicate": Scheme(verify_replicate, ("id",), secret="REPLICATE_WEBHOOK_SECRET"),
    "each": Scheme(verify_each, ("exec_id", "predictionID", "id"), secret="EACHLABS_WEBHOOK_SECRET"),
    "pixazo": Scheme(verify_nothing, ("request_id",)),
}


class Verifier:
    """Verifies one provider's deliveries with what the environment says about it."""

    def __init__(self, scheme: Scheme, environ: Mapping[str, str] = os.environ) -> None:
        self._scheme = scheme
        self._secret = environ.get(scheme.secret, "").strip().encode() if scheme.secret else b""
        base = environ.get(scheme.base, "").rstrip("/") if scheme.base else ""
        self._keys = KeySet(f"{base}/.well-known/jwks.json" if base else scheme.jwks, time.monotonic)

    @property
    def ready(self) -> bool:
        """False where the secret that signatures are checked with is not set."""
        return bool(self._secret) or not self._scheme.secret

    async def verify(self, delivery: Delivery) -> tuple[str, ...]:
        """The ids a genuine delivery may be about. Raises `Forged`, or `KeysUnavailable`.

        Where no key fits, the keys are fetched once more (they may have been changed) and tried again.
        """
        if not self.ready:
            raise Forged(f"{self._scheme.secret} is not set")
        if not self._scheme.jwks:
            self._scheme.check(delivery, self._secret, ())
            return job_ids(self._scheme, delivery.body)
        try:
            self._scheme.check(delivery, b"", await self._keys.get())
        except NoKeyFits:
            self._scheme.check(delivery, b"", await self._keys.renewed())
        return job_ids(self._scheme, delivery.body)


def job_ids(scheme: Scheme, body: bytes) -> tuple[str, ...]:
    """Every id in the body's fields, each once. Raises `Forged` if there is none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Forged("the body is not JSON") from error
    values = [said.get(name) for name in scheme.ids] if isinstance(said, dict) else []
    found = tuple(dict.fromkeys(value for value in values if is_job_id(value)))
    if not found:
        raise Forged("the body names no job")
    return found


def _verify_ed25519(delivery: Delivery, prefix: str, id_name: str, keys: Keys) -> None:
    stamp = delivery.timestamp(f"{prefix}timestamp")
    lines = (
        delivery.header(prefix + id_name),
        delivery.header(f"{prefix}user-id"),
        stamp,
        sha256(delivery.body),
    )
    signature = _unhex(delivery.header(f"{prefix}signature"))
    if not any(_fits(key, signature, "\n".join(lines).encode()) for key in keys):
        raise NoKeyFits("no key fits the signature")


def _fits(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _unhex(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError as error:
        raise Forged("the signature is not hexadecimal") from error


def _svix_key(secret: bytes) -> bytes:
    """The bytes of `whsec_<base64>`; a secret without that form cannot be Replicate's."""
    try:
        key = base64.b64decode(secret.removeprefix(b"whsec_"), validate=True)
    except binascii.Error as error:
        raise Forged("REPLICATE_WEBHOOK_SECRET is not whsec_ and base64") from error
    if not key:
        raise Forged("REPLICATE_WEBHOOK_SECRET is empty")
    return key


def _compare(found: str, wanted: str) -> None:
    """In constant time."""
    if not hmac.compare_digest(found.encode(), wanted.encode()):
        raise Forged("the signature does not fit")
