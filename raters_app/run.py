"""Starting the rater app from Python: `serve` is what `evalkit rate` calls."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import webbrowser
from collections.abc import Callable
from pathlib import Path

import uvicorn

from evalkit.errors import UsageError
from evalkit.store import Workspace
from evalkit.study.define import load_study
from raters_app import serving

GRACE_SECONDS = 2


def serve(
    workspace: Path,
    study: str,
    port: int = 8501,
    host: str = "127.0.0.1",
    open_browser: bool = True,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Serve a study until Ctrl-C. `announce` gets the URL once raters can use it; port 0 means any.

    Raises `UnknownName` (no such study), `WorkspaceError`, and `UsageError` (the port is taken).
    """
    load_study(Workspace.open(workspace, create=False), study)
    os.environ[serving.WORKSPACE] = str(workspace)
    os.environ[serving.STUDY] = study
    os.environ[serving.HOST] = host
    with contextlib.closing(_bind(host, port)) as listener:
        url = f"http://{_shown_host(host)}:{listener.getsockname()[1]}/join"
        server = _Server(_config(), lambda: _ready(url, announce or _print, open_browser))
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[listener])


class _Server(uvicorn.Server):
    """Says when it is up."""

    def __init__(self, config: uvicorn.Config, when_up: Callable[[], None]) -> None:
        super().__init__(config)
        self._when_up = when_up

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._when_up()


def _config() -> uvicorn.Config:
    # The app is imported by name after the environment says which study it is for.
    return uvicorn.Config(
        "raters_app.app:app",
        access_log=False,
        log_level="warning",
        lifespan="on",
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            "Use another port: evalkit rate STUDY --port 8502",
        ) from error
    return listener


def _shown_host(host: str) -> str:
    if host in ("0.0.0.0", "::"):
        return socket.gethostname()
    return f"[{host}]" if ":" in host else host


def _ready(url: str, announce: Callable[[str], None], open_browser: bool) -> None:
    announce(url)
    if open_browser:
        webbrowser.open(url)


def _print(url: str) -> None:
    sys.stdout.write(f"Rating is open at {url}\nStop with Ctrl-C; every vote is saved when it is given.\n")
    sys.stdout.flush()
