"""How long work says how far it is, whoever listens.

A stage that works calls `Progress`; the command line draws bars, tests and library users pass nothing.
"""

from __future__ import annotations


class Progress:
    """Silent base class; every method may be called from any thread."""

    def start(self, stage: str, total: int) -> None:
        """A stage of `total` steps begins."""

    def advance(self, stage: str, steps: int = 1) -> None:
        """Some steps of a stage are done."""

    def finish(self, stage: str) -> None:
        """A stage is over, complete or not."""

    def note(self, message: str) -> None:
        """Something a user should read, without stopping."""


SILENT = Progress()
