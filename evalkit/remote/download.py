"""Fetching the pictures that an answer points to, as if the URL and the server behind it were hostile.

It knows how to get the bytes of a picture safely and whether they are one. It holds no credential, keeps no
connection and no cookie, and goes only to addresses that `addresses` has checked. Proxies are not used: a
checked address is worth nothing if another machine does the connecting.
"""

from __future__ import annotations

import asyncio
import binascii
import re
import ssl
import zlib
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Literal

from evalkit.http import (
    URL,
    USER_AGENT,
    AsyncClient,
    ConnectError,
    ConnectTimeout,
    InvalidURL,
    Limits,
    Request,
    Response,
    Timeout,
    TransportError,
    create_ssl_context,
)
from evalkit.images import ImageProblem, check, read_header
from evalkit.remote import addresses
from evalkit.remote.addresses import NoAddress, NotPublic, Target

MAX_BYTES = 32 * 1024 * 1024
"""Of one picture as a file."""
MAX_REDIRECTS = 3
PAUSES = (0.25, 0.75, 2.0)
"""Seconds before each further try."""

_MOST_ADDRESSES = 4
_GONE = (401, 403, 404, 410)
_WORTH_ANOTHER_TRY = (408, 425, 429)
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:")
_DATA_URI = re.compile(r"data:[^,]{0,200};base64,", re.IGNORECASE)

_TINY = 128 * 128
"""Pixels that take less time to decode than a thread takes to be told to."""
_DECODER = ThreadPoolExecutor(1, thread_name_prefix="evalkit-decode")
"""One for all: a picture of the largest size takes 250 MB while it is being decoded."""


