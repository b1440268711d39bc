from __future__ import annotations

import asyncio
import gzip
import logging
import ssl
import threading
from pathlib import Path

import pytest
from pictureserver import Answer, Authority, Seen, Server, bomb, picture, says, serving, whole
from PIL import Image

from evalkit.fakes.server import FakeServer
from evalkit.http import AsyncClient
from evalkit.remote import download
from evalkit.remote.download import Downloader, DownloadFailed, sniff

QUICK = (0.0, 0.0, 0.0)
NAME = "pictures.example"


PNG = picture()


def fetched(
    answer: Answer, path: str = "/x.png", deadline_s: float = 20.0, **options: object
) -> tuple[bytes | DownloadFailed, Server]:
    """What one fetch from a loopback server comes to, and what the server saw."""

    async def main() -> tuple[bytes | DownloadFailed, Server]:
        async with serving(answer) as server:
            downloader = Downloader(loopback=True, pauses=QUICK, **options)
            try:
                return await downloader.fetch(server.url(path), deadline_s=deadline_s), server
            except DownloadFailed as failed:
                return failed, server
            finally:
                await downloader.aclose()

    return asyncio.run(main())


def failure(answer: Answer, path: str = "/x.png", **options: object) -> tuple[DownloadFailed, int]:
    result, server = fetched(answer, path, **options)
    assert isinstance(result, DownloadFailed)
    assert "signature" not in result.message
    return result, len(server.seen)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF", "AVIF"])
def test_a_picture_arrives_as_it_was_sent_whatever_its_type_is_called(kind: str) -> None:
    data = picture(kind)
    assert sniff(data) == kind.lower()
    result, _ = fetched(says(whole(data, "200 OK", "Content-Type: application/octet-stream")))
    assert result == data


def test_no_credential_leaves_and_the_client_says_who_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password hunter2\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:9")
    redirect = whole(b"", "302 Found", "Location: /y.png", "Set-Cookie: a=b; Path=/")
    result, server = fetched(says(redirect, whole(PNG)))
    assert result == PNG
    for seen in server.seen:
        assert not {"authorization", "cookie", "proxy-authorization", "x-api-key"} & set(seen.headers)
        assert seen.headers["user-agent"].startswith("evalkit/")
        assert seen.headers["host"] == f"127.0.0.1:{server.port}"


