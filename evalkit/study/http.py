"""The rater's HTTP interface: plain Starlette handlers over `StudyService`, no Streamlit.

    GET  /join               a rater cookie, then on to the page
    GET  /api/v1/next?k=3    ballots to judge
    POST /api/v1/vote        {"ticket", "answers", "client", "k"} -> receipt and the next ballots
    GET  /api/v1/progress    how far this rater is
    GET  /img/{handle}       a picture

Every error is JSON `{"error": word, ...}`. API requests carry `X-Evalkit: 1`, which no other site can make
a browser send, and their Origin must be ours if there is one.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from evalkit.errors import StorageError
from evalkit.ids import sha256
from evalkit.study.outcomes import Conflict, Expired, Invalid, NoSuchBallot, Saved, TooFast
from evalkit.study.pictures import MEDIA_TYPE
from evalkit.study.service import Ballot, StudyService

BODY_LIMIT = 8 * 1024
COOKIE_SECONDS = 90 * 24 * 3600
PRELOAD = 3
IMAGE_HEADERS = {
    "Cache-Control": "private, max-age=1800, immutable",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_NO_STORE = {"Cache-Control": "no-store"}

Handler = Callable[[Request], Awaitable[Response]]


class _Refused(Exception):
    """A request that is turned away before the service sees it."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


def routes(service: Callable[[], StudyService]) -> list[Route]:
    """The routes of one study; `service` is called on each request, so it may be opened later."""
    api = _Api(service)
    return [
        Route("/join", api.join, methods=["GET"]),
        Route("/img/{handle}", api.image, methods=["GET"]),
        Route("/api/v1/next", _guarded(api.next), methods=["GET"]),
        Route("/api/v1/vote", _guarded(api.vote), methods=["POST"]),
        Route("/api/v1/progress", _guarded(api.progress), methods=["GET"]),
    ]


def cookie_name(study: str) -> str:
    """One cookie per study: two studies may be open on two ports of the same host."""
    return f"evalkit_rater_{sha256(study.encode())[:8]}"


class _Api:
    def __init__(self, service: Callable[[], StudyService]) -> None:
        self._service = service

    async def join(self, request: Request) -> Response:
        """Open local mode: whoever comes without a cookie is a new rater."""
        service = self._service()
        response = RedirectResponse("/", status_code=303, headers=_NO_STORE)
        if _known_rater(service, request) is None:
            rater = f"r-{secrets.token_hex(6)}"
            response.set_cookie(
                cookie_name(service.definition.study),
                service.tickets.seal_rater(rater),
                max_age=COOKIE_SECONDS,
                httponly=True,
                samesite="lax",
                secure=request.url.scheme == "https",
            )
        return response

    async def image(self, request: Request) -> Response:
        data = await run_in_threadpool(self._service().image, request.path_params["handle"])
        if data is None:
            return _json({"error": "not_found"}, 404)
        return Response(data, media_type=MEDIA_TYPE, headers=IMAGE_HEADERS)

    async def next(self, request: Request) -> Response:
        service = self._service()
        rater = _rater(service, request)
        wanted = request.query_params.get("k", str(PRELOAD))
        if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 3):
            raise _Refused(400, "bad_request")
        return _json(await run_in_threadpool(_state, service, rater, int(wanted)))

    async def vote(self, request: Request) -> Response:
        service = self._service()
        rater = _rater(service, request)
        vote = _Vote.parse(await _body(request))
        return await run_in_threadpool(_cast, service, rater, vote)

    async def progress(self, request: Request) -> Response:
        service = self._service()
        return _json(asdict(service.progress(_rater(service, request))))


@dataclass(frozen=True, slots=True)
class _Vote:
    ticket: str
    answers: Mapping[str, str]
    client: Mapping[str, Any]
    k: int

    @staticmethod
    def parse(body: Any) -> _Vote:
        if not isinstance(body, dict):
            raise _Refused(400, "bad_request")
        ticket, answers = body.get("ticket"), body.get("answers")
        client, k = body.get("client", {}), body.get("k", PRELOAD)
        if not (isinstance(ticket, str) and isinstance(answers, dict) and isinstance(client, dict)):
            raise _Refused(400, "bad_request")
        if not all(isinstance(answer, str) for answer in answers.values()) or type(k) is not int:
            raise _Refused(400, "bad_request")
        return _Vote(ticket, answers, client, k)


def _cast(service: StudyService, rater: str, vote: _Vote) -> Response:
    try:
        outcome = service.vote(rater, vote.ticket, vote.answers, vote.client)
    except StorageError:
        return _json({"error": "storage"}, 503, {"Retry-After": "5"})
    match outcome:
        case Saved():
            return _json({**asdict(outcome), **_state(service, rater, vote.k)})
        case Conflict():
            return _json({"error": "conflict"}, 409)
        case Expired():
            return _json({"error": "expired"}, 410)
        case TooFast(retry_ms):
            return _json({"error": "too_fast", "retry_ms": retry_ms}, 422)
        case NoSuchBallot():
            return _json({"error": "not_found"}, 404)
        case Invalid(message):
            return _json({"error": "invalid", "message": message}, 400)


def _state(service: StudyService, rater: str, k: int) -> dict[str, Any]:
    """What a rater's page needs to go on: the open ballots and the progress."""
    ballots = service.next(rater, k)
    service.prepare(ballots)
    return {"ballots": [_shown(b) for b in ballots], "progress": asdict(service.progress(rater))}


def _shown(ballot: Ballot) -> dict[str, Any]:
    images = {"left": f"/img/{ballot.left}", "right": f"/img/{ballot.right}"}
    if ballot.source:
        images["source"] = f"/img/{ballot.source}"
    return {
        "id": ballot.id,
        "ticket": ballot.ticket,
        "task": ballot.task,
        "prompt": ballot.prompt,
        "criteria": list(ballot.criteria),
        "images": images,
    }


def _guarded(handler: Handler) -> Handler:
    """Turn away what another site's page could have sent; put refusals into JSON."""

    async def guarded(request: Request) -> Response:
        try:
            _check_origin(request)
            return await handler(request)
        except _Refused as refused:
            return _json({"error": refused.error}, refused.status)

    return guarded


def _check_origin(request: Request) -> None:
    origin = request.headers.get("origin")
    if request.headers.get("x-evalkit") != "1":
        raise _Refused(403, "forbidden")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host", ""):
        raise _Refused(403, "forbidden")


def _rater(service: StudyService, request: Request) -> str:
    rater = _known_rater(service, request)
    if rater is None:
        raise _Refused(401, "join_first")
    return rater


def _known_rater(service: StudyService, request: Request) -> str | None:
    cookie = request.cookies.get(cookie_name(service.definition.study))
    return service.tickets.open_rater(cookie) if cookie else None


async def _body(request: Request) -> Any:
    if request.headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
        raise _Refused(415, "json_only")
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > BODY_LIMIT:
            raise _Refused(413, "too_large")
    try:
        return json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _Refused(400, "bad_request") from error


def _json(
    value: Mapping[str, Any] | Sequence[Any], status: int = 200, headers: Mapping[str, str] = {}
) -> JSONResponse:
    return JSONResponse(value, status, headers={**_NO_STORE, "X-Content-Type-Options": "nosniff", **headers})
