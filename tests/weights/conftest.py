"""A loopback server that speaks enough of a file host and of a Hugging Face hub."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class FileServer:
    """Files by path, and what was asked: `asked` holds (method, path, Range).

    `cut_after` bytes the connection is cut, `cuts` times. `digests` are published in place of the true ones.
    """

    base: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[str, str, str | None]] = field(default_factory=list)
    cut_after: int | None = None
    cuts: int = 1_000_000
    ignore_range: bool = False
    digests: dict[str, str] = field(default_factory=dict)

    @property
    def fetched(self) -> list[tuple[str, str | None]]:
        """(path, Range) of every GET."""
        return [(path, wanted) for method, path, wanted in self.asked if method == "GET"]


def _handler(state: FileServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *args: object) -> None:
            del args

        def do_HEAD(self) -> None:
            self._answer(body=False)

        def do_GET(self) -> None:
            self._answer(body=True)

        def _answer(self, body: bool) -> None:
            wanted = self.headers.get("Range")
            state.asked.append((self.command, self.path, wanted))
            data = state.files.get(self.path)
            if data is None:
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = (
                int(wanted.removeprefix("bytes=").split("-")[0]) if wanted and not state.ignore_range else 0
            )
            if start and start >= len(data):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(data)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self._headers(data, start)
            if body:
                self._send(data[start:])

        def _headers(self, data: bytes, start: int) -> None:
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(data) - start))
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
            published = state.digests.get(self.path) or hashlib.sha256(data).hexdigest()
            self.send_header("ETag", f'"{published}"')
            self.send_header("X-Repo-Commit", "a" * 40)
            self.end_headers()

        def _send(self, data: bytes) -> None:
            if state.cut_after is None or not state.cuts:
                self.wfile.write(data)
                return
            state.cuts -= 1
            self.wfile.write(data[: state.cut_after])
            self.close_connection = True

    return Handler


@pytest.fixture
def server() -> Iterator[FileServer]:
    state = FileServer()
    http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.base = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield state
    http.shutdown()
    http.server_close()
    thread.join()


@pytest.fixture(autouse=True)
def _own_folders(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """No test sees or touches the caches of the machine."""
    for name in ("EVALKIT_WEIGHTS_DIR", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
