"""A server on this machine that says exactly the bytes it is told to say, plainly or over TLS."""

from __future__ import annotations

import asyncio
import io
import ssl
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from PIL import Image


def picture(kind: str = "PNG", size: int = 64) -> bytes:
    noise = bytes((x * 7 + x * x) % 251 for x in range(size * size * 3))
    file = io.BytesIO()
    Image.frombytes("RGB", (size, size), noise).save(file, kind)
    return file.getvalue()


def bomb(side: int) -> bytes:
    """A small PNG that claims to be `side` x `side` pixels."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = b"IDAT" + zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + header + struct.pack(">I", len(data) - 4) + data
        + struct.pack(">I", zlib.crc32(data))
    )  # fmt: skip


@dataclass
class Seen:
    path: str
    headers: dict[str, str]


@dataclass
class Server:
    port: int = 0
    seen: list[Seen] = field(default_factory=list)
    connections: int = 0
    names: list[str | None] = field(default_factory=list)

    def url(self, path: str = "/x.png", host: str = "127.0.0.1", scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"


Answer = Callable[[int, Seen, asyncio.StreamWriter], Awaitable[None] | None]


def whole(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def says(*answers: bytes) -> Answer:
    """The n-th answer to the n-th request, the last one to all that follow."""

    def answer(number: int, seen: Seen, writer: asyncio.StreamWriter) -> None:
        writer.write(answers[min(number, len(answers) - 1)])

    return answer


@asynccontextmanager
async def serving(
    answer: Answer, *, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None, keep: bool = False
) -> AsyncIterator[Server]:
    server = Server()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
                server.seen.append(Seen(head[0].split(" ")[1], headers))
                coroutine = answer(len(server.seen) - 1, server.seen[-1], writer)
                if coroutine is not None:
                    await coroutine
                await writer.drain()
                if not keep:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            writer.close()

    running = await asyncio.start_server(handle, host, 0, ssl=tls)
    server.port = running.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        running.close()
        await asyncio.sleep(0.01)


@dataclass
class Authority:
    """A throwaway certificate authority."""

    folder: Path
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))

    def __post_init__(self) -> None:
        self.name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "throwaway")])
        basic = x509.BasicConstraints(ca=True, path_length=0)
        self.own = self._sign(self.name, self.key, basic, None)

    def _sign(self, subject, key, basic, names) -> x509.Certificate:
        now = datetime.now(UTC)
        public = self.key.public_key()
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(hours=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(basic, critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
            .add_extension(usage(sign=basic.ca), critical=True)
        )
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternatives, critical=False)
        return builder.sign(self.key, hashes.SHA256())

    def server(self, *names: str) -> ssl.SSLContext:
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = self._sign(x509.Name([]), key, x509.BasicConstraints(ca=False, path_length=None), names)
        file = self.folder / f"{names[0]}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        file.write_bytes(private + leaf.public_bytes(serialization.Encoding.PEM))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context

    def client(self) -> ssl.SSLContext:
        pem = self.own.public_bytes(serialization.Encoding.PEM).decode()
        return ssl.create_default_context(cadata=pem)


def usage(*, sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(True, False, False, False, False, sign, sign, False, False)
