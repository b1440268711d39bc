"""A loopback HTTP server that answers what a test tells it to, and keeps what it was asked."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

DROP = "drop"


@dataclass
class Asked:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Said:
    """One answer; `DROP` as the body closes the connection without one."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    length: int | None = None

    def encode(self) -> bytes:
        raw = self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()
        kind = "application/octet-stream" if isinstance(self.body, bytes) else "application/json"
        headers = {"Content-Type": kind, "Content-Length": str(self.length or len(raw)), **self.headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"HTTP/1.1 {self.status} X\r\n{head}\r\n".encode() + raw


Answer = Callable[[Asked], Said | str]


@dataclass
class LoopServer:
    answer: Answer
    url: str = ""
    asked: list[Asked] = field(default_factory=list)

    def paths(self, method: str) -> list[str]:
        return [one.path for one in self.asked if one.method == method]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await _read(reader)) is not None:
                self.asked.append(request)
                said = self.answer(request)
                if not isinstance(said, Said):
                    break
                writer.write(said.encode())
                await writer.drain()
                if said.length is not None:
                    break
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Asked | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.split("\r\n")
    method, path, _ = first.split(" ")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Asked(method, path, headers, body)


@asynccontextmanager
async def serving(answer: Answer) -> AsyncIterator[LoopServer]:
    mine = LoopServer(answer)
    server = await asyncio.start_server(mine.serve, "127.0.0.1", 0)
    mine.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield mine
    finally:
        server.close()


def png(shade: int = 200) -> bytes:
    held = io.BytesIO()
    Image.new("RGB", (24, 24), (shade, 40, 90)).save(held, "PNG")
    return held.getvalue()
