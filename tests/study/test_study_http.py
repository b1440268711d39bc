from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from make_run import MARKER
from starlette.applications import Starlette

from evalkit.images import decode
from evalkit.store import Workspace
from evalkit.study.define import create_study
from evalkit.study.http import BODY_LIMIT, cookie_name, routes
from evalkit.study.service import ServiceOptions, StudyService

OURS = {"X-Evalkit": "1"}
BASE = "http://127.0.0.1:8501"

Client = httpx.AsyncClient


@pytest.fixture
def service(workspace: Workspace, study: str) -> Iterator[StudyService]:
    with StudyService(workspace, study) as opened:
        yield opened


@asynccontextmanager
async def browser(service: StudyService, *, join: bool = True) -> AsyncIterator[Client]:
    transport = httpx.ASGITransport(Starlette(routes=routes(lambda: service)))
    async with Client(transport=transport, base_url=BASE, headers=OURS) as client:
        if join:
            await client.get("/join")
        yield client


def run(test: Callable[[Client], Awaitable[None]], service: StudyService, *, join: bool = True) -> None:
    async def main() -> None:
        async with browser(service, join=join) as client:
            await test(client)

    asyncio.run(main())


async def ballots(client: Client, k: int = 3) -> list[dict[str, Any]]:
    response = await client.get(f"/api/v1/next?k={k}")
    assert response.status_code == 200
    found: list[dict[str, Any]] = response.json()["ballots"]
    return found


def filled(ballot: dict[str, Any], answer: str = "left") -> dict[str, Any]:
    return {"ticket": ballot["ticket"], "answers": dict.fromkeys(ballot["criteria"], answer)}


def test_joining_gives_a_signed_cookie_once(service: StudyService) -> None:
    async def test(client: Client) -> None:
        response = await client.get("/join")
        assert (response.status_code, response.headers["location"]) == (303, "/")
        cookie = response.headers["set-cookie"]
        assert cookie.startswith(cookie_name("s1"))
        assert "HttpOnly" in cookie
        assert "SameSite=lax" in cookie
        assert "set-cookie" not in (await client.get("/join")).headers

    run(test, service, join=False)


def test_strangers_and_forged_cookies_must_join_first(service: StudyService) -> None:
    async def test(client: Client) -> None:
        assert (await client.get("/api/v1/next")).status_code == 401
        client.cookies.set(cookie_name("s1"), "forged")
        response = await client.get("/api/v1/progress")
        assert (response.status_code, response.json()) == (401, {"error": "join_first"})
        assert (await client.post("/api/v1/vote", json={})).status_code == 401

    run(test, service, join=False)


def test_a_vote_is_acknowledged_with_the_next_ballots(service: StudyService) -> None:
    async def test(client: Client) -> None:
        first, second, _ = await ballots(client)
        assert set(first) == {"id", "ticket", "task", "prompt", "criteria", "images"}
        response = await client.post("/api/v1/vote", json={**filled(first), "k": 2})
        told = response.json()
        assert response.status_code == 200
        assert told["receipt"]
        assert told["progress"] == {"done": 1, "total": 12}
        assert len(told["ballots"]) == 2
        assert told["ballots"][0]["id"] == second["id"]
        again = await client.post("/api/v1/vote", json=filled(first))
        assert (again.status_code, again.json()["receipt"]) == (200, told["receipt"])
        changed = await client.post("/api/v1/vote", json=filled(first, "right"))
        assert (changed.status_code, changed.json()) == (409, {"error": "conflict"})

    run(test, service)


def test_pictures_come_bare_and_private(service: StudyService) -> None:
    async def test(client: Client) -> None:
        (ballot,) = await ballots(client, 1)
        response = await client.get(ballot["images"]["left"])
        assert response.status_code == 200
        assert decode(response.content).shape == (40, 48, 3)
        assert dict(response.headers) == {
            "content-type": "image/webp",
            "content-length": str(len(response.content)),
            "cache-control": "private, max-age=1800, immutable",
            "x-content-type-options": "nosniff",
            "referrer-policy": "no-referrer",
            "cross-origin-resource-policy": "same-origin",
        }

    run(test, service)


