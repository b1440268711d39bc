from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path

import httpx
import pytest
from webhooksigning import (
    FAL_BODY,
    FAL_ID,
    NOW,
    OTHER_KEY,
    KeyServer,
    key_server,
    sign_bfl,
    sign_fal,
    sign_svix,
)

from evalkit.errors import StorageError
from evalkit.remote import receiver as module
from evalkit.remote.hooks import Hints
from evalkit.remote.receiver import BODY_LIMIT, UNSIGNED_PER_MINUTE, Receiver

BFL_SECRET = "SENTINEL-KEY-bfl"
SVIX = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Bench:
    """A receiver, its folder, its log and its clock."""

    def __init__(self, folder: Path, base: str, secrets: Mapping[str, str]) -> None:
        self.folder = folder
        self.log: list[str] = []
        self.now = float(NOW)
        environ = {"EVALKIT_FAL_BASE": base, **secrets}
        self.receiver = Receiver(folder, self.log.append, environ, lambda: self.now)
        self.app = self.receiver.app()

    def post(self, path: str, body: bytes = FAL_BODY, headers: Mapping[str, str] = {}) -> int:
        return self.posts([(path, body, headers)])[0]

    def posts(self, many: list[tuple[str, bytes, Mapping[str, str]]]) -> list[int]:
        async def main() -> list[int]:
            transport = httpx.ASGITransport(self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
                asked = [
                    client.post(path, content=body, headers=dict(headers)) for path, body, headers in many
                ]
                replies = await asyncio.gather(*asked)
            assert all(reply.content == b"" for reply in replies if reply.status_code not in (404, 405))
            return [reply.status_code for reply in replies]

        return asyncio.run(main())

    def ids(self, provider: str) -> list[str]:
        path = self.folder / f"{provider}.jsonl"
        return [json.loads(line)["id"] for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def published() -> Iterator[KeyServer]:
    with key_server() as server:
        yield server


@pytest.fixture
def bench(tmp_path: Path, published: KeyServer) -> Bench:
    secrets = {
        "BFL_WEBHOOK_SECRET": BFL_SECRET,
        "REPLICATE_WEBHOOK_SECRET": SVIX,
        "EACHLABS_WEBHOOK_SECRET": "SENTINEL-KEY-each",
    }
    return Bench(tmp_path / "hooks", published.base, secrets)


def test_a_genuine_delivery_leaves_the_id_and_nothing_else(bench: Bench) -> None:
    body = FAL_BODY.replace(b'"images":[]', b'"images":[{"url":"https://evil.example/x.png"}]')
    assert bench.post("/hooks/fal", body, sign_fal(body)) == 200
    assert bench.ids("fal") == [FAL_ID]
    assert "evil" not in (bench.folder / "fal.jsonl").read_text()
    assert asyncio.run(Hints(bench.folder, "fal").wait(FAL_ID, 0))


def test_every_provider_that_signs(bench: Bench) -> None:
    body = b'{"id": "job-1"}'
    assert bench.post("/hooks/bfl", body, sign_bfl(body, BFL_SECRET)) == 200
    assert bench.post("/hooks/replicate", body, sign_svix(body, SVIX)) == 200
    assert bench.post("/hooks/each", b'{"exec_id": "e"}', {"X-Webhook-Secret": "SENTINEL-KEY-each"}) == 200
    assert bench.post("/hooks/pixazo", b'{"request_id": "p"}') == 200
    found = [bench.ids(name) for name in ("bfl", "replicate", "each", "pixazo")]
    assert found == [["job-1"], ["job-1"], ["e"], ["p"]]


def test_doubles_are_taken_and_written_once(bench: Bench) -> None:
    assert bench.posts([("/hooks/fal", FAL_BODY, sign_fal())] * 5) == [200] * 5
    assert bench.post("/hooks/fal", FAL_BODY, sign_fal(stamp=NOW + 60)) == 200
    assert bench.ids("fal") == [FAL_ID]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        sign_fal(key=OTHER_KEY),
        sign_fal(stamp=NOW - 301),
        sign_fal(stamp=NOW + 301),
        sign_fal(FAL_BODY + b" "),
        sign_fal() | {"x-fal-webhook-request-id": "another"},
    ],
    ids=["unsigned", "badsig", "oldts", "future", "other body", "other id"],
)
def test_forged_deliveries_leave_nothing(bench: Bench, headers: Mapping[str, str]) -> None:
    assert bench.post("/hooks/fal", FAL_BODY, headers) == 401
    assert not bench.folder.exists()


def test_a_true_delivery_after_forged_ones(bench: Bench, published: KeyServer) -> None:
    forged = [("/hooks/fal", FAL_BODY, sign_fal(key=OTHER_KEY))] * 20
    assert set(bench.posts(forged)) == {401}
    assert bench.post("/hooks/fal", FAL_BODY, sign_fal()) == 200
    assert published.asked == 1


