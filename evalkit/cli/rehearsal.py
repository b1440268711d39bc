"""A rehearsal: the same run against servers on this machine that only pretend to be the providers.

Nothing leaves the machine and nothing is billed. Its workspace is its own, so no rehearsed picture can
ever be taken for a real one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from evalkit.cli.console import note
from evalkit.store import Workspace


@contextlib.contextmanager
def rehearsal(workspace: Path | None) -> Iterator[Workspace]:
    """Move every provider to the fakes; yields the workspace to rehearse in."""
    from evalkit.fakes import FakeServer

    with FakeServer() as fake:
        before = dict(os.environ)
        os.environ.update(fake.environment())
        try:
            opened = Workspace.open(Workspace.place(workspace) / "rehearsal")
            note(f"Rehearsal: nothing leaves this machine, nothing is billed. Workspace: {opened.root}")
            yield opened
        finally:
            os.environ.clear()
            os.environ.update(before)