def test_every_wrong_handle_looks_the_same(workspace: Workspace, study: str) -> None:
    create_study(workspace, "s2", "r1")
    now = [1_760_000_000.0]
    options = ServiceOptions(clock=lambda: now[0])
    with StudyService(workspace, study, options) as service, StudyService(workspace, "s2") as other:
        (foreign,) = other.next("r")

        async def test(client: Client) -> None:
            (ballot,) = await ballots(client, 1)
            good = ballot["images"]["left"]
            now[0] += 1801
            answers = [
                await client.get(path)
                for path in (good, good[:-4] + "AAAA", "/img/x", f"/img/{foreign.left}")
            ]
            told = {(r.status_code, r.content, tuple(sorted(r.headers.items()))) for r in answers}
            assert len(told) == 1
            assert told.pop()[:2] == (404, b'{"error":"not_found"}')

        run(test, service)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"X-Evalkit": "0"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://127.0.0.1:9999"}, 403),
        ({"Origin": BASE}, 200),
    ],
)
def test_other_sites_cannot_vote(service: StudyService, headers: dict[str, str], status: int) -> None:
    async def test(client: Client) -> None:
        (ballot,) = await ballots(client, 1)
        response = await client.post("/api/v1/vote", json=filled(ballot), headers=headers)
        assert response.status_code == status

    run(test, service)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"{", "application/json", 400),
        (b"[" * 5000, "application/json", 400),
        (b"[]", "application/json", 400),
        (b'{"ticket": 1, "answers": {}}', "application/json", 400),
        (b'{"ticket": "x", "answers": {"alignment": 1}}', "application/json", 400),
        (b'{"ticket": "x", "answers": {}, "k": "3"}', "application/json", 400),
        (b'{"ticket": "x", "answers": {}}', "application/json", 404),
        (b'{"ticket": "x", "answers": {}}', "text/plain", 415),
        (b" " * (BODY_LIMIT + 1), "application/json", 413),
    ],
)
def test_bad_requests_are_told_so_in_json(
    service: StudyService, body: bytes, content_type: str, status: int
) -> None:
    async def test(client: Client) -> None:
        response = await client.post("/api/v1/vote", content=body, headers={"Content-Type": content_type})
        assert response.status_code == status
        assert set(response.json()) == {"error"}

    run(test, service)


def test_wrong_answers_and_old_tickets_have_their_own_codes(workspace: Workspace, study: str) -> None:
    now = [1_760_000_000.0]
    options = ServiceOptions(clock=lambda: now[0], min_view_ms=800)
    with StudyService(workspace, study, options) as service:

        async def test(client: Client) -> None:
            (ballot,) = await ballots(client, 1)
            vote = {**filled(ballot), "client": {"visible_ms": 5000}}
            early = await client.post("/api/v1/vote", json=vote)
            assert (early.status_code, early.json()) == (422, {"error": "too_fast", "retry_ms": 800})
            now[0] += 60
            wrong = await client.post("/api/v1/vote", json={**vote, "answers": {}})
            assert wrong.status_code == 400
            assert "not answered" in wrong.json()["message"]
            now[0] += 1801
            late = await client.post("/api/v1/vote", json=vote)
            assert (late.status_code, late.json()) == (410, {"error": "expired"})

        run(test, service)


@pytest.mark.parametrize("k", ["x", "-1", "", "999", "²"])
def test_k_must_be_a_small_number(service: StudyService, k: str) -> None:
    async def test(client: Client) -> None:
        assert (await client.get("/api/v1/next", params={"k": k})).status_code == 400

    run(test, service)


def test_a_full_disk_asks_to_come_back(service: StudyService, monkeypatch: pytest.MonkeyPatch) -> None:
    from evalkit.errors import StorageError
    from evalkit.store import Journal

    def full(*_: object, **__: object) -> None:
        raise StorageError("the disk is full")

    async def test(client: Client) -> None:
        (ballot,) = await ballots(client, 1)
        monkeypatch.setattr(Journal, "append", full)
        response = await client.post("/api/v1/vote", json=filled(ballot))
        assert (response.status_code, response.headers["retry-after"]) == (503, "5")

    run(test, service)


def test_nothing_that_reaches_a_rater_tells_who_made_a_picture(service: StudyService) -> None:
    """Every byte of every answer over a whole study, errors included."""
    received: list[bytes] = []

    def keep(response: httpx.Response) -> None:
        head = "\n".join(f"{k}: {v}" for k, v in response.headers.items())
        received.append(head.encode() + b"\n\n" + response.content)

    async def test(client: Client) -> None:
        keep(await client.get("/join"))
        while found := await ballots(client, 2):
            for ballot in found:
                for path in ballot["images"].values():
                    keep(await client.get(path))
            keep(await client.get("/api/v1/next?k=2"))
            keep(await client.post("/api/v1/vote", json=filled(found[0])))
            keep(await client.post("/api/v1/vote", json=filled(found[0], "tie")))
        keep(await client.get("/img/nothing"))
        keep(await client.get("/api/v1/progress"))

    run(test, service, join=False)
    secrets = {MARKER, "r1", *(c.case for c in service.definition.comparisons)}
    for comparison in service.definition.comparisons:
        secrets |= {comparison.id, comparison.trial_a, comparison.trial_b}
        secrets |= {comparison.image_a, comparison.image_b}
    whole = b"\n".join(received)
    texts = b"\n".join(r for r in received if b"image/webp" not in r)
    assert len(received) > 60
    assert MARKER.encode() not in whole
    assert not [s for s in secrets if len(s) > 3 and s.encode() in whole]
    assert b'"system' not in texts
    told = {key for r in received if b'"ballots"' in r for key in json.loads(r.split(b"\n\n", 1)[1])}
    assert told <= {"ballots", "progress", "receipt", "saved_at"}
