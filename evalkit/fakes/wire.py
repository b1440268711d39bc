"""HTTP/1.1 over a socket, by hand, because a fake has to be able to break it.

Requests are read with their bodies (counted or chunked), one after the other on a kept-alive connection;
answers are written whole, short, endless, as events, or not at all. It knows nothing of what is asked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import cast

from evalkit.fakes.messages import Answer, Asked

MAX_BODY = 64 * 1024 * 1024
ENDLESS_CHUNK = 64 * 1024
_PHRASE = {status.value: status.phrase for status in HTTPStatus}


class Malformed(ValueError):
    """Bytes that are no HTTP request."""


class Connection(asyncio.Protocol):
    """One client's connection. `answer` says what to a request; `alive` collects what is open."""

    def __init__(self, answer: Callable[[Asked], Answer], alive: set[Connection], scheme: str) -> None:
        self._answer = answer
        self._alive = alive
        self._scheme = scheme
        self._buffer = bytearray()
        self._task: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._writable.set()
        self._alive.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._alive.discard(self)
        self._writable.set()
        if self._task is not None:
            self._task.cancel()

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        self._go_on()

    def _go_on(self) -> None:
        """Answer what is complete; stop at an answer that takes time."""
        while self._task is None and not self._transport.is_closing():
            try:
                asked = self._read()
            except Malformed as error:
                self._transport.write(_head(Answer(400, str(error).encode()), 0, close=True))
                self._transport.close()
                return
            if asked is None:
                return
            self._reply(asked)

    def _read(self) -> Asked | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return None
        method, target, headers = _read_head(bytes(self._buffer[:end]))
        if "chunked" in headers.get("transfer-encoding", "").lower():
            found = _chunked(self._buffer, end + 4)
        else:
            found = _counted(self._buffer, end + 4, headers.get("content-length", "0"))
        if found is None:
            self._encourage(headers, end + 4)
            return None
        body, used = found
        del self._buffer[:used]
        return Asked(method, target, headers, body, self._scheme)

    def _encourage(self, headers: dict[str, str], start: int) -> None:
        if headers.get("expect", "").lower() == "100-continue" and len(self._buffer) == start:
            self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    def _reply(self, asked: Asked) -> None:
        answer = self._answer(asked)
        close = asked.headers.get("connection", "").lower() == "close"
        if answer.delay or answer.first or answer.events or answer.how == "endless":
            self._task = asyncio.get_running_loop().create_task(self._late(asked, answer, close))
        else:
            self._send(asked, answer, close)

    def _send(self, asked: Asked, answer: Answer, close: bool) -> None:
        if answer.how == "drop":
            self._transport.abort()
            return
        body = b"" if asked.method == "HEAD" else answer.body
        sent = body[: len(body) // 2] if answer.how == "short" else body
        self._transport.write(_head(answer, len(answer.body), close=close) + sent)
        if close or answer.how == "short":
            self._transport.close()

    async def _late(self, asked: Asked, answer: Answer, close: bool) -> None:
        if answer.delay:
            await asyncio.sleep(answer.delay)
        if answer.first is not None:
            await answer.first()
        if answer.how == "endless":
            await self._endless(answer)
        elif answer.events:
            await self._events(answer)
        else:
            self._send(asked, answer, close)
        self._task = None
        self._go_on()

    async def _endless(self, answer: Answer) -> None:
        chunk = b"%x\r\n%b\r\n" % (ENDLESS_CHUNK, b"\0" * ENDLESS_CHUNK)
        self._transport.write(_head(answer, None, close=True) + _chunk(answer.body))
        while not self._transport.is_closing():
            self._transport.write(chunk)
            await self._writable.wait()
            await asyncio.sleep(0)

    async def _events(self, answer: Answer) -> None:
        self._transport.write(_head(answer, None, close=True))
        for event in answer.events:
            self._transport.write(_chunk(event))
            await asyncio.sleep(0.01)
        self._transport.write(b"0\r\n\r\n")
        self._transport.close()


def factory(
    answer: Callable[[Asked], Answer], alive: set[Connection], scheme: str
) -> Callable[[], Connection]:
    """What `create_server` calls for each client."""
    return lambda: Connection(answer, alive, scheme)


def _read_head(head: bytes) -> tuple[str, str, dict[str, str]]:
    first, *lines = head.decode("latin-1").split("\r\n")
    parts = first.split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise Malformed(f"not an HTTP/1.1 request line: {first[:80]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return parts[0], parts[1], headers


def _counted(buffer: bytearray, start: int, length: str) -> tuple[bytes, int] | None:
    if not length.isdigit() or int(length) > MAX_BODY:
        raise Malformed(f"Content-Length {length[:20]!r}")
    end = start + int(length)
    return (bytes(buffer[start:end]), end) if len(buffer) >= end else None


def _chunked(buffer: bytearray, start: int) -> tuple[bytes, int] | None:
    body = bytearray()
    while True:
        line = buffer.find(b"\r\n", start)
        if line < 0:
            return None
        try:
            size = int(bytes(buffer[start:line]).split(b";")[0], 16)
        except ValueError as error:
            raise Malformed("chunk size") from error
        start = line + 2
        if len(body) + size > MAX_BODY:
            raise Malformed("the body is too long")
        if len(buffer) < start + size + 2:
            return None
        if size == 0:
            return bytes(body), start + 2
        body += buffer[start : start + size]
        start += size + 2


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


def _head(answer: Answer, length: int | None, *, close: bool) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {_PHRASE.get(answer.status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in answer.headers.items()]
    lines.append("transfer-encoding: chunked" if length is None else f"content-length: {length}")
    if close:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
