"""Webhooks are delivered and signed as documented, and wrong where that was asked for."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fake_talk import Talk, key

from evalkit.fakes.hooks import SECRET

Got = list[tuple[dict[str, str], bytes]]


class Receiver:
    """Takes whatever is posted to it."""

    def __init__(self) -> None:
        self.got: Got = []
        self.came = threading.Semaphore(0)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
                self.send_response(200)
                self.send_header("content-length", "0")
                self.end_headers()
                outer.came.release()

            def log_message(self, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook?x=1"

    def wait(self, times: int = 1) -> Got:
        for _ in range(times):
            assert self.came.acquire(timeout=5)
        return self.got


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    thread = threading.Thread(target=receiver.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield receiver
    receiver.server.shutdown()
    thread.join()
    receiver.server.server_close()


def submit(talk: Talk, receiver: Receiver, prompt: str) -> str:
    url = talk.fakes.base("fal") + "/microsoft/mai-image-2.5"
    answer = talk.http.post(
        url, params={"fal_webhook": receiver.url}, json={"prompt": prompt}, headers=key("fal")
    )
    return str(answer.json()["request_id"])


def check_fal(talk: Talk, headers: dict[str, str], body: bytes) -> None:
    (jwk,) = talk.http.get(talk.fakes.base("fal") + "/.well-known/jwks.json").json()["keys"]
    public = Ed25519PublicKey.from_public_bytes(base64.urlsafe_b64decode(jwk["x"] + "="))
    parts = [headers[f"x-fal-webhook-{name}"] for name in ("request-id", "user-id", "timestamp")]
    message = "\n".join([*parts, hashlib.sha256(body).hexdigest()]).encode()
    public.verify(bytes.fromhex(headers["x-fal-webhook-signature"]), message)


def test_fal_signs_its_webhooks(talk: Talk, receiver: Receiver) -> None:
    job = submit(talk, receiver, "a fox")
    ((headers, body),) = receiver.wait()
    check_fal(talk, headers, body)
    told = json.loads(body)
    assert (told["request_id"], told["status"]) == (job, "OK")
    assert len(told["payload"]["images"]) == 1
    assert abs(int(headers["x-fal-webhook-timestamp"]) - time.time()) < 60


def test_a_bad_signature_is_bad(talk: Talk, receiver: Receiver) -> None:
    submit(talk, receiver, "a fox [[hook:badsig]]")
    ((headers, body),) = receiver.wait()
    with pytest.raises(InvalidSignature):
        check_fal(talk, headers, body)


def test_an_old_stamp_is_old_but_signed(talk: Talk, receiver: Receiver) -> None:
    submit(talk, receiver, "a fox [[hook:oldts]]")
    ((headers, body),) = receiver.wait()
    check_fal(talk, headers, body)
    assert time.time() - int(headers["x-fal-webhook-timestamp"]) > 300


def test_twice_before_late_and_never(talk: Talk, receiver: Receiver) -> None:
    submit(talk, receiver, "a [[hook:dup]]")
    assert len(receiver.wait(2)) == 2
    submit(talk, receiver, "b [[hook:before]]")
    assert len(receiver.got) == 3
    submit(talk, receiver, "c [[hook:late=0.2]]")
    submit(talk, receiver, "d [[hook:never]]")
    time.sleep(0.1)
    assert len(receiver.got) == 3
    receiver.wait(2)
    assert len(receiver.got) == 4


def test_failures_and_odd_results_are_told_too(talk: Talk, receiver: Receiver) -> None:
    submit(talk, receiver, "a fox [[end:moderation; hook:before]]")
    submit(talk, receiver, "a fox [[hook:unserializable; hook:before]]")
    refused, odd = (json.loads(body) for _, body in receiver.wait(2))
    assert (refused["status"], refused["error"]) == ("ERROR", "Invalid status code: 422")
    assert odd["payload"] is None
    assert odd["payload_error"]


def test_delivery_by_hand_ends_the_job(talk: Talk, receiver: Receiver) -> None:
    job = submit(talk, receiver, "a fox [[hook:never]]")
    control = talk.fakes.url + "/__fake__/hooks/deliver"
    assert talk.http.post(control, json={"id": job, "times": 2}).json() == {
        "delivered": 2,
        "statuses": [200, 200],
    }
    assert len(receiver.wait(2)) == 2
    url = f"{talk.fakes.base('fal')}/microsoft/mai-image-2.5/requests/{job}/status"
    assert talk.http.get(url, headers=key("fal")).json()["status"] == "COMPLETED"


def test_the_others_sign_in_their_own_ways(talk: Talk, receiver: Receiver) -> None:
    talk.ask("bfl", "a [[hook:before]]", webhook_url=receiver.url, webhook_secret="s3")
    talk.ask("replicate", "b [[hook:before]]", webhook=receiver.url)
    talk.ask("each", "c [[hook:before]]", webhook_url=receiver.url)
    bfl, replicate, each = receiver.wait(3)
    expected = hmac.new(b"s3", bfl[1], hashlib.sha256).hexdigest()
    assert bfl[0]["x-bfl-signature"] == f"sha256={expected}"
    head = replicate[0]
    message = f"{head['webhook-id']}.{head['webhook-timestamp']}.".encode() + replicate[1]
    digest = hmac.new(SECRET.encode(), message, hashlib.sha256).digest()
    assert head["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
    assert each[0]["x-webhook-secret"] == SECRET
    assert json.loads(each[1])["status"] == "succeeded"


def test_nothing_is_delivered_beyond_this_machine(talk: Talk) -> None:
    job = talk.ask("bfl", "a fox [[hook:never]]", webhook_url="http://192.0.2.1/hook").json()["id"]
    control = talk.fakes.url + "/__fake__/hooks/deliver"
    assert talk.http.post(control, json={"id": job}).json()["statuses"] == [0]