class DownloadFailed(Exception):
    """No picture from there. `expired`: the server says that it is gone; `download`: anything else.

    `message` names host and path of the URL, never its query.
    """

    def __init__(self, kind: Literal["download", "expired"], message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class _TryAgain(Exception):
    """What went wrong may go right the next time."""


class Downloader:
    """Fetches pictures for one provider. Safe to use from many tasks of one event loop.

    `loopback` says that the provider itself is on this machine, so that its pictures may be, too. `resolve`
    and `tls` replace the system's name lookup and certificate store.
    """

    def __init__(
        self,
        *,
        loopback: bool,
        resolve: addresses.Resolve = addresses.resolve,
        tls: ssl.SSLContext | None = None,
        pauses: Sequence[float] = PAUSES,
    ) -> None:
        self._loopback = loopback
        self._resolve = resolve
        self._pauses = tuple(pauses)
        self._client = AsyncClient(
            verify=tls or create_ssl_context(),
            trust_env=False,  # a .netrc would add a password to every request
            follow_redirects=False,
            # The pool knows connections by IP address only: a kept one would be used for another host
            # of that address without a look at its certificate.
            limits=Limits(max_connections=None, max_keepalive_connections=0),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
            timeout=Timeout(30.0, connect=10.0),
            headers={"User-Agent": USER_AGENT, "Accept": "image/*, */*;q=0.5", "Accept-Encoding": "identity"},
        )

    async def picture(self, value: str, *, deadline_s: float = 120.0) -> bytes:
        """The picture that an answer holds, be it inline or behind a URL. Raises `DownloadFailed`."""
        data = inline(value)
        if data is None:
            return await self.fetch(value, deadline_s=deadline_s)
        try:
            await _require_picture(data)
        except _TryAgain as problem:
            raise DownloadFailed("download", f"the answer holds {problem}") from None
        return data

    async def fetch(self, url: str, *, deadline_s: float = 120.0) -> bytes:
        """The file behind `url`, decoded once to prove that all of it is there. Raises `DownloadFailed`."""
        try:
            async with asyncio.timeout(deadline_s):
                return await self._patiently(url)
        except TimeoutError:
            message = f"{shown(url)} did not come within {deadline_s:g} s"
            raise DownloadFailed("download", message) from None

    async def aclose(self) -> None:
        """Close every connection."""
        await self._client.aclose()

    async def _patiently(self, url: str) -> bytes:
        for pause in self._pauses:
            with suppress(_TryAgain):
                return await self._once(url)
            await asyncio.sleep(pause)
        try:
            return await self._once(url)
        except _TryAgain as problem:
            message = f"{shown(url)} gave {problem}; {len(self._pauses) + 1} tries"
            raise DownloadFailed("download", message) from None

    async def _once(self, url: str) -> bytes:
        try:
            data = _unpacked(await self._body(url))
        except NoAddress as error:
            raise _TryAgain(f"no answer ({error})") from None
        except NotPublic as error:
            raise DownloadFailed("download", f"refusing to download {shown(url)}: {error}") from None
        except TransportError as error:
            raise _TryAgain(f"a broken connection ({_reason(error)})") from None
        try:
            await _require_picture(data)
        except DownloadFailed as error:
            raise DownloadFailed(error.kind, f"{shown(url)}: {error.message}") from None
        return data

    async def _body(self, url: str) -> bytes:
        here = url
        for _ in range(MAX_REDIRECTS + 1):
            target = await addresses.locate(here, loopback=self._loopback, resolve=self._resolve)
            async with self._opened(target) as response:
                if not response.has_redirect_location:
                    _require_success(response.status_code, here)
                    return await _read(response, here)
                here = _next(target.url, response.headers["location"])
        raise DownloadFailed("download", f"{shown(url)} redirects more than {MAX_REDIRECTS} times")

    @asynccontextmanager
    async def _opened(self, target: Target) -> AsyncIterator[Response]:
        response = await self._connect(target)
        try:
            yield response
        finally:
            await response.aclose()

    async def _connect(self, target: Target) -> Response:
        """An answer from the first address that can be reached, asked for under the host's own name."""
        candidates = target.addresses[:_MOST_ADDRESSES]
        for address in candidates[:-1]:
            try:
                return await self._client.send(self._request(target, address), stream=True)
            except (ConnectError, ConnectTimeout):
                continue
        return await self._client.send(self._request(target, candidates[-1]), stream=True)

    def _request(self, target: Target, address: str) -> Request:
        named = target.url.copy_with(host=target.host)
        return self._client.build_request(
            "GET",
            target.url.copy_with(host=address),
            headers={"Host": named.netloc.decode("ascii"), "Connection": "close"},
            extensions={"sni_hostname": target.host},
        )


def inline(value: str) -> bytes | None:
    """The bytes of a data URI or of bare base64; None for a URL. They look like a picture, but see `picture`.

    Raises `DownloadFailed` for what is neither (an empty string, say), for more than `MAX_BYTES`, and for
    bytes that are no picture.
    """
    text = value.strip()
    if _SCHEME.match(text) and text[:5].lower() != "data:":
        return None
    data = _from_base64(_payload(text))
    if not sniff(data):
        raise DownloadFailed("download", "the picture in the answer is of no known format")
    return data


async def _require_picture(data: bytes) -> None:
    """Decode all of a picture, off the event loop unless it is tiny.

    Raises `DownloadFailed` if it is too large ever to be decoded, `_TryAgain` if it is broken.
    """
    if not sniff(data):
        raise _TryAgain(_what_instead(data))
    try:
        header = read_header(data)
        if header.width * header.height <= _TINY:
            _decode(data)
        else:
            await asyncio.get_running_loop().run_in_executor(_DECODER, _decode, data)
    except ImageProblem as problem:
        if problem.reason == "too_large":
            raise DownloadFailed("download", problem.message) from None
        raise _TryAgain("a picture that is cut short or broken") from None


def sniff(data: bytes) -> str:
    """`png`, `jpeg`, `webp`, `gif` or `avif` by the first bytes; empty for anything else."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return "avif" if data[4:8] == b"ftyp" and _avif_brand(data) else ""


def shown(url: str) -> str:
    """A URL as messages show it: without query, user and password, and not longer than 120 characters."""
    try:
        parsed = URL(url)
    except InvalidURL:
        return "the URL"
    if not parsed.host:
        return "the URL"
    return str(parsed.copy_with(query=None, fragment=None, userinfo=b""))[:120]


def _avif_brand(data: bytes) -> bool:
    brands = data[8 : min(int.from_bytes(data[:4], "big"), 128)]
    return b"avif" in brands or b"avis" in brands


def _decode(data: bytes) -> None:
    """Decoded once and thrown away: converting it as well would take twice the time and memory."""
    check(data)


def _what_instead(data: bytes) -> str:
    if not data:
        return "an empty file"
    start = data[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "a web page instead of a picture"
    return "a file that is no picture of a known format"


def _unpacked(data: bytes) -> bytes:
    """Some servers compress even if asked not to; the headers that say so are as often wrong."""
    if data[:2] != b"\x1f\x8b":
        return data
    stream = zlib.decompressobj(wbits=31)
    try:
        plain = stream.decompress(data, MAX_BYTES + 1)
    except zlib.error:
        raise _TryAgain("a compressed file that is broken") from None
    if len(plain) > MAX_BYTES:
        raise _too_big("the compressed file")
    return plain


def _payload(text: str) -> str:
    if text[:5].lower() != "data:":
        return text
    header = _DATA_URI.match(text[:260])
    if header is None:
        raise DownloadFailed("download", "the data URI in the answer is not base64")
    return text[header.end() :]


def _from_base64(text: str) -> bytes:
    if len(text) > (MAX_BYTES + 2) // 3 * 4:
        raise _too_big("the picture in the answer")
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        raise DownloadFailed("download", "the answer holds neither a URL nor proper base64") from None


def _require_success(status: int, url: str) -> None:
    if status == 200:
        return
    if status in _GONE:
        raise DownloadFailed("expired", f"{shown(url)} is not there (any more): status {status}")
    if status >= 500 or status in _WORTH_ANOTHER_TRY:
        raise _TryAgain(f"status {status}")
    raise DownloadFailed("download", f"{shown(url)} answers with status {status}")


async def _read(response: Response, url: str) -> bytes:
    declared = response.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > MAX_BYTES:
        raise _too_big(shown(url))
    body = bytearray()
    async for chunk in response.aiter_raw():
        body += chunk
        if len(body) > MAX_BYTES:
            raise _too_big(shown(url))
    return bytes(body)


def _next(here: URL, location: str) -> str:
    try:
        return str(here.join(location))
    except InvalidURL:
        raise NotPublic("it redirects to a malformed URL") from None


def _too_big(what: str) -> DownloadFailed:
    return DownloadFailed("download", f"{what} is larger than {MAX_BYTES // 1024**2} MiB")


def _reason(error: TransportError) -> str:
    """Only a failed connect may speak for itself: the others can quote what the server sent."""
    if isinstance(error, ConnectError):
        return str(error)[:160]
    return type(error).__name__
