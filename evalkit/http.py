"""The one module that imports httpx.

Everything else in evalkit that speaks HTTP takes its names from here, so that changing the client library
is changing one file. It knows no provider and no URL.
"""

from __future__ import annotations

from httpx import (
    AsyncClient,
    Client,
    HTTPError,
    HTTPStatusError,
    Limits,
    Request,
    Response,
    Timeout,
    TimeoutException,
    TransportError,
)

import evalkit

USER_AGENT = f"evalkit/{evalkit.__version__}"

__all__ = [
    "USER_AGENT",
    "AsyncClient",
    "Client",
    "HTTPError",
    "HTTPStatusError",
    "Limits",
    "Request",
    "Response",
    "Timeout",
    "TimeoutException",
    "TransportError",
    "download_client",
]


def download_client() -> Client:
    """For large files: follows redirects, waits long between bytes but not for a connection."""
    timeout = Timeout(60.0, connect=10.0)
    return Client(timeout=timeout, follow_redirects=True, headers={"User-Agent": USER_AGENT})
