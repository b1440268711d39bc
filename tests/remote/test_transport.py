"""The key goes to the provider and nowhere else; what a broken line proves; what is too much."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import pytest
from loopserver import DROP, LoopServer, Said, serving

from evalkit.fakes import FakeServer
from evalkit.fakes.tls import make_context
from evalkit.http import USER_AGENT, ClientPool
from evalkit.providers.base import Check
from evalkit.providers.systems import make_provider, parse_system
from evalkit.remote import transport as module
from evalkit.remote.body import Filled
from evalkit.remote.catalog import Account
from evalkit.remote.spec import Auth, Out, Spec
from evalkit.remote.transport import Foreign, Lost, NotSent, Transport

KEY = "SENTINEL-ID-0123456789:SENTINEL-KEY-0123456789"


def make(
    base: str = "https://api.acme.example/v1", key: str = KEY, hosts: Mapping[str, str] = {}
) -> Transport:
    spec = Spec(
        "acme",
        "",
        base,
        {},
        (),
        Out(cost_unit=Decimal(1)),
        trust=("acme.test",),
        auth=Auth("X-Key", "Key {key}"),
        headers={"X-No-Retry": "1"},
    )
    return Transport(spec, Account(base, hosts, key))


@pytest.mark.parametrize(
    ("url", "trusted"),
    [
        ("https://api.acme.example/v1/jobs/1", True),
        ("https://API.ACME.example/other", True),
        ("https://eu.api.acme.example/x", True),
        ("https://acme.test/x", True),
        ("https://eu1.acme.test/x", True),
        ("https://rest.else.example/x", True),
        ("http://api.acme.example/v1", False),
        ("https://api.acme.example:8443/v1", False),
        ("https://acme.example/x", False),
        ("https://notacme.test/x", False),
        ("https://acme.test.evil.example/x", False),
        ("https://api.acme.example@evil.example/x", False),
        ("https://evil.example\\@api.acme.example/x", False),
        ("https://evil.example#@api.acme.example/", False),
        ("https://user:pass@api.acme.example/", False),
        ("//api.acme.example/x", False),
        ("/v1/jobs", False),
        ("ftp://acme.test/x", False),
        ("http://127.0.0.1/x", False),
        ("https://", False),
        ("", False),
        ("https://acme.test\n.evil.example/", False),
    ],
)
def test_where_the_key_may_go(url: str, trusted: bool) -> None:
    assert make(hosts={"rest": "https://rest.else.example"}).trusts(url) is trusted


def test_on_this_machine_other_names_of_the_same_port_are_the_same() -> None:
    transport = make("http://127.0.0.1:9080/acme")
    assert transport.trusts("http://127.0.0.2:9080/x")
    assert transport.trusts("http://eu1.localhost:9080/x")
    assert not transport.trusts("http://127.0.0.1:9081/x")
    assert not transport.trusts("http://10.0.0.1:9080/x")


def test_a_foreign_url_is_not_even_connected_to() -> None:
    async def scene() -> None:
        async with serving(lambda asked: Said()) as other:
            transport = make()
            with pytest.raises(Foreign, match="refusing to send credentials"):
                await transport.send("GET", other.url)
            reply = await transport.send("PUT", other.url, content=b"x", authorized=False)
            await transport.aclose()
            assert reply.status == 200
            (asked,) = other.asked
            assert "x-key" not in asked.headers
            assert "x-no-retry" not in asked.headers

    asyncio.run(scene())


def ask(answer: object, **more: object) -> tuple[object, LoopServer]:
    """One authorized request and what came of it, an exception included."""

    async def scene() -> tuple[object, LoopServer]:
        async with serving(answer) as server:
            transport = make(server.url)
            try:
                return await transport.send("POST", f"{server.url}/v1", **more), server
            except (NotSent, Lost, Foreign) as error:
                return error, server
            finally:
                await transport.aclose()

    return asyncio.run(scene())


def test_an_answer_is_read_whole_and_headers_are_lower_case() -> None:
    reply, server = ask(
        lambda asked: Said(201, {"ok": True}, {"X-Fal-Units": "2"}), filled=Filled(json={"a": 1})
    )
    assert reply.status == 201
    assert reply.json == {"ok": True}
    assert reply.headers["x-fal-units"] == "2"
    (asked,) = server.asked
    assert asked.json == {"a": 1}
    assert asked.headers["x-key"] == f"Key {KEY}"
    assert asked.headers["x-no-retry"] == "1"
    assert asked.headers["user-agent"] == USER_AGENT


def test_forms_without_files_are_forms_all_the_same() -> None:
    _, server = ask(
        lambda asked: Said(),
        filled=Filled(fields=(("prompt", "ein Käse"), ("image[]", "x"), ("image[]", "y"))),
    )
    (asked,) = server.asked
    assert asked.headers["content-type"].startswith("multipart/form-data")
    assert "filename" not in asked.body.decode()
    assert asked.body.decode().count('name="image[]"') == 2
    assert "ein Käse" in asked.body.decode()


def test_files_travel_with_name_and_type() -> None:
    _, server = ask(
        lambda asked: Said(), filled=Filled(files=(("image", ("a.png", b"\x89PNG", "image/png")),))
    )
    assert b'filename="a.png"\r\nContent-Type: image/png\r\n\r\n\x89PNG' in server.asked[0].body


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_redirects_are_answers(status: int) -> None:
    reply, server = ask(lambda asked: Said(status, {}, {"Location": "/elsewhere"}))
    assert reply.status == status
    assert len(server.asked) == 1


def test_what_is_not_json_is_text() -> None:
    reply, _ = ask(lambda asked: Said(502, b"<html>bad gateway</html>"))
    assert reply.json is None
    assert "bad gateway" in reply.text
    reply, _ = ask(lambda asked: Said(200, b'{"a": NaN, "b": [Infinity]}'))
    assert reply.json == {"a": None, "b": [None]}


def test_a_key_that_is_echoed_is_taken_out() -> None:
    id_, secret = KEY.split(":")
    reply, _ = ask(lambda asked: Said(401, {"error": f"bad key {KEY}", "half": secret}, {"X-Echo": id_}))
    assert "SENTINEL" not in reply.text
    assert "SENTINEL" not in repr(reply)
    assert reply.json == {"error": "bad key ***", "half": "***"}


def test_nobody_listening_is_not_sent() -> None:
    async def scene() -> None:
        async with serving(lambda asked: Said()) as server:
            url = server.url
        transport = make(url)
        with pytest.raises(NotSent, match="no connection"):
            await transport.send("POST", url)
        await transport.aclose()

    asyncio.run(scene())


@pytest.mark.parametrize(
    "answer",
    [
        lambda asked: DROP,
        lambda asked: Said(200, {"id": "1"}, length=999),
        lambda asked: Said(200, b"junk", {"Content-Encoding": "gzip"}),
    ],
    ids=["dropped", "cut short", "garbled"],
)
def test_anything_after_sending_is_lost(answer: object) -> None:
    error, server = ask(answer)
    assert isinstance(error, Lost)
    assert len(server.asked) == 1
    assert "SENTINEL" not in str(error)


def test_a_slow_answer_is_lost_and_the_limit_is_on_the_whole() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        try:
            while True:
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.02)
        except ConnectionError:
            writer.close()

    async def scene() -> None:
        server = await asyncio.start_server(drip, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        transport = make(url)
        with pytest.raises(Lost, match="no answer in time"):
            await transport.send("GET", url, timeout=0.2)
        await transport.aclose()
        server.close()
        await asyncio.sleep(0.05)

    asyncio.run(scene())


def test_an_endless_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ANSWER", 1000)
    error, _ = ask(lambda asked: Said(200, b"x" * 1001))
    assert isinstance(error, Lost)
    assert "larger than" in str(error)
    reply, _ = ask(lambda asked: Said(200, b"x" * 1000))
    assert len(reply.text) == 1000


@pytest.mark.parametrize(
    ("key", "kind"), [("bad\nkey-SENTINEL", "auth"), ("Käse-SENTINEL", "auth"), ("", "transient")]
)
def test_a_key_that_no_header_can_carry_never_leaves(key: str, kind: str) -> None:
    async def scene() -> None:
        transport = make("http://127.0.0.1:9", key)
        with pytest.raises(NotSent) as caught:
            await transport.send("POST", "http://127.0.0.1:9/")
        assert caught.value.kind == kind
        assert "SENTINEL" not in str(caught.value)
        await transport.aclose()

    asyncio.run(scene())


def test_a_header_that_is_not_allowed_never_leaves_and_is_not_quoted() -> None:
    error, server = ask(lambda asked: Said(), headers={"X-Tag": "a\r\nb SENTINEL"})
    assert isinstance(error, NotSent)
    assert error.kind == "permanent"
    assert "SENTINEL" not in str(error)
    assert server.asked == []


def test_nothing_shows_the_key() -> None:
    transport = make()
    assert "SENTINEL" not in repr(transport) + str(vars(transport)["account"])
    assert transport.redact(f"x {KEY} y {KEY.split(':')[1]}") == "x *** y ***"


def test_templates() -> None:
    transport = make(hosts={"rest": "https://rest.acme.example"})
    values = {
        "id": "a b/ü?",
        "status_url": "https://queue.acme.example/x?y=1",
        "model": "me/mine",
        "gone": "",
    }
    assert transport.resolve("{base}/jobs/{id}", values) == "https://api.acme.example/v1/jobs/a%20b/%C3%BC%3F"
    assert transport.resolve("{base}/{model}", values) == "https://api.acme.example/v1/me/mine"
    assert transport.resolve("{status_url}", values) == "https://queue.acme.example/x?y=1"
    assert transport.resolve("{rest}/x", values) == "https://rest.acme.example/x"
    assert transport.resolve("{nothing}/x", values) is None
    assert transport.resolve("{gone}/x", values) is None


def test_clients_are_used_again() -> None:
    async def scene() -> None:
        arrived, enough = 0, asyncio.Event()

        async def hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            nonlocal arrived
            await reader.readuntil(b"\r\n\r\n")
            arrived += 1
            if arrived == 25:
                enough.set()
            await enough.wait()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(hold, "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        transport = make(url)
        replies = await asyncio.gather(*(transport.send("GET", url) for _ in range(25)))
        assert [reply.status for reply in replies] == [200] * 25
        assert len(transport._pool) == 25
        await transport.send("GET", url)
        assert len(transport._pool) == 25
        await transport.aclose()
        assert len(transport._pool) == 0
        server.close()

    asyncio.run(scene())


def test_the_pool_gives_the_client_that_was_used_last() -> None:
    async def scene() -> None:
        pool = ClientPool(trust_env=False)
        async with pool.lease() as first, pool.lease() as second:
            assert first is not second
            assert not first.follow_redirects
        async with pool.lease() as again:
            assert again is first, "which was given back after the second"
        assert len(pool) == 2
        await pool.aclose()

    asyncio.run(scene())


@pytest.mark.parametrize("base", ["", "/mai/v1"])
def test_without_a_base_the_key_goes_nowhere(base: str) -> None:
    """An empty host must not be taken for the end of every name."""
    transport = make(base)
    for url in ("https://evil.example", "https://evil.example.", "https://.", "/x", "https:///x"):
        assert not transport.trusts(url)


def test_the_secret_of_webhooks_is_redacted_too() -> None:
    spec = make().spec
    transport = Transport(spec, Account("https://api.example", {}, "", secret="WEBHOOK-SECRET-123"))
    assert transport.redact("it is WEBHOOK-SECRET-123") == "it is ***"
    assert "WEBHOOK" not in repr(transport.account)


@pytest.mark.parametrize("trusted", [True, False])
def test_certificates_of_the_environment_count_on_loopback_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool
) -> None:
    context, authority = make_context(tmp_path)
    with FakeServer(tls=context) as fake:
        for name, value in fake.environment().items():
            monkeypatch.setenv(name, value)
        if trusted:
            monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        provider = make_provider(parse_system("fal:mai-image-2.5"))

        async def scene() -> Check:
            try:
                return await provider.check()
            finally:
                await provider.aclose()

        assert asyncio.run(scene()).ok is trusted
