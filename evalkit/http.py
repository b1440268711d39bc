"""The one module that imports httpx.

Everything else in evalkit that speaks HTTP takes its names from here, so that changing the client library
is changing one file. It knows no provider and no URL.

`sniffio` is a dependency for its sake: the layer below httpx tries to import it at every step, and an import
that fails each time costs more than the request.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from httpx import (
    URL,
    AsyncClient,
    Client,
    ConnectError,
    ConnectTimeout,
    HTTPError,
    HTTPStatusError,
    InvalidURL,
    Limits,
    LocalProtocolError,
    PoolTimeout,
    ProxyError,
    Request,
    Response,
    Timeout,
    TimeoutException,
    TransportError,
    UnsupportedProtocol,
    create_ssl_context,
)

import evalkit

USER_AGENT = f"evalkit/{evalkit.__version__}"

__all__ = [
    "URL",
    "USER_AGENT",
    "AsyncClient",
    "Client",
    "ClientPool",
    "ConnectError",
    "ConnectTimeout",
    "HTTPError",
    "HTTPStatusError",
    "InvalidURL",
    "Limits",
    "LocalProtocolError",
    "PoolTimeout",
    "ProxyError",
    "Request",
    "Response",
    "Timeout",
    "TimeoutException",
    "TransportError",
    "UnsupportedProtocol",
    "create_ssl_context",
    "download_client",
]


class _CutQueries(logging.Filter):
    """httpx logs the URL of every request, and the query of a signed URL is a credential."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                arg.copy_with(query=None) if isinstance(arg, URL) else arg for arg in record.args
            )
        return True


logging.getLogger("httpx").addFilter(_CutQueries())


def download_client() -> Client:
    """For large files: follows redirects, waits long between bytes but not for a connection."""
    timeout = Timeout(60.0, connect=10.0)
    return Client(timeout=timeout, follow_redirects=True, headers={"User-Agent": USER_AGENT})


class ClientPool:
    """Clients of one connection each, made as they are needed and used again.

    An httpx client looks through all its connections at every request, which at a hundred of them costs six
    times what the request does; a client with one has nothing to look through. A connection is kept for three
    idle seconds only, less than common servers keep theirs: a request sent into a connection that is being
    closed is lost, and nobody can tell whether it was worked on. `trust_env`: proxies of the environment are
    used; its certificates always are.
    """

    def __init__(self, *, trust_env: bool = True) -> None:
        self._trust_env = trust_env
        self._tls: ssl.SSLContext | None = None
        self._every: list[AsyncClient] = []
        self._free: list[AsyncClient] = []

    def __len__(self) -> int:
        return len(self._every)

    def prepare(self) -> None:
        """Make the first client; reading the certificates for it takes a while."""
        if not self._every:
            self._free.append(self._make())

    @asynccontextmanager
    async def lease(self) -> AsyncIterator[AsyncClient]:
        """A client for one request, the one that was used last; it never follows redirects."""
        client = self._free.pop() if self._free else self._make()
        try:
            yield client
        finally:
            self._free.append(client)

    async def aclose(self) -> None:
        """Close every connection; the pool can be used again."""
        every, self._every, self._free = self._every, [], []
        for client in every:
            await client.aclose()

    def _make(self) -> AsyncClient:
        self._tls = self._tls or create_ssl_context()
        client = AsyncClient(
            verify=self._tls,
            trust_env=self._trust_env,
            follow_redirects=False,
            limits=Limits(max_connections=1, max_keepalive_connections=1, keepalive_expiry=3.0),
            headers={"User-Agent": USER_AGENT},
        )
        self._every.append(client)
        return client
