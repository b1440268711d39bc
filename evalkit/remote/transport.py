"""Requests to one provider's API: where the key may go, what may come back, and what a broken line proves.

It sends what it is given and answers with a `Reply`. What the reply means is for `classify` and the engine;
pictures are fetched by `download`, which holds no key.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast
from urllib.parse import quote

from evalkit.http import (
    URL,
    AsyncClient,
    ClientPool,
    ConnectError,
    ConnectTimeout,
    HTTPError,
    InvalidURL,
    LocalProtocolError,
    PoolTimeout,
    ProxyError,
    Request,
    Response,
    Timeout,
    UnsupportedProtocol,
)
from evalkit.remote.addresses import is_loopback
from evalkit.remote.body import Filled
from evalkit.remote.catalog import Account
from evalkit.remote.classify import Reply
from evalkit.remote.redact import without
from evalkit.remote.spec import Kind, Spec
from evalkit.types import Json

MAX_ANSWER = 96 * 1024 * 1024
"""Bytes of one API answer: four pictures of 16 megapixels as base64 are below it."""

_NEVER_LEFT = (ConnectError, ConnectTimeout, PoolTimeout, ProxyError, LocalProtocolError, UnsupportedProtocol)
_REASONS = {
    "ConnectError": "no connection could be made",
    "ConnectTimeout": "no connection within ten seconds",
    "ProxyError": "the proxy refused",
    "LocalProtocolError": "a header is not allowed in HTTP, perhaps the key",
    "UnsupportedProtocol": "the URL does not begin with http:// or https://",
    "ValueError": "the request cannot be written down",
    "TypeError": "the request cannot be written down",
    "InvalidURL": "the URL is malformed",
    "ReadTimeout": "no answer in time",
    "TimeoutError": "no answer in time",
    "RemoteProtocolError": "the connection was closed before an answer was complete",
    "TooBig": f"the answer is larger than {MAX_ANSWER // 2**20} MiB",
}
_NAME = re.compile(r"\{(\w+)\}")
_SHORTEST_SECRET = 12
CONNECT_S = 10.0


class NotSent(Exception):
    """Provably nothing left this process, so no job can exist. `transient` ones may go next time."""

    def __init__(self, message: str, kind: Kind = "transient") -> None:
        super().__init__(message)
        self.kind: Kind = kind


class Lost(Exception):
    """Something may have arrived; nobody knows what came of it."""


class Foreign(Exception):
    """The URL is not the provider's, so the key is not sent there."""


class TooBig(HTTPError):
    """More than `MAX_ANSWER` bytes."""

    def __init__(self) -> None:
        super().__init__("too big")


class Transport:
    """One provider, one account. Safe to use from many tasks of one event loop."""

    def __init__(self, spec: Spec, account: Account) -> None:
        self.spec = spec
        self.account = account
        self._base = URL(account.base)
        self._origins = {_origin(URL(url)) for url in (account.base, *account.hosts.values())}
        self._suffixes = tuple(host.lower() for host in (_host(self._base), *spec.trust) if host)
        self.loopback = is_here(_host(self._base))
        self._pool = ClientPool(trust_env=not self.loopback)
        self._secrets = _secrets(account.key, account.secret)

    def __repr__(self) -> str:
        return f"Transport({self.spec.name!r}, {self.account.base!r})"

    def prepare(self) -> None:
        """Make what takes time to make, before anything depends on it."""
        self._pool.prepare()

    async def send(
        self,
        method: str,
        url: str,
        *,
        filled: Filled | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] = {},
        authorized: bool = True,
        timeout: float = 60.0,
    ) -> Reply:
        """One request, one answer, within `timeout` seconds in all. Redirects are answers like any other.

        Raises `NotSent` where that is proven, `Foreign` before the key would go elsewhere, `Lost` otherwise.
        """
        if authorized and not self.trusts(url):
            raise Foreign(f"refusing to send credentials to {_shown(url)}")
        every = {**self._own_headers(), **headers} if authorized else dict(headers)
        sent = _Sent(method, url, every, _body(filled, content), timeout)
        try:
            async with asyncio.timeout(timeout), self._pool.lease() as client:
                return await self._exchange(client, _request(client, sent))
        except _NEVER_LEFT as error:
            fixable = isinstance(error, LocalProtocolError | UnsupportedProtocol)
            raise NotSent(_why(error, url), "permanent" if fixable else "transient") from None
        except (TimeoutError, HTTPError) as error:
            raise Lost(_why(error, url)) from None

    def trusts(self, url: str) -> bool:
        """Whether the key may go to `url`: the API's own origins, or over TLS its hosts and those below."""
        try:
            parsed = _parsed(url)
        except InvalidURL:
            return False
        if parsed.userinfo or not _host(parsed):
            return False
        if _origin(parsed) in self._origins:
            return True
        if self.loopback and is_here(_host(parsed)):
            return _origin(parsed)[2] == _origin(self._base)[2] and parsed.scheme == self._base.scheme
        return parsed.scheme == "https" and parsed.port is None and _below(_host(parsed), self._suffixes)

    def resolve(self, template: str, values: Mapping[str, str]) -> str | None:
        """A URL from `{base}/x/{id}` or `{status_url}`; None if a name in it has no value.

        A value that opens the template is a URL and taken as it is; others are parts of a path.
        """
        known = {**self.account.hosts, "base": self.account.base.rstrip("/"), **values}
        if any(not known.get(name) for name in _NAME.findall(template)):
            return None
        return _NAME.sub(lambda m: known[m[1]] if m.start() == 0 else quote(known[m[1]], "/:@"), template)

    def redact(self, text: str) -> str:
        """`text` without the key, whoever put it there."""
        return without(text, (self.account.key, self.account.secret))

    async def aclose(self) -> None:
        """Close the connections."""
        await self._pool.aclose()

    def _own_headers(self) -> dict[str, str]:
        auth, key = self.spec.auth, self.account.key
        if not key:
            return dict(self.spec.headers)
        if not (key.isascii() and key.isprintable()):
            message = f"the key of {self.spec.name} holds characters that a header cannot carry"
            raise NotSent(message, "auth")
        return {**self.spec.headers, auth.header: auth.value.replace("{key}", key)}

    def _without_key(self, text: str) -> str:
        """An answer that repeats the key; only long ones, which cannot be part of a picture by chance."""
        for secret in self._secrets:
            text = text.replace(secret, "***")
        return text

    async def _exchange(self, client: AsyncClient, request: Request) -> Reply:
        response = await client.send(request, stream=True)
        try:
            data = await _read(response)
        finally:
            await response.aclose()
        text = self._without_key(data.decode("utf-8", errors="replace"))
        headers = {name.lower(): self.redact(value) for name, value in response.headers.items()}
        return Reply(response.status_code, headers, text, _json(text))


