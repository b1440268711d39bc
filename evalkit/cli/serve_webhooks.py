"""`evalkit serve-webhooks`: let providers say when a job is done, so that runs ask sooner."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Annotated

import typer

from evalkit.cli.app import make_app
from evalkit.cli.console import note
from evalkit.cli.options import WorkspaceOption
from evalkit.errors import UsageError
from evalkit.store import Workspace

if TYPE_CHECKING:
    from evalkit.remote.receiver import Receiver

app = make_app()


@app.command()
def serve_webhooks(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="Port; 0 takes any free one.")] = 8620,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    workspace: WorkspaceOption = None,
) -> None:
    """Receive webhooks of providers until Ctrl-C; put an HTTPS proxy in front of it.

    A verified webhook only makes a run of the same workspace ask earlier, so it can be stopped at any time.
    Secrets come from BFL_WEBHOOK_SECRET, REPLICATE_WEBHOOK_SECRET and EACHLABS_WEBHOOK_SECRET.
    """
    from evalkit.remote.hooks import FOLDER
    from evalkit.remote.receiver import Receiver

    receiver = Receiver(Workspace.open(workspace).root / FOLDER, note)
    with _listen(host, port) as listening, contextlib.suppress(KeyboardInterrupt):
        address = f"http://{host}:{listening.getsockname()[1]}/{FOLDER}/<provider>"
        note(f"listening on {address} for {', '.join(receiver.ready())}")
        _serve(receiver, listening)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as error:
        raise UsageError(
            f"cannot listen on {host}:{port}: {error.strerror}", "Choose another --port or --host."
        ) from error


def _serve(receiver: Receiver, listening: socket.socket) -> None:
    import uvicorn

    config = uvicorn.Config(
        receiver.app(),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=100,
        timeout_keep_alive=5,
    )
    uvicorn.Server(config).run(sockets=[listening])
