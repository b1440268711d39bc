"""What every answer of the app carries, and what is not answered at all.

The page may load from itself only: no font, script, picture or beacon of another host, and no other page
may frame it.
"""

from __future__ import annotations

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
}
BLOCKED = ("/_stcore/metrics", "/_stcore/agent", "/_stcore/upload_file", "/media", "/app/static")
"""Streamlit's own paths that raters have no use for."""


class Security:
    """ASGI middleware: blocks `BLOCKED`, adds `HEADERS` where an answer does not have them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _blocked(scope["path"]):
            await PlainTextResponse("not found", 404)(scope, receive, _with_headers(send))
        else:
            await self._app(scope, receive, _with_headers(send))


def _blocked(path: str) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}/") for prefix in BLOCKED)


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            added = [(name, value) for name, value in HEADERS.items() if name not in present]
            message = {**message, "headers": [*message["headers"], *added]}
        await send(message)

    return sending
