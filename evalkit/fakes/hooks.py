"""Telling a receiver that a job is over, signed the way each provider signs.

fal signs with an ED25519 key that this server publishes; BFL and Replicate with a shared secret; each::labs
sends the secret itself; Pixazo signs nothing. Deliveries go to loopback only: a rehearsal never reaches out.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ipaddress
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from evalkit.fakes.state import Job, World
from evalkit.types import Json

SECRET = "SENTINEL-WEBHOOK-SECRET"
REPLICATE_SECRET = "whsec_" + base64.b64encode(SECRET.encode()).decode()
USER = "user_fake"
OLD = 600
"""Seconds by which `hook:oldts` is too old."""
PAUSE = 0.05
LATE = 1.0

_KEY = Ed25519PrivateKey.from_private_bytes(hashlib.sha256(b"evalkit fake webhook key").digest())

Payload = Callable[[str, Job], Json]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST to a receiver."""

    url: str
    headers: Mapping[str, str]
    body: bytes


def jwk() -> dict[str, Json]:
    """The public key that fal's webhooks are checked with."""
    raw = _KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"kty": "OKP", "crv": "Ed25519", "x": base64.urlsafe_b64encode(raw).decode().rstrip("=")}


def delivery(job: Job, body: bytes, now: float) -> Delivery:
    """What is sent for a finished job; `hook:oldts` and `hook:badsig` are seen to here."""
    stamp = now - OLD if job.plan.find("hook", "oldts") else now
    signers = {"fal": _fal, "bfl": _bfl, "replicate": _replicate, "each": _each}
    sign = signers.get(job.provider)
    headers = sign(job, body, int(stamp)) if sign else {}
    if job.plan.find("hook", "badsig"):
        body = body.replace(b"{", b'{"tampered":true,', 1)
    return Delivery(job.work.webhook, {"Content-Type": "application/json", **headers}, body)


def _fal(job: Job, body: bytes, stamp: int) -> dict[str, str]:
    digest = hashlib.sha256(body).hexdigest()
    message = f"{job.id}\n{USER}\n{stamp}\n{digest}".encode()
    return {
        "X-Fal-Webhook-Request-Id": job.id,
        "X-Fal-Webhook-User-Id": USER,
        "X-Fal-Webhook-Timestamp": str(stamp),
        "X-Fal-Webhook-Signature": _KEY.sign(message).hex(),
    }


def _bfl(job: Job, body: bytes, stamp: int) -> dict[str, str]:
    del stamp
    secret = str(job.work.input.get("webhook_secret") or SECRET)
    return {"X-BFL-Signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def _replicate(job: Job, body: bytes, stamp: int) -> dict[str, str]:
    message = f"{job.id}.{stamp}.".encode() + body
    signature = base64.b64encode(hmac.new(SECRET.encode(), message, hashlib.sha256).digest()).decode()
    return {
        "webhook-id": job.id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": f"v1,{signature}",
    }


def _each(job: Job, body: bytes, stamp: int) -> dict[str, str]:
    del job, body, stamp
    return {"X-Webhook-Secret": SECRET}


async def deliver(world: World, job: Job, payload: Json, times: int = 1) -> list[int]:
    """Finish the job and POST its payload so many times; the receiver's statuses, 0 where none came."""
    world.finish(job)
    body = json.dumps(payload, separators=(",", ":")).encode()
    return [await _post(delivery(job, body, world.now())) for _ in range(times)]


async def by_itself(world: World, job: Job, payload: Payload, origin: str) -> None:
    """What happens to an accepted job with a webhook, faults included."""
    if job.plan.find("hook", "never"):
        return
    late = job.plan.find("hook", "late")
    if not job.plan.find("hook", "before"):
        await asyncio.sleep(float(late.arg or LATE) if late else PAUSE)
    await deliver(world, job, payload(origin, job), 2 if job.plan.find("hook", "dup") else 1)


async def _post(delivery: Delivery) -> int:
    where = urlsplit(delivery.url)
    if where.scheme != "http" or not _is_loopback(where.hostname or ""):
        return 0
    try:
        async with asyncio.timeout(15):
            return await _send(delivery, where.hostname or "", where.port or 80)
    except (OSError, ValueError, IndexError):
        return 0


async def _send(delivery: Delivery, host: str, port: int) -> int:
    reader, writer = await asyncio.open_connection(host, port)
    try:
        where = urlsplit(delivery.url)
        target = (where.path or "/") + (f"?{where.query}" if where.query else "")
        head = [f"POST {target} HTTP/1.1", f"Host: {where.netloc}", "Connection: close"]
        head += [f"{name}: {value}" for name, value in delivery.headers.items()]
        head.append(f"Content-Length: {len(delivery.body)}")
        writer.write("\r\n".join(head).encode() + b"\r\n\r\n" + delivery.body)
        await writer.drain()
        return int((await reader.readline()).split()[1])
    finally:
        writer.close()


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