@dataclass(frozen=True, slots=True)
class _Sent:
    method: str
    url: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    timeout: float


def _request(client: AsyncClient, sent: _Sent) -> Request:
    try:
        limit = Timeout(sent.timeout, connect=CONNECT_S)
        url = _parsed(sent.url)
        return client.build_request(sent.method, url, headers=sent.headers, timeout=limit, **sent.body)
    except (InvalidURL, ValueError, TypeError) as error:
        raise NotSent(_why(error, sent.url), "permanent") from None


@lru_cache(maxsize=512)
def _parsed(url: str) -> URL:
    """Submits go to few URLs, and reading one costs more than most of what is done for a request."""
    return URL(url)


def _why(error: Exception, url: str) -> str:
    """In words of ours: what the library says may quote the header that holds the key."""
    name = type(error).__name__
    return f"{_REASONS.get(name, 'the connection broke')} ({name}, {_shown(url)})"


async def _read(response: Response) -> bytes:
    data = bytearray()
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) > MAX_ANSWER:
            raise TooBig
    return bytes(data)


def _body(filled: Filled | None, content: bytes | None) -> dict[str, Any]:
    """Keyword arguments of httpx; form fields go as parts too, so that a form without files stays one."""
    if filled is None:
        return {"content": content}
    if filled.fields or filled.files:
        fields = [(name, (None, value.encode())) for name, value in filled.fields]
        return {"files": [*fields, *filled.files]}
    return {"json": filled.json}


def _json(text: str) -> Json:
    """The parsed answer, or None. NaN and Infinity become None: no journal could hold them."""
    try:
        return cast(Json, json.loads(text, parse_constant=lambda _: None))
    except (ValueError, RecursionError):
        return None


def _secrets(key: str, secret: str) -> tuple[str, ...]:
    """The key, each half of an `id:secret`, and the secret of webhooks."""
    parts = {key, *key.split(":"), secret}
    return tuple(sorted((part for part in parts if len(part) >= _SHORTEST_SECRET), key=len, reverse=True))


def is_here(host: str) -> bool:
    """Whether a host name or address is this machine."""
    return host == "localhost" or host.endswith(".localhost") or is_loopback(host.strip("[]"))


def _host(url: URL) -> str:
    return url.raw_host.decode("ascii").lower()


def _origin(url: URL) -> tuple[str, str, int | None]:
    return url.scheme, _host(url), url.port


def _below(host: str, suffixes: tuple[str, ...]) -> bool:
    return any(host == suffix or host.endswith("." + suffix) for suffix in suffixes)


def _shown(url: str) -> str:
    """The host of a URL: paths and query strings may be signed."""
    try:
        return URL(url).host or "a URL without a host"
    except InvalidURL:
        return "a malformed URL"
