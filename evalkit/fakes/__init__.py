"""Loopback servers that speak each provider's protocol, with faults on request and a ledger of billable jobs.

    with FakeServer() as fakes:
        os.environ.update(fakes.environment())

The grammar of faults is in `faults.py`; one file per provider in `routes/`. A description without one is
mirrored (`mirror.py`).
"""

from evalkit.fakes.faults import BadDirective, Directive, Plan, parse, render
from evalkit.fakes.server import FakeServer
from evalkit.fakes.state import Billed, Seen

__all__ = ["BadDirective", "Billed", "Directive", "FakeServer", "Plan", "Seen", "parse", "render"]
