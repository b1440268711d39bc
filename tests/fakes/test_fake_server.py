"""The server itself: odd HTTP, TLS, ports, the command, and enough speed for benchmarks."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
from fake_talk import Talk, key

from evalkit.errors import EvalkitError
from evalkit.fakes import FakeServer
from evalkit.fakes.serve import introduction, serve
from evalkit.fakes.tls import make_context


def raw(fakes: FakeServer, data: bytes, *more: bytes) -> bytes:
    """Bytes out, and all bytes back until the server hangs up."""
    port = int(fakes.url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
        for part in (data, *more):
            connection.sendall(part)
            time.sleep(0.02)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
        return received


def test_a_chunked_body_in_pieces(fakes: FakeServer) -> None:
    body = json.dumps({"prompt": "a fox", "model": "m"}).encode()
    head = (
        b"POST /local/v1/images/generations HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        b"Connection: close\r\n"
    )
    middle = len(body) // 2
    first = b"%x\r\n%b\r\n" % (middle, body[:middle])
    second = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body) - middle, body[middle:])
    assert raw(fakes, head, b"\r\n" + first[:4], first[4:], second).startswith(b"HTTP/1.1 200 OK")


def test_two_requests_at_once_are_answered_in_order(fakes: FakeServer) -> None:
    one = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"
    two = b"GET /local/v1/models HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    answers = raw(fakes, one + two)
    assert answers.index(b"404 Not Found") < answers.index(b"200 OK")


@pytest.mark.parametrize(
    "data",
    [
        b"hello\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
    ],
)
def test_what_is_no_http_is_turned_away(fakes: FakeServer, data: bytes) -> None:
    assert raw(fakes, data).startswith(b"HTTP/1.1 400")


def test_expect_continue_is_encouraged(fakes: FakeServer) -> None:
    head = (
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n"
        b"Connection: close\r\n\r\n"
    )
    assert raw(fakes, head, b"{}").startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 404")


def test_bad_json_is_the_clients_fault(talk: Talk) -> None:
    for body in (b"{", b"[]", b"\xff"):
        answer = talk.http.post(talk.fakes.base("fal") + "/a/b", content=body, headers=key("fal"))
        assert answer.status_code == 400


def test_unknown_places_are_404(talk: Talk) -> None:
    assert "fal" in talk.http.get(talk.fakes.url + "/").json()["prefixes"]
    for provider in ("fal", "each", "openai", "comfyui"):
        answer = talk.http.get(talk.fakes.base(provider) + "/no/such/thing", headers=key(provider))
        assert answer.status_code == 404


def test_tls_with_a_certificate_of_its_own(tmp_path: Path) -> None:
    context, trusted = make_context(tmp_path)
    with FakeServer(tls=context, side=64) as fakes:
        trust = ssl.create_default_context(cafile=str(trusted))
        url = fakes.base("fal") + "/microsoft/mai-image-2.5"
        answer = httpx.post(url, json={"prompt": "a"}, headers=key("fal"), verify=trust, trust_env=False)
        assert answer.json()["status_url"].startswith("https://localhost:")
        with pytest.raises(httpx.ConnectError):
            httpx.get(url, trust_env=False)


def test_a_taken_port_is_an_error_with_advice(fakes: FakeServer) -> None:
    with pytest.raises(EvalkitError, match="cannot listen") as caught:
        serve(int(fakes.url.rpartition(":")[2]), tls=False, say=lambda text: None)
    assert "--port" in caught.value.hint


def test_the_introduction_can_be_pasted_into_a_shell(fakes: FakeServer) -> None:
    text = introduction(fakes, None)
    shell = subprocess.run(
        ["sh", "-c", f"{text}\nenv"],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    assert f"EVALKIT_FAL_BASE={fakes.url}/fal" in shell.stdout
    assert "FAL_KEY=SENTINEL-KEY-fal" in shell.stdout
    assert "Nothing is billed" in text


@pytest.mark.parametrize("command", [["-m", "evalkit.fakes"], ["-m", "evalkit", "fakes"]])
def test_the_command_serves_until_interrupted(command: list[str]) -> None:
    process = subprocess.Popen(
        [sys.executable, *command, "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout is not None
        said = [process.stdout.readline()]
        while "Ctrl-C" not in said[-1]:
            said.append(process.stdout.readline())
        url = said[0].split(" on ")[1].split(",")[0]
        assert httpx.get(url + "/__fake__/ledger", trust_env=False).json() == []
    finally:
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (0, "")
    assert "export FAL_KEY=SENTINEL-KEY-fal\n" in said


def test_a_hundred_connections_at_once(fakes: FakeServer) -> None:
    body = json.dumps({"prompt": "a fox"}).encode()
    head = "POST /fal/a/b HTTP/1.1\r\nHost: x\r\nAuthorization: Key SENTINEL-KEY-fal"
    request = f"{head}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body

    async def client(port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(20):
            writer.write(request)
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(
                line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length")
            )
            await reader.readexactly(int(length.split(b":")[1]))
        writer.close()
        await writer.wait_closed()

    async def all_of_them() -> None:
        port = int(fakes.url.rpartition(":")[2])
        await asyncio.gather(*(client(port) for _ in range(100)))

    start = time.monotonic()
    asyncio.run(all_of_them())
    assert len(fakes.ledger()) == 2000
    assert len({billed.id for billed in fakes.ledger()}) == 2000
    assert time.monotonic() - start < 20