SHORT = b"HTTP/1.1 200 OK\r\nContent-Length: 90000\r\n\r\n" + PNG
BROKEN = {
    "shorter than declared": SHORT,
    "cut, length consistent": whole(PNG[: len(PNG) // 2]),
    "cut by a lying length": b"HTTP/1.1 200 OK\r\nContent-Length: 300\r\n\r\n" + PNG,
    "web page": whole(b"<!DOCTYPE html><html>please wait</html>", "200 OK", "Content-Type: image/png"),
    "empty": whole(b""),
    "json": whole(b'{"error":"busy"}'),
    "500": whole(b"", "500 Internal Server Error"),
    "503": whole(b"", "503 Service Unavailable"),
    "429": whole(b"", "429 Too Many Requests"),
    "nothing": b"",
    "no http": b"SSH-2.0-OpenSSH_9.6\r\n",
    "broken chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzzz\r\n",
    "broken gzip": whole(b"\x1f\x8b" + b"\0" * 40),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_may_go_right_the_next_time_is_tried_again(name: str) -> None:
    result, server = fetched(says(BROKEN[name], BROKEN[name], whole(PNG)))
    assert result == PNG
    assert len(server.seen) == 3


@pytest.mark.parametrize("name", BROKEN)
def test_and_given_up_after_three_more_tries(name: str) -> None:
    failed, requests = failure(says(BROKEN[name]), "/x.png?signature=1")
    assert failed.kind == "download"
    assert requests == 4
    assert "4 tries" in failed.message


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_gone_is_gone(status: int) -> None:
    failed, requests = failure(says(whole(b"", f"{status} No")), "/x.png?signature=1")
    assert (failed.kind, requests) == ("expired", 1)


@pytest.mark.parametrize("status", [204, 206, 304, 400, 451])
def test_other_answers_are_final(status: int) -> None:
    failed, requests = failure(says(whole(b"", f"{status} No")))
    assert (failed.kind, requests) == ("download", 1)


@pytest.mark.parametrize("side", [8001, 9600, 30_000, 2_000_000_000])
def test_a_decompression_bomb_is_refused_at_once(side: int) -> None:
    failed, requests = failure(says(whole(bomb(side))))
    assert (failed.kind, requests) == ("download", 1)


def test_an_endless_body_is_cut_off() -> None:
    sent = 0

    async def endless(number: int, seen: Seen, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        chunk = b"100000\r\n" + b"\x89" * 0x100000 + b"\r\n"
        while sent < 256:
            writer.write(chunk)
            await writer.drain()
            sent += 1

    failed, requests = failure(endless)
    assert (failed.kind, requests) == ("download", 1)
    assert "larger than 32 MiB" in failed.message
    assert 32 <= sent < 64


def test_a_declared_size_beyond_the_cap_is_not_even_read() -> None:
    failed, _ = failure(says(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n"), deadline_s=5.0)
    assert "larger than 32 MiB" in failed.message


def test_compressed_bodies_are_unpacked_up_to_the_cap() -> None:
    result, _ = fetched(says(whole(gzip.compress(PNG), "200 OK", "Content-Encoding: gzip")))
    assert result == PNG
    failed, requests = failure(says(whole(gzip.compress(bytes(40 * 1024 * 1024)))))
    assert "larger than 32 MiB" in failed.message
    assert requests == 1


def test_an_encoding_that_is_not_so_does_no_harm() -> None:
    result, _ = fetched(says(whole(PNG, "200 OK", "Content-Encoding: gzip")))
    assert result == PNG


def redirects(location: str) -> bytes:
    return whole(b"", "302 Found", f"Location: {location}")


def test_three_redirects_are_followed_and_a_fourth_is_not() -> None:
    hop = redirects("/next.png")
    result, server = fetched(says(hop, hop, hop, whole(PNG)))
    assert result == PNG
    assert [seen.path for seen in server.seen][-1] == "/next.png"
    failed, requests = failure(says(redirects("/x.png?signature=1")))
    assert (failed.kind, requests) == ("download", 4)


@pytest.mark.parametrize(
    "location",
    [
        "http://169.254.169.254/latest/meta-data?signature=1",
        "https://169.254.169.254/",
        "https://10.0.0.1/x.png",
        "https://[::ffff:127.0.0.1]/x.png",
        "http://1.1.1.1/x.png",
        "file:///etc/passwd",
        "ftp://127.0.0.1/x.png",
        "//10.0.0.1/x.png",
        "https://me:signature@1.1.1.1/x.png",
        "https://[broken/",
    ],
)
def test_every_redirect_is_checked_again(location: str) -> None:
    failed, requests = failure(says(redirects(location)))
    assert (failed.kind, requests) == ("download", 1)
    assert "refusing" in failed.message


def test_the_deadline_holds_for_all_tries_together() -> None:
    async def trickle(number: int, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 9000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"\x89")
            await writer.drain()
            await asyncio.sleep(0.02)

    failed, requests = failure(trickle, "/x.png?signature=1", deadline_s=0.3)
    assert (failed.kind, requests) == ("download", 1)
    assert "did not come within 0.3 s" in failed.message


def test_this_machine_is_out_of_reach_of_a_public_provider() -> None:
    async def main() -> tuple[list[str], Server]:
        messages = []
        async with serving(says(whole(PNG))) as server:
            downloader = Downloader(loopback=False, pauses=QUICK)
            for url in (server.url(), server.url(scheme="https"), server.url(host="localhost")):
                with pytest.raises(DownloadFailed) as caught:
                    await downloader.fetch(url)
                messages.append(caught.value.message)
            await downloader.aclose()
        return messages, server

    messages, server = asyncio.run(main())
    assert all("not a public address" in message for message in messages)
    assert server.connections == 0


def test_the_query_stays_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        result, _ = fetched(says(whole(PNG)), "/x.png?signature=1")
    assert result == PNG
    assert "/x.png" in caplog.text
    assert "signature" not in caplog.text


def test_pictures_are_decoded_off_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless they are tiny: that takes less than telling a thread."""
    threads = []
    monkeypatch.setattr(download, "_TINY", 0)
    monkeypatch.setattr(download, "_decode", lambda data: threads.append(threading.current_thread()))
    result, _ = fetched(says(whole(PNG)))
    assert result == PNG
    assert threads != []
    assert threading.main_thread() not in threads


def test_decoders_may_fail_in_any_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def explode(image: Image.Image) -> None:
        raise MemoryError("no words from inside a decoder")

    monkeypatch.setattr(Image.Image, "load", explode)
    monkeypatch.setattr("PIL.ImageFile.ImageFile.load", explode)
    failed, requests = failure(says(whole(PNG)))
    assert requests == 4
    assert "cut short or broken" in failed.message


# names, addresses and certificates


def naming(**names: str):
    """A resolver that knows these names (`_` for a dot) and counts."""
    asked: list[str] = []

    async def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return names[host.replace(".", "_")].split()

    resolve.asked = asked
    return resolve


def test_a_name_is_looked_up_once_and_the_checked_address_is_used() -> None:
    answers = iter([["127.0.0.2"], ["10.0.0.1"]])

    async def rebinding(host: str, port: int) -> list[str]:
        return next(answers)

    async def main() -> Server:
        async with serving(says(whole(PNG)), host="127.0.0.2") as server:
            downloader = Downloader(loopback=True, resolve=rebinding, pauses=QUICK)
            assert await downloader.fetch(server.url(host=NAME)) == PNG
            with pytest.raises(DownloadFailed, match="not a public address"):
                await downloader.fetch(server.url(host=NAME))
            await downloader.aclose()
            return server

    server = asyncio.run(main())
    assert [seen.headers["host"] for seen in server.seen] == [f"{NAME}:{server.port}"]


def test_the_next_address_is_tried_if_one_cannot_be_reached() -> None:
    resolve = naming(pictures_example="127.0.0.9 ::1 127.0.0.1")

    async def main() -> None:
        async with serving(says(whole(PNG))) as server:
            downloader = Downloader(loopback=True, resolve=resolve, pauses=())
            assert await downloader.fetch(server.url(host=NAME)) == PNG
            await downloader.aclose()

    asyncio.run(main())
    assert resolve.asked == [NAME]


def test_a_name_without_address_is_tried_again() -> None:
    async def nothing(host: str, port: int) -> list[str]:
        asked.append(host)
        raise OSError("no such name")

    async def main() -> str:
        downloader = Downloader(loopback=False, resolve=nothing, pauses=QUICK)
        with pytest.raises(DownloadFailed) as caught:
            await downloader.fetch("https://pictures.example/x?signature=1")
        await downloader.aclose()
        return caught.value.message

    asked: list[str] = []
    assert "pictures.example has no address" in asyncio.run(main())
    assert len(asked) == 4


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def over_tls(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext | None, *hosts: str
) -> tuple[list[bytes | str], Server]:
    """What fetching from each host in turn comes to; all names lead to one server that keeps connections."""

    async def everywhere(host: str, port: int) -> list[str]:
        return ["127.0.0.1"]

    async def main() -> tuple[list[bytes | str], Server]:
        results: list[bytes | str] = []
        async with serving(says(whole(PNG)), tls=server_tls, keep=True) as server:
            server_tls.sni_callback = lambda sock, name, context: server.names.append(name)
            downloader = Downloader(loopback=True, resolve=everywhere, tls=client_tls, pauses=())
            for host in hosts:
                try:
                    results.append(await downloader.fetch(server.url(host=host, scheme="https")))
                except DownloadFailed as failed:
                    results.append(failed.message)
            await downloader.aclose()
        return results, server

    return asyncio.run(main())


def test_the_certificate_has_to_be_the_hosts_although_an_address_is_dialled(authority: Authority) -> None:
    results, server = over_tls(authority.server(NAME), authority.client(), NAME)
    assert results == [PNG]
    assert server.names == [NAME]
    assert server.seen[0].headers["host"] == f"{NAME}:{server.port}"


def test_the_certificate_of_another_host_is_not_accepted(authority: Authority) -> None:
    results, server = over_tls(authority.server("other.example"), authority.client(), NAME)
    assert "certificate" in str(results[0])
    assert server.seen == []


def test_an_unknown_authority_is_not_accepted(authority: Authority) -> None:
    results, server = over_tls(authority.server(NAME), None, NAME)
    assert "certificate" in str(results[0])
    assert server.seen == []


def test_a_kept_connection_is_never_used_for_another_host(authority: Authority) -> None:
    """Both names lead to one address, and the server would gladly go on; its certificate is for the first."""
    results, server = over_tls(authority.server(NAME), authority.client(), NAME, "other.example", NAME)
    assert results[0] == results[2] == PNG
    assert "certificate" in str(results[1])
    assert [seen.headers["host"].split(":")[0] for seen in server.seen] == [NAME, NAME]


def test_no_connection_is_kept_at_all() -> None:
    async def main() -> Server:
        async with serving(says(whole(PNG)), keep=True) as server:
            downloader = Downloader(loopback=True, pauses=())
            for _ in range(3):
                await downloader.fetch(server.url())
            await downloader.aclose()
            return server

    assert asyncio.run(main()).connections == 3


# the faults of the fakes


def from_fakes(fault: str) -> bytes | DownloadFailed:
    """What the picture of one fal job comes to, its prompt asking for a fault."""

    async def main(fakes: FakeServer) -> bytes | DownloadFailed:
        downloader = Downloader(loopback=True, pauses=QUICK)
        async with AsyncClient(headers={"Authorization": f"Key {fakes.environment()['FAL_KEY']}"}) as client:
            asked = {"prompt": f"a fox [[{fault}]]"}
            job = (await client.post(f"{fakes.base('fal')}/maker/model", json=asked)).json()
            for _ in range(3):
                await client.get(job["status_url"])
            result = (await client.get(job["response_url"])).json()
        try:
            return await downloader.picture(result["images"][0]["url"], deadline_s=20.0)
        except DownloadFailed as failed:
            return failed
        finally:
            await downloader.aclose()

    with FakeServer() as fakes:
        return asyncio.run(main(fakes))


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("dl:truncate", "download"),
        ("dl:truncate*1", ""),
        ("dl:truncate_ok", "download"),
        ("dl:wrongtype", ""),
        ("dl:html", "download"),
        ("dl:html*1", ""),
        ("dl:empty", "download"),
        ("dl:big", "download"),
        ("dl:redirect", ""),
        ("dl:redirect_private", "download"),
        ("dl:redirect_loop", "download"),
        ("dl:403", "expired"),
        ("dl:500*1", ""),
        ("dl:500", "download"),
        ("dl:bomb", "download"),
        ("dl:webp", ""),
    ],
)
def test_every_way_the_fakes_spoil_a_download(fault: str, kind: str) -> None:
    result = from_fakes(fault)
    assert (result.kind if isinstance(result, DownloadFailed) else "") == kind
