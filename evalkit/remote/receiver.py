"""The web side of `evalkit serve-webhooks`: takes deliveries, leaves hints, tells strangers nothing.

    POST /hooks/{provider}   200 taken or known already; 400 and up without a word why

It stores a job's id and nothing else of what it is sent, and logs neither bodies nor headers.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from evalkit.errors import StorageError
from evalkit.remote.hooks import FOLDER, add_hint
from evalkit.remote.jwks import KeysUnavailable
from evalkit.remote.webhooks import SCHEMES, Delivery, Forged, Verifier

BODY_LIMIT = 2 * 1024 * 1024
READ_SECONDS = 10.0
REMEMBERED = 50_000
UNSIGNED_PER_MINUTE = 120
"""Hints anybody can leave are few, so that nobody can fill the disk with them."""


class _TurnedAway(Exception):
    """A request that gets a bare status; `why` goes to the log only."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Receiver:
    """Takes deliveries for `folder`. `log` gets a line for each; `clock` gives unix seconds."""

    def __init__(
        self,
        folder: Path,
        log: Callable[[str], None],
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._log = log
        self._clock = clock
        self._verifiers = {name: Verifier(scheme, environ) for name, scheme in SCHEMES.items()}
        self._seen: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._unsigned: deque[float] = deque()

    def ready(self) -> list[str]:
        """Providers whose deliveries can be verified (or need not be)."""
        return [name for name, verifier in self._verifiers.items() if verifier.ready]

    def app(self) -> Starlette:
        """The web application."""
        return Starlette(routes=[Route(f"/{FOLDER}/{{provider}}", self.take, methods=["POST"])])

    async def take(self, request: Request) -> Response:
        """One delivery."""
        provider = str(request.path_params["provider"])
        try:
            return await self._take(provider, request)
        except _TurnedAway as refusal:
            known = provider if provider in SCHEMES else "unknown provider"
            self._log(f"{known}: refused with {refusal.status}, {refusal}")
            return Response(status_code=refusal.status)

    async def _take(self, provider: str, request: Request) -> Response:
        verifier = self._verifiers.get(provider)
        if verifier is None or not verifier.ready:
            raise _TurnedAway(404, "nobody listens for that")
        delivery = Delivery(dict(request.headers), await _body(request), self._clock())
        try:
            job_ids = await verifier.verify(delivery)
        except Forged as error:
            raise _TurnedAway(401, str(error)) from error
        except KeysUnavailable as error:
            raise _TurnedAway(503, str(error)) from error
        for job_id in job_ids:
            self._leave(provider, job_id)
        return Response(status_code=200)

    def _leave(self, provider: str, job_id: str) -> None:
        if (provider, job_id) in self._seen:
            return
        if not SCHEMES[provider].signed:
            self._ration()
        try:
            add_hint(self._folder, provider, job_id)
        except StorageError as error:
            raise _TurnedAway(503, error.message) from error
        self._seen[(provider, job_id)] = None
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)
        self._log(f"{provider}: hint for {job_id}")

    def _ration(self) -> None:
        now = self._clock()
        while self._unsigned and self._unsigned[0] < now - 60:
            self._unsigned.popleft()
        if len(self._unsigned) >= UNSIGNED_PER_MINUTE:
            raise _TurnedAway(429, "too many unsigned hints")
        self._unsigned.append(now)


async def _body(request: Request) -> bytes:
    """The whole body, if it is small and comes soon."""
    announced = request.headers.get("content-length", "0")
    if announced.isdigit() and int(announced) > BODY_LIMIT:
        raise _TurnedAway(413, "the body is too large")
    body = bytearray()
    try:
        async with asyncio.timeout(READ_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > BODY_LIMIT:
                    raise _TurnedAway(413, "the body is too large")
    except TimeoutError as error:
        raise _TurnedAway(408, "the body does not come") from error
    except ClientDisconnect as error:
        raise _TurnedAway(400, "the sender went away") from error
    return bytes(body)
