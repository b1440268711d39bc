"""Running the fakes for a person: what to export, and then until Ctrl-C."""

from __future__ import annotations

import shlex
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from evalkit.errors import EvalkitError
from evalkit.fakes.server import FakeServer
from evalkit.fakes.tls import make_context

PORT = 9080


def serve(port: int, *, tls: bool, say: Callable[[str], None]) -> None:
    """Serve until interrupted. Raises `EvalkitError` if the port is taken."""
    with tempfile.TemporaryDirectory(prefix="evalkit-fakes-") as folder:
        context, trusted = make_context(Path(folder)) if tls else (None, None)
        try:
            with FakeServer(port=port, tls=context) as fakes:
                say(introduction(fakes, trusted))
                _wait()
        except OSError as error:
            raise EvalkitError(f"cannot listen on port {port}: {error}", "Choose another --port.") from error


def introduction(fakes: FakeServer, trusted: Path | None) -> str:
    """What is printed first: the exports, and what this is for."""
    variables = fakes.environment() | ({"SSL_CERT_FILE": str(trusted)} if trusted else {})
    exports = "\n".join(f"export {name}={shlex.quote(value)}" for name, value in sorted(variables.items()))
    return (
        f"# Fake providers on {fakes.url}, for this machine only. Nothing is billed, nothing leaves.\n"
        f"# In the shell that runs evalkit:\n{exports}\n"
        f"# What a provider would have billed: curl -s {fakes.url}/__fake__/ledger\n"
        "# Faults go into prompts, for example [[submit:429*2,ra=1]] or [[end:moderation]]. Ctrl-C stops."
    )


def _wait() -> None:
    """Until Ctrl-C."""
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        return
