from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

SECRET = "SENTINEL-KEY-bfl"
COMMAND = [sys.executable, "-m", "evalkit", "serve-webhooks"]


class Served:
    def __init__(self, folder: Path) -> None:
        self.workspace = folder / "workspace"
        self.process = subprocess.Popen(
            [*COMMAND, "--port", "0", "--workspace", str(self.workspace)],
            env=os.environ | {"BFL_WEBHOOK_SECRET": SECRET},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        self.greeting = self.process.stderr.readline()
        self.base = self.greeting.split()[2].removesuffix("/hooks/<provider>")

    def post(self, path: str, body: bytes, signature: str) -> int:
        request = urllib.request.Request(
            self.base + path, body, {"X-BFL-Signature": signature}, method="POST"
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                assert "server" not in {name.lower() for name in reply.headers}
                return int(reply.status)
        except urllib.error.HTTPError as error:
            with error:
                return error.code

    def stop(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, self.greeting + said


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    server = Served(tmp_path)
    yield server
    if server.process.poll() is None:
        server.process.kill()
        server.process.communicate(timeout=30)


def sign(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def test_the_command_takes_hints_until_it_is_stopped(served: Served) -> None:
    body = b'{"id": "job-1", "status": "Ready"}'
    assert served.post("/hooks/bfl", body, sign(body)) == 200
    assert served.post("/hooks/bfl", body, sign(body)) == 200
    assert served.post("/hooks/bfl", body, sign(b"other")) == 401
    assert served.post("/hooks/other", body, sign(body)) == 404
    assert served.post("/hooks/replicate", body, sign(body)) == 404
    code, said = served.stop()
    lines = (served.workspace / "hooks" / "bfl.jsonl").read_text().splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["job-1"]
    assert code == 0
    assert "for fal, ideogram, bfl, pixazo" in said
    assert "bfl: hint for job-1" in said
    assert SECRET not in said
    assert "Traceback" not in said


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        command = [*COMMAND, "--port", str(taken.getsockname()[1]), "-w", str(tmp_path)]
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "ddress already in use" in done.stderr
    assert "Traceback" not in done.stderr