def test_a_replayed_delivery_is_too_old(bench: Bench) -> None:
    bench.now += 301
    assert bench.post("/hooks/fal", FAL_BODY, sign_fal()) == 401


def test_keys_out_of_reach_mean_try_again(bench: Bench, published: KeyServer) -> None:
    published.down = True
    assert bench.post("/hooks/fal", FAL_BODY, sign_fal()) == 503
    assert bench.ids("fal") == []


def test_signed_nonsense_is_refused(bench: Bench) -> None:
    for body in (b"", b"{}", b"null", b'{"id": "a b"}'):
        assert bench.post("/hooks/bfl", body, sign_bfl(body, BFL_SECRET)) == 401
    assert not bench.folder.exists()


def test_bodies_are_capped(bench: Bench) -> None:
    large = b" " * (BODY_LIMIT + 1)
    assert bench.post("/hooks/bfl", large, sign_bfl(large, BFL_SECRET)) == 413

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(BODY_LIMIT // 65536 + 1):
            yield b" " * 65536

    async def main() -> int:
        transport = httpx.ASGITransport(bench.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.post("/hooks/bfl", content=pieces())).status_code

    assert asyncio.run(main()) == 413


def test_a_body_that_does_not_come(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "READ_SECONDS", 0.02)

    async def slow() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(5)

    async def main() -> int:
        transport = httpx.ASGITransport(bench.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.post("/hooks/pixazo", content=slow())).status_code

    assert asyncio.run(main()) == 408


@pytest.mark.parametrize("path", ["/", "/hooks", "/hooks/", "/hooks/nobody", "/hooks/fal/x", "/hooks/..%2Fx"])
def test_other_paths_are_nowhere(bench: Bench, path: str) -> None:
    assert bench.post(path, FAL_BODY, sign_fal()) in (404, 307)
    assert not bench.folder.exists()


def test_only_post(bench: Bench) -> None:
    async def main() -> int:
        transport = httpx.ASGITransport(bench.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.get("/hooks/fal")).status_code

    assert asyncio.run(main()) == 405


def test_a_provider_without_its_secret_is_not_listened_to(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "hooks", "http://127.0.0.1:9", {})
    body = b'{"id": "job-1"}'
    assert bench.receiver.ready() == ["fal", "ideogram", "pixazo"]
    assert bench.post("/hooks/bfl", body, sign_bfl(body, "")) == 404


def test_unsigned_hints_are_rationed(bench: Bench) -> None:
    many = [("/hooks/pixazo", f'{{"request_id": "r{k}"}}'.encode(), {}) for k in range(UNSIGNED_PER_MINUTE)]
    assert set(bench.posts(many)) == {200}
    assert bench.post("/hooks/pixazo", b'{"request_id": "one-more"}') == 429
    assert bench.post("/hooks/pixazo", b'{"request_id": "r0"}') == 200
    bench.now += 61
    assert bench.post("/hooks/pixazo", b'{"request_id": "one-more"}') == 200
    assert len(bench.ids("pixazo")) == UNSIGNED_PER_MINUTE + 1


def test_a_full_disk_asks_to_try_again(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*args: object) -> None:
        raise StorageError("cannot write a hint: No space left on device", "Free some space.")

    with monkeypatch.context() as patch:
        patch.setattr(module, "add_hint", full)
        assert bench.post("/hooks/fal", FAL_BODY, sign_fal()) == 503
    assert bench.post("/hooks/fal", FAL_BODY, sign_fal()) == 200
    assert bench.ids("fal") == [FAL_ID]


def test_the_memory_of_what_was_seen_is_bounded(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)

    def send(name: str) -> int:
        body = f'{{"id": "{name}"}}'.encode()
        return bench.post("/hooks/bfl", body, sign_bfl(body, BFL_SECRET))

    assert [send(name) for name in "abcca"] == [200] * 5
    assert bench.ids("bfl") == ["a", "b", "c", "a"]


def test_logs_hold_no_secret_and_nothing_of_a_stranger(bench: Bench) -> None:
    bench.post("/hooks/each", b'{"exec_id": "e\\u001b[31m"}', {"X-Webhook-Secret": "SENTINEL-KEY-each"})
    bench.post("/hooks/each", b'{"exec_id": "e"}', {"X-Webhook-Secret": "stranger"})
    bench.post("/hooks/stranger%0Afal: hint", b"stranger")
    bench.post("/hooks/fal", FAL_BODY, sign_fal())
    text = "\n".join(bench.log)
    assert not [word for word in ("SENTINEL", "stranger", "\x1b") if word in text]
    assert f"fal: hint for {FAL_ID}" in bench.log
    assert "each: refused with 401, the signature does not fit" in bench.log
