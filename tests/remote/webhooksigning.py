"""Signs deliveries the way providers do, and publishes keys on loopback."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOW = 1767225600
FAL_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
FAL_ID = "123e4567-e89b-12d3-a456-426614174000"
FAL_BODY = (
    f'{{"request_id":"{FAL_ID}","gateway_request_id":"{FAL_ID}","status":"OK","payload":{{"images":[]}}}}'
).encode()


def jwk(key: Ed25519PrivateKey) -> dict[str, str]:
    x = base64.urlsafe_b64encode(key.public_key().public_bytes_raw()).rstrip(b"=").decode()
    return {"kty": "OKP", "crv": "Ed25519", "x": x}


def sign_fal(
    body: bytes = FAL_BODY,
    *,
    key: Ed25519PrivateKey = FAL_KEY,
    stamp: int = NOW,
    prefix: str = "x-fal-webhook-",
    id_name: str = "request-id",
) -> dict[str, str]:
    message = f"{FAL_ID}\nuser_123\n{stamp}\n{hashlib.sha256(body).hexdigest()}".encode()
    return {
        f"{prefix}{id_name}": FAL_ID,
        f"{prefix}user-id": "user_123",
        f"{prefix}timestamp": str(stamp),
        f"{prefix}signature": key.sign(message).hex(),
    }


def sign_bfl(body: bytes, secret: str) -> dict[str, str]:
    return {"x-bfl-signature": "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}


def sign_svix(body: bytes, secret: str, *, stamp: int = NOW, message_id: str = "msg_1") -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    mac = hmac.new(key, f"{message_id}.{stamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(stamp),
        "webhook-signature": "v1," + base64.b64encode(mac).decode(),
    }


class KeyServer:
    """A JWKS on loopback; `keys` may be changed, `down` makes it fail, `asked` counts."""

    def __init__(self, url: str) -> None:
        self.base = url
        self.keys: list[Any] = [jwk(FAL_KEY)]
        self.down = False
        self.asked = 0


@contextmanager
def key_server() -> Iterator[KeyServer]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            published.asked += 1
            found = self.path == "/fal/.well-known/jwks.json" and not published.down
            body = json.dumps({"keys": published.keys}).encode()
            self.send_response(200 if found else 500)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        published = KeyServer(f"http://127.0.0.1:{server.server_address[1]}/fal")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield published
        finally:
            server.shutdown()
            thread.join()
